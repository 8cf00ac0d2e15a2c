//! A task set as the API shows it.

use std::sync::Arc;

use roadstead_api_ecs as api;
use roadstead_api_ecs::{ScaleUnit, StabilityStatus};
use roadstead_deployment::is_stable;
use roadstead_store::Entry;

use super::lookup::own_tasks;
use super::record::{TaskSetRecord, TaskSetStatus};
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::ServiceRecord;
use crate::services::scheduler::{look, tasks_of_service};
use crate::services::show::{
    Counts, Include, launch_type, network_shown, platform_family, platform_version, strategy_shown,
};
use crate::tasks::TaskRecord;

/// One that the service has.
pub(super) async fn show(
    ecs: &Ecs,
    service: &ServiceRecord,
    id: &str,
    include: Include,
) -> Result<api::TaskSet> {
    let tasks = tasks_of_service(ecs, service).await?;
    let set = service.set(id).ok_or(Error::TaskSetNotFound)?;
    Ok(show_one(ecs, service, set, &tasks, include))
}

/// All of a service, whose tasks these are.
pub(in crate::services) fn show_all(
    ecs: &Ecs,
    service: &ServiceRecord,
    tasks: &[Arc<Entry<TaskRecord>>],
    include: Include,
) -> Vec<api::TaskSet> {
    let show = |set| show_one(ecs, service, set, tasks, include);
    service.sets.iter().map(show).collect()
}

pub(super) fn show_one(
    ecs: &Ecs,
    service: &ServiceRecord,
    set: &TaskSetRecord,
    tasks: &[Arc<Entry<TaskRecord>>],
    include: Include,
) -> api::TaskSet {
    let TaskSetRecord {
        deployment,
        status,
        external_id,
        scale,
        request: _,
        steady: _,
        unplaced: _,
        tags,
    } = set;
    let (spec, partition) = (&deployment.spec, &service.partition);
    let own = own_tasks(tasks, &deployment.id);
    let counts = Counts::of(own.iter().map(|entry| &entry.value));
    let desired = set.desired(service);
    let stable = is_stable(&look::seen(ecs, &own, set.is_draining(service)), desired);
    api::TaskSet {
        capacity_provider_strategy: strategy_shown(spec),
        cluster_arn: Some(service.cluster.arn(partition)),
        computed_desired_count: Some(i32::try_from(desired).unwrap_or(i32::MAX)),
        created_at: Some(deployment.created_at),
        external_id: external_id.clone(),
        fargate_ephemeral_storage: None,
        id: Some(deployment.id.clone()),
        launch_type: launch_type(Some(spec)),
        load_balancers: Some(Vec::new()),
        network_configuration: network_shown(spec),
        pending_count: Some(counts.pending),
        platform_family: platform_family(spec.launch),
        platform_version: platform_version(spec.launch, spec.platform.as_deref()),
        running_count: Some(counts.running),
        scale: Some(api::Scale {
            unit: Some(ScaleUnit::Percent),
            value: Some(*scale),
        }),
        service_arn: Some(service.arn()),
        service_registries: Some(Vec::new()),
        stability_status: Some(if stable {
            StabilityStatus::SteadyState
        } else {
            StabilityStatus::Stabilizing
        }),
        // It is told as it is now.
        stability_status_at: Some(ecs.clock.now()),
        // As documented, not of those that an external controller made.
        started_by: None,
        status: Some(
            match status {
                _ if set.is_draining(service) => "DRAINING",
                TaskSetStatus::Primary => "PRIMARY",
                TaskSetStatus::Active => "ACTIVE",
                TaskSetStatus::Draining => "DRAINING",
            }
            .to_owned(),
        ),
        tags: include.tags.then(|| tags.to_api()),
        task_definition: Some(spec.definition.arn(partition)),
        task_set_arn: Some(set.arn(service)),
        updated_at: Some(deployment.updated_at),
    }
}
