//! A task as the API shows it.

use roadstead_api_ecs as api;
use roadstead_api_ecs::{Attachment, Attribute, Connectivity, Container, HealthStatus, KeyValuePair};

use crate::Ecs;
use crate::tasks::{AttachmentRecord, ContainerRecord, LastStatus, Launch, StopCode, TaskRecord};
use crate::tcs::{Health as TaskHealth, Status as Health};

/// What is shown only when asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Include {
    pub(super) tags: bool,
}

pub(super) fn show(ecs: &Ecs, task: &TaskRecord, include: Include) -> api::Task {
    let fargate = task.launch == Launch::Fargate;
    let host = task.host.arn();
    let connected = task.last == LastStatus::Stopped || ecs.agents.is_connected(&host);
    let arn = task.arn();
    let times = &task.times;
    let health = ecs.telemetry.health_of(&arn).unwrap_or_default();
    api::Task {
        attachments: Some(task.attachment.iter().map(show_attachment).collect()),
        attributes: Some(vec![Attribute {
            name: "ecs.cpu-architecture".to_owned(),
            value: Some(task.architecture.clone()),
            ..Attribute::default()
        }]),
        availability_zone: task.zone.clone(),
        capacity_provider_name: task.capacity_provider.clone(),
        cluster_arn: Some(task.cluster.arn(&task.partition)),
        connectivity: times.connected.map(|_| {
            if connected {
                Connectivity::Connected
            } else {
                Connectivity::Disconnected
            }
        }),
        connectivity_at: times.connected,
        container_instance_arn: (!fargate).then_some(host),
        containers: Some(
            task.containers
                .iter()
                .map(|container| show_container(task, container, &health, &arn))
                .collect(),
        ),
        cpu: shown_size(
            task.cpu,
            task.containers.iter().map(|container| i64::from(container.cpu)),
        ),
        created_at: Some(times.created),
        desired_status: Some(task.desired.as_str().to_owned()),
        enable_execute_command: Some(false),
        ephemeral_storage: task
            .ephemeral_storage
            .map(|size_in_gi_b| api::EphemeralStorage { size_in_gi_b }),
        execution_stopped_at: times.execution_stopped,
        fargate_ephemeral_storage: task.ephemeral_storage.map(|size| api::TaskEphemeralStorage {
            size_in_gi_b: Some(size),
            kms_key_id: None,
        }),
        group: Some(task.group.clone()),
        health_status: Some(task_health(task, &health)),
        inference_accelerators: Some(Vec::new()),
        last_status: Some(task.last.as_str().to_owned()),
        launch_type: Some(if fargate {
            api::LaunchType::Fargate
        } else {
            api::LaunchType::Ec2
        }),
        memory: shown_size(
            task.memory,
            task.containers
                .iter()
                .map(|it| i64::from(it.memory_reservation.or(it.memory).unwrap_or_default())),
        ),
        overrides: Some(task.overrides.0.clone()),
        platform_family: fargate.then(|| "Linux".to_owned()),
        platform_version: fargate.then(|| "1.4.0".to_owned()),
        pull_started_at: times.pull_started,
        pull_stopped_at: times.pull_stopped,
        started_at: times.started,
        started_by: task.started_by.clone(),
        stop_code: task.stop.as_ref().map(|stop| match stop.code {
            StopCode::TaskFailedToStart => api::TaskStopCode::TaskFailedToStart,
            StopCode::EssentialContainerExited => api::TaskStopCode::EssentialContainerExited,
            StopCode::UserInitiated => api::TaskStopCode::UserInitiated,
            StopCode::TerminationNotice => api::TaskStopCode::TerminationNotice,
            StopCode::ServiceSchedulerInitiated => api::TaskStopCode::ServiceSchedulerInitiated,
        }),
        stopped_at: times.stopped,
        stopped_reason: task.stop.as_ref().map(|stop| stop.reason.clone()),
        stopping_at: times.stopping,
        tags: Some(if include.tags {
            task.tags.to_api()
        } else {
            Vec::new()
        }),
        task_definition_arn: Some(task.definition.arn(&task.partition)),
        version: Some(task.version),
        task_arn: Some(arn),
    }
}

fn shown_size(task: Option<i64>, containers: impl Iterator<Item = i64>) -> Option<String> {
    Some(task.unwrap_or_else(|| containers.sum()).to_string())
}

fn show_attachment(attachment: &AttachmentRecord) -> Attachment {
    let pair = |name: &str, value: &str| KeyValuePair {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    };
    let mut details = vec![pair("subnetId", &attachment.subnet)];
    if let Some(interface) = &attachment.interface {
        details.push(pair("networkInterfaceId", &interface.id));
        details.push(pair("macAddress", &interface.mac));
        if let Some(name) = &interface.dns_name {
            details.push(pair("privateDnsName", name));
        }
        details.push(pair("privateIPv4Address", &interface.address));
        if let Some(address) = &interface.ipv6_address {
            details.push(pair("ipv6Address", address));
        }
    }
    Attachment {
        details: Some(details),
        id: Some(attachment.id.clone()),
        status: Some(attachment.status.as_str().to_owned()),
        r#type: Some("ElasticNetworkInterface".to_owned()),
    }
}

fn shown_health(status: Health) -> HealthStatus {
    match status {
        Health::Healthy => HealthStatus::Healthy,
        Health::Unhealthy => HealthStatus::Unhealthy,
        Health::Unknown => HealthStatus::Unknown,
    }
}

/// Of its essential containers that are checked. Source: the API reference, `healthStatus` of HealthCheck.
fn task_health(task: &TaskRecord, health: &TaskHealth) -> HealthStatus {
    let essential = task.containers.iter().filter(|container| container.essential);
    let checked: Vec<Health> = essential
        .filter_map(|container| health.of(&container.name))
        .collect();
    if checked.contains(&Health::Unhealthy) {
        HealthStatus::Unhealthy
    } else if checked.is_empty() || checked.contains(&Health::Unknown) {
        HealthStatus::Unknown
    } else {
        HealthStatus::Healthy
    }
}

fn show_container(
    task: &TaskRecord,
    container: &ContainerRecord,
    health: &TaskHealth,
    task_arn: &str,
) -> Container {
    let interface = task.attachment.as_ref().and_then(|attachment| {
        let interface = attachment.interface.as_ref()?;
        Some(api::NetworkInterface {
            attachment_id: Some(attachment.id.clone()),
            private_ipv4_address: Some(interface.address.clone()),
            ipv6_address: interface.ipv6_address.clone(),
        })
    });
    Container {
        container_arn: Some(container.arn.clone()),
        cpu: Some(container.cpu.to_string()),
        exit_code: container.exit_code,
        gpu_ids: None,
        health_status: Some(
            health
                .of(&container.name)
                .map_or(HealthStatus::Unknown, shown_health),
        ),
        image: Some(container.image.clone()),
        image_digest: container.image_digest.clone(),
        last_status: Some(container.status.as_str().to_owned()),
        managed_agents: None,
        memory: container.memory.map(|memory| memory.to_string()),
        memory_reservation: container.memory_reservation.map(|memory| memory.to_string()),
        name: Some(container.name.clone()),
        network_bindings: Some(
            container
                .bindings
                .iter()
                .map(|binding| binding.0.clone())
                .collect(),
        ),
        network_interfaces: Some(interface.into_iter().collect()),
        reason: container.reason.clone(),
        runtime_id: container.runtime_id.clone(),
        task_arn: Some(task_arn.to_owned()),
    }
}
