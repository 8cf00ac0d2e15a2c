//! Services: so many tasks of a definition, kept running. Operations say what is meant; the scheduler brings it about,
//! one step at a time, each decided by `roadstead_deployment` from the records as they are then.

mod ask;
pub(crate) mod counts;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod deployments;
pub(crate) mod describe;
mod external;
pub(crate) mod list;
mod lookup;
pub(crate) mod namespaces;
mod news;
mod owner;
mod parts;
pub(crate) mod protection;
mod record;
pub(crate) mod scheduler;
pub(crate) mod sets;
mod show;
pub(crate) mod update;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use news::EventRecord;
pub(crate) use owner::Owner;
pub(crate) use record::{ServiceRecord, ServiceStatus};
pub(crate) use sets::TaskSetId;
