//! What a task definition asks of an instance, and which launch types can run it: computed at registration and
//! shown with it, as the service does.

use std::collections::BTreeSet;

use roadstead_api_ecs::{
    Attribute, CPUArchitecture, Compatibility, ContainerDefinition, LogDriver, NetworkMode, OSFamily,
    RuntimePlatform,
};

use super::{health, secrets, security};

/// The launch types a definition can be run with.
pub(super) fn compatibilities(fargate: bool) -> Vec<Compatibility> {
    let mut launch_types = vec![Compatibility::Ec2];
    if fargate {
        launch_types.push(Compatibility::Fargate);
    }
    launch_types
}

/// Attributes an instance must have, in order of names. Names as in the Amazon ECS documentation; the ones of
/// the platform carry a value.
pub(super) fn required_attributes(
    network: NetworkMode,
    shares_namespaces: bool,
    has_docker_volumes: bool,
    has_execution_role: bool,
    platform: Option<&RuntimePlatform>,
    containers: &[ContainerDefinition],
) -> Vec<Attribute> {
    let mut names = BTreeSet::new();
    if has_docker_volumes {
        names.insert("ecs.capability.docker-plugin.local");
    }
    if network == NetworkMode::Awsvpc {
        names.extend([
            "com.amazonaws.ecs.capability.docker-remote-api.1.18",
            "ecs.capability.task-eni",
        ]);
    }
    if shares_namespaces {
        names.insert("ecs.capability.pid-ipc-namespace-sharing");
    }
    for container in containers {
        if container.repository_credentials.is_some() {
            names.insert("ecs.capability.private-registry-authentication.secretsmanager");
        }
        if health::is_checked(container.health_check.as_ref()) {
            names.insert("ecs.capability.container-health-check");
            names.insert("com.amazonaws.ecs.capability.docker-remote-api.1.24");
        }
        let restarts = container.restart_policy.as_ref();
        if restarts.is_some_and(|policy| policy.enabled) {
            names.insert("ecs.capability.container-restart-policy");
        }
        for secret in container.secrets.iter().flatten() {
            names.insert(if secrets::is_parameter(&secret.value_from) {
                "ecs.capability.secrets.ssm.environment-variables"
            } else {
                "ecs.capability.secrets.asm.environment-variables"
            });
        }
        if security::needs_permission(container) {
            names.insert("com.amazonaws.ecs.capability.privileged-container");
        }
        let init = container
            .linux_parameters
            .as_ref()
            .and_then(|linux| linux.init_process_enabled);
        if init == Some(true) {
            names.insert("com.amazonaws.ecs.capability.docker-remote-api.1.25");
        }
        let mut mappings = container.port_mappings.iter().flatten();
        if mappings.any(|mapping| mapping.container_port_range.is_some()) {
            names.insert("ecs.capability.network.container-port-range");
        }
        if container.docker_labels.is_some()
            || container.ulimits.is_some()
            || container.log_configuration.is_some()
        {
            names.insert("com.amazonaws.ecs.capability.docker-remote-api.1.18");
        }
        match container.log_configuration.as_ref().map(|logs| logs.log_driver) {
            Some(LogDriver::JsonFile) => {
                names.insert("com.amazonaws.ecs.capability.logging-driver.json-file");
            }
            Some(LogDriver::Syslog) => {
                names.insert("com.amazonaws.ecs.capability.logging-driver.syslog");
            }
            Some(LogDriver::Fluentd) => {
                names.insert("com.amazonaws.ecs.capability.logging-driver.fluentd");
            }
            Some(LogDriver::Gelf) => {
                names.insert("com.amazonaws.ecs.capability.logging-driver.gelf");
            }
            Some(LogDriver::Awslogs) => {
                names.insert("com.amazonaws.ecs.capability.logging-driver.awslogs");
                if has_execution_role {
                    names.insert("ecs.capability.execution-role-awslogs");
                }
            }
            _ => {}
        }
        if container.memory_reservation.is_some() {
            names.insert("com.amazonaws.ecs.capability.docker-remote-api.1.21");
        }
        if container
            .depends_on
            .as_ref()
            .is_some_and(|dependencies| !dependencies.is_empty())
        {
            names.insert("ecs.capability.container-ordering");
        }
    }
    let plain = names.into_iter().map(|name| attribute(name, None));
    let architecture = platform
        .and_then(|platform| platform.cpu_architecture)
        .map(|architecture| {
            let value = match architecture {
                CPUArchitecture::X8664 => "x86_64",
                CPUArchitecture::Arm64 => "arm64",
            };
            attribute("ecs.cpu-architecture", Some(value))
        });
    let system = platform.and_then(|platform| platform.operating_system_family);
    let windows = system.filter(|family| *family != OSFamily::Linux);
    // A container runs on the Windows it was built for and on no other, so the family has to be the same.
    let family = windows.map(|family| attribute("ecs.os-family", Some(family.as_str())));
    let kind = if windows.is_some() { "windows" } else { "linux" };
    plain
        .chain(architecture)
        .chain(family)
        .chain(system.map(|_| attribute("ecs.os-type", Some(kind))))
        .collect()
}

fn attribute(name: &str, value: Option<&str>) -> Attribute {
    Attribute {
        name: name.to_owned(),
        target_id: None,
        target_type: None,
        value: value.map(str::to_owned),
    }
}
