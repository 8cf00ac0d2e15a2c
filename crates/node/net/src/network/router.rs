//! The router of a VPC: a namespace that forwards between the interfaces of its VPC on this node, answers
//! ARP for everyone it can reach, and holds the firewall. It has no way to anywhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::doomed::{DOOMED, Undertaker};
use super::ipv6::Ipv6;
use crate::firewall::{
    Firewall, LocalPort, Transaction, Uplink, Wardrobe, end_connections, forget_connections, router_rules,
};
use crate::names::{InterfaceId, MacAddr};
use crate::netlink::{Mtu, NewVeth};
use crate::netlink::{Netlink, is_present};
use crate::netns::Netns;
use crate::resolver::{Resolver, Zone};
use crate::task_files::{LINK_LOCAL_RESOLVER, subnet_gateway, vpc_resolver};
use crate::{Error, Result};
use roadstead_acs::network::VpcMap;

/// Sets of groups whose chains stay though no interface wears them.
const WARDROBE: usize = 64;
/// Names tried for a device before giving up: a collision is one in millions.
const NAME_ATTEMPTS: u32 = 16;

/// Settings of every router. `rp_filter` off: the firewall pins every source to its interface, more strictly
/// than routes can.
pub(super) const QUIET: [(&str, &str); 8] = [
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/all/proxy_arp", "1"),
];

/// The documented idle times of tracked connections, in seconds; and what follows a connection that was ended is
/// not taken for a new one.
const TRACKING: [(&str, &str); 4] = [
    ("netfilter/nf_conntrack_tcp_timeout_established", "432000"),
    ("netfilter/nf_conntrack_udp_timeout", "30"),
    ("netfilter/nf_conntrack_udp_timeout_stream", "180"),
    ("netfilter/nf_conntrack_tcp_loose", "0"),
];

/// An interface's end in the router.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) device: String,
    pub(super) index: u32,
    pub(super) mac: MacAddr,
    /// Addresses that are routed to it now.
    pub(super) ips: BTreeSet<Ipv4Addr>,
}

/// What a router must agree with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) map: Option<&'a VpcMap>,
    /// Gateways of the attached interfaces; the map's subnets add theirs.
    pub(super) gateways: &'a BTreeSet<Ipv4Addr>,
    /// Own addresses of the attached interfaces.
    pub(super) addresses: &'a BTreeMap<InterfaceId, Vec<Ipv4Addr>>,
    pub(super) uplink: Option<&'a Uplink>,
    /// What the attached interfaces wear.
    pub(super) worn: &'a Wardrobe,
}

/// A router namespace, open.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) name: String,
    pub(super) namespace: Netns,
    pub(super) netlink: Netlink,
    firewall: Firewall,
    /// Nothing is forwarded before the first rules are in force.
    forwards: bool,
    resolver: Resolver,
    loopback: u32,
    /// What interfaces wore lately: their chains stay.
    wardrobe: Wardrobe,
    /// Addresses on its loopback that we put there.
    own: BTreeSet<Ipv4Addr>,
    pub(super) ports: BTreeMap<InterfaceId, Port>,
    pub(super) ipv6: Ipv6,
}

impl Router {
    /// Makes the namespace, or opens it if a process before us did.
    pub(super) fn ensure(name: String, runtime: &tokio::runtime::Handle) -> Result<Self> {
        let (namespace, fresh) = match Netns::named(&name)? {
            Some(namespace) => (namespace, false),
            None => (Netns::create(&name)?, true),
        };
        let mut netlink = Netlink::open(&namespace)?;
        let firewall = Firewall::open(&namespace, fresh)?;
        // One that is there may serve IPv6 already.
        let settings = QUIET.iter().filter(|(key, _)| fresh || !key.starts_with("ipv6/"));
        let settings: Vec<_> = settings.map(|(key, value)| ((*key).to_owned(), *value)).collect();
        namespace.sysctl(&settings)?;
        let loopback = netlink.loopback()?;
        let present = netlink.addresses()?;
        let own = present
            .iter()
            .filter(|(index, net)| *index == loopback && !net.addr().is_loopback());
        let own = own.map(|(_, net)| net.addr()).collect();
        let resolver = Resolver::new(runtime.clone());
        Ok(Self {
            name,
            namespace,
            netlink,
            firewall,
            resolver,
            loopback,
            own,
            wardrobe: Wardrobe::new(),
            forwards: false,
            ports: BTreeMap::new(),
            ipv6: Ipv6::default(),
        })
    }

    /// Makes the veth of an interface: one end here, up; the other in `far`, down, with the MAC, called `far_name`
    /// or as this one.
    pub(super) fn add_port(
        &mut self,
        interface: &InterfaceId,
        mac: MacAddr,
        far: &Netns,
        far_name: Option<&str>,
        name: impl Fn(u32) -> String,
    ) -> Result<()> {
        let mut outcome = Err(Error::Invalid(format!("no device name is free for {interface}")));
        for attempt in 0..NAME_ATTEMPTS {
            let device = name(attempt);
            outcome = self.netlink.add_veth(&NewVeth {
                name: &device,
                mac: None,
                alias: Some(interface.as_str()),
                controller: None,
                up: true,
                mtu: Mtu(None),
                far_namespace: far,
                far_name: far_name.unwrap_or(&device),
                far_mac: Some(mac),
            });
            match &outcome {
                Err(Error::Kernel { source, .. }) if is_present(source) => {}
                Err(_) => break,
                Ok(()) => {
                    return self.settle_port(interface, mac, device);
                }
            }
        }
        outcome
    }

    fn settle_port(&mut self, interface: &InterfaceId, mac: MacAddr, device: String) -> Result<()> {
        let settled = self.netlink.link(&device).and_then(|link| {
            let settled = link.as_ref().map(|link| self.netlink.answer_at_once(link.index));
            settled.transpose().map(|_| link)
        });
        match settled {
            Ok(Some(link)) => {
                let port = Port {
                    device,
                    index: link.index,
                    mac,
                    ips: BTreeSet::new(),
                };
                self.ports.insert(interface.clone(), port);
                Ok(())
            }
            Ok(None) => Err(Error::Invalid(format!(
                "device {device} vanished while it was made"
            ))),
            Err(error) => {
                self.netlink.delete_link(&device)?;
                Err(error)
            }
        }
    }

    /// Removes an interface's veth, both ends, wherever the other is.
    pub(super) fn remove_port(&mut self, interface: &InterfaceId) -> Result<()> {
        if let Some(port) = self.ports.get(interface) {
            self.netlink.delete_link(&port.device)?;
            let gone = self.ports.remove(interface);
            let addresses: Vec<Ipv4Addr> = gone.into_iter().flat_map(|port| port.ips).collect();
            forget_connections(&self.namespace, &addresses)?;
        }
        Ok(())
    }

    /// Cuts an interface off: nothing is sent to it any more, and once the rules are refreshed nothing comes from
    /// it. Its device is deleted later.
    pub(super) fn unplug(&mut self, interface: &InterfaceId, undertaker: &Undertaker) -> Result<()> {
        let Some(port) = self.ports.get(interface).cloned() else {
            return Ok(());
        };
        for ip in &port.ips {
            let net = Ipv4Net::new_assert(*ip, 32);
            self.netlink.delete_device_route(net, port.index)?;
            self.netlink.delete_neighbour(port.index, *ip)?;
        }
        self.netlink.set_group(port.index, DOOMED)?;
        self.ports.remove(interface);
        undertaker.bury(&self.namespace)?;
        forget_connections(&self.namespace, &port.ips.into_iter().collect::<Vec<_>>())
    }

    /// Makes addresses, routes, rules and names agree with what is wanted. `repair` replaces the firewall
    /// whole, whatever is thought to be in force.
    pub(super) fn refresh(&mut self, wanted: Wanted<'_>, repair: bool) -> Result<Transaction> {
        let subnets = wanted
            .map
            .iter()
            .flat_map(|m| &m.subnets)
            .filter_map(|s| as_v4(&s.cidr));
        let mut gateways: BTreeSet<Ipv4Addr> = subnets.map(subnet_gateway).collect();
        gateways.extend(wanted.gateways);
        let first = wanted.map.and_then(|m| m.cidrs.first()).and_then(as_v4);
        let mut resolvers = BTreeSet::from([LINK_LOCAL_RESOLVER]);
        resolvers.extend(first.map(vpc_resolver));

        let own: BTreeSet<Ipv4Addr> = gateways.union(&resolvers).copied().collect();
        for ip in self.own.difference(&own) {
            self.netlink
                .delete_address(self.loopback, Ipv4Net::new_assert(*ip, 32))?;
        }
        for ip in own.difference(&self.own) {
            self.netlink
                .add_address(self.loopback, Ipv4Net::new_assert(*ip, 32), true)?;
        }
        self.own = own;

        let none = Vec::new();
        let mut local = Vec::new();
        for (interface, port) in &mut self.ports {
            let ips = wanted.addresses.get(interface).unwrap_or(&none);
            let set: BTreeSet<Ipv4Addr> = ips.iter().copied().collect();
            for ip in port.ips.difference(&set) {
                self.netlink
                    .delete_device_route(Ipv4Net::new_assert(*ip, 32), port.index)?;
                self.netlink.delete_neighbour(port.index, *ip)?;
            }
            for ip in set.iter().filter(|ip| repair || !port.ips.contains(*ip)) {
                unless_gone(self.netlink.add_neighbour(port.index, *ip, port.mac))?;
                let route = Ipv4Net::new_assert(*ip, 32);
                unless_gone(self.netlink.add_device_route(route, port.index))?;
            }
            port.ips = set;
            local.push(LocalPort {
                interface: interface.clone(),
                device: port.device.clone(),
                mac: port.mac,
                ips: ips.clone(),
            });
        }
        self.remember(wanted.map, wanted.worn);
        let rules = router_rules(
            wanted.map,
            &local,
            wanted.uplink,
            &gateways,
            &resolvers,
            &self.wardrobe,
        )?;
        if repair {
            self.firewall.forget();
        }
        let transaction = self.firewall.apply(rules)?;
        if !self.forwards {
            // Tracking is there once the rules are.
            let settings = TRACKING.iter().chain(&[("ipv4/ip_forward", "1")]);
            let settings: Vec<_> = settings.map(|(key, value)| ((*key).to_owned(), *value)).collect();
            self.namespace.sysctl(&settings)?;
            self.forwards = true;
        }
        self.refresh_ipv6(wanted.map, repair)?;
        self.resolver
            .set_zone(wanted.map.map(Zone::of).unwrap_or_default());
        self.resolver.listen(&self.namespace, resolvers)?;
        Ok(transaction)
    }

    /// Ends what goes on under the rules before and is neither tracked nor permitted by those after. A failure is
    /// told: the rules hold for whatever is new.
    pub(super) fn end_connections(&self, before: &VpcMap, after: &VpcMap) {
        match end_connections(&self.namespace, before, after) {
            Ok(0) => {}
            Ok(ended) => tracing::debug!(
                router = self.name,
                ended,
                "connections that no rule lets in any more"
            ),
            Err(error) => {
                tracing::warn!(router = self.name, %error, "connections go on that no rule lets in")
            }
        }
    }

    /// Keeps what was worn lately, but no group that the map has no more, and not without end.
    fn remember(&mut self, map: Option<&VpcMap>, worn: &Wardrobe) {
        let known: BTreeSet<&str> = map
            .iter()
            .flat_map(|m| &m.groups)
            .map(|g| g.group_id.as_str())
            .collect();
        self.wardrobe
            .retain(|outfit| outfit.iter().all(|id| known.contains(id.as_str())));
        if self.wardrobe.len() > WARDROBE {
            self.wardrobe.clear();
        }
        self.wardrobe.extend(worn.iter().cloned());
    }

    /// Removes the namespace's file and what is in it; the namespace ends when this value drops.
    pub(super) fn remove(mut self) -> Result<()> {
        let interfaces: Vec<InterfaceId> = self.ports.keys().cloned().collect();
        for interface in interfaces {
            self.remove_port(&interface)?;
        }
        Netns::remove(&self.name)
    }
}

fn as_v4(net: &ipnet::IpNet) -> Option<Ipv4Net> {
    match net {
        ipnet::IpNet::V4(net) => Some(*net),
        ipnet::IpNet::V6(_) => None,
    }
}

/// A device goes with the namespace of a task that was killed, at any moment. Nothing leads there any more, which
/// must not keep the map from every other task of the VPC.
pub(super) fn unless_gone(done: Result<()>) -> Result<()> {
    match done {
        Err(Error::Kernel { attempt, source }) if source.raw_os_error() == Some(libc::ENODEV) => {
            tracing::debug!(attempt, "its device is gone");
            Ok(())
        }
        done => done,
    }
}
