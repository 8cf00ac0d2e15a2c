//! Container instances: agents that registered in a cluster, and the ledger of the machine behind them.

pub(crate) mod attributes;
mod candidates;
pub(crate) mod connection;
pub(crate) mod counts;
pub(crate) mod deregister;
pub(crate) mod describe;
mod identity;
pub(crate) mod ledger;
pub(crate) mod list;
mod lookup;
mod record;
pub(crate) mod register;
mod resources;
mod show;
pub(crate) mod state;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use candidates::{candidate, candidate_with};
pub(crate) use lookup::{find_by_arn, named_cluster};
pub(crate) use record::ATTRIBUTE_ZONE;
pub(crate) use record::{ContainerInstanceRecord, InstanceRef, InstanceStatus};
