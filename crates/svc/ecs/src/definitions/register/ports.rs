//! Ports of a container. In awsvpc and host mode a container's port is the host's; only a bridge maps.

use std::collections::BTreeSet;

use roadstead_api_ecs::{ContainerDefinition, NetworkMode, PortMapping, TransportProtocol};

use super::around::Around;
use super::container::{invalid, invalid_because};
use crate::error::{Error, Result};

/// Mappings of one container.
const MAX: usize = 100;
/// Ports of one container that a node publishes, each of a range counted.
const PUBLISHED: u32 = 200;

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
    let mappings: Vec<PortMapping> = mappings
        .map(|(index, mapping)| check_one(name, &format!("{at}.portMappings[{index}]"), mapping, around))
        .collect::<Result<_>>()?;
    let ranges = mappings.iter().map(|mapping| {
        let range = mapping.container_port_range.as_deref().and_then(read_range);
        range.map_or(1, |(first, last)| u32::from(last - first) + 1)
    });
    if around.network == NetworkMode::Bridge && ranges.sum::<u32>() > PUBLISHED {
        return Err(Error::invalid(format!(
            "{at}.portMappings: a node publishes at most {PUBLISHED} ports of a container."
        )));
    }
    Ok(mappings)
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
    if let Some(app_protocol) = app_protocol {
        return Err(Error::unsupported(format!("{at}.appProtocol = {app_protocol}")));
    }
    let (container_port, host_port) = match &container_port_range {
        Some(range) => {
            check_range(container, range, container_port, host_port, around)?;
            (None, None)
        }
        None => {
            let (container_port, host_port) = check_ports(container, container_port, host_port, around)?;
            (Some(container_port), Some(host_port))
        }
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
        container_port,
        container_port_range,
        host_port,
        name,
        protocol: Some(protocol.unwrap_or(TransportProtocol::Tcp)),
    })
}

/// The two ports, with the default of the second.
fn check_ports(
    container: &str,
    container_port: Option<i32>,
    host_port: Option<i32>,
    around: &Around,
) -> Result<(i32, i32)> {
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
    Ok((container_port, host_port))
}

/// `first-last` alone: where it leads on the host is not the user's to say.
fn check_range(
    container: &str,
    range: &str,
    container_port: Option<i32>,
    host_port: Option<i32>,
    around: &Around,
) -> Result<()> {
    let invalid = |why: &str| Err(invalid_because("containerPortRange", container, why));
    if !matches!(around.network, NetworkMode::Awsvpc | NetworkMode::Bridge) {
        return invalid("It needs the network mode bridge or awsvpc.");
    }
    if container_port.is_some() || host_port.is_some() {
        return invalid("There can be neither a containerPort nor a hostPort beside it.");
    }
    match read_range(range) {
        Some(_) => Ok(()),
        None => invalid("It must be two ports of 1 to 65535, the lower first, as in 100-200."),
    }
}

/// The first and last port of `100-200`.
fn read_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let port = |text: &str| {
        let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    let (first, last) = (port(first)?, port(last)?);
    (first < last).then_some((first, last))
}

/// Within one container, a port of a range is in no other mapping.
fn check_overlaps(container: &ContainerDefinition) -> Result<()> {
    let mut taken: Vec<(u16, u16, TransportProtocol)> = Vec::new();
    let name = container.name.as_deref().unwrap_or_default();
    let mappings = container.port_mappings.iter().flatten();
    // Ranges first: single ports may be mapped to several ports of the host.
    let (ranges, singles): (Vec<_>, Vec<_>) = mappings.partition(|it| it.container_port_range.is_some());
    for mapping in ranges.into_iter().chain(singles) {
        let protocol = mapping.protocol.unwrap_or(TransportProtocol::Tcp);
        let single = || {
            let port = u16::try_from(mapping.container_port.unwrap_or_default()).unwrap_or_default();
            (port, port)
        };
        let range = mapping.container_port_range.as_deref().and_then(read_range);
        let (first, last) = range.unwrap_or_else(single);
        if taken
            .iter()
            .any(|(from, to, other)| *other == protocol && first <= *to && *from <= last)
        {
            return Err(invalid_because(
                "containerPortRange",
                name,
                "A port can only be in one port mapping of a container.",
            ));
        }
        if range.is_some() {
            taken.push((first, last, protocol));
        }
    }
    Ok(())
}

/// No two mappings of the task want one port of the host, or one name. The mappings are checked already.
pub(super) fn check_together(containers: &[ContainerDefinition]) -> Result<()> {
    containers.iter().try_for_each(check_overlaps)?;
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
