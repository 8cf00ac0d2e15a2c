//! The manifest: at each connect an agent is told every task its instance has, so that what it runs beyond that
//! ends. Its timeline only ever grows, also over a store that was restored or emptied, since agents drop what is
//! not newer than the newest they saw.

use std::collections::HashSet;

use roadstead_acs::{ManifestTask, StopTask, TaskManifest, TaskStopVerification, TaskStopVerificationAck};
use roadstead_base::{Timestamp, random_uuid};
use roadstead_store::{Change, Key, Table};
use serde::{Deserialize, Serialize};

use crate::Ecs;
use crate::error::{Error, Result};
use crate::instances::InstanceRef;
use crate::tasks::{Desired, key_of_arn};

const TIMELINES: &str = "ecs-agent-timeline";
/// Stop candidates of one message.
const MAX_CANDIDATES: usize = 4096;

/// The highest timeline an instance was ever sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TimelineRecord {
    timeline: i64,
}

impl Ecs {
    /// `ecs-agent-timeline/<cluster>/<container instance id>`
    fn timelines(&self) -> Table<TimelineRecord> {
        Table::new(self.store.clone(), TIMELINES)
    }
}

pub(crate) fn timeline_key(instance: &InstanceRef) -> Key {
    Key::of(&instance.partition)
        .child(TIMELINES)
        .child(&instance.cluster)
        .child(&instance.id)
}

/// The next timeline, durable before it is used.
pub(super) async fn next_timeline(ecs: &Ecs, instance: &InstanceRef) -> Result<i64> {
    let now = ecs.clock.now().0;
    let updated = ecs
        .timelines()
        .update(&timeline_key(instance), |old: Option<&TimelineRecord>| {
            let timeline = after(old.map(|old| old.timeline), now);
            Ok::<_, Error>(Change::Put(TimelineRecord { timeline }))
        })
        .await?;
    Ok(updated.value.map_or(now, |record| record.timeline))
}

fn after(stored: Option<i64>, now: i64) -> i64 {
    stored.map_or(now, |stored| now.max(stored.saturating_add(1)))
}

/// Every task that this instance is to have.
pub(super) async fn manifest(
    ecs: &Ecs,
    instance: &InstanceRef,
    cluster_arn: &str,
    timeline: i64,
) -> Result<TaskManifest> {
    let snapshot = ecs.present().await?.tasks.snapshot();
    let tasks = snapshot
        .iter()
        .map(|entry| &entry.value)
        .filter(|task| task.host == *instance && task.concerns_agent())
        .map(|task| ManifestTask {
            task_arn: task.arn(),
            task_cluster_arn: task.cluster.arn(&task.partition),
            desired_status: task.desired.as_str().to_owned(),
        })
        .collect();
    Ok(TaskManifest {
        message_id: random_uuid(),
        cluster_arn: cluster_arn.to_owned(),
        container_instance_arn: instance.arn(),
        generated_at: ecs.clock.now().0,
        timeline,
        tasks,
    })
}

/// Which of the tasks an agent asks about are really to stop, as the records are now: one that was placed since
/// the manifest was written is not.
pub(super) async fn verify(
    ecs: &Ecs,
    instance: &InstanceRef,
    asked: TaskStopVerification,
    now: Timestamp,
) -> Result<TaskStopVerificationAck> {
    let mut stop_tasks = Vec::new();
    let mut seen = HashSet::new();
    for candidate in asked.stop_candidates.into_iter().take(MAX_CANDIDATES) {
        if !seen.insert(candidate.task_arn.clone()) {
            continue;
        }
        let record = match key_of_arn(&candidate.task_arn) {
            Some(key) => ecs.tasks().get(&key).await?,
            None => None,
        };
        let stays = record.is_some_and(|entry| {
            let task = &entry.value;
            task.host == *instance && task.desired == Desired::Running && task.concerns_agent()
        });
        if !stays {
            stop_tasks.push(StopTask {
                desired_status: "STOPPED".to_owned(),
                ..candidate
            });
        }
    }
    Ok(TaskStopVerificationAck {
        message_id: asked.message_id,
        generated_at: now.0,
        stop_tasks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timelines_grow_whatever_the_clock_and_the_store_say() {
        assert_eq!(after(None, 1000), 1000);
        assert_eq!(after(Some(10), 1000), 1000);
        assert_eq!(after(Some(1000), 1000), 1001);
        assert_eq!(after(Some(5000), 1000), 5001);
        assert_eq!(after(Some(i64::MAX), 1000), i64::MAX);
    }
}
