//! Whether the primary deployment has arrived, or is given up.

use std::collections::HashSet;

use crate::bounds::breaker_threshold;
use crate::model::{Bake, Cause, InstanceId, Rollout, Scheduling, Snapshot, State, Verdict};

pub(crate) fn verdict(snapshot: &Snapshot, desired: usize) -> Option<Verdict> {
    if snapshot.primary.rollout != Rollout::InProgress {
        return None;
    }
    if snapshot.asked_back {
        return Some(give_up(snapshot, Cause::Asked, true));
    }
    if let Some(alarms) = snapshot.alarms
        && alarms.ringing
        && has_begun(snapshot)
    {
        return Some(give_up(snapshot, Cause::Alarm, alarms.rollback));
    }
    if arrived(snapshot, desired) {
        return match snapshot.bake {
            None => Some(Verdict::Completed),
            Some(Bake { since: None, .. }) => Some(Verdict::Bake),
            Some(Bake {
                lasts,
                since: Some(since),
            }) => (snapshot.now >= since + lasts).then_some(Verdict::Completed),
        };
    }
    let breaker = snapshot.breaker?;
    let open = snapshot.primary.failures >= breaker_threshold(desired);
    open.then(|| give_up(snapshot, Cause::Failures, breaker.rollback))
}

fn give_up(snapshot: &Snapshot, cause: Cause, rollback: bool) -> Verdict {
    match &snapshot.fallback {
        _ if !rollback => Verdict::Failed(cause),
        Some(deployment) => Verdict::RollBack(cause, deployment.clone()),
        None => Verdict::NoWayBack(cause),
    }
}

/// Alarms say something of a deployment once the first of its tasks runs.
fn has_begun(snapshot: &Snapshot) -> bool {
    let runs = |state: State| matches!(state, State::Running { .. });
    let mut tasks = snapshot.tasks.iter();
    tasks.any(|task| snapshot.is_primary(task) && runs(task.state))
}

/// All that runs is healthy, of the primary deployment, and as many as desired.
pub(crate) fn arrived(snapshot: &Snapshot, desired: usize) -> bool {
    let eligible: Option<HashSet<&InstanceId>> = match &snapshot.scheduling {
        Scheduling::Replica { .. } => None,
        Scheduling::Daemon { instances } => Some(
            instances
                .iter()
                .filter(|it| it.eligible)
                .map(|it| &it.id)
                .collect(),
        ),
    };
    let counts = |instance: &InstanceId| {
        eligible
            .as_ref()
            .is_none_or(|eligible| eligible.contains(instance))
    };
    let mut here = snapshot.tasks.iter().filter(|task| counts(&task.instance));
    here.clone().count() == desired && here.all(|task| snapshot.is_primary(task) && task.is_healthy(snapshot))
}
