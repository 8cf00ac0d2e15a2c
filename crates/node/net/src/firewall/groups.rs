//! From the map of a VPC to the rules of its router: pure, so that "who may talk to whom" is a table test.
//!
//! Two chains hang in the forward hook, one after the other: what the sender's groups let out, then what
//! the receiver's groups let in. Accepting in the first only hands the packet to the second; both end in
//! drop. A device leads to its chain through a map, so that a packet meets the rules of two interfaces
//! and of no other, however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use roadstead_acs::network::{Peer, Protocol, Rule, SecurityGroup, VpcMap};

use super::element::{Element, Family, SetId, SetKind};
use super::ruleset::{BaseChain, Ruleset};
use crate::names::{GroupId, InterfaceId, MacAddr, fnv1a};
use crate::task_files::ipv6_subnet_gateway;
use crate::{Error, Result};

/// Longest chain name made of group ids; longer ones become a hash and the interface's id.
const CHAIN_NAME: usize = 100;

/// Base chains of a router. A packet from an address or MAC that is not its interface's own ends in `raw`.
const INET: &[BaseChain] = &[
    BaseChain {
        name: "raw",
        hook: "type filter hook prerouting priority raw; policy drop;",
        rules: &[
            "iifname \"lo\" accept",
            "iifname . ether saddr . ip saddr @pins accept",
            "iifname . ether saddr . ip6 saddr @pins6 accept",
            "iifname . ether saddr @unchecked accept",
        ],
    },
    BaseChain {
        name: "input",
        hook: "type filter hook input priority filter; policy drop;",
        rules: &[
            "iifname \"lo\" accept",
            "ip daddr @resolvers udp dport 53 accept",
            "ip daddr @resolvers tcp dport 53 accept",
            "ip daddr @gateways icmp type echo-request accept",
            "ip6 daddr @gateways6 icmpv6 type echo-request accept",
            // What a task asks and answers as a neighbour, from its own addresses: other than by ARP, these are
            // packets, and so pinned above.
            "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
        ],
    },
    BaseChain {
        name: "egress",
        hook: "type filter hook forward priority filter - 10; policy drop;",
        rules: &[
            TRACKED,
            ERRORS[0],
            ERRORS[1],
            ERRORS[2],
            ERRORS[3],
            "iifname @uplinks accept",
            "iifname vmap @senders",
        ],
    },
    BaseChain {
        name: "ingress",
        hook: "type filter hook forward priority filter; policy drop;",
        rules: &[
            TRACKED,
            ERRORS[0],
            ERRORS[1],
            ERRORS[2],
            ERRORS[3],
            "oifname vmap @receivers",
        ],
    },
];

/// Rules decide about connections; what belongs to one that was let in passes.
const TRACKED: &str = "ct state vmap { established : accept, invalid : drop }";
/// So does an error about a connection, from one of its two ends. Anyone can write one about a conversation of
/// others; then it is a message like any other, which rules decide about.
const ERRORS: [&str; 4] = [
    "ct state related iifname . ct original ip saddr @owners accept",
    "ct state related iifname . ct original ip daddr @owners accept",
    "ct state related iifname . ct original ip6 saddr @owners6 accept",
    "ct state related iifname . ct original ip6 daddr @owners6 accept",
];

/// Neither may a task claim another's address by ARP, nor fill the neighbour table with strangers.
pub(super) const ARP: &[BaseChain] = &[BaseChain {
    name: "input",
    hook: "type filter hook input priority filter; policy drop;",
    rules: &["iifname . arp saddr ether . arp saddr ip @pins accept"],
}];

/// An interface whose veth ends in this router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalPort {
    pub(crate) interface: InterfaceId,
    pub(crate) device: String,
    pub(crate) mac: MacAddr,
    /// Its own addresses.
    pub(crate) ips: Vec<Ipv4Addr>,
}

/// The router's end of a host attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uplink {
    pub(crate) device: String,
    /// MAC and address of the host's end.
    pub(crate) mac: MacAddr,
    pub(crate) ip: Ipv4Addr,
    pub(crate) ipv6: Option<Ipv6Addr>,
}

/// Groups that an interface wears together.
pub(crate) type Wardrobe = BTreeSet<BTreeSet<String>>;

/// The rules of a router: `map` may not have come yet, then nothing passes but what is pinned reaches the
/// gateway. `wardrobe` has its chains too, though no port wears it now: an interface that comes or goes is then
/// a change of elements alone.
///
/// # Errors
/// [`Error::Invalid`] when an id in the map could not be a name in the firewall.
pub(crate) fn router_rules(
    map: Option<&VpcMap>,
    ports: &[LocalPort],
    uplink: Option<&Uplink>,
    gateways: &BTreeSet<Ipv4Addr>,
    resolvers: &BTreeSet<Ipv4Addr>,
    wardrobe: &Wardrobe,
) -> Result<Ruleset> {
    let mut rules = Ruleset::default();
    rules.base.insert(Family::Inet, INET);
    rules.base.insert(Family::Arp, ARP);
    let inet = |name: &str| SetId::new(Family::Inet, name);
    let arp_pins = SetId::new(Family::Arp, "pins");
    for (name, kind) in [
        ("pins", SetKind::Pins),
        ("pins6", SetKind::Pins6),
        ("unchecked", SetKind::Ports),
        ("resolvers", SetKind::Addresses),
        ("gateways", SetKind::Addresses),
        ("gateways6", SetKind::Addresses6),
        ("owners", SetKind::Owners),
        ("owners6", SetKind::Owners6),
        ("uplinks", SetKind::Devices),
        ("senders", SetKind::Flows),
        ("receivers", SetKind::Flows),
    ] {
        rules.set(inet(name), kind);
    }
    rules.set(arp_pins.clone(), SetKind::Pins);
    rules
        .set(inet("gateways"), SetKind::Addresses)
        .extend(gateways.iter().copied().map(Element::address));
    rules
        .set(inet("gateways6"), SetKind::Addresses6)
        .extend(map.iter().flat_map(|m| ipv6_gateways(m)).map(Element::address));
    rules
        .set(inet("resolvers"), SetKind::Addresses)
        .extend(resolvers.iter().copied().map(Element::address));
    if let Some(uplink) = uplink {
        let pin = Element::pin(&uplink.device, uplink.mac, uplink.ip);
        rules.set(inet("pins"), SetKind::Pins).insert(pin.clone());
        rules.set(arp_pins.clone(), SetKind::Pins).insert(pin);
        rules
            .set(inet("pins6"), SetKind::Pins6)
            .extend(uplink.ipv6.map(|ip| Element::pin(&uplink.device, uplink.mac, ip)));
        rules
            .set(inet("owners"), SetKind::Owners)
            .insert(Element::owner(&uplink.device, uplink.ip));
        rules
            .set(inet("owners6"), SetKind::Owners6)
            .extend(uplink.ipv6.map(|ip| Element::owner(&uplink.device, ip)));
        rules
            .set(inet("uplinks"), SetKind::Devices)
            .insert(Element::device(&uplink.device));
    }

    let groups: BTreeMap<&str, &SecurityGroup> = map
        .iter()
        .flat_map(|m| &m.groups)
        .map(|g| (g.group_id.as_str(), g))
        .collect();
    let mut worn = BTreeSet::new();
    for port in ports {
        for ip in &port.ips {
            let pin = Element::pin(&port.device, port.mac, *ip);
            rules.set(inet("pins"), SetKind::Pins).insert(pin.clone());
            rules.set(arp_pins.clone(), SetKind::Pins).insert(pin);
            rules
                .set(inet("owners"), SetKind::Owners)
                .insert(Element::owner(&port.device, *ip));
        }
        let Some(interface) = map.and_then(|m| {
            m.interfaces
                .iter()
                .find(|i| i.interface_id == port.interface.as_str())
        }) else {
            continue;
        };
        if !interface.ipv6_addresses.is_empty() {
            let own = interface.ipv6_addresses.iter().copied();
            rules
                .set(inet("owners6"), SetKind::Owners6)
                .extend(own.clone().map(|ip| Element::owner(&port.device, ip)));
            rules.set(inet("pins6"), SetKind::Pins6).extend(
                own.chain([port.mac.link_local()])
                    .map(|ip| Element::pin(&port.device, port.mac, ip)),
            );
        }
        if !interface.source_dest_check {
            rules
                .set(inet("unchecked"), SetKind::Ports)
                .insert(Element::port(&port.device, port.mac));
        }
        // A group that is not in the map opens nothing.
        let own: BTreeSet<&str> = interface
            .groups
            .iter()
            .map(String::as_str)
            .filter(|id| groups.contains_key(id))
            .collect();
        if own.is_empty() {
            continue;
        }
        worn.extend(own.iter().copied());
        for (direction, flows) in [("out", "senders"), ("in", "receivers")] {
            let chain = chain_of(&mut rules, direction, &own, port.interface.as_str())?;
            rules
                .set(inet(flows), SetKind::Flows)
                .insert(Element::flow(&port.device, &chain));
        }
    }
    for outfit in wardrobe {
        let own: BTreeSet<&str> = outfit.iter().map(String::as_str).collect();
        if own.is_empty() || !own.iter().all(|id| groups.contains_key(id)) {
            continue;
        }
        // A longer name is an interface's own.
        if joined(&own).len() <= CHAIN_NAME {
            for direction in ["out", "in"] {
                chain_of(&mut rules, direction, &own, "")?;
            }
        }
        worn.extend(own);
    }
    let mut peers = BTreeSet::new();
    for id in worn {
        let group = groups[id];
        GroupId::parse(id)?;
        rules
            .chains
            .insert(format!("in.{id}"), lines(&group.ingress, "saddr", &mut peers)?);
        rules
            .chains
            .insert(format!("out.{id}"), lines(&group.egress, "daddr", &mut peers)?);
    }
    for id in peers {
        rules.set(inet(&member_set(&id)), SetKind::Addresses);
        rules.set(inet(&ipv6_member_set(&id)), SetKind::Addresses6);
        let members = map
            .iter()
            .flat_map(|m| &m.interfaces)
            .filter(|i| i.groups.contains(&id));
        for interface in members {
            rules
                .set(inet(&member_set(&id)), SetKind::Addresses)
                .extend(interface.private_ips.iter().copied().map(Element::address));
            rules
                .set(inet(&ipv6_member_set(&id)), SetKind::Addresses6)
                .extend(interface.ipv6_addresses.iter().copied().map(Element::address));
        }
    }
    Ok(rules)
}

fn member_set(group: &str) -> String {
    format!("members.{group}")
}

fn ipv6_member_set(group: &str) -> String {
    format!("members6.{group}")
}

/// The gateways of a VPC's subnets that have IPv6 blocks: base plus one.
pub(crate) fn ipv6_gateways(map: &VpcMap) -> impl Iterator<Item = Ipv6Addr> {
    map.subnets
        .iter()
        .filter_map(|subnet| subnet.ipv6_cidr)
        .map(ipv6_subnet_gateway)
}

fn joined(groups: &BTreeSet<&str>) -> String {
    groups.iter().copied().collect::<Vec<_>>().join(".")
}

/// The chain that decides for an interface wearing `groups`: the group's own chain when it is one, else a
/// chain that asks each in turn.
fn chain_of(
    rules: &mut Ruleset,
    direction: &str,
    groups: &BTreeSet<&str>,
    interface: &str,
) -> Result<String> {
    for id in groups {
        GroupId::parse(id)?;
    }
    let joined = joined(groups);
    let name = if joined.len() <= CHAIN_NAME {
        format!("{direction}.{joined}")
    } else {
        format!("{direction}.{interface}.{:016x}", fnv1a(joined.as_bytes()))
    };
    if groups.len() > 1 {
        let jumps = groups.iter().map(|id| format!("jump {direction}.{id}")).collect();
        rules.chains.insert(name.clone(), jumps);
    }
    Ok(name)
}

/// The lines of each rule; `side` is `saddr` or `daddr`. Group peers are gathered in `peers`.
fn lines(rules: &[Rule], side: &str, peers: &mut BTreeSet<String>) -> Result<Vec<String>> {
    let unique: BTreeSet<&Rule> = rules.iter().collect();
    let mut all = Vec::new();
    for rule in unique {
        let protocol = protocol(&rule.protocol)?;
        let own = family(&rule.protocol);
        let matches = peer(&rule.peer, side, peers)?;
        // ICMP of the other family has no packet that could match, and nft refuses to be asked.
        let matches = matches
            .into_iter()
            .filter(|(family, _)| own.is_none_or(|own| own == *family));
        all.extend(matches.map(|(_, peer)| format!("{peer}{protocol} accept")));
    }
    Ok(all)
}

/// Which addresses a match is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Addresses {
    V4,
    V6,
}

/// The family of a protocol that is of one alone.
fn family(protocol: &Protocol) -> Option<Addresses> {
    match protocol {
        Protocol::Icmp { .. } => Some(Addresses::V4),
        Protocol::Icmpv6 { .. } => Some(Addresses::V6),
        Protocol::All | Protocol::Tcp { .. } | Protocol::Udp { .. } | Protocol::Number(_) => None,
    }
}

/// What matches a peer, in each family that it can have addresses of.
fn peer(peer: &Peer, side: &str, peers: &mut BTreeSet<String>) -> Result<Vec<(Addresses, String)>> {
    Ok(match peer {
        Peer::Cidr(ipnet::IpNet::V4(cidr)) if cidr.prefix_len() == 0 => {
            vec![(Addresses::V4, "meta nfproto ipv4".to_owned())]
        }
        Peer::Cidr(ipnet::IpNet::V6(cidr)) if cidr.prefix_len() == 0 => {
            vec![(Addresses::V6, "meta nfproto ipv6".to_owned())]
        }
        Peer::Cidr(ipnet::IpNet::V4(cidr)) => vec![(Addresses::V4, format!("ip {side} {}", cidr.trunc()))],
        Peer::Cidr(ipnet::IpNet::V6(cidr)) => vec![(Addresses::V6, format!("ip6 {side} {}", cidr.trunc()))],
        Peer::Group(id) => {
            GroupId::parse(id)?;
            peers.insert(id.clone());
            vec![
                (Addresses::V4, format!("ip {side} @{}", member_set(id))),
                (Addresses::V6, format!("ip6 {side} @{}", ipv6_member_set(id))),
            ]
        }
    })
}

fn protocol(protocol: &Protocol) -> Result<String> {
    let ports = |word: &str, from: u16, to: u16| match (from, to) {
        (0, u16::MAX) => Ok(format!(" meta l4proto {word}")),
        _ if from == to => Ok(format!(" {word} dport {from}")),
        _ if from < to => Ok(format!(" {word} dport {from}-{to}")),
        _ => Err(Error::Invalid(format!(
            "{word} ports {from}-{to}: the first is above the last"
        ))),
    };
    let icmp = |word: &str, l4: &str, kind: Option<u8>, code: Option<u8>| {
        let kind = kind.map(|kind| format!(" {word} type {kind}"));
        let code = code.map(|code| format!(" {word} code {code}"));
        if kind.is_none() && code.is_none() {
            format!(" meta l4proto {l4}")
        } else {
            format!("{}{}", kind.unwrap_or_default(), code.unwrap_or_default())
        }
    };
    Ok(match *protocol {
        Protocol::All => String::new(),
        Protocol::Tcp { from, to } => ports("tcp", from, to)?,
        Protocol::Udp { from, to } => ports("udp", from, to)?,
        Protocol::Icmp { kind, code } => icmp("icmp", "icmp", kind, code),
        Protocol::Icmpv6 { kind, code } => icmp("icmpv6", "ipv6-icmp", kind, code),
        Protocol::Number(number) => format!(" meta l4proto {number}"),
    })
}
