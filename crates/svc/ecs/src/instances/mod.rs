//! Placeholder.

pub(crate) mod counts;
pub(crate) mod deregister;
pub(crate) mod describe;
pub(crate) mod list;
mod record;
pub(crate) mod register;

pub use record::ContainerInstanceRecord;
