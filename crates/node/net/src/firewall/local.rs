//! The rules of the node's bridge network: its containers reach one another on every port, as they do on
//! Docker's default bridge, each under its own address alone; and nothing else.

use std::net::Ipv4Addr;

use super::element::{Element, Family, SetId, SetKind};
use super::groups::ARP;
use super::ruleset::{BaseChain, Ruleset};
use crate::names::MacAddr;

const INET: &[BaseChain] = &[
    BaseChain {
        name: "raw",
        hook: "type filter hook prerouting priority raw; policy drop;",
        rules: &[
            "iifname \"lo\" accept",
            "iifname . ether saddr . ip saddr @pins accept",
        ],
    },
    BaseChain {
        name: "input",
        hook: "type filter hook input priority filter; policy drop;",
        // Answers to the forwarders of published ports, which call from here.
        rules: &[
            "iifname \"lo\" accept",
            "ct state vmap { established : accept, related : accept, invalid : drop }",
            "ip daddr @gateways icmp type echo-request accept",
        ],
    },
    BaseChain {
        name: "forward",
        hook: "type filter hook forward priority filter; policy drop;",
        rules: &["iifname @ports oifname @ports accept"],
    },
];

/// A container's end in the bridge network's router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) device: String,
    pub(crate) mac: MacAddr,
    pub(crate) ip: Ipv4Addr,
}

pub(crate) fn local_rules<'a>(pins: impl Iterator<Item = &'a Pin>, gateway: Ipv4Addr) -> Ruleset {
    let mut rules = Ruleset::default();
    rules.base.insert(Family::Inet, INET);
    rules.base.insert(Family::Arp, ARP);
    let inet = |name: &str| SetId::new(Family::Inet, name);
    let arp_pins = SetId::new(Family::Arp, "pins");
    rules
        .set(inet("gateways"), SetKind::Addresses)
        .insert(Element::address(gateway));
    rules.set(inet("pins"), SetKind::Pins);
    rules.set(inet("ports"), SetKind::Devices);
    rules.set(arp_pins.clone(), SetKind::Pins);
    for Pin { device, mac, ip } in pins {
        let pin = Element::pin(device, *mac, *ip);
        rules.set(inet("pins"), SetKind::Pins).insert(pin.clone());
        rules.set(arp_pins.clone(), SetKind::Pins).insert(pin);
        rules
            .set(inet("ports"), SetKind::Devices)
            .insert(Element::device(device));
    }
    rules
}
