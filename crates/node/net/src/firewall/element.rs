//! What joins or leaves a firewall with one interface is only elements of sets, and a process of `nft`
//! costs more than the kernel's own work for that. So elements exist in two forms: as text inside a full
//! rule set, and as bytes of a netlink batch, where all of them take effect together or none does.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use crate::names::MacAddr;

/// An nftables family that we keep a table in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    Inet,
    Arp,
    Bridge,
}

impl Family {
    /// The kernel's number of the family.
    fn number(self) -> u8 {
        match self {
            Family::Inet => 1,
            Family::Arp => 3,
            Family::Bridge => 7,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Inet => "inet",
            Family::Arp => "arp",
            Family::Bridge => "bridge",
        })
    }
}

/// Names a set or map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SetId {
    pub(crate) family: Family,
    pub(crate) name: String,
}

impl SetId {
    pub(crate) fn new(family: Family, name: impl Into<String>) -> Self {
        Self {
            family,
            name: name.into(),
        }
    }
}

/// The type of a set's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetKind {
    /// Device.
    Devices,
    /// Device, MAC.
    Ports,
    /// Device, MAC, IPv4 address.
    Pins,
    /// Device, MAC, IPv6 address.
    Pins6,
    /// IPv4 address.
    Addresses,
    /// IPv6 address.
    Addresses6,
    /// Device, IPv4 address.
    Owners,
    /// Device, IPv6 address.
    Owners6,
    /// Device to the chain that decides.
    Flows,
}

impl SetKind {
    /// `set` or `map`, and the type in nft's words.
    pub(crate) fn declaration(self) -> (&'static str, &'static str) {
        match self {
            SetKind::Devices => ("set", "ifname"),
            SetKind::Ports => ("set", "ifname . ether_addr"),
            SetKind::Pins => ("set", "ifname . ether_addr . ipv4_addr"),
            SetKind::Pins6 => ("set", "ifname . ether_addr . ipv6_addr"),
            SetKind::Addresses => ("set", "ipv4_addr"),
            SetKind::Addresses6 => ("set", "ipv6_addr"),
            SetKind::Owners => ("set", "ifname . ipv4_addr"),
            SetKind::Owners6 => ("set", "ifname . ipv6_addr"),
            SetKind::Flows => ("map", "ifname : verdict"),
        }
    }
}

/// One part of an element's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Device(String),
    Mac(MacAddr),
    Ip(IpAddr),
}

/// One element: its key, and for a map the chain it goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    pub(crate) key: Vec<Key>,
    pub(crate) goes_to: Option<String>,
}

impl Element {
    pub(crate) fn device(name: &str) -> Self {
        Self {
            key: vec![Key::Device(name.to_owned())],
            goes_to: None,
        }
    }

    pub(crate) fn port(name: &str, mac: MacAddr) -> Self {
        Self {
            key: vec![Key::Device(name.to_owned()), Key::Mac(mac)],
            goes_to: None,
        }
    }

    /// For the set of the address's family.
    pub(crate) fn pin(name: &str, mac: MacAddr, ip: impl Into<IpAddr>) -> Self {
        Self {
            key: vec![Key::Device(name.to_owned()), Key::Mac(mac), Key::Ip(ip.into())],
            goes_to: None,
        }
    }

    /// For the set of the address's family.
    pub(crate) fn address(ip: impl Into<IpAddr>) -> Self {
        Self {
            key: vec![Key::Ip(ip.into())],
            goes_to: None,
        }
    }

    /// For the set of the address's family.
    pub(crate) fn owner(name: &str, ip: impl Into<IpAddr>) -> Self {
        Self {
            key: vec![Key::Device(name.to_owned()), Key::Ip(ip.into())],
            goes_to: None,
        }
    }

    pub(crate) fn flow(name: &str, chain: &str) -> Self {
        Self {
            key: vec![Key::Device(name.to_owned())],
            goes_to: Some(chain.to_owned()),
        }
    }

    /// The key as the kernel compares it: each part padded to four bytes.
    fn key_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        for part in &self.key {
            match part {
                Key::Device(name) => {
                    let mut field = [0u8; 16];
                    for (slot, byte) in field.iter_mut().take(15).zip(name.bytes()) {
                        *slot = byte;
                    }
                    bytes.extend_from_slice(&field);
                }
                Key::Mac(mac) => {
                    bytes.extend_from_slice(&mac.0);
                    // Alone the address is six bytes; within a concatenation it is padded to eight.
                    if self.key.len() > 1 {
                        bytes.extend_from_slice(&[0, 0]);
                    }
                }
                Key::Ip(IpAddr::V4(ip)) => bytes.extend_from_slice(&ip.octets()),
                Key::Ip(IpAddr::V6(ip)) => bytes.extend_from_slice(&ip.octets()),
            }
        }
        bytes
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, part) in self.key.iter().enumerate() {
            if position > 0 {
                f.write_str(" . ")?;
            }
            match part {
                Key::Device(name) => write!(f, "\"{name}\"")?,
                Key::Mac(mac) => write!(f, "{mac}")?,
                Key::Ip(ip) => write!(f, "{ip}")?,
            }
        }
        match &self.goes_to {
            Some(chain) => write!(f, " : goto {chain}"),
            None => Ok(()),
        }
    }
}

/// Elements that leave and elements that join, over any number of sets, as one change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ElementChange {
    pub(crate) remove: Vec<(SetId, Element)>,
    pub(crate) add: Vec<(SetId, Element)>,
}

impl ElementChange {
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.add.is_empty()
    }

    /// The change in nft's words, one command a line; removals first.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (verb, elements) in [("delete", &self.remove), ("add", &self.add)] {
            for (set, element) in elements {
                let (family, name) = (set.family, &set.name);
                let _ = writeln!(
                    text,
                    "{verb} element {family} {} {name} {{ {element} }}",
                    super::TABLE
                );
            }
        }
        text
    }

    /// The change as a netlink batch; `first_sequence` numbers the opening message. Returns the bytes and
    /// the sequence number of the closing one.
    pub(crate) fn batch(&self, first_sequence: u32) -> (Vec<u8>, u32) {
        const BATCH_BEGIN: u16 = 0x10;
        const BATCH_END: u16 = 0x11;
        const NFTABLES: u16 = 10 << 8;
        const NEW_ELEMENTS: u16 = NFTABLES | 12;
        const DELETE_ELEMENTS: u16 = NFTABLES | 14;
        const REQUEST: u16 = 0x1;
        const ACK: u16 = 0x4;
        const CREATE: u16 = 0x400;
        const NFTABLES_ID: u16 = 10;

        let mut batch = Vec::new();
        let mut sequence = first_sequence;
        message(&mut batch, BATCH_BEGIN, REQUEST, sequence, 0, NFTABLES_ID, &[]);
        let removals = self
            .remove
            .iter()
            .map(|change| (DELETE_ELEMENTS, REQUEST, change));
        let additions = self
            .add
            .iter()
            .map(|change| (NEW_ELEMENTS, REQUEST | CREATE, change));
        let count = self.remove.len() + self.add.len();
        for (position, (kind, flags, (set, element))) in removals.chain(additions).enumerate() {
            sequence = sequence.wrapping_add(1);
            // Only the last is acknowledged: an error is told for any of them.
            let flags = if position + 1 == count { flags | ACK } else { flags };
            message(
                &mut batch,
                kind,
                flags,
                sequence,
                set.family.number(),
                0,
                &attributes(set, element),
            );
        }
        let acknowledged = sequence;
        message(
            &mut batch,
            BATCH_END,
            REQUEST,
            sequence.wrapping_add(1),
            0,
            NFTABLES_ID,
            &[],
        );
        (batch, acknowledged)
    }
}

fn attributes(set: &SetId, element: &Element) -> Vec<u8> {
    const TABLE_NAME: u16 = 1;
    const SET_NAME: u16 = 2;
    const ELEMENTS: u16 = 3;
    const LIST_ITEM: u16 = 1;
    const KEY: u16 = 1;
    const DATA: u16 = 2;
    const VALUE: u16 = 1;
    const VERDICT: u16 = 2;
    const VERDICT_CODE: u16 = 1;
    const VERDICT_CHAIN: u16 = 2;
    const NESTED: u16 = 0x8000;
    const GOTO: i32 = -4;

    let mut value = Vec::new();
    attribute(&mut value, VALUE, &element.key_bytes());
    let mut item = Vec::new();
    attribute(&mut item, NESTED | KEY, &value);
    if let Some(chain) = &element.goes_to {
        let mut verdict = Vec::new();
        attribute(&mut verdict, VERDICT_CODE, &GOTO.to_be_bytes());
        attribute(&mut verdict, VERDICT_CHAIN, &terminated(chain));
        let mut data = Vec::new();
        attribute(&mut data, NESTED | VERDICT, &verdict);
        attribute(&mut item, NESTED | DATA, &data);
    }
    let mut list = Vec::new();
    attribute(&mut list, NESTED | LIST_ITEM, &item);

    let mut all = Vec::new();
    attribute(&mut all, TABLE_NAME, &terminated(super::TABLE));
    attribute(&mut all, SET_NAME, &terminated(&set.name));
    attribute(&mut all, NESTED | ELEMENTS, &list);
    all
}

fn terminated(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// Appends a netlink attribute, padded to four bytes. Everything here is far below 64 KiB.
pub(super) fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Appends a netlink message with nfnetlink's own header.
pub(super) fn message(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    resource: u16,
    body: &[u8],
) {
    let length = u32::try_from(body.len() + 20).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&0u32.to_ne_bytes());
    out.extend_from_slice(&[family, 0]);
    out.extend_from_slice(&resource.to_be_bytes());
    out.extend_from_slice(body);
}
