//! Tasks: a definition brought to life on a machine. Requests are checked whole before anything is written; what
//! was written is brought about by the reconciler; what agents report only ever moves a task forward.

pub(crate) mod counts;
mod demand;
pub(crate) mod describe;
mod finish;
pub(crate) mod launch;
pub(crate) mod list;
pub(crate) mod network;
mod overrides;
pub(crate) mod placement;
mod record;
mod report;
pub(crate) mod request;
pub(crate) mod roles;
pub(crate) mod run;
mod show;
mod sizes;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod submit_attachments;
pub(crate) mod submit_container;
pub(crate) mod submit_task;
mod token;
pub(crate) mod write;

#[cfg(test)]
mod tests;

pub use demand::demand;
pub(crate) use finish::{abandon, finish, stopped};
pub(crate) use overrides::definition_with;
pub(crate) use record::key_of_arn;
pub(crate) use record::{
    AttachmentRecord, AttachmentStatus, CheckedHealth, ContainerRecord, ContainerStatus, Desired,
    InterfaceRecord, LastStatus, Launch, Stop, StopCode, TaskRecord, Times,
};
pub(crate) use token::TokenRecord;
