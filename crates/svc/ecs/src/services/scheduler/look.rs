//! The service as a decision sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_base::Timestamp;
use roadstead_deployment::{
    Alarms, Bake, Bounds, Breaker, Deployment, DeploymentId, Health, InstanceId, Rollout, Scheduling,
    Snapshot, State, Task, TaskId,
};
use roadstead_store::Entry;

use crate::Ecs;
use crate::capacity;
use crate::error::Result;
use crate::instances::InstanceStatus;
use crate::services::deployments::{Status, Watch};
use crate::services::record::{self, AlarmRule, DeploymentRecord, RolloutState};
use crate::services::scheduler::places;
use crate::services::sets::TaskSetRecord;
use crate::services::{ServiceRecord, ServiceStatus};
use crate::tasks::{CheckedHealth, Desired, LastStatus, TaskRecord};

/// What a decision is about.
pub(super) struct Subject<'s> {
    /// What tasks are to be of.
    pub(super) maker: &'s DeploymentRecord,
    pub(super) desired: usize,
    /// It was deleted.
    pub(super) draining: bool,
}

impl<'s> Subject<'s> {
    /// The service as a whole; none: it has no deployment to keep.
    pub(super) fn service(service: &'s ServiceRecord) -> Option<Self> {
        Some(Self {
            maker: service.primary()?,
            desired: usize::try_from(service.desired).unwrap_or_default(),
            draining: service.status == ServiceStatus::Draining,
        })
    }

    /// One task set of it.
    pub(super) fn set(service: &'s ServiceRecord, set: &'s TaskSetRecord) -> Self {
        Self {
            maker: &set.deployment,
            desired: set.desired(service),
            draining: set.is_draining(service),
        }
    }
}

/// `tasks` are all that are of the subject.
pub(super) async fn look(
    ecs: &Ecs,
    entry: &Entry<ServiceRecord>,
    service: &ServiceRecord,
    subject: Subject<'_>,
    tasks: &[Arc<Entry<TaskRecord>>],
    now: Timestamp,
) -> Result<Snapshot> {
    let Subject {
        maker,
        desired,
        draining,
    } = subject;
    let tasks = seen(ecs, tasks, draining);
    let scheduling = match (service.scheduling, draining) {
        (_, true) => Scheduling::Replica { desired: 0 },
        (record::Scheduling::Replica, false) => Scheduling::Replica { desired },
        (record::Scheduling::Daemon, false) => Scheduling::Daemon {
            instances: places::daemons(ecs, entry, service).await?,
        },
    };
    let zones = match places::zones(ecs, entry, service, maker, &tasks).await {
        Ok(zones) => zones,
        // What is wrong shows when a task is to be started.
        Err(error) => {
            tracing::debug!(%error, service = %entry.key, "the zones of a service could not be told");
            Vec::new()
        }
    };
    let watched = watched(service);
    Ok(Snapshot {
        now: now.0,
        scheduling,
        bounds: if draining { GOING } else { service.rolling.bounds() },
        primary: Deployment {
            id: DeploymentId(maker.id.clone()),
            rollout: match maker.rollout {
                RolloutState::InProgress => Rollout::InProgress,
                RolloutState::Completed => Rollout::Completed,
                RolloutState::Failed => Rollout::Failed,
            },
            failures: maker.failures,
            setbacks: maker.setbacks,
            last_setback: maker.last_setback.0,
        },
        asked_back: service
            .current
            .as_ref()
            .is_some_and(|current| current.status == Status::RollbackRequested),
        breaker: service
            .rolling
            .breaker
            .filter(|rule| rule.enable)
            .map(|rule| Breaker {
                rollback: rule.rollback,
            }),
        alarms: watched.map(|(rule, watch)| Alarms {
            rollback: rule.rollback,
            ringing: !watch.ringing.is_empty(),
        }),
        bake: watched.map(|(_, watch)| Bake {
            lasts: watch.lasts,
            since: watch.since.map(|since| since.0),
        }),
        fallback: service.way_back().map(|back| DeploymentId(back.id.clone())),
        tasks,
        zones,
        due: capacity::due(&maker.spec.providers, desired),
        cramped: service.unplaced(&maker.id).is_some_and(|it| !it.balancing),
        grace: i64::from(service.grace_seconds.unwrap_or_default()) * 1000,
        settle: ecs.options.settle_millis,
    })
}

/// The alarms that the deployment under way is to fail by.
fn watched(service: &ServiceRecord) -> Option<(&AlarmRule, &Watch)> {
    let rule = service.rolling.alarms.as_ref().filter(|rule| rule.enable)?;
    let current = service
        .current
        .as_ref()
        .filter(|it| it.status == Status::InProgress)?;
    let watch = current.watch.as_ref().filter(|watch| !watch.ignored)?;
    Some((rule, watch))
}

/// Of a service that was deleted.
const GOING: Bounds = Bounds {
    minimum_healthy_percent: 0,
    maximum_percent: 100,
};

/// Those of the tasks that are meant to run.
pub(in crate::services) fn seen(ecs: &Ecs, tasks: &[Arc<Entry<TaskRecord>>], draining: bool) -> Vec<Task> {
    let leaving = leaving(ecs, tasks);
    let live = tasks
        .iter()
        .map(|entry| &entry.value)
        .filter(|task| is_live(task));
    live.map(|task| show(task, draining, &leaving)).collect()
}

fn is_live(task: &TaskRecord) -> bool {
    task.desired == Desired::Running && task.last <= LastStatus::Running
}

fn show(task: &TaskRecord, draining: bool, leaving: &BTreeMap<String, bool>) -> Task {
    let host = task.host.arn();
    Task {
        id: TaskId(task.id.to_string()),
        deployment: DeploymentId(task.started_by.clone().unwrap_or_default()),
        state: match (task.last, task.times.started) {
            (LastStatus::Running, Some(since)) => State::Running { since: since.0 },
            _ => State::Pending,
        },
        health: match task.checked_health() {
            None => Health::Unchecked,
            Some(CheckedHealth::Unknown) => Health::Unknown,
            Some(CheckedHealth::Healthy) => Health::Healthy,
            Some(CheckedHealth::Unhealthy) => Health::Unhealthy,
        },
        created: task.times.created.0,
        zone: task.zone.clone(),
        provider: task.capacity_provider.clone(),
        protected_until: task.protected_until.filter(|_| !draining).map(|until| until.0),
        leaving: leaving.get(&host).copied().unwrap_or_default(),
        instance: InstanceId(host),
    }
}

/// Which of the tasks' instances are DRAINING.
fn leaving(ecs: &Ecs, tasks: &[Arc<Entry<TaskRecord>>]) -> BTreeMap<String, bool> {
    let Some(mirrors) = ecs.present.get() else {
        return BTreeMap::new();
    };
    let instances = mirrors.instances.snapshot();
    let mut leaving = BTreeMap::new();
    for task in tasks {
        let host = &task.value.host;
        leaving.entry(host.arn()).or_insert_with(|| {
            let instance = instances.get(&host.key());
            instance.is_some_and(|entry| entry.value.status == InstanceStatus::Draining)
        });
    }
    leaving
}
