//! Whether the primary deployment has arrived, or is given up.

use std::collections::HashSet;

use crate::bounds::breaker_threshold;
use crate::model::{InstanceId, Rollout, Scheduling, Snapshot, Verdict};

pub(crate) fn verdict(snapshot: &Snapshot, desired: usize) -> Option<Verdict> {
    if snapshot.primary.rollout != Rollout::InProgress {
        return None;
    }
    if arrived(snapshot, desired) {
        return Some(Verdict::Completed);
    }
    let breaker = snapshot.breaker.as_ref()?;
    (snapshot.primary.failures >= breaker_threshold(desired)).then(|| match &breaker.fallback {
        Some(deployment) => Verdict::RollBack(deployment.clone()),
        None => Verdict::Failed,
    })
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
