//! The bridge to the agent is filtered where a frame enters it: a port passes what bears its own address
//! and MAC, by IPv4 or ARP, and nothing else. One table serves all ports; a port is two elements. Ports
//! whose name does not begin with ours are not looked at; one of ours without a pin passes nothing.

use std::net::Ipv4Addr;

use super::apply::{Batches, run_nft};
use super::element::{Element, ElementChange, Family, SetId};
use crate::names::MacAddr;
use crate::netns::Netns;
use crate::{Error, Result};

/// Beginning of the name of every port.
pub(crate) const PORT_PREFIX: &str = "rsb";

/// Adding a table, set or chain that exists is nothing; the rules are added only by who made the chain,
/// hence `create`.
const TABLE: &str = r#"
add table bridge roadstead
add set bridge roadstead pins { type ifname . ether_addr . ipv4_addr; }
create chain bridge roadstead pinned { type filter hook prerouting priority -300; policy accept; }
add rule bridge roadstead pinned iifname != "rsb*" accept
add rule bridge roadstead pinned ether type ip iifname . ether saddr . ip saddr @pins accept
add rule bridge roadstead pinned ether type arp iifname . ether saddr . arp saddr ip @pins iifname . arp saddr ether . arp saddr ip @pins accept
add rule bridge roadstead pinned drop
"#;

/// The pins of the bridge ports of one namespace.
#[derive(Debug)]
pub(crate) struct LinkPins {
    namespace: Netns,
    batches: Batches,
}

impl LinkPins {
    pub(crate) fn open(namespace: &Netns) -> Result<Self> {
        Ok(Self {
            namespace: namespace.try_clone()?,
            batches: Batches::open(namespace)?,
        })
    }

    /// Pins a port. From now on it passes only what bears this address and MAC.
    pub(crate) fn add(&mut self, port: &str, mac: MacAddr, ip: Ipv4Addr) -> Result<()> {
        let change = ElementChange {
            remove: Vec::new(),
            add: elements(port, mac, ip),
        };
        match self.batches.send(&change) {
            Ok(()) => return Ok(()),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => self.ensure_table()?,
            Err(e) => return Err(self.failed(&e)),
        }
        self.batches.send(&change).map_err(|e| self.failed(&e))
    }

    /// Takes a port's pins away; their absence is fine.
    pub(crate) fn remove(&mut self, port: &str, mac: MacAddr, ip: Ipv4Addr) -> Result<()> {
        let gone = ElementChange {
            remove: elements(port, mac, ip),
            add: Vec::new(),
        };
        match self.batches.send(&gone) {
            Err(e) if e.raw_os_error() != Some(libc::ENOENT) => Err(self.failed(&e)),
            _ => Ok(()),
        }
    }

    /// Makes the table if it is not there.
    pub(crate) fn ensure_table(&self) -> Result<()> {
        // Two processes may come here at once; one of them finds the chain made.
        match run_nft(&self.namespace, TABLE) {
            Err(Error::Firewall { detail, .. }) if detail.contains("File exists") => Ok(()),
            other => other,
        }
    }

    /// Ports and addresses that are pinned.
    pub(crate) fn list(&self) -> Result<Vec<(String, Ipv4Addr)>> {
        let Some(set) =
            super::apply::list(&self.namespace, &["list", "set", "bridge", super::TABLE, "pins"])?
        else {
            return Ok(Vec::new());
        };
        let items = set
            .pointer("/nftables/1/set/elem")
            .and_then(|e| e.as_array())
            .cloned()
            .unwrap_or_default();
        let one = |item: &serde_json::Value| {
            let parts = item.get("concat")?.as_array()?;
            Some((
                parts.first()?.as_str()?.to_owned(),
                parts.get(2)?.as_str()?.parse().ok()?,
            ))
        };
        Ok(items.iter().filter_map(one).collect())
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::Firewall {
            namespace: self.namespace.label().to_owned(),
            detail: error.to_string(),
        }
    }
}

fn elements(port: &str, mac: MacAddr, ip: Ipv4Addr) -> Vec<(SetId, Element)> {
    vec![(SetId::new(Family::Bridge, "pins"), Element::pin(port, mac, ip))]
}
