//! From a payload's task to a checked one. What cannot be done is refused here, before anything is made, with
//! words that name the member: they become the reason of the stopped task.

mod container;
mod network;
mod overrides;
mod secret;
mod volume;

use std::collections::{BTreeMap, BTreeSet};

use roadstead_acs as acs;

use self::container::read_container;
pub use self::network::check_interface;
use self::network::network_mode;
use self::volume::read_volume;
use super::spec::{Condition, LaunchType, Sharing, Task};

/// More containers than any task definition may have; a bound, not a promise.
const MAX_CONTAINERS: usize = 64;
/// Why a task cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Error loading task - {0}")]
pub struct DecodeError(String);

type Result<T> = std::result::Result<T, DecodeError>;

fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(DecodeError(why.into()))
}

/// # Errors
/// [`DecodeError`] names the member that is missing, malformed or not supported.
pub fn decode(task: &acs::Task) -> Result<Task> {
    let Some(id) = task_id(&task.arn) else {
        return refuse(format!("{:?} is not the ARN of a task", task.arn));
    };
    if !matches!(task.overrides.trim(), "" | "{}") {
        let overrides: BTreeMap<String, serde_json::Value> = serde_json::from_str(&task.overrides)
            .map_err(|error| DecodeError(format!("the task's overrides are not a JSON object: {error}")))?;
        if let Some(name) = overrides.keys().next() {
            return refuse(format!(
                "the override {name:?} of a task is not supported by Roadstead yet"
            ));
        }
    }
    if task.containers.is_empty() || task.containers.len() > MAX_CONTAINERS {
        return refuse(format!(
            "a task has 1 to {MAX_CONTAINERS} containers, this one {}",
            task.containers.len()
        ));
    }
    let network = network_mode(task)?;
    let containers = task
        .containers
        .iter()
        .map(|container| read_container(task, id, network, container))
        .collect::<Result<Vec<_>>>()?;
    if !containers.iter().any(|container| container.essential) {
        return refuse("no container is essential");
    }
    let volumes = task.volumes.iter().map(read_volume).collect::<Result<Vec<_>>>()?;
    let read = Task {
        arn: task.arn.clone(),
        id: id.to_owned(),
        cluster_arn: task.task_cluster_arn.clone(),
        family: task.family.clone(),
        revision: task.version.clone(),
        launch_type: match task.launch_type.as_str() {
            "" | "EC2" => LaunchType::Ec2,
            "FARGATE" => LaunchType::Fargate,
            "EXTERNAL" => LaunchType::External,
            other => return refuse(format!("the launch type {other:?} is not known")),
        },
        network,
        cpu: whole("cpu", (task.cpu * 1024.0).round() as i64)?,
        memory: whole("memory", task.memory)?,
        storage_gib: whole("ephemeralStorage", task.ephemeral_storage)?,
        containers,
        volumes,
        interfaces: task.elastic_network_interfaces.clone(),
        pid: sharing("pidMode", &task.pid_mode)?,
        ipc: match task.ipc_mode.as_str() {
            "none" => Sharing::None,
            mode => sharing("ipcMode", mode)?,
        },
        group: task.group.clone(),
        service_name: task.service_name.clone(),
        credentials_id: task
            .role_credentials
            .as_ref()
            .map(|keys| keys.credentials_id.clone())
            .filter(|id| !id.is_empty()),
        execution_keys: None,
        has_execution_role: task.execution_role_credentials.is_some(),
    };
    check_references(&read)?;
    Ok(read)
}

/// What follows the last slash of a task's ARN: letters, digits and hyphens alone, since it names files.
pub fn task_id(arn: &str) -> Option<&str> {
    let (_, resource) = arn.split_once(":task/")?;
    let id = resource.rsplit('/').next()?;
    let plain = !id.is_empty()
        && id.len() <= 48
        && id.as_bytes()[0].is_ascii_alphanumeric()
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (arn.starts_with("arn:") && plain).then_some(id)
}

/// Every name a container uses is that of something in the task, and no container waits for itself.
fn check_references(task: &Task) -> Result<()> {
    let mut names = BTreeSet::new();
    for container in &task.containers {
        if !names.insert(container.name.as_str()) {
            return refuse(format!("two containers are named {:?}", container.name));
        }
    }
    for container in &task.containers {
        let absent = container
            .depends_on
            .iter()
            .find(|on| !names.contains(on.container.as_str()));
        if let Some(on) = absent {
            return refuse(format!(
                "container {:?} depends on {:?}, which is not there",
                container.name, on.container
            ));
        }
        let unchecked = container.depends_on.iter().find(|on| {
            on.condition == Condition::Healthy
                && task
                    .container(&on.container)
                    .is_some_and(|other| other.health.is_none())
        });
        if let Some(on) = unchecked {
            return refuse(format!(
                "container {:?} depends on {:?} being HEALTHY, which has no health check",
                container.name, on.container
            ));
        }
        let volume = |name: &str| task.volumes.iter().any(|volume| volume.name == name);
        if let Some(mount) = container
            .mounts
            .iter()
            .find(|mount| !volume(&mount.source_volume))
        {
            return refuse(format!(
                "container {:?} mounts the volume {:?}, which is not there",
                container.name, mount.source_volume
            ));
        }
    }
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    while settled.len() < task.containers.len() {
        let ready = task.containers.iter().find(|container| {
            !settled.contains(container.name.as_str())
                && container
                    .depends_on
                    .iter()
                    .all(|on| settled.contains(on.container.as_str()))
        });
        match ready {
            Some(container) => settled.insert(&container.name),
            None => return refuse("the containers depend on each other in a circle"),
        };
    }
    Ok(())
}

fn sharing(member: &str, text: &str) -> Result<Sharing> {
    match text {
        "" => Ok(Sharing::None),
        "task" => Ok(Sharing::Task),
        "host" => Ok(Sharing::Host),
        other => refuse(format!("{member} {other:?} is not supported by Roadstead yet")),
    }
}

fn whole(member: &str, number: i64) -> Result<u64> {
    u64::try_from(number).or_else(|_| refuse(format!("{member} is negative: {number}")))
}

#[cfg(test)]
mod tests;
