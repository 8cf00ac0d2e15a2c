//! What waits for what. A task whose containers wait for each other in a circle would never start.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_api_ecs::{ContainerCondition, ContainerDefinition, ContainerDependency};

use super::around::Around;
use super::container::invalid_because;
use super::{health, links};
use crate::error::{Error, Result};

/// Each dependency names another container of the task, once.
pub(super) fn check_names(name: &str, dependencies: &[ContainerDependency], around: &Around) -> Result<()> {
    let mut seen = BTreeSet::new();
    for ContainerDependency {
        condition: _later,
        container_name,
    } in dependencies
    {
        if !around.containers.contains(container_name) {
            let why = format_args!(
                "It names the container '{container_name}', which is not in the task definition."
            );
            return Err(invalid_because("dependsOn", name, why));
        }
        if container_name == name || !seen.insert(container_name) {
            let why = format_args!("It names the container '{container_name}' more than once, or itself.");
            return Err(invalid_because("dependsOn", name, why));
        }
    }
    Ok(())
}

/// Conditions can be met, and there is an order to start in. Volumes of another container,
/// and links to it, want it started first.
pub(super) fn check_together(containers: &[ContainerDefinition]) -> Result<()> {
    let by_name: BTreeMap<&str, &ContainerDefinition> = containers
        .iter()
        .map(|container| (container.name.as_deref().unwrap_or_default(), container))
        .collect();
    for container in containers {
        for ContainerDependency {
            condition,
            container_name,
        } in container.depends_on.iter().flatten()
        {
            let other = by_name.get(container_name.as_str());
            match condition {
                ContainerCondition::Start => {}
                ContainerCondition::Complete | ContainerCondition::Success => {
                    if other.is_some_and(|other| other.essential != Some(false)) {
                        return Err(Error::client(
                            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
                        ));
                    }
                }
                ContainerCondition::Healthy
                    if other.is_some_and(|other| health::is_checked(other.health_check.as_ref())) => {}
                ContainerCondition::Healthy => {
                    return Err(Error::client(format!(
                        "A dependency container with HEALTHY condition must have a health check: {container_name}"
                    )));
                }
            }
        }
    }
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    while settled.len() < by_name.len() {
        let ready = by_name.iter().find(|(name, container)| {
            !settled.contains(**name) && waits_for(container).all(|other| settled.contains(other))
        });
        match ready {
            Some((name, _)) => settled.insert(name),
            None => return Err(Error::client("Container dependencies must not form a circle.")),
        };
    }
    Ok(())
}

fn waits_for(container: &ContainerDefinition) -> impl Iterator<Item = &str> {
    let stated = container
        .depends_on
        .iter()
        .flatten()
        .map(|dependency| dependency.container_name.as_str());
    let implied = container
        .volumes_from
        .iter()
        .flatten()
        .filter_map(|from| from.source_container.as_deref());
    let linked = container.links.iter().flatten().map(|link| links::parts(link).0);
    stated.chain(implied).chain(linked)
}
