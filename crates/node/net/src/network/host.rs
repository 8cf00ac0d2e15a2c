//! The host reaches one VPC as an office reaches its cloud through a private line: a veth and a single
//! route. It must never take an address away from the host, so whatever overlaps is refused with the
//! reason, and nothing else of the host is changed.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use rtnetlink::packet_route::route::RouteType;
use serde::{Deserialize, Serialize};

use super::Inner;
use super::host_ipv6::HostIpv6;
use super::vpc::Vpc;
use crate::firewall::Uplink;
use crate::names::{MacAddr, fnv1a};
use crate::netlink::{Mtu, Netlink, NewVeth};
use crate::netns;
use crate::{Error, Result};

/// Pairs of addresses for the two ends, one pair an attachment.
const LINE_SUBNET: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 176, 0), 20);
/// Where the host says which resolvers it asks.
pub(super) const HOST_RESOLVERS: &str = "/etc/resolv.conf";

/// Why the host was not attached.
#[derive(Debug, thiserror::Error)]
pub enum HostAttachError {
    /// It would take something away from the host. Choose another CIDR for the VPC.
    #[error("the host is not attached to {cidr}: {reason}; choose another CIDR for the VPC")]
    Refused { cidr: Ipv4Net, reason: String },
    #[error(transparent)]
    Failed(#[from] Error),
}

/// An attachment that is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostLink {
    pub(super) cidr: Ipv4Net,
    /// Name of both ends.
    pub(super) device: String,
    pub(super) host_ip: Ipv4Addr,
    pub(super) router_ip: Ipv4Addr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ipv6: Option<HostIpv6>,
}

impl HostLink {
    pub(super) fn uplink(&self) -> Uplink {
        Uplink {
            device: self.device.clone(),
            mac: MacAddr::of_ip(self.host_ip),
            ip: self.host_ip,
            ipv6: self.ipv6.map(|ipv6| ipv6.host_ip),
        }
    }
}

/// What of the host `cidr` would shadow, if anything. Routes over the device `own` are ours.
pub(super) fn conflict(
    node: &mut Netlink,
    cidr: Ipv4Net,
    own: Option<u32>,
    resolvers: &str,
) -> Result<Option<String>> {
    let overlap = |net: &Ipv4Net| net.contains(&cidr) || cidr.contains(net);
    for (device, address) in node.addresses()? {
        if Some(device) != own && overlap(&Ipv4Net::new_assert(address.addr(), 32)) {
            return Ok(Some(format!(
                "it holds the host's own address {}",
                address.addr()
            )));
        }
    }
    for route in node.routes()? {
        let default = route.destination.prefix_len() == 0;
        let foreign = route.device.is_none() || route.device != own;
        if foreign && !default && route.kind != RouteType::Multicast && overlap(&route.destination) {
            return Ok(Some(format!(
                "it overlaps the host's route to {}",
                route.destination
            )));
        }
    }
    Ok(resolver_within(cidr, resolvers).map(|server| format!("it holds the host's resolver {server}")))
}

/// The first IPv4 resolver in the text of a resolv.conf that `cidr` holds.
fn resolver_within(cidr: Ipv4Net, text: &str) -> Option<Ipv4Addr> {
    let server = |line: &str| {
        line.trim()
            .strip_prefix("nameserver")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    };
    text.lines()
        .filter_map(server)
        .find(|server| cidr.contains(server))
}

impl Vpc {
    pub(super) fn attach_host(&mut self, inner: &Inner, cidr: Ipv4Net) -> Result<(), super::HostAttachError> {
        let cidr = cidr.trunc();
        if self.host.as_ref().is_some_and(|host| host.cidr != cidr) {
            self.detach_host(inner)?;
        }
        let mut node = Netlink::open(&inner.node)?;
        // Looked at before a router is made for nothing, and again when no other Roadstead can be between
        // looking and adding its route. (Making a namespace takes the same lock, hence the order.)
        self.refuse_overlap(inner, &mut node, cidr)?;
        self.ensure_router(inner)?;
        let _lock = netns::lock_directory()?;
        self.refuse_overlap(inner, &mut node, cidr)?;
        let made = self.make_line(inner, &mut node, cidr);
        if made.is_err()
            && let Err(second) = self.detach_host(inner)
        {
            tracing::warn!(vpc = %self.id, error = %second, "a failed host attachment left something");
        }
        Ok(made?)
    }

    /// An attachment that exists is taken away when the host has come to need its addresses.
    fn refuse_overlap(
        &mut self,
        inner: &Inner,
        node: &mut Netlink,
        cidr: Ipv4Net,
    ) -> Result<(), super::HostAttachError> {
        let own = match &self.host {
            Some(host) => node.link(&host.device)?.map(|link| link.index),
            None => None,
        };
        let resolvers = std::fs::read_to_string(HOST_RESOLVERS).unwrap_or_default();
        let Some(reason) = conflict(node, cidr, own, &resolvers)? else {
            return Ok(());
        };
        if self.host.is_some() {
            self.detach_host(inner)?;
        }
        self.drop_router_if_unused()?;
        Err(HostAttachError::Refused { cidr, reason })
    }

    fn make_line(&mut self, inner: &Inner, node: &mut Netlink, cidr: Ipv4Net) -> Result<()> {
        let host = match &self.host {
            Some(host) => host.clone(),
            None => {
                let taken: Vec<Ipv4Addr> = node.addresses()?.into_iter().map(|(_, net)| net.addr()).collect();
                let pairs = 1 << (31 - LINE_SUBNET.prefix_len());
                let start = fnv1a(format!("{}/{}", inner.instance, self.id).as_bytes());
                let pair = |n: u32| Ipv4Addr::from(u32::from(LINE_SUBNET.network()) + 2 * n);
                let first = u32::try_from(start % u64::from(pairs)).unwrap_or_default();
                let free = (0..pairs)
                    .map(|n| pair((first + n) % pairs))
                    .find(|ip| !taken.contains(ip));
                let host_ip =
                    free.ok_or_else(|| Error::Invalid(format!("every address of {LINE_SUBNET} is in use")))?;
                let router_ip = Ipv4Addr::from(u32::from(host_ip) + 1);
                HostLink {
                    cidr,
                    device: inner.instance.device('h', self.id.as_str(), 0),
                    host_ip,
                    router_ip,
                    ipv6: None,
                }
            }
        };
        self.host = Some(host.clone());
        self.record(inner)?;
        let Some(router) = &mut self.router else {
            return Ok(());
        };
        let (host_mac, router_mac) = (MacAddr::of_ip(host.host_ip), MacAddr::of_ip(host.router_ip));
        if node.link(&host.device)?.is_none() || router.netlink.link(&host.device)?.is_none() {
            router.netlink.delete_link(&host.device)?;
            node.delete_link(&host.device)?;
            router.netlink.add_veth(&NewVeth {
                name: &host.device,
                mac: Some(router_mac),
                alias: Some(self.id.as_str()),
                controller: None,
                up: true,
                mtu: Mtu(None),
                far_namespace: &inner.node,
                far_name: &host.device,
                far_mac: Some(host_mac),
            })?;
        }
        let gone = || Error::Invalid(format!("device {} vanished while it was made", host.device));
        let here = router.netlink.link(&host.device)?.ok_or_else(gone)?.index;
        router.netlink.add_neighbour(here, host.host_ip, host_mac)?;
        router
            .netlink
            .add_device_route(Ipv4Net::new_assert(host.host_ip, 32), here)?;
        // The rules before the host can send anything.
        self.refresh(false)?;
        let there = node.link(&host.device)?.ok_or_else(gone)?.index;
        node.add_address(there, Ipv4Net::new_assert(host.host_ip, 32), true)?;
        node.set_up(there)?;
        node.add_neighbour(there, host.router_ip, router_mac)?;
        node.add_gateway_route(cidr, host.router_ip, there, Some(host.host_ip))?;
        self.refresh_host_ipv6(inner);
        Ok(())
    }

    pub(super) fn detach_host(&mut self, inner: &Inner) -> Result<()> {
        let Some(host) = self.host.clone() else {
            return Ok(());
        };
        Netlink::open(&inner.node)?.delete_link(&host.device)?;
        if let Some(router) = &mut self.router {
            router.netlink.delete_link(&host.device)?;
        }
        self.host = None;
        self.record(inner)?;
        self.drop_router_if_unused()?;
        self.refresh(false).map(drop)
    }

    /// After a restart: an attachment of which an end is missing is taken away; the caller attaches anew.
    pub(super) fn find_host_again(&mut self, inner: &Inner) -> Result<()> {
        let Some(host) = &self.host else { return Ok(()) };
        let outside = Netlink::open(&inner.node)?.link(&host.device)?.is_some();
        let inside = match &mut self.router {
            Some(router) => router.netlink.link(&host.device)?.is_some(),
            None => false,
        };
        if outside && inside {
            Ok(())
        } else {
            self.detach_host(inner)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_inside_the_cidr_is_seen() {
        let cidr: Ipv4Net = "172.31.0.0/16".parse().unwrap();
        let text =
            "# nameserver 172.31.0.9\nsearch x\nnameserver 10.0.0.2\n  nameserver\t172.31.0.2 # here\n";
        assert_eq!(resolver_within(cidr, text), Some(Ipv4Addr::new(172, 31, 0, 2)));
        assert_eq!(resolver_within("10.1.0.0/16".parse().unwrap(), text), None);
    }

    #[test]
    fn a_line_pair_stays_inside_its_subnet() {
        assert!(LINE_SUBNET.contains(&Ipv4Addr::new(169, 254, 191, 255)));
        assert_eq!(1u32 << (31 - LINE_SUBNET.prefix_len()), 2048);
    }
}
