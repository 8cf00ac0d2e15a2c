//! What health checks say of containers, for the control plane: with each report, of tasks that have such checks.

use roadstead_acs::FromTelemetry;
use roadstead_acs::telemetry::{ContainerHealth, HealthMetadata, MAX_TASKS, PublishHealth, TaskHealth};
use roadstead_base::{Timestamp, random_uuid};

use super::report::{Reporting, seconds};
use crate::engine::machine::Machine;
use crate::engine::state::Status;

/// None of a task that has no container which runs and is checked.
pub(super) fn of(machine: &Machine) -> Option<TaskHealth> {
    let task = &machine.task;
    let checked = task
        .containers
        .iter()
        .filter(|container| container.health.is_some());
    let containers: Vec<_> = checked
        .filter_map(|container| {
            let state = &machine.state.containers[&container.name];
            let since = state.health.since.or(state.started_at)?;
            (state.known == Status::Running).then(|| ContainerHealth {
                container_name: container.name.clone(),
                health_status: state.health.status.as_str().to_owned(),
                status_since: seconds(since),
            })
        })
        .collect();
    (!containers.is_empty()).then(|| TaskHealth {
        task_arn: task.arn.clone(),
        task_definition_family: task.family.clone(),
        task_definition_version: task.revision.clone(),
        containers,
    })
}

/// At most ten tasks a frame, all with one id; the last says that it is the last. None without a task.
pub(super) fn frames(of: Reporting<'_>, tasks: Vec<TaskHealth>, at: Timestamp) -> Vec<FromTelemetry> {
    let message_id = random_uuid();
    let parts = tasks.len().div_ceil(MAX_TASKS);
    let frame = |(number, tasks): (usize, &[TaskHealth])| {
        FromTelemetry::Health(Box::new(PublishHealth {
            metadata: HealthMetadata {
                cluster: of.cluster.to_owned(),
                container_instance: of.container_instance.to_owned(),
                message_id: message_id.clone(),
                fin: number + 1 == parts,
            },
            tasks: tasks.to_vec(),
            timestamp: seconds(at),
        }))
    };
    tasks.chunks(MAX_TASKS).enumerate().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_many_tasks_takes_several_frames() {
        let of = Reporting {
            cluster: "default",
            container_instance: "i",
        };
        for (tasks, sizes) in [(0, vec![]), (1, vec![1]), (10, vec![10]), (21, vec![10, 10, 1])] {
            let frames = frames(of, vec![TaskHealth::default(); tasks], Timestamp(1500));
            let read: Vec<_> = frames
                .iter()
                .map(|frame| match frame {
                    FromTelemetry::Health(health) => {
                        (health.tasks.len(), health.metadata.fin, health.timestamp)
                    }
                    other => panic!("{other:?}"),
                })
                .collect();
            let last = sizes.len().saturating_sub(1);
            let wanted: Vec<_> = sizes
                .iter()
                .enumerate()
                .map(|(n, size)| (*size, n == last, 1.5))
                .collect();
            assert_eq!(read, wanted);
        }
    }
}
