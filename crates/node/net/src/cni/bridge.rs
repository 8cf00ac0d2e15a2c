//! `ecs-bridge`: a task's private path to the agent, and to nothing else. Every link of the bridge is
//! isolated from the others; the bridge learns nothing and floods nothing; and what leaves a task must
//! bear the address and MAC that the link was given, because the agent knows the asking task by it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;

use super::eni;
use super::ipam::{self, Store};
use super::{Attachment, CniResult, Dns, Error, Interface, Route, code};
use crate::firewall::{LinkPins, PORT_PREFIX};
use crate::names::{MacAddr, fnv1a, push_base32};
use crate::netlink::{BridgePort, Link, Mtu, Netlink, NewVeth};
use crate::netns::Netns;
use crate::network::DOOMED;

/// The plugin's own members. `bridge-netns` is ours: the namespace that holds the bridge.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    bridge: String,
    #[serde(default, rename = "bridge-netns")]
    bridge_netns: Option<PathBuf>,
    #[serde(default, rename = "isGateway")]
    is_gateway: bool,
    #[serde(default, rename = "isDefaultGateway")]
    is_default_gateway: bool,
    #[serde(default, rename = "forceAddress")]
    force_address: bool,
    #[serde(default, rename = "ipMasq")]
    ip_masq: bool,
    #[serde(default, rename = "hairpinMode")]
    hairpin_mode: bool,
    #[serde(default)]
    mtu: u32,
    ipam: ipam::Conf,
    #[serde(default)]
    dns: Dns,
}

/// A checked configuration of `ecs-bridge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conf {
    pub(crate) bridge: String,
    /// Absent: the plugin's own namespace.
    pub(crate) bridge_netns: Option<PathBuf>,
    pub(crate) hairpin: bool,
    /// Bytes; absent leaves the kernel's choice.
    pub(crate) mtu: Option<u32>,
    pub(crate) ipam: ipam::Conf,
    pub(crate) dns: Dns,
}

impl Conf {
    pub(super) fn parse(text: &[u8]) -> Result<(super::Common, Self), Error> {
        let (common, members) = super::conf::read::<Members>(text)?;
        // The bridge is the gateway of its subnet whatever `isGateway` says, as the vendor's is.
        let Members {
            bridge,
            bridge_netns,
            is_gateway: _is_always,
            ..
        } = &members;
        for (member, set) in [
            ("isDefaultGateway", members.is_default_gateway),
            ("forceAddress", members.force_address),
            ("ipMasq", members.ip_masq),
        ] {
            if set {
                let msg = format!("{member}: only false is served: this link leads to the agent alone");
                return Err(Error::new(code::UNSUPPORTED_FIELD, msg));
            }
        }
        Attachment::new("c", bridge)
            .map_err(|_| Error::config(format!("bridge {bridge:?} is not a device name")))?;
        members.ipam.check()?;
        let conf = Self {
            bridge: bridge.clone(),
            bridge_netns: bridge_netns.clone(),
            hairpin: members.hairpin_mode,
            mtu: (members.mtu > 0).then_some(members.mtu),
            ipam: members.ipam,
            dns: members.dns,
        };
        Ok((common, conf))
    }
}

/// The bridge's end of a task's link.
pub(crate) fn port_name(who: &Attachment) -> String {
    let mut name = String::from(PORT_PREFIX);
    push_base32(&mut name, fnv1a(who.alias().as_bytes()), 15);
    name
}

/// The namespace that holds the bridge, with what is open in it. The agent keeps one for its lifetime; a
/// plugin process opens one for its call.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) namespace: Netns,
    pub(crate) netlink: Netlink,
    pub(crate) pins: LinkPins,
    pub(crate) store: Store,
}

impl Side {
    /// # Errors
    /// The kernel's refusals.
    pub(crate) fn open(namespace: Netns, store: Store) -> Result<Self, Error> {
        let netlink = Netlink::open(&namespace)?;
        let pins = LinkPins::open(&namespace)?;
        Ok(Self {
            namespace,
            netlink,
            pins,
            store,
        })
    }

    /// The bridge, up, with the gateway's address.
    pub(crate) fn ensure_bridge(&mut self, conf: &Conf) -> Result<Link, Error> {
        let gateway = conf.ipam.gateway();
        let [_, hash @ ..] = fnv1a(self.namespace.label().as_bytes()).to_be_bytes();
        // Locally administered, and fixed: a bridge without a MAC of its own takes over a port's.
        let mac = MacAddr([0x0a, hash[0], hash[1], hash[2], hash[3], hash[4]]);
        let bridge = self.netlink.ensure_bridge(&conf.bridge, mac, Mtu(conf.mtu))?;
        let address = Ipv4Net::new_assert(gateway, conf.ipam.subnet.prefix_len());
        self.netlink.add_address(bridge.index, address, false)?;
        Ok(bridge)
    }
}

/// ADD: gives the task an address and a link. Doing so twice for one attachment is fine.
///
/// # Errors
/// What the allocator or the kernel says; whatever was made is removed again.
pub(crate) fn add(
    side: &mut Side,
    task: &mut eni::Side<'_>,
    sandbox: &Path,
    who: &Attachment,
    conf: &Conf,
) -> Result<CniResult, Error> {
    let ip = side
        .store
        .update(|leases| leases.allocate(&conf.ipam.id, &conf.ipam))?;
    let made = link(side, task, who, conf, ip);
    let bridge = match made {
        Ok(bridge) => bridge,
        Err(error) => {
            return Err(match del(side, who, conf) {
                Ok(()) => error,
                Err(second) => error.and_undoing(&second),
            });
        }
    };
    let mut result = conf.ipam.result(ip);
    let gateway = conf.ipam.gateway();
    let gateway_net = IpNet::V4(Ipv4Net::new_assert(gateway, 32));
    result.routes.push(Route {
        dst: gateway_net,
        gw: Some(IpAddr::V4(gateway)),
    });
    let mac = MacAddr::of_ip(ip).to_string();
    let beside = conf.bridge_netns.as_ref().map(|path| path.display().to_string());
    let interface = |name: &str, mac: String, sandbox: Option<String>| Interface {
        name: name.to_owned(),
        mac,
        sandbox,
    };
    result.interfaces = vec![
        interface(
            &conf.bridge,
            bridge.mac.map(|m| m.to_string()).unwrap_or_default(),
            beside.clone(),
        ),
        interface(&port_name(who), String::new(), beside),
        interface(&who.ifname, mac, Some(sandbox.display().to_string())),
    ];
    for ip in &mut result.ips {
        ip.interface = Some(2);
    }
    result.dns = conf.dns.clone();
    Ok(result)
}

fn link(
    side: &mut Side,
    task: &mut eni::Side<'_>,
    who: &Attachment,
    conf: &Conf,
    ip: Ipv4Addr,
) -> Result<Link, Error> {
    let bridge = side.ensure_bridge(conf)?;
    let (name, mac) = (port_name(who), MacAddr::of_ip(ip));
    let inside = &mut *task.netlink;
    let mut far = inside.link(&who.ifname)?.filter(|link| link.mac == Some(mac));
    let mut near = side.netlink.link(&name)?;
    if near.as_ref().is_some_and(|n| n.group == DOOMED)
        || near.is_some() != far.is_some()
        || near.as_ref().is_some_and(|n| n.controller != Some(bridge.index))
    {
        // Half of an attempt that a crash ended, or one that is on its way out.
        side.netlink.delete_link(&name)?;
        (near, far) = (None, None);
    }
    // The pins first: without them the port passes nothing.
    side.pins.add(&name, mac, ip)?;
    if near.is_none() {
        side.netlink.add_veth(&NewVeth {
            name: &name,
            mac: None,
            alias: Some(&who.alias()),
            controller: Some(bridge.index),
            up: true,
            mtu: Mtu(conf.mtu),
            far_namespace: task.namespace,
            far_name: &who.ifname,
            far_mac: Some(mac),
        })?;
        near = side.netlink.link(&name)?;
        far = inside.link(&who.ifname)?;
    }
    let lost = || {
        Error::new(
            code::NO_DEVICE,
            format!("the link {name} vanished while it was made"),
        )
    };
    let (near, far) = (near.ok_or_else(lost)?, far.ok_or_else(lost)?);
    side.netlink.set_bridge_port(
        near.index,
        BridgePort {
            isolated: true,
            hairpin: conf.hairpin,
        },
    )?;
    side.netlink.add_forwarding(near.index, mac)?;
    side.netlink.add_neighbour(bridge.index, ip, mac)?;

    inside.add_address(
        far.index,
        Ipv4Net::new_assert(ip, conf.ipam.subnet.prefix_len()),
        true,
    )?;
    inside.set_up(far.index)?;
    let gateway = conf.ipam.gateway();
    inside.add_gateway_route(Ipv4Net::new_assert(gateway, 32), gateway, far.index, None)?;
    for route in &conf.ipam.routes {
        inside.add_gateway_route(route.dst, route.gw.unwrap_or(gateway), far.index, None)?;
    }
    inside.await_carrier(&who.ifname)?;
    side.netlink.await_carrier(&name)?;
    Ok(bridge)
}

/// DEL: removes the link and takes the address back. Needs no task namespace: a veth goes with either end.
///
/// # Errors
/// What the allocator or the kernel says; what is gone already is none.
pub(crate) fn del(side: &mut Side, who: &Attachment, conf: &Conf) -> Result<(), Error> {
    let ip = side.store.update(|leases| Ok(leases.of(&conf.ipam.id)))?;
    remove(side, &port_name(who), &conf.bridge, ip)?;
    side.store.update(|leases| Ok(leases.release(&conf.ipam.id)))?;
    Ok(())
}

/// As [`del`], but the device itself is only cut off and left for the caller to delete with its group.
///
/// # Errors
/// As [`del`].
pub(crate) fn cut(side: &mut Side, who: &Attachment, conf: &Conf) -> Result<(), Error> {
    let port = port_name(who);
    let ip = side.store.update(|leases| Ok(leases.of(&conf.ipam.id)))?;
    if let Some(ip) = ip {
        side.pins.remove(&port, MacAddr::of_ip(ip), ip)?;
        if let Some(bridge) = side.netlink.link(&conf.bridge)? {
            side.netlink.delete_neighbour(bridge.index, ip)?;
        }
    }
    if let Some(link) = side.netlink.link(&port)? {
        side.netlink.set_group(link.index, DOOMED)?;
    }
    side.store.update(|leases| Ok(leases.release(&conf.ipam.id)))?;
    Ok(())
}

/// Removes a port with all that was set for it. The address is free only when this is done.
pub(crate) fn remove(side: &mut Side, port: &str, bridge: &str, ip: Option<Ipv4Addr>) -> Result<(), Error> {
    side.netlink.delete_link(port)?;
    if let Some(ip) = ip {
        side.pins.remove(port, MacAddr::of_ip(ip), ip)?;
        if let Some(bridge) = side.netlink.link(bridge)? {
            side.netlink.delete_neighbour(bridge.index, ip)?;
        }
    }
    Ok(())
}

/// CHECK: the link is there as ADD left it, and the address is still the attachment's.
///
/// # Errors
/// [`code::DIFFERENT`] with what differs.
pub(crate) fn check(side: &mut Side, task: &Netns, who: &Attachment, conf: &Conf) -> Result<(), Error> {
    let differs = |what: String| Error::new(code::DIFFERENT, format!("{}: {what}", who.ifname));
    let ip = side.store.update(|leases| Ok(leases.of(&conf.ipam.id)))?;
    let ip = ip.ok_or_else(|| differs(format!("no address is given to {}", conf.ipam.id)))?;
    let port = side
        .netlink
        .link(&port_name(who))?
        .ok_or_else(|| differs("its end at the bridge is gone".into()))?;
    let bridge = side.netlink.link(&conf.bridge)?;
    if bridge.is_none() || port.controller != bridge.map(|b| b.index) {
        return Err(differs(format!("its end is not on the bridge {}", conf.bridge)));
    }
    let mut inside = Netlink::open(task)?;
    let link = inside
        .link(&who.ifname)?
        .ok_or_else(|| differs("the device is gone".into()))?;
    if link.mac != Some(MacAddr::of_ip(ip)) || !link.up {
        return Err(differs("the device has another MAC or is down".into()));
    }
    if !inside
        .addresses()?
        .iter()
        .any(|(index, net)| *index == link.index && net.addr() == ip)
    {
        return Err(differs(format!("the address {ip} is gone")));
    }
    let routes = inside.routes()?;
    for route in &conf.ipam.routes {
        if !routes
            .iter()
            .any(|r| r.destination == route.dst && r.device == Some(link.index))
        {
            return Err(differs(format!("the route to {} is gone", route.dst)));
        }
    }
    Ok(())
}

/// GC: removes the ports whose attachment is not in `valid` (`container/ifname`), and the leases that no
/// remaining port uses.
///
/// # Errors
/// What the allocator or the kernel says.
pub(crate) fn collect_garbage(side: &mut Side, bridge: &str, valid: &[String]) -> Result<(), Error> {
    let Some(index) = side.netlink.link(bridge)?.map(|link| link.index) else {
        return Ok(());
    };
    let leases: Vec<(String, Ipv4Addr)> = side
        .store
        .update(|leases| Ok(leases.owners().map(|(id, ip)| (id.to_owned(), ip)).collect()))?;
    let pinned = side.pins.list()?;
    let ports = side
        .netlink
        .links()?
        .into_iter()
        .filter(|l| l.controller == Some(index) && l.name.starts_with(PORT_PREFIX));
    let mut kept = std::collections::BTreeSet::new();
    let mut gone = Vec::new();
    for port in ports {
        let owned = port.alias.as_ref().is_some_and(|alias| valid.contains(alias));
        if owned {
            kept.insert(port.name);
        } else {
            gone.push(port.name);
        }
    }
    // A port that vanished with its task's namespace has left its pins.
    gone.extend(
        pinned
            .iter()
            .map(|(port, _)| port.clone())
            .filter(|port| !kept.contains(port)),
    );
    gone.sort();
    gone.dedup();
    for port in gone {
        let ip = pinned.iter().find(|(name, _)| *name == port).map(|(_, ip)| *ip);
        remove(side, &port, bridge, ip)?;
    }
    let used: Vec<Ipv4Addr> = pinned
        .iter()
        .filter(|(port, _)| kept.contains(port))
        .map(|(_, ip)| *ip)
        .collect();
    for (id, ip) in leases {
        if !used.contains(&ip) {
            side.store.update(|leases| Ok(leases.release(&id)))?;
        }
    }
    Ok(())
}
