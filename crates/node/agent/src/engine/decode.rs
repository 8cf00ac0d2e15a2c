//! From a payload's task to a checked one. What cannot be done is refused here, before anything is made, with
//! words that name the member: they become the reason of the stopped task.

mod volume;

use std::collections::{BTreeMap, BTreeSet};

use roadstead_acs as acs;
use serde::Deserialize;

use self::volume::read_volume;
use super::docker;
use super::health::HealthCheck;
use super::restart::RestartPolicy;
use super::spec::{
    Condition, Container, Dependency, LaunchType, Link, NetworkMode, Port, RegistrySecret, STOP_TIMEOUT_MS,
    SecretRef, SecretSource, Sharing, Task, metadata_id, runtime_id,
};

/// More containers than any task definition may have; a bound, not a promise.
const MAX_CONTAINERS: usize = 64;
/// Seconds; the longest that a task definition may ask for, and far beyond.
const MAX_TIMEOUT_S: i64 = 24 * 60 * 60;

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

fn network_mode(task: &acs::Task) -> Result<NetworkMode> {
    let fallback = || {
        let first = task.containers.first()?;
        docker::read::<docker::HostConfig>(&first.docker_config.host_config)
            .ok()
            .map(|host| host.network_mode)
    };
    let mode = if task.network_mode.is_empty() {
        fallback().unwrap_or_default()
    } else {
        task.network_mode.clone()
    };
    let mode = match mode.as_str() {
        "awsvpc" => NetworkMode::Awsvpc,
        "" | "bridge" | "default" => NetworkMode::Bridge,
        "host" => NetworkMode::Host,
        "none" => NetworkMode::None,
        other => return refuse(format!("the network mode {other:?} is not known")),
    };
    let interfaces = &task.elastic_network_interfaces;
    match (mode, interfaces.len()) {
        (NetworkMode::Awsvpc, 1) => check_interface(&interfaces[0]).map(|()| mode),
        (NetworkMode::Awsvpc, count) => refuse(format!(
            "an awsvpc task has one network interface, this one {count}"
        )),
        (_, 0) => Ok(mode),
        (_, _) => refuse(format!(
            "a task of network mode {} has no network interfaces",
            mode.as_str()
        )),
    }
}

/// An interface with IPv6 addresses says where their gateway is.
fn check_ipv6(interface: &acs::ElasticNetworkInterface) -> Result<()> {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    if interface.ipv6_addresses.is_empty() {
        return Ok(());
    }
    if !interface.ipv6_addresses.iter().all(|ip| address(&ip.address)) {
        return refuse(format!(
            "the network interface {} has an IPv6 address that cannot be read",
            interface.ec2_id
        ));
    }
    match interface.subnet_gateway_ipv6_address.split_once('/') {
        Some((ip, length)) if address(ip) && length.parse::<u8>().is_ok_and(|length| length <= 128) => Ok(()),
        _ => refuse(format!(
            "the subnet gateway {:?} of {} is not an IPv6 address with a prefix length",
            interface.subnet_gateway_ipv6_address, interface.ec2_id
        )),
    }
}

/// What every interface must say before anything is made of it.
pub fn check_interface(interface: &acs::ElasticNetworkInterface) -> Result<()> {
    let address = |text: &str| text.parse::<std::net::Ipv4Addr>().is_ok();
    let gateway = interface.subnet_gateway_ipv4_address.split_once('/');
    if interface.ec2_id.is_empty() || interface.mac_address.is_empty() {
        return refuse("a network interface has no ec2Id or no macAddress");
    }
    if interface.ipv4_addresses.is_empty()
        || !interface
            .ipv4_addresses
            .iter()
            .all(|ip| address(&ip.private_address))
    {
        return refuse(format!(
            "the network interface {} has no readable IPv4 address",
            interface.ec2_id
        ));
    }
    check_ipv6(interface)?;
    match gateway {
        Some((ip, length)) if address(ip) && length.parse::<u8>().is_ok_and(|length| length <= 32) => Ok(()),
        _ => refuse(format!(
            "the subnet gateway {:?} of {} is not an address with a prefix length",
            interface.subnet_gateway_ipv4_address, interface.ec2_id
        )),
    }
}

fn read_container(
    task: &acs::Task,
    id: &str,
    network: NetworkMode,
    container: &acs::Container,
) -> Result<Container> {
    let name = container.name.clone();
    let within = |what: &str, error: &dyn std::fmt::Display| {
        DecodeError(format!("container {name:?}: {what}: {error}"))
    };
    if name.is_empty() || name.len() > 255 || container.image.is_empty() {
        return refuse(format!("container {name:?} has no name or no image"));
    }
    let config: docker::Config = docker::read(&container.docker_config.config)
        .map_err(|error| within("dockerConfig.config", &error))?;
    let host: docker::HostConfig = docker::read(&container.docker_config.host_config)
        .map_err(|error| within("dockerConfig.hostConfig", &error))?;
    if let Some(why) = host.refused() {
        return refuse(format!("container {name:?}: {why}"));
    }
    let health = match container.health_check_type.as_str() {
        "" => None,
        "docker" => config.healthcheck.as_ref(),
        other => {
            return refuse(format!(
                "container {name:?}: the healthCheckType {other:?} is not known"
            ));
        }
    };
    let health = health.map(HealthCheck::read).transpose();
    let health = health
        .map_err(|why| DecodeError(format!("container {name:?}: {why}")))?
        .flatten();
    let overrides: Overrides = match container.overrides.trim() {
        "" => Overrides::default(),
        text => serde_json::from_str(text).map_err(|error| within("the overrides cannot be read", &error))?,
    };
    let mut environment = container.environment.clone();
    environment.extend(overrides.environment.into_map());
    let depends_on = container
        .depends_on
        .iter()
        .map(|on| read_dependency(&name, on))
        .collect::<Result<Vec<_>>>()?;
    Ok(Container {
        arn: container.container_arn.clone(),
        runtime_id: runtime_id(&task.arn, id, &name),
        metadata_id: metadata_id(&task.arn, &name),
        image: container.image.clone(),
        registry: container
            .registry_authentication
            .as_ref()
            .map(|registry| read_registry(&name, registry))
            .transpose()?,
        cpu: whole("cpu", overrides.cpu.unwrap_or(container.cpu))?,
        memory: whole("memory", overrides.memory.unwrap_or(container.memory))?,
        essential: container.essential,
        entry_point: container.entry_point.clone(),
        command: overrides.command.or_else(|| container.command.clone()),
        environment,
        secrets: container
            .secrets
            .iter()
            .map(|secret| read_secret(&name, secret))
            .collect::<Result<_>>()?,
        ports: container
            .port_mappings
            .iter()
            .map(|port| read_port(&name, network, port))
            .collect::<Result<_>>()?,
        links: container
            .links
            .iter()
            .map(|link| read_link(&name, network, link))
            .collect::<Result<_>>()?,
        mounts: container.mount_points.clone(),
        volumes_from: container.volumes_from.clone(),
        depends_on: implied(container, depends_on),
        start_timeout_ms: container
            .start_timeout
            .map(|s| seconds("startTimeout", s))
            .transpose()?,
        stop_timeout_ms: match container.stop_timeout {
            None => STOP_TIMEOUT_MS,
            Some(s) => seconds("stopTimeout", s)?,
        },
        sending: host
            .sending()
            .map_err(|fault| within("dockerConfig.hostConfig", &fault))?,
        health,
        restart: container
            .restart_policy
            .as_ref()
            .and_then(|policy| RestartPolicy::read(policy).transpose())
            .transpose()
            .map_err(|why| DecodeError(format!("container {name:?}: {why}")))?,
        config,
        host,
        name,
    })
}

fn read_secret(name: &str, secret: &acs::Secret) -> Result<SecretRef> {
    let from = &secret.value_from;
    let wrong = |what: &str| refuse(format!("container {name:?}: {from:?} is not {what}"));
    let source = match (secret.provider.as_str(), secret.kind.as_str()) {
        ("asm", "ENVIRONMENT_VARIABLE") => {
            let parts: Vec<&str> = from.split(':').collect();
            let part = |index: usize| {
                parts
                    .get(index)
                    .filter(|part| !part.is_empty())
                    .map(|part| (*part).to_owned())
            };
            if parts.len() < 7 {
                return wrong("the ARN of a secret");
            }
            SecretSource::Secret {
                arn: parts[..7].join(":"),
                json_key: part(7),
                version_stage: part(8),
                version_id: part(9),
            }
        }
        ("ssm", "ENVIRONMENT_VARIABLE") if from.is_empty() => {
            return wrong("the name or ARN of a parameter");
        }
        ("ssm", "ENVIRONMENT_VARIABLE") => SecretSource::Parameter(from.clone()),
        (provider, kind) => {
            return refuse(format!(
                "container {name:?}: a secret of {provider} as {kind} is not supported by Roadstead yet"
            ));
        }
    };
    if secret.region.is_empty() || secret.name.is_empty() {
        return wrong("of a region, or is of no variable");
    }
    Ok(SecretRef {
        name: secret.name.clone(),
        region: secret.region.clone(),
        source,
    })
}

fn read_registry(name: &str, registry: &acs::RegistryAuthentication) -> Result<RegistrySecret> {
    match (registry.kind.as_str(), &registry.asm_auth_data) {
        ("asm", Some(data)) if !data.credentials_parameter.is_empty() && !data.region.is_empty() => {
            Ok(RegistrySecret {
                secret: data.credentials_parameter.clone(),
                region: data.region.clone(),
            })
        }
        ("asm", _) => refuse(format!(
            "container {name:?}: registryAuthentication names no secret or no region"
        )),
        (other, _) => refuse(format!(
            "container {name:?}: registryAuthentication of type {other:?} is not supported by Roadstead yet"
        )),
    }
}

/// A container override as it travels: the environment as a map or as the API's list of pairs.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Overrides {
    #[serde(rename = "name")]
    _name: Option<String>,
    command: Option<Vec<String>>,
    environment: Environment,
    cpu: Option<i64>,
    memory: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Environment {
    Map(BTreeMap<String, String>),
    Pairs(Vec<Pair>),
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    value: String,
}

impl Default for Environment {
    fn default() -> Self {
        Self::Map(BTreeMap::new())
    }
}

impl Environment {
    fn into_map(self) -> BTreeMap<String, String> {
        match self {
            Self::Map(map) => map,
            Self::Pairs(pairs) => pairs.into_iter().map(|pair| (pair.name, pair.value)).collect(),
        }
    }
}

fn read_port(name: &str, network: NetworkMode, port: &acs::PortMapping) -> Result<Port> {
    let wrong = |what: &str| refuse(format!("container {name:?}: {what}"));
    let udp = match port.protocol.to_ascii_lowercase().as_str() {
        "" | "tcp" => false,
        "udp" => true,
        other => return wrong(&format!("the protocol {other:?} of a port is not known")),
    };
    let range = port.container_port_range.as_str();
    let (first, last) = if range.is_empty() {
        (port.container_port, port.container_port)
    } else {
        let read = range
            .split_once('-')
            .and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        match read {
            Some((first, last)) if first < last && port.host_port == 0 => (first, last),
            _ => return wrong(&format!("the containerPortRange {range:?} cannot be mapped")),
        }
    };
    if first == 0 {
        return wrong("a port is 0");
    }
    let host = match network {
        NetworkMode::Bridge => port.host_port,
        NetworkMode::Awsvpc | NetworkMode::Host | NetworkMode::None => first,
    };
    Ok(Port {
        first,
        last,
        host,
        udp,
    })
}

/// `container:alias`, or `container`.
fn read_link(name: &str, network: NetworkMode, link: &str) -> Result<Link> {
    if network != NetworkMode::Bridge {
        return refuse(format!(
            "container {name:?}: links are for the network mode bridge"
        ));
    }
    let (container, alias) = link.split_once(':').unwrap_or((link, link));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if alias.is_empty() || !alias.bytes().all(plain) {
        return refuse(format!("container {name:?}: {alias:?} is no name for a link"));
    }
    Ok(Link {
        container: container.to_owned(),
        alias: alias.to_owned(),
    })
}

fn read_dependency(name: &str, on: &acs::DependsOn) -> Result<Dependency> {
    let condition = match on.condition.as_str() {
        "START" => Condition::Start,
        "COMPLETE" => Condition::Complete,
        "SUCCESS" => Condition::Success,
        "HEALTHY" => Condition::Healthy,
        other => {
            return refuse(format!(
                "container {name:?}: the condition {other:?} of dependsOn is not supported by Roadstead yet"
            ));
        }
    };
    Ok(Dependency {
        container: on.container_name.clone(),
        condition,
    })
}

/// Volumes of another container, and links to it, want that one started first, as `dependsOn` START would say.
fn implied(container: &acs::Container, mut stated: Vec<Dependency>) -> Vec<Dependency> {
    let volumes = container
        .volumes_from
        .iter()
        .map(|from| from.source_container.as_str());
    let links = container
        .links
        .iter()
        .map(|link| link.split_once(':').map_or(link.as_str(), |(other, _)| other));
    for other in volumes.chain(links) {
        if !stated.iter().any(|dependency| dependency.container == other) {
            stated.push(Dependency {
                container: other.to_owned(),
                condition: Condition::Start,
            });
        }
    }
    stated
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

fn seconds(member: &str, number: i64) -> Result<i64> {
    if (0..=MAX_TIMEOUT_S).contains(&number) {
        Ok(number * 1000)
    } else {
        refuse(format!("{member} is not 0 to {MAX_TIMEOUT_S} seconds: {number}"))
    }
}

#[cfg(test)]
mod tests;
