//! A whole agent, from options to a handle.

mod agent;

pub use agent::{Parts, Running, StartError};
