//! The end of a task: what it had goes back to the ledger in the same commit that says STOPPED.

use roadstead_base::Timestamp;
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ecs;
use crate::error::Result;
use crate::instances::ledger::node_key;
use crate::tasks::{
    AttachmentStatus, ContainerStatus, Desired, LastStatus, Stop, StopCode, TaskRecord, write,
};
use crate::usage::metered;

const TRIES: usize = 64;

/// Makes the record one of a stopped task.
pub(crate) fn stopped(task: &mut TaskRecord, now: Timestamp) {
    task.desired = Desired::Stopped;
    task.last = LastStatus::Stopped;
    task.times.stopping.get_or_insert(now);
    task.times.stopped.get_or_insert(now);
    for container in &mut task.containers {
        container.status = ContainerStatus::Stopped;
    }
    if let Some(attachment) = &mut task.attachment {
        attachment.status = AttachmentStatus::Deleted;
    }
    task.version += 1;
}

/// Says why it stops, unless that was said before.
pub(crate) fn abandon(task: &mut TaskRecord, code: StopCode, reason: impl Into<String>) {
    task.desired = Desired::Stopped;
    task.stop.get_or_insert_with(|| Stop {
        code,
        reason: reason.into(),
    });
}

/// Writes a task and, if it is stopped now, gives back what it had. False: the task changed since it was read.
pub(crate) async fn finish(ecs: &Ecs, entry: &Entry<TaskRecord>, task: &TaskRecord) -> Result<bool> {
    if task.last != LastStatus::Stopped {
        let transaction = write::replace(ecs, Transaction::new(&ecs.store), entry, task)?;
        return Ok(matches!(transaction.commit().await?, Outcome::Committed(_)));
    }
    let key = node_key(&task.node);
    for _ in 0..TRIES {
        let mut transaction = write::replace(ecs, Transaction::new(&ecs.store), entry, task)?;
        transaction = metered(ecs, transaction, task);
        if let Some(ledger) = ecs.nodes().get(&key).await? {
            let mut left = ledger.value.clone();
            if left.release(&task.arn()) {
                transaction = transaction.replace(&ecs.nodes(), &ledger, &left);
            }
        }
        if let Outcome::Committed(_) = transaction.commit().await? {
            return Ok(true);
        }
        // Either the ledger moved on, which is tried again, or the task did, which is the caller's to see.
        if ecs
            .tasks()
            .get(&entry.key)
            .await?
            .is_none_or(|now| now.revision != entry.revision)
        {
            return Ok(false);
        }
    }
    Err(crate::error::Error::Contended)
}
