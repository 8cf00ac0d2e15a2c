//! What of a report is taken: what is of this instance, of now, and makes sense. The outer error of each ends the
//! connection, the inner one is told to the agent.

use roadstead_acs::telemetry::{
    ContainerHealth, ContainerMetric, HealthMetadata, InstanceStatus, InstanceStatusMetadata, MAX_TASKS,
    MetricsMetadata, PublishHealth, PublishInstanceStatus, PublishMetrics, StatsSet, TaskHealth, TaskMetric,
};
use roadstead_base::Timestamp;
use roadstead_store::{Key, Outcome, Transaction};
use roadstead_utilization::{Measured, Samples, used};

use crate::Ecs;
use crate::instances::InstanceRef;
use crate::tasks::write::replace;
use crate::tasks::{CheckedHealth, TaskRecord, key_of_arn};
use crate::tcs::reports::{Health, Report, Status};

/// An agent holds reports back for five minutes; what is older has been kept by somebody else.
const STALE_MILLIS: i64 = 10 * 60_000;
/// How far an agent's clock may be ahead.
const AHEAD_MILLIS: i64 = 60_000;
/// Containers of one task.
const MAX_CONTAINERS: usize = 64;
/// Statuses of one instance: there is one kind.
const MAX_STATUSES: usize = 8;

/// Others write the same record: so often it is tried until the next report.
const KEEP_TRIES: usize = 4;

type Taken = Result<(), String>;

/// The times at which something was measured, if that was lately.
fn lately(ecs: &Ecs, seconds: f64) -> Result<Timestamp, String> {
    let at = Timestamp((seconds * 1000.0) as i64);
    let age = ecs.clock.now().0.saturating_sub(at.0);
    if !seconds.is_finite() || !(-AHEAD_MILLIS..=STALE_MILLIS).contains(&age) {
        return Err("The report is stale, or not of this time.".to_owned());
    }
    Ok(at)
}

fn own(instance: &InstanceRef, cluster: &str, container_instance: &str) -> Result<(), String> {
    let arn = instance.cluster.arn(&instance.partition);
    if container_instance != instance.arn() || (cluster != arn && cluster != instance.cluster.as_str()) {
        return Err("The report is of another container instance.".to_owned());
    }
    Ok(())
}

/// The task, if the instance runs it.
fn task_of(
    tasks: &roadstead_store::Mirror<TaskRecord>,
    instance: &InstanceRef,
    arn: &str,
) -> Option<TaskRecord> {
    let entry = key_of_arn(arn).and_then(|key| tasks.get(&key));
    let Some(entry) = entry.filter(|entry| entry.value.host == *instance) else {
        tracing::debug!(task = arn, "reported by an instance that does not run it");
        return None;
    };
    Some(entry.value.clone())
}

pub(super) async fn metrics(
    ecs: &Ecs,
    instance: &InstanceRef,
    report: PublishMetrics,
) -> Result<Taken, String> {
    let PublishMetrics {
        metadata:
            MetricsMetadata {
                cluster,
                container_instance,
                message_id: _,
                idle: _,
                fin: _,
            },
        task_metrics,
        timestamp,
    } = report;
    own(instance, &cluster, &container_instance)?;
    if task_metrics.len() > MAX_TASKS {
        return Ok(Err(format!("A report has at most {MAX_TASKS} tasks a frame.")));
    }
    let at = match lately(ecs, timestamp) {
        Ok(at) => at,
        Err(stale) => return Ok(Err(stale)),
    };
    let mirrors = ecs.present().await.map_err(|error| error.to_string())?;
    let Some(registered) = mirrors.instances.get(&instance.key()) else {
        return Err("The container instance is gone.".to_owned());
    };
    if registered.value.is_inactive() {
        return Err("The container instance was deregistered.".to_owned());
    }
    let units = registered.value.registered.cpu as f64;
    for metric in task_metrics {
        let TaskMetric {
            task_arn,
            task_definition_family: _,
            task_definition_version: _,
            container_metrics,
        } = metric;
        if container_metrics.len() > MAX_CONTAINERS {
            return Ok(Err(format!("A task has at most {MAX_CONTAINERS} containers.")));
        }
        let Some(_task) = task_of(&mirrors.tasks, instance, &task_arn) else {
            continue;
        };
        let measured = container_metrics.iter().map(measured);
        if let Some(used) = used(measured, units) {
            ecs.telemetry.report(&task_arn, Report { at, used });
        }
    }
    Ok(Ok(()))
}

/// Network and storage are taken apart by nobody yet: no metric outside Container Insights is made of them.
fn measured(metric: &ContainerMetric) -> Measured {
    let ContainerMetric {
        container_name: _,
        cpu_stats_set,
        memory_stats_set,
        network_stats_set: _,
        storage_stats_set: _,
    } = metric;
    let samples = |set: &Option<StatsSet>| {
        set.map(
            |StatsSet {
                 min,
                 max,
                 sum,
                 sample_count,
             }| Samples {
                min,
                max,
                sum,
                count: sample_count,
            },
        )
    };
    Measured {
        cpu: samples(cpu_stats_set),
        memory: samples(memory_stats_set),
    }
}

pub(super) async fn health(
    ecs: &Ecs,
    instance: &InstanceRef,
    report: PublishHealth,
) -> Result<Taken, String> {
    let PublishHealth {
        metadata:
            HealthMetadata {
                cluster,
                container_instance,
                message_id: _,
                fin: _,
            },
        tasks,
        timestamp,
    } = report;
    own(instance, &cluster, &container_instance)?;
    if tasks.len() > MAX_TASKS {
        return Ok(Err(format!("A report has at most {MAX_TASKS} tasks a frame.")));
    }
    let at = match lately(ecs, timestamp) {
        Ok(at) => at,
        Err(stale) => return Ok(Err(stale)),
    };
    let mirrors = ecs.present().await.map_err(|error| error.to_string())?;
    for task in tasks {
        let TaskHealth {
            task_arn,
            task_definition_family: _,
            task_definition_version: _,
            containers,
        } = task;
        let Some(record) = task_of(&mirrors.tasks, instance, &task_arn) else {
            continue;
        };
        let mut known = Health {
            at,
            ..Health::default()
        };
        for ContainerHealth {
            container_name,
            health_status,
            status_since,
        } in containers
        {
            let Some(status) = Status::read(&health_status) else {
                return Ok(Err(format!("There is no health status {health_status}.")));
            };
            if record
                .containers
                .iter()
                .any(|container| container.name == container_name)
            {
                known.containers.insert(
                    container_name,
                    (status, Timestamp((status_since * 1000.0) as i64)),
                );
            }
        }
        ecs.telemetry.healthy(&task_arn, known);
        if let Some(known) = ecs.telemetry.health_of(&task_arn) {
            keep(ecs, &record.key(), &known)
                .await
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(Ok(()))
}

/// Writes down what health checks say, if it is something else than before: that wakes the service of the task, and a
/// new daemon knows it. That nothing is known takes nothing back.
async fn keep(ecs: &Ecs, key: &Key, known: &Health) -> crate::error::Result<()> {
    for _ in 0..KEEP_TRIES {
        let Some(entry) = ecs.tasks().get(key).await? else {
            return Ok(());
        };
        let mut task = entry.value.clone();
        for container in &mut task.containers {
            let said = match known.of(&container.name) {
                Some(Status::Healthy) => CheckedHealth::Healthy,
                Some(Status::Unhealthy) => CheckedHealth::Unhealthy,
                Some(Status::Unknown) | None => continue,
            };
            if let Some(health) = &mut container.health {
                *health = said;
            }
        }
        if task == entry.value {
            return Ok(());
        }
        task.version += 1;
        let transaction = Transaction::new(&ecs.store);
        let written = replace(ecs, transaction, &entry, &task)?.commit().await?;
        if matches!(written, Outcome::Committed(_)) {
            return Ok(());
        }
    }
    // The agent says it again.
    Ok(())
}

pub(super) fn instance_status(
    ecs: &Ecs,
    instance: &InstanceRef,
    report: PublishInstanceStatus,
) -> Result<Taken, String> {
    let PublishInstanceStatus {
        metadata:
            InstanceStatusMetadata {
                cluster,
                container_instance,
                request_id: _,
            },
        statuses,
        timestamp,
    } = report;
    own(instance, &cluster, &container_instance)?;
    if statuses.len() > MAX_STATUSES {
        return Ok(Err(format!("An instance has at most {MAX_STATUSES} statuses.")));
    }
    if let Err(stale) = lately(ecs, timestamp) {
        return Ok(Err(stale));
    }
    let known = |status: &InstanceStatus| {
        matches!(
            status.status.as_str(),
            "OK" | "IMPAIRED" | "INSUFFICIENT_DATA" | "INITIALIZING"
        )
    };
    if let Some(other) = statuses.iter().find(|status| !known(status)) {
        return Ok(Err(format!("There is no status {}.", other.status)));
    }
    ecs.telemetry.instance(&instance.arn(), statuses);
    Ok(Ok(()))
}
