//! The node's agent: it registers the node with the control plane, takes tasks from the agent channel, and
//! makes them real.

pub mod engine;
