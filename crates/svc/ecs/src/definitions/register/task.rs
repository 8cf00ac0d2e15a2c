//! The task around the containers: its network, size and platform, and what containers must agree on.

use std::collections::BTreeSet;

use roadstead_api_ecs::{
    CPUArchitecture, Compatibility, ContainerDefinition, EphemeralStorage, NetworkMode, OSFamily,
    RegisterTaskDefinitionRequest, RuntimePlatform, TaskDefinition, TaskDefinitionPlacementConstraint,
};

use super::around::{Around, Fargate};
use super::{compatibility, container, dependencies, kernel, memory, mounts, ports, registry, size};
use crate::definitions::record::Definition;
use crate::error::{Error, Result, refuse};
use crate::names::Family;
use crate::tags::Tags;
use crate::tasks::placement::definition_constraint;

/// Containers of one task definition.
const MAX_CONTAINERS: usize = 10;
const MAX_CONSTRAINTS: usize = 10;
/// GiB.
const STORAGE: std::ops::RangeInclusive<i32> = 21..=200;

/// A definition with everything but its number.
pub(super) struct Checked {
    pub(super) family: Family,
    pub(super) definition: Definition,
    pub(super) tags: Tags,
}

pub(super) fn check(request: RegisterTaskDefinitionRequest) -> Result<Checked> {
    let RegisterTaskDefinitionRequest {
        container_definitions,
        family,
        cpu,
        enable_fault_injection,
        ephemeral_storage,
        execution_role_arn,
        inference_accelerators,
        ipc_mode,
        memory,
        network_mode,
        pid_mode,
        placement_constraints,
        proxy_configuration,
        requires_compatibilities,
        runtime_platform,
        tags,
        task_role_arn,
        volumes,
    } = request;
    let family = check_family(&family)?;
    let tags = Tags::of(tags)?;
    let mut fargate = Fargate::new(check_required(
        requires_compatibilities.as_deref().unwrap_or_default(),
    )?);
    // An omitted mode is `bridge` on Linux.
    let network = network_mode.unwrap_or(NetworkMode::Bridge);
    if network != NetworkMode::Awsvpc {
        fargate.obstacle("Fargate only supports network mode ‘awsvpc’.")?;
    }
    let size = size::read(cpu.as_deref(), memory.as_deref())?;
    if let Some(why) = size::fargate_obstacle(size) {
        fargate.obstacle(why)?;
    }
    let volumes = mounts::check_volumes(volumes.unwrap_or_default(), &mut fargate)?;
    let constraints = placement_constraints.unwrap_or_default();
    check_constraints(&constraints, &mut fargate)?;
    check_platform(runtime_platform.as_ref(), &mut fargate)?;
    check_storage(ephemeral_storage.as_ref(), &fargate)?;
    kernel::check_modes(pid_mode, ipc_mode, &mut fargate)?;

    let names = |name: &Option<String>| name.clone().unwrap_or_default();
    let mut around = Around {
        network,
        ipc: ipc_mode,
        size,
        has_execution_role: execution_role_arn.is_some(),
        volumes: volumes.iter().map(|volume| names(&volume.name)).collect(),
        containers: container_definitions
            .iter()
            .map(|container| names(&container.name))
            .collect(),
        fargate,
    };
    let containers = check_containers(container_definitions, &mut around)?;

    refuse("enableFaultInjection", enable_fault_injection)?;
    let execution_role_arn = registry::check_role(execution_role_arn, &containers)?;
    refuse("inferenceAccelerators", inference_accelerators)?;
    refuse("proxyConfiguration", proxy_configuration)?;
    let task_role_arn = registry::check_task_role(task_role_arn, network)?;

    let attributes = compatibility::required_attributes(
        network,
        pid_mode.is_some() || ipc_mode.is_some(),
        volumes
            .iter()
            .any(|volume| volume.docker_volume_configuration.is_some()),
        execution_role_arn.is_some(),
        runtime_platform.as_ref(),
        &containers,
    );
    let definition = TaskDefinition {
        compatibilities: Some(compatibility::compatibilities(around.fargate.is_possible())),
        container_definitions: Some(containers),
        cpu: size.cpu.map(|cpu| cpu.to_string()),
        delete_requested_at: None,
        deregistered_at: None,
        enable_fault_injection,
        ephemeral_storage,
        execution_role_arn,
        family: Some(family.to_string()),
        inference_accelerators: None,
        ipc_mode,
        memory: size.memory.map(|memory| memory.to_string()),
        network_mode,
        pid_mode,
        placement_constraints: Some(constraints),
        proxy_configuration: None,
        registered_at: None,
        registered_by: None,
        requires_attributes: Some(attributes),
        requires_compatibilities: requires_compatibilities.filter(|list| !list.is_empty()),
        revision: None,
        runtime_platform,
        status: None,
        task_definition_arn: None,
        task_role_arn,
        volumes: Some(volumes),
    };
    Ok(Checked {
        family,
        definition,
        tags,
    })
}

fn check_family(family: &str) -> Result<Family> {
    if family.is_empty() {
        return Err(Error::client("Family should not be null or empty."));
    }
    Family::new(family)
}

/// Whether FARGATE is asked for by name. Launch types that no node here offers are refused.
fn check_required(required: &[Compatibility]) -> Result<bool> {
    for launch_type in required {
        match launch_type {
            Compatibility::Ec2 | Compatibility::Fargate => {}
            Compatibility::External | Compatibility::ManagedInstances => {
                return Err(Error::unsupported(format!(
                    "requiresCompatibilities = {launch_type}"
                )));
            }
        }
    }
    Ok(required.contains(&Compatibility::Fargate))
}

fn check_constraints(constraints: &[TaskDefinitionPlacementConstraint], fargate: &mut Fargate) -> Result<()> {
    if constraints.len() > MAX_CONSTRAINTS {
        return Err(Error::client(format!(
            "A task can have at most {MAX_CONSTRAINTS} placement constraints."
        )));
    }
    for constraint in constraints {
        definition_constraint(constraint)?;
        fargate.obstacle("Fargate does not support placement constraints.")?;
    }
    Ok(())
}

/// The disk of a Fargate task; others have the node's.
fn check_storage(storage: Option<&EphemeralStorage>, fargate: &Fargate) -> Result<()> {
    let Some(storage) = storage else { return Ok(()) };
    if !storage_is_possible(storage) {
        return Err(Error::client(storage_words()));
    }
    if !fargate.is_possible() {
        return Err(Error::client(
            "ephemeralStorage is for tasks on Fargate, which this task definition cannot be.",
        ));
    }
    Ok(())
}

pub(crate) fn storage_is_possible(storage: &EphemeralStorage) -> bool {
    let EphemeralStorage { size_in_gi_b } = storage;
    STORAGE.contains(size_in_gi_b)
}

pub(crate) fn storage_words() -> String {
    format!(
        "The ephemeralStorage size must be {} to {} GiB.",
        STORAGE.start(),
        STORAGE.end()
    )
}

/// Both become attributes that the instance must have.
fn check_platform(platform: Option<&RuntimePlatform>, fargate: &mut Fargate) -> Result<()> {
    let Some(RuntimePlatform {
        cpu_architecture,
        operating_system_family,
    }) = platform
    else {
        return Ok(());
    };
    if operating_system_family.is_none_or(|family| family == OSFamily::Linux) {
        return Ok(());
    }
    if *cpu_architecture == Some(CPUArchitecture::Arm64) {
        return Err(Error::client(
            "The cpuArchitecture ARM64 is not valid for a Windows operatingSystemFamily.",
        ));
    }
    fargate.obstacle("Fargate capacity here runs Linux.")
}

fn check_containers(
    containers: Vec<ContainerDefinition>,
    around: &mut Around,
) -> Result<Vec<ContainerDefinition>> {
    if containers.is_empty() {
        return Err(Error::client("Container list cannot be empty."));
    }
    if containers.len() > MAX_CONTAINERS {
        return Err(Error::client("Too many containers."));
    }
    let mut checked = Vec::with_capacity(containers.len());
    let mut names = BTreeSet::new();
    for (index, definition) in containers.into_iter().enumerate() {
        let definition = container::check(definition, &format!("containerDefinitions[{index}]"), around)?;
        if !names.insert(definition.name.clone()) {
            let name = definition.name.unwrap_or_default();
            return Err(Error::client(format!(
                "Container names must be unique in a task definition: '{name}'."
            )));
        }
        checked.push(definition);
    }
    if checked.iter().all(|container| container.essential == Some(false)) {
        return Err(Error::client(
            "At least one container in a task definition must be essential.",
        ));
    }
    memory::check_sums(&checked, around.size)?;
    ports::check_together(&checked)?;
    dependencies::check_together(&checked)?;
    Ok(checked)
}
