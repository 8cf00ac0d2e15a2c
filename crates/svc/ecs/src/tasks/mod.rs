//! Placeholder.

pub(crate) mod counts;
pub(crate) mod describe;
pub(crate) mod list;
mod record;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod submit_attachments;
pub(crate) mod submit_container;
pub(crate) mod submit_task;

pub use record::TaskRecord;
