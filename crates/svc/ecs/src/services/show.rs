//! A service as the API shows it.

use roadstead_api_ecs as api;

use crate::Ecs;
use crate::capacity::show_strategy;
use crate::error::Result;
use crate::services::deployments;
use crate::services::record::{
    Controller, DeploymentRecord, Propagate, Rolling, RolloutState, Scheduling, Spec,
};
use crate::services::scheduler::tasks_of_service;
use crate::services::sets;
use crate::services::{ServiceRecord, ServiceStatus};
use crate::tables::events_of;
use crate::tasks::{Desired, LastStatus, Launch, TaskRecord};

/// What is shown only when asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Include {
    pub(super) tags: bool,
}

/// Tasks that are meant to run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) pending: i32,
    pub(super) running: i32,
}

impl Counts {
    pub(super) fn of<'t>(tasks: impl Iterator<Item = &'t TaskRecord>) -> Self {
        let mut counts = Self::default();
        for task in tasks.filter(|task| task.desired == Desired::Running) {
            match task.last {
                LastStatus::Running => counts.running += 1,
                last if last < LastStatus::Running => counts.pending += 1,
                _ => {}
            }
        }
        counts
    }
}

pub(super) async fn show(ecs: &Ecs, service: &ServiceRecord, include: Include) -> Result<api::Service> {
    let tasks = tasks_of_service(ecs, service).await?;
    let counts = Counts::of(tasks.iter().map(|entry| &entry.value));
    let deployments = service.deployments.iter().enumerate().map(|(place, deployment)| {
        let own = tasks.iter().map(|entry| &entry.value);
        let own = own.filter(|task| task.started_by.as_deref() == Some(&deployment.id));
        show_deployment(service, deployment, place == 0, Counts::of(own))
    });
    let deployments = deployments.collect();
    let (current_service_deployment, current_service_revisions) =
        deployments::current(service, tasks.iter().map(|entry| &entry.value));
    let spec = service.spec();
    let partition = &service.partition;
    let launch = spec.map_or(Launch::Ec2, |spec| spec.launch);
    let external = service.controller == Controller::External;
    Ok(api::Service {
        availability_zone_rebalancing: Some(if service.rebalancing {
            api::AvailabilityZoneRebalancing::Enabled
        } else {
            api::AvailabilityZoneRebalancing::Disabled
        }),
        capacity_provider_strategy: spec.and_then(strategy_shown),
        cluster_arn: Some(service.cluster.arn(partition)),
        created_at: Some(service.created_at),
        created_by: Some(service.created_by.clone()),
        current_service_deployment,
        current_service_revisions: Some(current_service_revisions),
        deployment_configuration: Some(configuration_of(&service.rolling)),
        deployment_controller: Some(api::DeploymentController {
            r#type: service.controller.to_api(),
        }),
        deployments: Some(deployments),
        desired_count: Some(desired_count(service, counts)),
        enable_ecs_managed_tags: Some(service.managed_tags),
        enable_execute_command: Some(false),
        events: Some(events(ecs, service).await?),
        health_check_grace_period_seconds: service.grace_seconds,
        launch_type: match spec {
            // What is of task sets is told of the PRIMARY one alone.
            None if external => None,
            spec => launch_type(spec),
        },
        load_balancers: Some(Vec::new()),
        network_configuration: spec.and_then(network_shown),
        pending_count: Some(counts.pending),
        placement_constraints: Some(service.constraints.iter().map(|it| it.0.clone()).collect()),
        placement_strategy: Some(service.strategy.iter().map(|it| it.0.clone()).collect()),
        platform_family: platform_family(launch),
        platform_version: platform_version(launch, spec.and_then(|spec| spec.platform.as_deref())),
        propagate_tags: Some(match service.propagate {
            Propagate::None => api::PropagateTags::None,
            Propagate::TaskDefinition => api::PropagateTags::TaskDefinition,
            Propagate::Service => api::PropagateTags::Service,
        }),
        role_arn: service.role_arn.clone(),
        running_count: Some(counts.running),
        scheduling_strategy: Some(match service.scheduling {
            Scheduling::Replica => api::SchedulingStrategy::Replica,
            Scheduling::Daemon => api::SchedulingStrategy::Daemon,
        }),
        service_arn: Some(service.arn()),
        service_name: Some(service.name.to_string()),
        service_registries: Some(Vec::new()),
        status: Some(service.status.as_str().to_owned()),
        tags: Some(if include.tags {
            service.tags.to_api()
        } else {
            Vec::new()
        }),
        task_definition: spec.map(|spec| spec.definition.arn(partition)),
        task_sets: external.then(|| sets::show_all(ecs, service, &tasks, include)),
        ..api::Service::default()
    })
}

fn desired_count(service: &ServiceRecord, counts: Counts) -> i32 {
    match (service.scheduling, service.status) {
        (Scheduling::Daemon, ServiceStatus::Active) => counts.running + counts.pending,
        _ => service.desired,
    }
}

/// With what a request may leave out: no groups of its own are an empty list, and no public address is `DISABLED`.
pub(super) fn network_shown(spec: &Spec) -> Option<api::NetworkConfiguration> {
    let mut network = spec.network.as_ref()?.0.clone();
    if let Some(awsvpc) = &mut network.awsvpc_configuration {
        awsvpc.security_groups.get_or_insert_default();
        awsvpc
            .assign_public_ip
            .get_or_insert(api::AssignPublicIp::Disabled);
    }
    Some(network)
}

/// None: a capacity provider strategy decides.
pub(super) fn launch_type(spec: Option<&Spec>) -> Option<api::LaunchType> {
    match spec {
        Some(spec) if !spec.providers.is_empty() => None,
        Some(spec) if spec.launch == Launch::Fargate => Some(api::LaunchType::Fargate),
        Some(_) | None => Some(api::LaunchType::Ec2),
    }
}

pub(super) fn strategy_shown(spec: &Spec) -> Option<Vec<api::CapacityProviderStrategyItem>> {
    (!spec.providers.is_empty()).then(|| show_strategy(&spec.providers))
}

pub(super) fn platform_family(launch: Launch) -> Option<String> {
    (launch == Launch::Fargate).then(|| "Linux".to_owned())
}

/// As it was asked for; LATEST when nothing was.
pub(super) fn platform_version(launch: Launch, asked: Option<&str>) -> Option<String> {
    (launch == Launch::Fargate).then(|| asked.unwrap_or("LATEST").to_owned())
}

/// As a deployment shows it, which says what LATEST is.
pub(super) fn platform_shown(launch: Launch, asked: Option<&str>) -> Option<String> {
    let version = platform_version(launch, asked)?;
    Some(if version == "LATEST" {
        "1.4.0".to_owned()
    } else {
        version
    })
}

fn show_deployment(
    service: &ServiceRecord,
    deployment: &DeploymentRecord,
    primary: bool,
    counts: Counts,
) -> api::Deployment {
    let spec = &deployment.spec;
    api::Deployment {
        capacity_provider_strategy: strategy_shown(spec),
        created_at: Some(deployment.created_at),
        // Of an earlier one, what is left is what is still wanted of it.
        desired_count: Some(if primary {
            desired_count(service, counts)
        } else {
            counts.running + counts.pending
        }),
        failed_tasks: Some(i32::try_from(deployment.failures).unwrap_or(i32::MAX)),
        id: Some(deployment.id.clone()),
        launch_type: launch_type(Some(spec)),
        network_configuration: network_shown(spec),
        pending_count: Some(counts.pending),
        platform_family: platform_family(spec.launch),
        platform_version: platform_shown(spec.launch, spec.platform.as_deref()),
        rollout_state: Some(match deployment.rollout {
            RolloutState::InProgress => api::DeploymentRolloutState::InProgress,
            RolloutState::Completed => api::DeploymentRolloutState::Completed,
            RolloutState::Failed => api::DeploymentRolloutState::Failed,
        }),
        rollout_state_reason: Some(deployment.reason.clone()),
        running_count: Some(counts.running),
        status: Some(if primary { "PRIMARY" } else { "ACTIVE" }.to_owned()),
        task_definition: Some(spec.definition.arn(&service.partition)),
        updated_at: Some(deployment.updated_at),
        ..api::Deployment::default()
    }
}

pub(super) fn configuration_of(rolling: &Rolling) -> api::DeploymentConfiguration {
    let breaker = rolling.breaker;
    let alarms = rolling.alarms.as_ref().map(|rule| api::DeploymentAlarms {
        alarm_names: rule.names.clone(),
        enable: rule.enable,
        rollback: rule.rollback,
    });
    api::DeploymentConfiguration {
        alarms,
        deployment_circuit_breaker: Some(api::DeploymentCircuitBreaker {
            enable: breaker.is_some_and(|rule| rule.enable),
            rollback: breaker.is_some_and(|rule| rule.rollback),
        }),
        maximum_percent: Some(rolling.maximum_percent),
        minimum_healthy_percent: Some(rolling.minimum_healthy_percent),
        strategy: Some(api::DeploymentStrategy::Rolling),
        ..api::DeploymentConfiguration::default()
    }
}

/// The latest first; none that is later than the record.
async fn events(ecs: &Ecs, service: &ServiceRecord) -> Result<Vec<api::ServiceEvent>> {
    let below = events_of(&service.partition, &service.cluster, &service.name);
    let (events, _) = ecs.service_events().all(&below).await?;
    let show = |event: crate::services::EventRecord| api::ServiceEvent {
        created_at: Some(event.at),
        id: Some(event.id),
        message: Some(event.message),
    };
    let told = events.into_iter().map(|entry| entry.value);
    let told = told.filter(|event| event.number < service.events);
    Ok(told.rev().map(show).collect())
}
