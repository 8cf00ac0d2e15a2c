//! Task definitions: what a task is to be, written down once, checked whole, and never changed afterwards.

pub(crate) mod deregister;
pub(crate) mod describe;
pub(crate) mod families;
pub(crate) mod list;
mod lookup;
mod record;
pub(crate) mod register;
mod revisions;

pub(crate) use lookup::load;
pub use record::{Definition, FamilyRecord, TaskDefinitionRecord};
