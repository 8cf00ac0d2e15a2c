//! The engine at work: it gives every task an actor of its own, so that a slow disk, registry or control plane
//! holds up one task and not the node.

mod actor;
mod attachments;
mod effects;
mod engine;
mod forward;
mod limits;
mod pace;
mod record;
mod restore;
mod roles;
mod secrets;
mod ship;

pub use actor::View;
pub use engine::{AcceptError, Engine, EngineError, NetworkMapError};
pub use limits::Limits;
pub use pace::{Pace, jitter};
