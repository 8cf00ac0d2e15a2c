//! Ports of a container. In awsvpc and host mode a container's port is the host's; only a bridge maps.

use std::collections::BTreeSet;

use roadstead_api_ecs::{ContainerDefinition, NetworkMode, PortMapping, TransportProtocol};

use super::around::Around;
use super::container::{invalid, invalid_because};
use crate::error::{Error, Result, refuse};

/// Mappings of one container.
const MAX: usize = 100;

pub(super) fn check(
    name: &str,
    at: &str,
    mappings: Vec<PortMapping>,
    around: &Around,
) -> Result<Vec<PortMapping>> {
    if mappings.len() > MAX {
        return Err(invalid_because(
            "portMappings",
            name,
            format_args!("At most {MAX} are allowed."),
        ));
    }
    if around.network == NetworkMode::None && !mappings.is_empty() {
        return Err(Error::client(
            "Port mappings are not supported when networkMode=none.",
        ));
    }
    let mappings = mappings.into_iter().enumerate();
    mappings
        .map(|(index, mapping)| check_one(name, &format!("{at}.portMappings[{index}]"), mapping, around))
        .collect()
}

fn check_one(container: &str, at: &str, mapping: PortMapping, around: &Around) -> Result<PortMapping> {
    let PortMapping {
        app_protocol,
        container_port,
        container_port_range,
        host_port,
        name,
        protocol,
    } = mapping;
    refuse(&format!("{at}.containerPortRange"), container_port_range)?;
    if let Some(app_protocol) = app_protocol {
        return Err(Error::unsupported(format!("{at}.appProtocol = {app_protocol}")));
    }
    let container_port = container_port
        .filter(|port| (1..=65_535).contains(port))
        .ok_or_else(|| invalid("containerPort", container))?;
    let host_port = host_port.unwrap_or(0);
    if !(0..=65_535).contains(&host_port) {
        return Err(invalid("hostPort", container));
    }
    let host_port = match around.network {
        NetworkMode::Awsvpc | NetworkMode::Host => {
            if host_port != 0 && host_port != container_port {
                return Err(Error::client(format!(
                    "When networkMode={}, the host ports and container ports in port mappings must match.",
                    around.network
                )));
            }
            container_port
        }
        NetworkMode::Bridge | NetworkMode::None => host_port,
    };
    if let Some(name) = &name {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if name.is_empty() || name.len() > 64 || name.starts_with('-') || !name.bytes().all(plain) {
            return Err(invalid_because(
                "portMappings",
                container,
                "The name of a port mapping is invalid.",
            ));
        }
    }
    Ok(PortMapping {
        app_protocol: None,
        container_port: Some(container_port),
        container_port_range: None,
        host_port: Some(host_port),
        name,
        protocol: Some(protocol.unwrap_or(TransportProtocol::Tcp)),
    })
}

/// No two mappings of the task want one port of the host, or one name. The mappings are checked already.
pub(super) fn check_together(containers: &[ContainerDefinition]) -> Result<()> {
    let (mut taken, mut names) = (BTreeSet::new(), BTreeSet::new());
    for mapping in containers
        .iter()
        .flat_map(|container| container.port_mappings.iter().flatten())
    {
        let port = mapping.host_port.unwrap_or(0);
        let protocol = mapping.protocol.unwrap_or(TransportProtocol::Tcp);
        if port != 0 && !taken.insert((port, protocol)) {
            return Err(Error::client(format!(
                "The host port {port}/{protocol} is mapped more than once in the task definition."
            )));
        }
        if let Some(name) = &mapping.name
            && !names.insert(name)
        {
            return Err(Error::client(format!(
                "The port mapping name '{name}' is not unique in the task definition."
            )));
        }
    }
    Ok(())
}
