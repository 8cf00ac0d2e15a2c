//! IPv6 on the host's way to a VPC. The block comes with the map, perhaps long after the attachment, so the way
//! follows the map: made when there is a block that takes nothing away from the host, unmade when there is none
//! any more or the host has come to need it. Where it is not, IPv4 goes on as before.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use roadstead_acs::network::VpcMap;
use rtnetlink::packet_route::route::RouteType;
use serde::{Deserialize, Serialize};

use super::Inner;
use super::host::{HOST_RESOLVERS, HostLink};
use super::vpc::Vpc;
use crate::Result;
use crate::names::MacAddr;
use crate::netlink::{Netlink, ipv6_is_there};

/// Addresses of the two ends, which hold their IPv4 addresses: a unique local block of lines alone.
const LINES: Ipv6Addr = Ipv6Addr::new(0xfd7a, 0x7273, 0x6c6e, 0, 0, 0, 0, 0);

/// What is made of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostIpv6 {
    pub(super) block: Ipv6Net,
    pub(super) host_ip: Ipv6Addr,
    router_ip: Ipv6Addr,
}

fn end(ip: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(LINES) | u128::from(u32::from(ip)))
}

fn alone(ip: Ipv6Addr) -> Ipv6Net {
    Ipv6Net::new_assert(ip, 128)
}

fn block_of(map: Option<&VpcMap>) -> Option<Ipv6Net> {
    let block = |cidr: &IpNet| match cidr {
        IpNet::V6(cidr) => Some(cidr.trunc()),
        IpNet::V4(_) => None,
    };
    map?.cidrs.iter().find_map(block)
}

/// What of the host `block` would shadow, if anything. Routes over the device `own` are ours.
fn conflict(node: &mut Netlink, block: Ipv6Net, own: u32, resolvers: &str) -> Result<Option<String>> {
    let overlap = |net: &Ipv6Net| net.contains(&block) || block.contains(net);
    for (device, address) in node.ipv6_addresses()? {
        if device != own && overlap(&alone(address.addr())) {
            return Ok(Some(format!(
                "it holds the host's own address {}",
                address.addr()
            )));
        }
    }
    for route in node.ipv6_routes()? {
        let default = route.destination.prefix_len() == 0;
        let foreign = route.device != Some(own) && route.kind != RouteType::Multicast;
        if foreign && !default && overlap(&route.destination) {
            return Ok(Some(format!(
                "it overlaps the host's route to {}",
                route.destination
            )));
        }
    }
    let servers = resolvers
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next());
    let within = servers
        .filter_map(|server| server.parse::<Ipv6Addr>().ok())
        .find(|server| block.contains(server));
    Ok(within.map(|server| format!("it holds the host's resolver {server}")))
}

impl Vpc {
    /// Makes the host's way agree with the map. That it cannot is said and no failure: IPv4 does not wait for it.
    pub(super) fn refresh_host_ipv6(&mut self, inner: &Inner) {
        let Some(host) = self.host.clone() else { return };
        let wanted = block_of(self.map.as_ref()).filter(|_| ipv6_is_there());
        if wanted.is_none() && host.ipv6.is_none() {
            return;
        }
        if let Err(error) = self.agree(inner, &host, wanted) {
            tracing::warn!(vpc = %self.id, %error, "the host has no way to the VPC by IPv6");
        }
    }

    fn agree(&mut self, inner: &Inner, host: &HostLink, wanted: Option<Ipv6Net>) -> Result<()> {
        let mut node = Netlink::open(&inner.node)?;
        let Some(there) = node.link(&host.device)? else {
            return Ok(());
        };
        let resolvers = std::fs::read_to_string(HOST_RESOLVERS).unwrap_or_default();
        let refused = match wanted {
            Some(block) => conflict(&mut node, block, there.index, &resolvers)?,
            None => None,
        };
        if let (Some(block), Some(reason)) = (wanted, &refused) {
            tracing::warn!(vpc = %self.id, %block, reason, "the host is not attached by IPv6");
        }
        let made = wanted.filter(|_| refused.is_none()).map(|block| HostIpv6 {
            block,
            host_ip: end(host.host_ip),
            router_ip: end(host.router_ip),
        });
        if let Some(before) = host.ipv6.filter(|before| made != Some(*before)) {
            node.delete_ipv6_device_route(before.block, there.index)?;
            node.delete_ipv6_address(there.index, alone(before.host_ip))?;
        }
        if host.ipv6 != made {
            if let Some(host) = &mut self.host {
                host.ipv6 = made;
            }
            self.record(inner)?;
            // The rules before the host can send anything.
            self.refresh(false)?;
        }
        match made {
            Some(made) => self.lead(&mut node, host, there.index, made),
            None => Ok(()),
        }
    }

    /// Both ends, each with the other as a neighbour that never expires: no question is asked on the line.
    fn lead(&mut self, node: &mut Netlink, host: &HostLink, there: u32, made: HostIpv6) -> Result<()> {
        let (host_mac, router_mac) = (MacAddr::of_ip(host.host_ip), MacAddr::of_ip(host.router_ip));
        let Some(router) = &mut self.router else {
            return Ok(());
        };
        router.switch_ipv6_on()?;
        if let Some(here) = router.netlink.link(&host.device)? {
            router
                .netlink
                .add_ipv6_neighbour(here.index, made.host_ip, host_mac)?;
            router
                .netlink
                .add_ipv6_device_route(alone(made.host_ip), here.index)?;
        }
        node.add_ipv6_address(there, alone(made.host_ip))?;
        node.add_ipv6_neighbour(there, made.router_ip, router_mac)?;
        node.add_ipv6_gateway_route(made.block, made.router_ip, there, Some(made.host_ip))
    }
}
