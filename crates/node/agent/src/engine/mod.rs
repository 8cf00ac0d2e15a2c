//! The task engine's core: what a task is to be, where it stands, and what follows from an event. Nothing in
//! here performs I/O, asks for the time or draws a random number, so that the simulator and the property tests
//! run the very code that a node runs.

pub mod decode;
pub mod docker;
pub mod durable;
pub mod event;
pub mod health;
pub mod ledger;
pub mod machine;
mod order;
pub mod recover;
pub mod report;
pub mod restart;
pub mod spec;
pub mod state;
