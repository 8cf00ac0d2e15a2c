//! The agent against a scripted control plane, over a simulated node: real sockets on loopback, nothing of the
//! machine is touched.

mod awslogs;
mod channel;
mod metadata;
mod plane;
mod receivers;
mod recorded;
mod restart;
mod telemetry;
