//! Security groups are enforced by nftables in the router of their VPC. A rule set is a value here: built
//! from the map by a pure function, compared with the one in force, and applied as one transaction, so
//! that there is no moment in which everything or nothing passes.

mod apply;
mod element;
mod flows;
mod groups;
mod local;
mod pins;
mod ruleset;
#[cfg(test)]
mod tests;
mod tracked;

pub use apply::Transaction;
pub(crate) use apply::{Firewall, run_nft};
pub(crate) use groups::{LocalPort, Uplink, Wardrobe, router_rules};
pub(crate) use local::{Pin, local_rules};
pub(crate) use pins::{LinkPins, PORT_PREFIX};
pub(crate) use ruleset::Ruleset;
pub(crate) use tracked::{end_connections, forget_connections};

/// Name of our table in every family and namespace.
pub(crate) const TABLE: &str = "roadstead";
