//! The node's agent: it registers the node with the control plane, takes tasks from the agent channel, and
//! makes them real.

pub mod engine;
pub mod driver;
pub mod journal;
pub mod run;
pub mod upstream;
pub mod api;
pub mod channel;
pub mod sim;
pub mod node;
