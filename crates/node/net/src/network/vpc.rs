//! One VPC on this node: the newest map, the interfaces that are here, and the router while it is needed.
//! Whatever changes, the router is made to agree with all of it by the same function.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use roadstead_acs::network::VpcMap;
use serde::{Deserialize, Serialize};

use super::doomed::DOOMED;
use super::host::HostLink;
use super::router::{Port, Router, Wanted};
use super::task::TASK_ENI;
use super::{Applied, Eni, Inner};
use crate::firewall::Transaction;
use crate::names::{InterfaceId, VpcId};
use crate::netlink::{Link, Netlink};
use crate::netns::Netns;
use crate::{Error, Result};

/// What is kept of a VPC beside its interfaces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct VpcRecord {
    pub(super) vpc_id: VpcId,
    pub(super) map: Option<VpcMap>,
    pub(super) host: Option<HostLink>,
}

#[derive(Debug)]
pub(super) struct Vpc {
    pub(super) id: VpcId,
    pub(super) map: Option<VpcMap>,
    enis: BTreeMap<InterfaceId, Eni>,
    pub(super) host: Option<HostLink>,
    pub(super) router: Option<Router>,
}

impl Vpc {
    pub(super) fn new(id: VpcId) -> Self {
        Self {
            id,
            map: None,
            enis: BTreeMap::new(),
            host: None,
            router: None,
        }
    }

    pub(super) fn has(&self, interface: &InterfaceId) -> bool {
        self.enis.contains_key(interface)
    }

    pub(super) fn enis(&self) -> Vec<Eni> {
        self.enis.values().cloned().collect()
    }

    pub(super) fn device_of(&self, interface: &InterfaceId) -> Option<String> {
        Some(self.router.as_ref()?.ports.get(interface)?.device.clone())
    }

    pub(super) fn apply(&mut self, inner: &Inner, map: VpcMap) -> Result<Applied> {
        let held = self.map.as_ref().map_or(0, |map| map.generation);
        if map.generation < held {
            return Err(Error::Stale {
                vpc: map.vpc_id,
                held,
                offered: map.generation,
            });
        }
        let generation = map.generation;
        let repair = generation == held;
        let before = self.map.replace(map);
        // Recorded first: a process that dies in between finds the newer map and applies it.
        let done = self.record(inner).and_then(|()| match self.router {
            Some(_) => self.refresh(repair),
            None => Ok(Transaction::None),
        });
        if done.is_ok() {
            self.refresh_host_ipv6(inner);
            if let (Some(router), Some(before), Some(after)) = (&self.router, &before, &self.map) {
                router.end_connections(before, after);
            }
        }
        match done {
            Ok(transaction) => Ok(Applied {
                generation,
                transaction,
                routed: self.router.is_some(),
            }),
            Err(error) => {
                self.map = before;
                self.record(inner)?;
                if self.router.is_some()
                    && let Err(second) = self.refresh(false)
                {
                    tracing::warn!(vpc = %self.id, error = %second, "the earlier map could not be restored");
                }
                Err(error)
            }
        }
    }

    pub(super) fn attach(&mut self, inner: &Inner, eni: Eni) -> Result<()> {
        let id = eni.interface_id.clone();
        if let Some(present) = self.enis.get(&id) {
            if *present == eni && (!inner.on_node || self.port_is_whole(&eni)?) {
                return Ok(());
            }
            self.detach(inner, &id)?;
        }
        self.ensure_router(inner)?;
        inner.enis.put(id.as_str(), &eni)?;
        self.enis.insert(id.clone(), eni.clone());
        let made = match &mut self.router {
            Some(router) if inner.on_node => router.add_port(&id, eni.mac, &inner.node, None, |n| {
                inner.instance.device('e', id.as_str(), n)
            }),
            _ => Ok(()),
        };
        made.and_then(|()| self.refresh(false).map(drop))
            .inspect_err(|_| {
                if let Err(second) = self.detach(inner, &id) {
                    tracing::warn!(interface = %id, error = %second, "a failed attachment left something");
                }
            })
    }

    /// Makes the interface's veth straight into a task, or finds it there.
    pub(super) fn plug(
        &mut self,
        inner: &Inner,
        interface: &InterfaceId,
        task: &Netns,
        inside: &mut Netlink,
    ) -> Result<Link> {
        let absent = || Error::Invalid(format!("{interface} is not attached to this node"));
        let eni = self.enis.get(interface).cloned().ok_or_else(absent)?;
        self.ensure_router(inner)?;
        let far = inside.link(TASK_ENI)?;
        if let Some(link) = &far
            && link.mac == Some(eni.mac)
            && self.port_is_whole(&eni)?
        {
            return Ok(link.clone());
        }
        if far.is_some() {
            // Of an interface that was here before, on its way out.
            inner.undertaker.finish();
        }
        let router = self.router.as_mut().ok_or_else(absent)?;
        router.unplug(interface, &inner.undertaker)?;
        router.add_port(interface, eni.mac, task, Some(TASK_ENI), |n| {
            inner.instance.device('e', interface.as_str(), n)
        })?;
        self.refresh(false)?;
        let link = inside.link(TASK_ENI)?;
        link.ok_or_else(|| Error::Invalid(format!("the device of {interface} vanished while it was made")))
    }

    /// Waits until both ends of an interface that is up in its task transmit.
    pub(super) fn await_carrier(&mut self, interface: &InterfaceId, inside: &mut Netlink) -> Result<()> {
        inside.await_carrier(TASK_ENI)?;
        match &mut self.router {
            Some(router) => match router.ports.get(interface) {
                Some(port) => router.netlink.await_carrier(&port.device),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// Takes the interface out of its task, wherever that is. It stays attached.
    pub(super) fn unplug(&mut self, inner: &Inner, interface: &InterfaceId) -> Result<()> {
        match &mut self.router {
            Some(router) if router.ports.contains_key(interface) => {
                router.unplug(interface, &inner.undertaker)?;
                self.refresh(false).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Whether both ends of the interface's veth are still there: the far one dies with a task's namespace.
    fn port_is_whole(&mut self, eni: &Eni) -> Result<bool> {
        let Some(router) = &mut self.router else {
            return Ok(false);
        };
        match router.ports.get(&eni.interface_id) {
            Some(port) => Ok(router
                .netlink
                .link(&port.device)?
                .is_some_and(|link| link.index == port.index)),
            None => Ok(false),
        }
    }

    pub(super) fn detach(&mut self, inner: &Inner, interface: &InterfaceId) -> Result<()> {
        if let Some(router) = &mut self.router {
            if inner.on_node {
                router.remove_port(interface)?;
            } else {
                router.unplug(interface, &inner.undertaker)?;
            }
        }
        self.enis.remove(interface);
        inner.enis.remove(interface.as_str())?;
        self.drop_router_if_unused()?;
        if self.router.is_some() {
            self.refresh(false)?;
        }
        Ok(())
    }

    pub(super) fn ensure_router(&mut self, inner: &Inner) -> Result<()> {
        if self.router.is_none() {
            let name = inner.instance.router_namespace(&self.id);
            self.router = Some(Router::ensure(name, &inner.runtime)?);
        }
        Ok(())
    }

    pub(super) fn drop_router_if_unused(&mut self) -> Result<()> {
        if self.enis.is_empty() && self.host.is_none() {
            return self.router.take().map_or(Ok(()), Router::remove);
        }
        Ok(())
    }

    /// Makes the router agree with everything known.
    pub(super) fn refresh(&mut self, repair: bool) -> Result<Transaction> {
        let Some(router) = &mut self.router else {
            return Ok(Transaction::None);
        };
        let gateways: BTreeSet<Ipv4Addr> = self.enis.values().map(|eni| eni.gateway).collect();
        let addresses = self
            .enis
            .iter()
            .map(|(id, eni)| (id.clone(), addresses(self.map.as_ref(), eni)))
            .collect();
        let uplink = self.host.as_ref().map(HostLink::uplink);
        let interfaces = self.map.iter().flat_map(|m| &m.interfaces);
        let here = interfaces.filter(|i| self.enis.keys().any(|id| id.as_str() == i.interface_id));
        let worn = here.map(|i| i.groups.iter().cloned().collect()).collect();
        let wanted = Wanted {
            map: self.map.as_ref(),
            gateways: &gateways,
            addresses: &addresses,
            uplink: uplink.as_ref(),
            worn: &worn,
        };
        router.refresh(wanted, repair)
    }

    pub(super) fn record(&self, inner: &Inner) -> Result<()> {
        let record = VpcRecord {
            vpc_id: self.id.clone(),
            map: self.map.clone(),
            host: self.host.clone(),
        };
        inner.vpc_records.put(self.id.as_str(), &record)
    }

    /// Takes over what an earlier process left: the records say what should be, the kernel what is. Returns
    /// the devices in the node's namespace that belong here.
    pub(super) fn find_again(&mut self, inner: &Inner, recorded: Vec<Eni>) -> Result<Vec<String>> {
        let mut devices = Vec::new();
        let name = inner.instance.router_namespace(&self.id);
        if Netns::named(&name)?.is_some() {
            self.ensure_router(inner)?;
        } else {
            // A file that was to become a namespace.
            Netns::remove(&name)?;
        }
        if let Some(router) = &mut self.router {
            let links = router.netlink.links()?;
            for eni in &recorded {
                let own = links
                    .iter()
                    .find(|l| l.group != DOOMED && l.alias.as_deref() == Some(eni.interface_id.as_str()));
                if let Some(link) = own {
                    let port = Port {
                        device: link.name.clone(),
                        index: link.index,
                        mac: eni.mac,
                        ips: BTreeSet::new(),
                    };
                    devices.push(link.name.clone());
                    router.ports.insert(eni.interface_id.clone(), port);
                    self.enis.insert(eni.interface_id.clone(), eni.clone());
                }
            }
            let uplink = self.host.as_ref().map(|host| host.device.clone());
            for link in links
                .iter()
                .filter(|l| l.name.starts_with(&inner.instance.device_prefix()))
            {
                if !devices.contains(&link.name) && uplink.as_ref() != Some(&link.name) {
                    tracing::info!(device = link.name, vpc = %self.id, "removing a device that no record explains");
                    router.netlink.delete_link(&link.name)?;
                }
            }
            for port in router.ports.values() {
                match router.netlink.answer_at_once(port.index) {
                    // Gone since it was listed, with the task's namespace: found out with the next look at it.
                    Err(error) if error.is_absence() => {
                        tracing::debug!(device = port.device, "gone meanwhile")
                    }
                    settled => settled?,
                }
            }
        }
        for eni in recorded {
            if self.enis.contains_key(&eni.interface_id) {
                continue;
            }
            if inner.on_node {
                inner.enis.remove(eni.interface_id.as_str())?;
            } else {
                // Attached and in no task, or its task's namespace is gone.
                self.ensure_router(inner)?;
                self.enis.insert(eni.interface_id.clone(), eni);
            }
        }
        self.find_host_again(inner)?;
        devices.extend(self.host.as_ref().map(|host| host.device.clone()));
        self.drop_router_if_unused()?;
        self.refresh(true)?;
        self.refresh_host_ipv6(inner);
        Ok(devices)
    }
}

/// The addresses that are an interface's own: the map's once it names the interface.
fn addresses(map: Option<&VpcMap>, eni: &Eni) -> Vec<Ipv4Addr> {
    let known = map.and_then(|m| {
        m.interfaces
            .iter()
            .find(|i| i.interface_id == eni.interface_id.as_str())
    });
    known.map_or_else(|| eni.ips.clone(), |interface| interface.private_ips.clone())
}
