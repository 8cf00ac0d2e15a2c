//! The one way in which a task's record is written: with the event that tells of its new state, if it has one.

use roadstead_api_ecs as api;
use roadstead_store::{Entry, Transaction};

use crate::Ecs;
use crate::error::Result;
use crate::published::{StateChange, tell};
use crate::stored::Shaped;
use crate::tasks::show::{Include, show};
use crate::tasks::{Desired, LastStatus, TaskRecord};

const DETAIL_TYPE: &str = "ECS Task State Change";

impl Shaped for api::Task {
    const SHAPE: &'static str = "Task";
}

/// Writes a task that is new.
pub(super) fn insert(ecs: &Ecs, transaction: Transaction, task: &TaskRecord) -> Result<Transaction> {
    let transaction = transaction.insert(&ecs.tasks(), &task.key(), task);
    told(ecs, transaction, task)
}

/// Writes what became of a task.
pub(crate) fn replace(
    ecs: &Ecs,
    transaction: Transaction,
    entry: &Entry<TaskRecord>,
    task: &TaskRecord,
) -> Result<Transaction> {
    let transaction = transaction.replace(&ecs.tasks(), entry, task);
    if state(&entry.value) == state(task) {
        return Ok(transaction);
    }
    told(ecs, transaction, task)
}

/// What of a task is told when it changes. The interface is mostly written down with a change of status, but its
/// agent may have been faster.
fn state(task: &TaskRecord) -> (LastStatus, Desired, bool) {
    let interface = task.attachment.as_ref().and_then(|it| it.interface.as_ref());
    (task.last, task.desired, interface.is_some())
}

fn told(ecs: &Ecs, transaction: Transaction, task: &TaskRecord) -> Result<Transaction> {
    let change = StateChange {
        partition: &task.partition,
        detail_type: DETAIL_TYPE,
        arn: task.arn(),
        version: task.version,
        now: show(ecs, task, Include::default()),
    };
    tell(ecs, transaction, change)
}
