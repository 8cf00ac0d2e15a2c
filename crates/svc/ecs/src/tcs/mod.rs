//! The telemetry channel: what agents measure of their tasks, and what becomes of it. Samples live in memory alone,
//! a few minutes of them: what lasts are the metrics made of them each minute, in the metrics service.

mod connection;
mod intake;
mod publish;
mod reports;
mod server;
mod status;
#[cfg(test)]
mod tests;
mod utilization;

pub(crate) use publish::Minutes;
pub(crate) use reports::{Health, Status, Telemetry};
pub(crate) use server::Tcs;
pub(crate) use status::shown;

/// Where the channel is mounted.
pub const PATH: &str = "/_roadstead/tcs";
