//! What is told of a container and of this node beside the lines.

use std::collections::BTreeMap;

use roadstead_log_drivers::{Facts, Sender};

use crate::engine::machine::Machine;
use crate::engine::spec::Container;

/// As Docker would tell it. Values of secrets are not told: the agent does not keep them.
pub(super) fn of(machine: &Machine, container: &Container) -> Facts {
    let task = &machine.task;
    let state = machine.state.containers.get(&container.name);
    let image = state.and_then(|state| state.image.as_ref());
    let told = image.and_then(|image| image.told.as_ref());
    let created = state.and_then(|state| state.created_at);
    let mut labels = told.map(|told| told.labels.clone()).unwrap_or_default();
    labels.extend(task.labels(container));
    let pairs = told.map(|told| told.environment.as_slice()).unwrap_or_default();
    let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
    let mut environment: BTreeMap<String, String> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    environment.extend(container.environment.clone());
    Facts {
        id: container.runtime_id.clone(),
        name: task.docker_name(container),
        image_name: container.image_name.clone(),
        image_id: image.map(|image| image.id.clone()).unwrap_or_default(),
        command: told.map(|told| told.command.join(" ")).unwrap_or_default(),
        created: created.map(|at| at.to_rfc3339()).unwrap_or_default(),
        labels,
        environment,
    }
}

/// The node, as a Docker daemon on it would call itself.
pub(super) fn sender() -> Sender {
    let host = nix::unistd::gethostname().ok();
    let host = host.and_then(|name| name.into_string().ok()).unwrap_or_default();
    Sender {
        host,
        pid: std::process::id(),
    }
}
