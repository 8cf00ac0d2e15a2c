//! The agent channel: one websocket for each container instance, over which its agent is told what to run. What
//! is told is decided by reconcilers from records; a connection holds nothing that is not made again when the
//! agent comes back.

mod connection;
pub(crate) mod discover;
mod manifest;
mod renew;
mod server;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use connection::network_map;
pub(crate) use manifest::timeline_key;
pub(crate) use server::Acs;
pub(crate) use session::{Delivery, Order, Session, Sessions, Stage};

/// Where the channel is mounted.
pub const PATH: &str = "/_roadstead/acs";
