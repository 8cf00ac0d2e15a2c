//! A container of a task.

use roadstead_acs as acs;

use super::overrides::Overrides;
use super::secret::{read_registry, read_secret};
use super::{DecodeError, Result, refuse, whole};
use crate::engine::docker;
use crate::engine::health::HealthCheck;
use crate::engine::restart::RestartPolicy;
use crate::engine::spec::{
    Condition, Container, Dependency, Link, NetworkMode, Port, STOP_TIMEOUT_MS, metadata_id, runtime_id,
};

/// Seconds; the longest that a task definition may ask for, and far beyond.
const MAX_TIMEOUT_S: i64 = 24 * 60 * 60;

pub(super) fn read_container(
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
        image_name: match container.defined_image.as_str() {
            "" => container.image.clone(),
            defined => defined.to_owned(),
        },
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

fn seconds(member: &str, number: i64) -> Result<i64> {
    if (0..=MAX_TIMEOUT_S).contains(&number) {
        Ok(number * 1000)
    } else {
        refuse(format!("{member} is not 0 to {MAX_TIMEOUT_S} seconds: {number}"))
    }
}
