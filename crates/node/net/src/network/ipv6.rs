//! IPv6 in a router. It is switched on with the first interface that has an IPv6 address. The gateway of a
//! subnet is an address of every port's device, so that the kernel itself answers for it when a task looks for its
//! neighbour; that is all a task ever looks for, since it has no route but by the gateway. The other way no
//! question is asked: what is routed to a port has a neighbour that never expires.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use roadstead_acs::network::VpcMap;

use super::router::{Router, unless_gone};
use crate::Result;
use crate::firewall::forget_connections;
use crate::names::{InterfaceId, MacAddr};
use crate::netlink::ipv6_is_there;
use crate::task_files::ipv6_subnet_gateway;

/// Nobody tells a router where to go, and nobody else has its addresses. What devices made later get comes
/// first, since the last three reach the devices that are there.
const SWITCHED_ON: [(&str, &str); 9] = [
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_redirects", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/all/accept_redirects", "0"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/all/forwarding", "1"),
];

/// What a router has of IPv6.
#[derive(Debug, Default)]
pub(super) struct Ipv6 {
    on: bool,
    ports: BTreeMap<InterfaceId, Served>,
}

/// What was done for a port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Served {
    index: u32,
    mac: MacAddr,
    addresses: BTreeSet<Ipv6Addr>,
    gateway: Option<Ipv6Addr>,
}

fn alone(address: Ipv6Addr) -> Ipv6Net {
    Ipv6Net::new_assert(address, 128)
}

impl Router {
    /// Makes IPv6 agree with the map, after the rules are in force. `repair` does all of it anew.
    pub(super) fn refresh_ipv6(&mut self, map: Option<&VpcMap>, repair: bool) -> Result<()> {
        let wanted = self.wanted_ipv6(map);
        if !wanted.is_empty() {
            self.switch_ipv6_on()?;
        }
        for (interface, before) in std::mem::take(&mut self.ipv6.ports) {
            let after = wanted.get(&interface).filter(|after| after.index == before.index);
            self.withdraw(&before, after)?;
            if let Some(kept) = after {
                let mut both = kept.clone();
                both.addresses.retain(|one| before.addresses.contains(one));
                both.gateway = both.gateway.filter(|one| before.gateway == Some(*one));
                self.ipv6.ports.insert(interface, both);
            }
        }
        for (interface, after) in wanted {
            let before = self.ipv6.ports.get(&interface).filter(|_| !repair).cloned();
            unless_gone(self.serve(&after, before.as_ref()))?;
            self.ipv6.ports.insert(interface, after);
        }
        Ok(())
    }

    /// Repeating it is fine.
    pub(super) fn switch_ipv6_on(&mut self) -> Result<()> {
        if !self.ipv6.on {
            self.namespace
                .sysctl(&SWITCHED_ON.map(|(key, value)| (key.to_owned(), value)))?;
            self.ipv6.on = true;
        }
        Ok(())
    }

    fn wanted_ipv6(&self, map: Option<&VpcMap>) -> BTreeMap<InterfaceId, Served> {
        // Interfaces with IPv6 addresses are refused when they are attached to a kernel without.
        let Some(map) = map.filter(|_| ipv6_is_there()) else {
            return BTreeMap::new();
        };
        let gateway = |subnet: &str| {
            let subnet = map.subnets.iter().find(|known| known.subnet_id == subnet)?;
            subnet.ipv6_cidr.map(ipv6_subnet_gateway)
        };
        let mut wanted = BTreeMap::new();
        for interface in map.interfaces.iter().filter(|one| !one.ipv6_addresses.is_empty()) {
            let port = self
                .ports
                .iter()
                .find(|(id, _)| id.as_str() == interface.interface_id);
            if let Some((id, port)) = port {
                let served = Served {
                    index: port.index,
                    mac: port.mac,
                    addresses: interface.ipv6_addresses.iter().copied().collect(),
                    gateway: gateway(&interface.subnet_id),
                };
                wanted.insert(id.clone(), served);
            }
        }
        wanted
    }

    /// Takes away what a port has no more; of one that is gone, everything.
    fn withdraw(&mut self, before: &Served, after: Option<&Served>) -> Result<()> {
        let gone: Vec<Ipv6Addr> = before
            .addresses
            .iter()
            .filter(|one| !after.is_some_and(|after| after.addresses.contains(one)))
            .copied()
            .collect();
        for address in &gone {
            self.netlink
                .delete_ipv6_device_route(alone(*address), before.index)?;
            self.netlink.delete_ipv6_neighbour(before.index, *address)?;
        }
        if let Some(gateway) = before
            .gateway
            .filter(|_| after.map(|one| one.gateway) != Some(before.gateway))
        {
            self.netlink.delete_ipv6_address(before.index, alone(gateway))?;
        }
        if gone.is_empty() {
            return Ok(());
        }
        forget_connections(&self.namespace, &gone)
    }

    fn serve(&mut self, after: &Served, before: Option<&Served>) -> Result<()> {
        if let Some(gateway) = after.gateway
            && before.and_then(|before| before.gateway) != Some(gateway)
        {
            self.netlink.add_ipv6_address(after.index, alone(gateway))?;
        }
        for address in &after.addresses {
            if !before.is_some_and(|before| before.addresses.contains(address)) {
                self.netlink
                    .add_ipv6_neighbour(after.index, *address, after.mac)?;
                self.netlink.add_ipv6_device_route(alone(*address), after.index)?;
            }
        }
        Ok(())
    }
}
