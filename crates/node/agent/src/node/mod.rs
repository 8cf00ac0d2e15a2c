//! A whole agent, from options to a handle.

mod agent;
mod options;
mod start;

pub use agent::{Parts, Running, StartError};
pub use options::Options;
pub(crate) use options::{containers, logs, records};
pub use start::{Agent, Error, Handle};
