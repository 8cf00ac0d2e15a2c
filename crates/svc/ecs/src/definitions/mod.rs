//! Task definitions: what a task is to be, written down once, checked whole, and never changed afterwards.

pub(crate) mod delete;
pub(crate) mod deregister;
pub(crate) mod describe;
pub(crate) mod families;
pub(crate) mod list;
mod lookup;
mod record;
pub(crate) mod register;
mod revisions;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use lookup::{find, load, load_any};
pub(crate) use record::FamilyRecord;
pub use record::{Definition, TaskDefinitionRecord};
pub(crate) use register::{ResourceFault, gpus, is_parameter};
