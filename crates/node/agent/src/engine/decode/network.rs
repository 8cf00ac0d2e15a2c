//! How a task is in the network, and what its interface must say.

use roadstead_acs as acs;

use super::{Result, refuse};
use crate::engine::docker;
use crate::engine::spec::NetworkMode;

pub(super) fn network_mode(task: &acs::Task) -> Result<NetworkMode> {
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
