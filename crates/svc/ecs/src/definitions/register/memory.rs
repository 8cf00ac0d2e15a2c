//! Memory and CPU of containers, one by one and together. Source: the Amazon ECS API reference,
//! ContainerDefinition, `memory`, `memoryReservation` and `cpu`.

use roadstead_api_ecs::ContainerDefinition;

use super::around::Around;
use super::container::invalid_because;
use super::size::{LEAST_MEMORY, TaskSize};
use crate::error::{Error, Result};

pub(super) fn check(name: &str, hard: Option<i32>, soft: Option<i32>, around: &Around) -> Result<()> {
    for (member, value) in [("memory", hard), ("memoryReservation", soft)] {
        if value.is_some_and(|value| i64::from(value) < LEAST_MEMORY) {
            return Err(invalid_because(
                member,
                name,
                format_args!("It must be at least {LEAST_MEMORY} MiB."),
            ));
        }
    }
    if let (Some(hard), Some(soft)) = (hard, soft)
        && soft > hard
    {
        return Err(Error::client(format!(
            "Invalid setting for container '{name}'. 'memoryReservation' cannot be greater than 'memory'."
        )));
    }
    let Some(task) = around.size.memory else {
        return if hard.is_none() && soft.is_none() {
            Err(Error::client(format!(
                "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be \
                 specified."
            )))
        } else {
            Ok(())
        };
    };
    for (member, value) in [("memory", hard), ("memoryReservation", soft)] {
        if value.is_some_and(|value| i64::from(value) > task) {
            return Err(Error::client(format!(
                "The '{member}' setting for container '{name}' is greater than for the task."
            )));
        }
    }
    Ok(())
}

/// What containers reserve together fits into the task.
pub(super) fn check_sums(containers: &[ContainerDefinition], size: TaskSize) -> Result<()> {
    let sum = |of: fn(&ContainerDefinition) -> Option<i32>| {
        containers.iter().filter_map(of).map(i64::from).sum::<i64>()
    };
    if size.cpu.is_some_and(|task| sum(|container| container.cpu) > task) {
        return Err(Error::client(
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
        ));
    }
    let reserved = sum(|container| container.memory_reservation.or(container.memory));
    if size.memory.is_some_and(|task| reserved > task) {
        return Err(Error::client(
            "The sum of all container memory reservations cannot be greater than the value of the task 'memory'.",
        ));
    }
    Ok(())
}
