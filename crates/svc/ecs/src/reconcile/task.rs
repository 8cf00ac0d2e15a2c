//! One task. What is missing next is a pure function of its record; doing it is one call away from safe to
//! repeat.

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Timestamp;
use roadstead_reconcile::{Action, Error as ReconcileError, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Transaction};

use crate::acs::{Delivery, Stage};
use crate::error::{Error, Result};
use crate::instances::InstanceStatus;
use crate::reconcile::{Worker, deliver, failed, interface};
use crate::tasks::{Desired, LastStatus, StopCode, TaskRecord, abandon, finish, stopped};

/// How soon a record is looked at again that others keep changing.
const AGAIN: Duration = Duration::from_secs(1);
/// Steps of one look; a task has fewer on its whole way.
const MAX_STEPS: usize = 16;
const INSTANCE_GONE: &str = "The container instance of the task no longer exists.";

pub(super) struct Tasks(pub(super) Arc<Worker>);

impl Reconciler for Tasks {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, ReconcileError> {
        self.0.task(key).await.map_err(failed)
    }

    fn keys(&self) -> Vec<Key> {
        let Some(mirrors) = self.0.present.0.get() else {
            return Vec::new();
        };
        mirrors
            .tasks
            .snapshot()
            .iter()
            .map(|entry| entry.key.clone())
            .collect()
    }
}

/// What a record is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its interface, before any agent hears of it.
    Provision,
    /// The word that it is being stopped.
    SayStopping,
    Tell(Stage),
    /// Its interface is to go, and then it has stopped.
    Deprovision,
    /// It is remembered for so many milliseconds more.
    Remember(i64),
    Forget,
    Nothing,
}

fn next(task: &TaskRecord, now: Timestamp, keep: i64) -> Step {
    // Its agent may have reported before the interface was written down, and the daemon died in between.
    let unwritten = task
        .attachment
        .as_ref()
        .is_some_and(|attachment| attachment.interface.is_none());
    if unwritten && task.concerns_agent() && task.desired == Desired::Running {
        return Step::Provision;
    }
    match (task.last, task.desired) {
        (LastStatus::Stopped, _) => {
            let left = task.times.stopped.unwrap_or(task.times.created).0 + keep - now.0;
            if left > 0 {
                Step::Remember(left)
            } else {
                Step::Forget
            }
        }
        (LastStatus::Deprovisioning, _) | (LastStatus::Provisioning, Desired::Stopped) => Step::Deprovision,
        (LastStatus::Provisioning, Desired::Running) => Step::Provision,
        (LastStatus::Stopping, _) => Step::Tell(Stage::Stop),
        (_, Desired::Stopped) => Step::SayStopping,
        (LastStatus::Pending, Desired::Running) => Step::Tell(Stage::Start),
        (LastStatus::Activating | LastStatus::Running | LastStatus::Deactivating, Desired::Running) => {
            Step::Nothing
        }
    }
}

/// How soon one of so many that wait for the same is looked at again: each looks at all of them.
fn behind(waiting: usize) -> Duration {
    AGAIN + AGAIN * u32::try_from(waiting / 250).unwrap_or(u32::MAX).min(60)
}

impl Worker {
    async fn task(&self, key: &Key) -> Result<Action> {
        for _ in 0..MAX_STEPS {
            let Some(entry) = self.tasks().get(key).await? else {
                return Ok(Action::Done);
            };
            if let Some(why) = self.host_gone(&entry.value).await? {
                self.orphan(&entry, why).await?;
                continue;
            }
            let step = match next(&entry.value, self.clock.now(), self.options.keep_stopped_millis) {
                // It was told before its record could be written.
                Step::Deprovision
                    if entry.value.last == LastStatus::Provisioning && self.told(&entry.value) =>
                {
                    Step::SayStopping
                }
                step => step,
            };
            match step {
                Step::Nothing => return Ok(Action::Done),
                Step::Remember(left) => {
                    self.told_no_more(&entry.value);
                    return Ok(Action::Again(Duration::from_millis(left.unsigned_abs())));
                }
                Step::Forget => return self.forget(&entry).await,
                Step::Provision => interface::provision(self, &entry).await?,
                Step::SayStopping => {
                    let mut task = entry.value.clone();
                    task.last = LastStatus::Stopping;
                    task.times.stopping.get_or_insert(self.clock.now());
                    task.version += 1;
                    finish(self, &entry, &task).await?;
                }
                Step::Deprovision => {
                    interface::take_away(self, &entry.value).await?;
                    let mut task = entry.value.clone();
                    stopped(&mut task, self.clock.now());
                    finish(self, &entry, &task).await?;
                }
                Step::Tell(stage) => match deliver::tell(self, &entry.value, stage).await {
                    Ok(Delivery::Waiting) => return Ok(Action::Again(self.options.resend)),
                    // What it waits for brings the key back, unless it is an agent's going.
                    Ok(Delivery::Behind(waiting)) => return Ok(Action::Again(behind(waiting))),
                    // Away: its next connection brings the key back.
                    Ok(Delivery::Away | Delivery::Acknowledged) => return Ok(Action::Done),
                    Err(error @ (Error::Store(_) | Error::Contended | Error::Other(_))) => return Err(error),
                    // No agent can ever be told this.
                    Err(error) => self.orphan(&entry, error.to_string()).await?,
                },
            }
        }
        Ok(Action::Again(AGAIN))
    }

    /// Why a task that its agent should know has no instance any more.
    async fn host_gone(&self, task: &TaskRecord) -> Result<Option<String>> {
        if !task.concerns_agent() {
            return Ok(None);
        }
        Ok(match self.instances().get(&task.host.key()).await? {
            None => Some(INSTANCE_GONE.to_owned()),
            Some(entry) => match entry.value.status {
                InstanceStatus::Inactive { reason, .. } => Some(reason),
                InstanceStatus::Active | InstanceStatus::Draining => None,
            },
        })
    }

    /// Ends a task whose instance is gone: nobody will ever report about it.
    async fn orphan(&self, entry: &Entry<TaskRecord>, why: String) -> Result<()> {
        let mut task = entry.value.clone();
        abandon(&mut task, StopCode::TerminationNotice, why);
        task.times.stopping.get_or_insert(self.clock.now());
        if task.attachment.is_some() {
            task.last = LastStatus::Deprovisioning;
            task.version += 1;
        } else {
            stopped(&mut task, self.clock.now());
        }
        finish(self, entry, &task).await.map(|_| ())
    }

    pub(super) fn told(&self, task: &TaskRecord) -> bool {
        let session = self.agents.find(&task.host.arn());
        session.is_some_and(|session| session.knows(&task.arn()))
    }

    pub(super) fn told_for(&self, task: &TaskRecord) -> Option<Duration> {
        self.agents.find(&task.host.arn())?.knows_for(&task.arn())
    }

    fn told_no_more(&self, task: &TaskRecord) {
        if let Some(session) = self.agents.find(&task.host.arn()) {
            session.forget(&task.arn());
        }
    }

    async fn forget(&self, entry: &Entry<TaskRecord>) -> Result<Action> {
        let transaction = Transaction::new(&self.store)
            .compare_unmodified(entry)
            .delete(&entry.key);
        match transaction.commit().await? {
            Outcome::Committed(_) => Ok(Action::Done),
            Outcome::Conflict => Ok(Action::Again(AGAIN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::tests::task;

    #[test]
    fn the_more_wait_the_less_often_each_looks() {
        for (waiting, seconds) in [(0, 1), (60, 1), (1_000, 5), (5_000, 21), (1_000_000, 61)] {
            assert_eq!(behind(waiting).as_secs(), seconds, "{waiting}");
        }
    }

    #[test]
    fn each_state_has_its_next_step() {
        use {Desired::*, LastStatus as Last};
        let check = |attachment: bool, last: Last, desired: Desired, wanted: Step| {
            let mut task = task(attachment);
            (task.last, task.desired) = (last, desired);
            task.times.stopped = Some(Timestamp(1000));
            assert_eq!(next(&task, Timestamp(1500), 600), wanted, "{last:?} {desired:?}");
        };
        check(false, Last::Provisioning, Running, Step::Provision);
        check(true, Last::Provisioning, Stopped, Step::Deprovision);
        check(true, Last::Pending, Running, Step::Tell(Stage::Start));
        check(true, Last::Pending, Stopped, Step::SayStopping);
        check(true, Last::Running, Running, Step::Nothing);
        check(true, Last::Running, Stopped, Step::SayStopping);
        check(true, Last::Stopping, Stopped, Step::Tell(Stage::Stop));
        check(true, Last::Deprovisioning, Stopped, Step::Deprovision);
        check(true, Last::Stopped, Stopped, Step::Remember(100));
        let mut old = task(true);
        (old.last, old.times.stopped) = (Last::Stopped, Some(Timestamp(0)));
        assert_eq!(next(&old, Timestamp(600), 600), Step::Forget);
        let mut reported_early = task(true);
        reported_early.last = Last::Running;
        reported_early
            .attachment
            .as_mut()
            .expect("an attachment")
            .interface = None;
        assert_eq!(next(&reported_early, Timestamp(0), 600), Step::Provision);
    }
}
