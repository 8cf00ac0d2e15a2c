//! What ended tasks say about the deployments that started them: each is counted once, in the record itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roadstead_base::Timestamp;
use roadstead_deployment::{End, Setback, judge, setbacks_left};
use roadstead_store::Entry;

use crate::names::TaskId;
use crate::services::ServiceRecord;
use crate::services::news::News;
use crate::services::record::{DeploymentRecord, RolloutState};
use crate::tasks::{CheckedHealth, Desired, LastStatus, StopCode, TaskRecord};

/// So many setbacks in a row are told.
const TOLD_AT: u32 = 4;
pub(super) const INCONSISTENT: &str = "is unable to consistently start tasks successfully. For more information, see \
                                       the Troubleshooting section of the Amazon ECS Developer Guide.";

pub(super) fn account(
    service: &mut ServiceRecord,
    tasks: &[Arc<Entry<TaskRecord>>],
    now: Timestamp,
    settle: i64,
    news: &mut News,
) {
    let known: BTreeSet<&TaskId> = tasks.iter().map(|task| &task.value.id).collect();
    let sets: BTreeSet<String> = service.sets.iter().map(|set| set.deployment.id.clone()).collect();
    for deployment in service.makers_mut() {
        let id = deployment.id.clone();
        news.about(sets.get(&id).map(String::as_str));
        let own = tasks
            .iter()
            .map(|entry| &entry.value)
            .filter(|task| task.started_by.as_ref() == Some(&id));
        deployment.counted.retain(|id| known.contains(id));
        deployment.setbacks = setbacks_left(deployment.setbacks, deployment.last_setback.0, now.0);
        let mut runs = false;
        for task in own {
            runs |= runs_well(task, now, settle);
            learn(&mut deployment.digests, task);
            let Some((end, at)) = end_of(task, now) else {
                continue;
            };
            if deployment.counted.contains(&task.id) {
                continue;
            }
            if let Some(setback) = judge(end) {
                deployment.counted.insert(task.id.clone());
                set_back(deployment, setback, at, news);
            }
        }
        if runs {
            deployment.failures = 0;
        }
    }
    news.about(None);
    forget(service, tasks);
}

/// What the images are that a task was made of: the first to say so says it for the revision.
fn learn(digests: &mut BTreeMap<String, String>, task: &TaskRecord) {
    for container in &task.containers {
        if let Some(digest) = &container.image_digest
            && !container.by_tag
            && !digests.contains_key(&container.name)
        {
            digests.insert(container.name.clone(), digest.clone());
        }
    }
}

/// One more setback of a deployment.
pub(super) fn set_back(deployment: &mut DeploymentRecord, setback: Setback, at: Timestamp, news: &mut News) {
    deployment.setbacks = deployment.setbacks.saturating_add(1);
    deployment.last_setback = deployment.last_setback.max(at);
    deployment.updated_at = deployment.updated_at.max(at);
    if setback == Setback::Failure {
        deployment.failures = deployment.failures.saturating_add(1);
        if deployment.setbacks == TOLD_AT {
            news.line(INCONSISTENT);
            news.action("WARN", "SERVICE_TASK_START_IMPAIRED", None);
        }
    }
}

fn runs_well(task: &TaskRecord, now: Timestamp, settle: i64) -> bool {
    let well = match task.checked_health() {
        None => task.times.started.is_some_and(|since| now.0 >= since.0 + settle),
        Some(health) => health == CheckedHealth::Healthy,
    };
    well && task.desired == Desired::Running && task.last == LastStatus::Running
}

/// How and when it ended, if it did and nobody wanted it to.
fn end_of(task: &TaskRecord, now: Timestamp) -> Option<(End, Timestamp)> {
    let stop = task.stop.as_ref().filter(|_| task.desired == Desired::Stopped)?;
    match stop.code {
        StopCode::TaskFailedToStart | StopCode::EssentialContainerExited => {}
        // The machine's end is no fault of the task; the others were asked for.
        StopCode::UserInitiated | StopCode::TerminationNotice | StopCode::ServiceSchedulerInitiated => {
            return None;
        }
    }
    let times = &task.times;
    let until = times.execution_stopped.or(times.stopping).or(times.stopped);
    let until = until.unwrap_or(now);
    let ran = times.started.map(|since| until.0 - since.0);
    // The times are of the machine, whose clock may be another.
    Some((End { ran, sick: false }, until.min(now)))
}

/// Deployments that nothing is left of. One that failed is shown until what replaced it is complete.
fn forget(service: &mut ServiceRecord, tasks: &[Arc<Entry<TaskRecord>>]) {
    let rolling = service
        .primary()
        .is_some_and(|primary| primary.rollout == RolloutState::InProgress);
    let lives = |deployment: &DeploymentRecord| {
        tasks.iter().any(|entry| {
            let task = &entry.value;
            task.desired == Desired::Running && task.started_by.as_deref() == Some(&deployment.id)
        })
    };
    let mut place = 0;
    service.deployments.retain(|deployment| {
        place += 1;
        let shown = deployment.rollout == RolloutState::Failed && rolling;
        place == 1 || shown || lives(deployment)
    });
}
