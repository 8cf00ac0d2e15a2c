//! The agent on a real kernel, as root: real containers, real interfaces, in a network namespace that plays the
//! host, so that the machine's own network is never touched. The control plane is the scripted one.

mod bench;
mod network;
mod restarts;
mod speed;
mod tasks;

#[path = "../protocol/plane/mod.rs"]
#[allow(dead_code)] // what the protocol tests use
mod plane;
