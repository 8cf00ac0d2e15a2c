//! The agent channel (ACS): a websocket to the control plane, over which it says what this node is to run.

mod connect;
mod handle;
mod identity;
mod session;
mod verdict;

pub(crate) use connect::{Socket, base, open};
pub use identity::{Identity, NodeRecord};
pub use session::{Session, SessionStatus, Timing};
pub(crate) use verdict::{End, Next, next};
