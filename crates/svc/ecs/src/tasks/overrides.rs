//! `overrides` of a task: checked whole against the definition, then worked into it, so that everything after
//! this sees one definition and no overrides.

use std::collections::BTreeMap;

use roadstead_api_ecs::{ContainerDefinition, ContainerOverride, KeyValuePair, TaskOverride};

use crate::definitions::{Definition, ResourceFault, gpus, register};
use crate::error::{Error, Result, refuse};
use crate::stored::Stored;
use crate::tasks::{TaskRecord, sizes};

/// Characters of the overrides as JSON.
const MAX_JSON: usize = 8192;
/// MiB; what the container runtime needs at least.
const MIN_MEMORY: i32 = 6;

/// A definition with its overrides in it.
#[derive(Debug)]
pub(super) struct Overridden {
    pub(super) definition: Definition,
    /// CPU units for the task as a whole.
    pub(super) cpu: Option<i64>,
    /// MiB for the task as a whole.
    pub(super) memory: Option<i64>,
    /// As they are kept and shown.
    pub(super) overrides: TaskOverride,
}

pub(super) fn apply(definition: &Definition, overrides: Option<TaskOverride>) -> Result<Overridden> {
    let mut overrides = overrides.unwrap_or_default();
    let json = serde_json::to_string(&Stored(overrides.clone())).unwrap_or_default();
    if json.chars().count() > MAX_JSON {
        return Err(Error::invalid(format!(
            "overrides can have at most {MAX_JSON} characters."
        )));
    }
    let mut definition = definition.clone();
    let TaskOverride {
        container_overrides,
        cpu,
        ephemeral_storage,
        execution_role_arn,
        inference_accelerator_overrides,
        memory,
        task_role_arn,
    } = overrides.clone();
    if let Some(storage) = ephemeral_storage {
        if !register::storage_is_possible(&storage) {
            return Err(Error::invalid(register::storage_words()));
        }
        definition.ephemeral_storage = Some(storage);
    }
    refuse(
        "overrides.inferenceAcceleratorOverrides",
        inference_accelerator_overrides,
    )?;
    if execution_role_arn.is_some() {
        definition.execution_role_arn = execution_role_arn;
    }
    if task_role_arn.is_some() {
        definition.task_role_arn = task_role_arn;
    }
    if cpu.is_some() {
        definition.cpu = cpu;
    }
    if memory.is_some() {
        definition.memory = memory;
    }
    let cpu = definition.cpu.as_deref().map(sizes::cpu).transpose()?;
    let memory = definition.memory.as_deref().map(sizes::memory).transpose()?;
    let containers = definition.container_definitions.get_or_insert_default();
    for change in container_overrides.iter().flatten() {
        change_container(containers, change)?;
    }
    check_sum(containers, memory)?;
    // The service shows an empty list, never nothing.
    overrides.container_overrides.get_or_insert_default();
    overrides.inference_accelerator_overrides.get_or_insert_default();
    Ok(Overridden {
        definition,
        cpu,
        memory,
        overrides,
    })
}

/// The definition as a task that was made of it has it.
pub(crate) fn definition_with(definition: &Definition, task: &TaskRecord) -> Result<Definition> {
    apply(definition, Some(task.overrides.0.clone())).map(|done| done.definition)
}

fn change_container(containers: &mut [ContainerDefinition], change: &ContainerOverride) -> Result<()> {
    let ContainerOverride {
        command,
        cpu,
        environment,
        environment_files,
        memory,
        memory_reservation,
        name,
        resource_requirements,
    } = change;
    refuse(
        "overrides.containerOverrides.environmentFiles",
        environment_files.as_ref(),
    )?;
    let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else {
        return Err(Error::invalid(
            "Container override is missing the container name.",
        ));
    };
    let Some(container) = containers
        .iter_mut()
        .find(|container| container.name.as_deref() == Some(name))
    else {
        let name: String = name.chars().take(255).collect();
        return Err(Error::invalid(format!(
            "Override for container named {name} is not a container in the TaskDefinition."
        )));
    };
    if let Some(command) = command {
        container.command = Some(command.clone());
    }
    if let Some(requirements) = resource_requirements {
        gpus(requirements).map_err(|fault| match fault {
            ResourceFault::Invalid(why) => Error::invalid(format!(
                "Invalid override of 'resourceRequirements' for container '{name}': {why}"
            )),
            ResourceFault::Unsupported(kind) => Error::unsupported(format!(
                "overrides.containerOverrides.resourceRequirements.type {kind}"
            )),
        })?;
        container.resource_requirements = Some(requirements.clone());
    }
    if let Some(environment) = environment {
        container.environment = Some(merge(container.environment.take(), environment)?);
    }
    if let Some(cpu) = cpu {
        if *cpu < 0 {
            return Err(invalid_size(name, "cpu", "it is below 0"));
        }
        container.cpu = Some(*cpu);
    }
    for (member, value, place) in [
        ("memory", memory, &mut container.memory),
        (
            "memoryReservation",
            memory_reservation,
            &mut container.memory_reservation,
        ),
    ] {
        let Some(value) = value else { continue };
        if *value < MIN_MEMORY {
            return Err(invalid_size(
                name,
                member,
                &format!("it is below {MIN_MEMORY} MiB"),
            ));
        }
        *place = Some(*value);
    }
    match (container.memory, container.memory_reservation) {
        (Some(memory), Some(reservation)) if memory < reservation => {
            Err(invalid_size(name, "memory", "it is below memoryReservation"))
        }
        _ => Ok(()),
    }
}

fn invalid_size(container: &str, member: &str, why: &str) -> Error {
    Error::invalid(format!(
        "Invalid override of '{member}' for container '{container}': {why}."
    ))
}

fn merge(old: Option<Vec<KeyValuePair>>, new: &[KeyValuePair]) -> Result<Vec<KeyValuePair>> {
    let mut merged: BTreeMap<String, Option<String>> = BTreeMap::new();
    for pair in old.iter().flatten().chain(new) {
        let name = pair.name.clone().unwrap_or_default();
        if name.is_empty() || name.contains('=') {
            return Err(Error::invalid(
                "An environment variable of an override has no valid name.",
            ));
        }
        merged.insert(name, pair.value.clone());
    }
    Ok(merged
        .into_iter()
        .map(|(name, value)| KeyValuePair {
            name: Some(name),
            value,
        })
        .collect())
}

/// Containers must fit into the task they are in.
fn check_sum(containers: &[ContainerDefinition], memory: Option<i64>) -> Result<()> {
    let reserved: i64 = containers
        .iter()
        .map(|container| i64::from(reserved(container)))
        .sum();
    match memory {
        Some(memory) if reserved > memory => Err(Error::client(format!(
            "Invalid setting for task: the containers reserve {reserved} MiB of memory, the task has {memory}."
        ))),
        _ => Ok(()),
    }
}

/// What a container counts for when the task as a whole names no memory.
pub(super) fn reserved(container: &ContainerDefinition) -> i32 {
    container
        .memory_reservation
        .or(container.memory)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Definition {
        let pair = |name: &str, value: &str| KeyValuePair {
            name: Some(name.into()),
            value: Some(value.into()),
        };
        Definition {
            memory: Some("512".into()),
            container_definitions: Some(vec![ContainerDefinition {
                name: Some("web".into()),
                cpu: Some(10),
                memory: Some(128),
                environment: Some(vec![pair("A", "1"), pair("B", "1")]),
                ..Default::default()
            }]),
            ..Default::default()
        }
    }

    fn of(change: ContainerOverride) -> Result<Overridden> {
        let overrides = TaskOverride {
            container_overrides: Some(vec![change]),
            ..Default::default()
        };
        apply(&definition(), Some(overrides))
    }

    fn web() -> ContainerOverride {
        ContainerOverride {
            name: Some("web".into()),
            ..Default::default()
        }
    }

    #[test]
    fn overrides_are_worked_into_the_definition() {
        let change = ContainerOverride {
            command: Some(vec!["run".into()]),
            cpu: Some(20),
            memory: Some(256),
            memory_reservation: Some(200),
            environment: Some(vec![KeyValuePair {
                name: Some("B".into()),
                value: Some("2".into()),
            }]),
            ..web()
        };
        let done = of(change).expect("applies");
        let container = &done.definition.container_definitions.expect("containers")[0];
        assert_eq!(container.command.as_deref(), Some(&["run".to_owned()][..]));
        assert_eq!(
            (container.cpu, container.memory, container.memory_reservation),
            (Some(20), Some(256), Some(200))
        );
        let pairs: Vec<_> = container
            .environment
            .iter()
            .flatten()
            .map(|pair| pair.value.as_deref())
            .collect();
        assert_eq!(pairs, [Some("1"), Some("2")]);
        let sized = TaskOverride {
            cpu: Some("1 vCPU".into()),
            memory: Some("1 GB".into()),
            ..Default::default()
        };
        let done = apply(&definition(), Some(sized)).expect("applies");
        assert_eq!((done.cpu, done.memory), (Some(1024), Some(1024)));
    }

    #[test]
    fn overrides_that_cannot_be_are_refused_by_name() {
        let refused = |change: ContainerOverride, words: &str| {
            let error = of(change).expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        };
        let named = |name: &str| ContainerOverride {
            name: Some(name.into()),
            ..Default::default()
        };
        refused(
            named("db"),
            "Override for container named db is not a container in the TaskDefinition.",
        );
        refused(ContainerOverride::default(), "missing the container name");
        refused(
            ContainerOverride {
                cpu: Some(-1),
                ..web()
            },
            "cpu",
        );
        refused(
            ContainerOverride {
                memory: Some(3),
                ..web()
            },
            "memory",
        );
        refused(
            ContainerOverride {
                memory_reservation: Some(200),
                ..web()
            },
            "memoryReservation",
        );
        refused(
            ContainerOverride {
                memory: Some(1024),
                ..web()
            },
            "the task has 512",
        );
        let long = ContainerOverride {
            command: Some(vec!["x".repeat(8192)]),
            ..web()
        };
        refused(long, "8192");
        let role = TaskOverride {
            task_role_arn: Some("application".into()),
            execution_role_arn: Some("execution".into()),
            ..Default::default()
        };
        let done = apply(&definition(), Some(role)).expect("applied").definition;
        assert_eq!(done.task_role_arn.as_deref(), Some("application"));
        assert_eq!(done.execution_role_arn.as_deref(), Some("execution"));
    }
}
