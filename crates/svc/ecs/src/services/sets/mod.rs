//! Task sets: what a service runs whose deployment controller is EXTERNAL. A third party makes them, says how much of the
//! desired count each has, and which of them is PRIMARY; the scheduler keeps each as it is meant to be. They are part of
//! their service's own record, so that nothing is decided of one without the others. Source: the developer guide,
//! "Deploy Amazon ECS services using a third-party controller".

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
mod id;
mod lookup;
pub(crate) mod primary;
mod record;
mod show;
pub(crate) mod update;

pub(crate) use id::TaskSetId;
pub(crate) use lookup::own_tasks;
pub(crate) use record::{Request, TaskSetRecord, TaskSetStatus};
pub(super) use show::show_all;
