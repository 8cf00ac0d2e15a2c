//! The node's own bridge network, for containers of the network mode `bridge`: what Docker's default bridge is
//! to them, but a routed namespace of ours instead of a bridge and rules on the host. Containers reach one
//! another and their gateway, and have the private link to the agent; from outside they are reached through
//! published ports alone; to the machine's uplink there is no way. The namespace is there while a container is.

mod publish;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::doomed::DOOMED;
use super::host::{HOST_RESOLVERS, conflict};
use super::router::QUIET;
use super::task::{TASK_ENI, TASK_LINK, bridge_conf};
use super::{Inner, lock, torn_down};
use crate::cni::ipam::{self, Store};
use crate::cni::{Attachment, bridge, eni};
use crate::firewall::{Firewall, Pin, local_rules};
use crate::forward::{Process, PublishPort, PublishedPort};
use crate::names::{InstanceId, MacAddr};
use crate::netlink::{Mtu, Netlink, NewVeth};
use crate::netns::Netns;
use crate::state::Records;
use crate::{Error, Result};

/// Names tried for a device before giving up: a collision is one in millions.
const NAME_ATTEMPTS: u32 = 16;
/// Ports of one container, runs counted by their length.
const PORTS: u32 = 200;

/// Docker's default bridge network and those it takes when the host uses that.
fn subnets() -> impl Iterator<Item = Ipv4Net> {
    let large = (17..=30).map(|b| Ipv4Net::new_assert(Ipv4Addr::new(172, b, 0, 0), 16));
    let small = (0..16).map(|n| Ipv4Net::new_assert(Ipv4Addr::new(192, 168, n * 16, 0), 20));
    large.chain(small)
}

/// A container to connect to the bridge network.
#[derive(Clone, Debug)]
pub struct BridgeNet {
    /// Id of the container (the CNI container id); names it in [`super::Keep::tasks`] too.
    pub container: String,
    /// Its network namespace, as [`super::Network::make_task_namespace`] makes one.
    pub netns: PathBuf,
    pub ports: Vec<PublishPort>,
}

/// A container that is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridged {
    pub container: String,
    pub ip: Ipv4Addr,
    pub subnet: Ipv4Net,
    pub gateway: Ipv4Addr,
    pub mac: MacAddr,
    /// The container's address on the private link: whoever asks the agent from it is this container.
    pub bridge_address: Ipv4Addr,
    pub ports: Vec<PublishedPort>,
}

/// What is kept of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Endpoint {
    container: String,
    ip: Ipv4Addr,
    netns: PathBuf,
    /// Name of its end in the router.
    device: String,
    wanted: Vec<PublishPort>,
    published: Vec<PublishedPort>,
    forwarder: Option<Process>,
}

impl Endpoint {
    fn pin(&self) -> Pin {
        Pin {
            device: self.device.clone(),
            mac: MacAddr::of_ip(self.ip),
            ip: self.ip,
        }
    }
}

/// What is kept of the network.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Chosen {
    subnet: Ipv4Net,
}

/// The bridge network on this node.
#[derive(Debug)]
pub(super) struct Local {
    endpoints: BTreeMap<String, Endpoint>,
    records: Records,
    /// One record: the subnet, so that it stays while containers have its addresses.
    chosen: Records,
    store: Store,
    fabric: Option<Fabric>,
}

/// The router, open.
#[derive(Debug)]
struct Fabric {
    subnet: Ipv4Net,
    namespace: Netns,
    netlink: Netlink,
    firewall: Firewall,
}

impl Local {
    pub(super) fn open(state_dir: &std::path::Path) -> Result<Self> {
        let root = state_dir.join("bridge");
        Ok(Self {
            endpoints: BTreeMap::new(),
            records: Records::open(root.join("containers"))?,
            store: Store::at(root.join("ipam.json")),
            chosen: Records::open(root.join("network"))?,
            fabric: None,
        })
    }

    fn gateway(subnet: Ipv4Net) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(subnet.network()) + 1)
    }

    fn ensure_fabric(&mut self, inner: &Inner) -> Result<()> {
        if self.fabric.is_some() {
            return Ok(());
        }
        let subnet = match self.chosen.all::<Chosen>()?.first() {
            Some(Chosen { subnet }) => *subnet,
            None => {
                let mut node = Netlink::open(&inner.node)?;
                let resolvers = std::fs::read_to_string(HOST_RESOLVERS).unwrap_or_default();
                let mut free = None;
                for subnet in subnets() {
                    if conflict(&mut node, subnet, None, &resolvers)?.is_none() {
                        free = Some(subnet);
                        break;
                    }
                }
                let subnet = free.ok_or_else(|| {
                    Error::Invalid("the host uses every range that a bridge network could have".into())
                })?;
                self.chosen.put("subnet", &Chosen { subnet })?;
                subnet
            }
        };
        let name = inner.instance.bridge_namespace();
        let (namespace, fresh) = match Netns::named(&name)? {
            Some(namespace) => (namespace, false),
            None => (Netns::create(&name)?, true),
        };
        namespace.sysctl(&QUIET.map(|(key, value)| (key.to_owned(), value)))?;
        let mut netlink = Netlink::open(&namespace)?;
        let loopback = netlink.loopback()?;
        let gateway = Self::gateway(subnet);
        netlink.add_address(loopback, Ipv4Net::new_assert(gateway, 32), true)?;
        let mut firewall = Firewall::open(&namespace, fresh)?;
        firewall.apply(self.rules(gateway))?;
        // Nothing is forwarded before the rules are in force.
        namespace.sysctl(&[("ipv4/ip_forward".to_owned(), "1")])?;
        self.fabric = Some(Fabric {
            subnet,
            namespace,
            netlink,
            firewall,
        });
        Ok(())
    }

    fn rules(&self, gateway: Ipv4Addr) -> crate::firewall::Ruleset {
        let pins: Vec<Pin> = self.endpoints.values().map(Endpoint::pin).collect();
        local_rules(pins.iter(), gateway)
    }

    fn filter(&mut self) -> Result<()> {
        let Some(gateway) = self.fabric.as_ref().map(|f| Self::gateway(f.subnet)) else {
            return Ok(());
        };
        let rules = self.rules(gateway);
        match &mut self.fabric {
            Some(fabric) => fabric.firewall.apply(rules).map(drop),
            None => Ok(()),
        }
    }

    fn ipam(subnet: Ipv4Net) -> ipam::Conf {
        ipam::Conf {
            kind: "ecs-ipam".into(),
            id: String::new(),
            subnet,
            address: None,
            gateway: None,
            routes: Vec::new(),
        }
    }

    fn connect(&mut self, inner: &Inner, net: &BridgeNet) -> Result<Bridged> {
        check(net)?;
        if let Some(endpoint) = self.endpoints.get(&net.container).cloned() {
            if endpoint.wanted != net.ports {
                self.disconnect(inner, &net.container)?;
            } else if endpoint.netns != net.netns {
                // It runs again, in a namespace of its new run: others know its address and its ports.
                let netns = net.netns.clone();
                self.keep(Endpoint { netns, ..endpoint })?;
            }
        }
        let done = self.try_connect(inner, net);
        if done.is_err()
            && let Err(second) = self.disconnect(inner, &net.container)
        {
            tracing::warn!(container = net.container, error = %second, "a failed connection left something");
        }
        done
    }

    fn try_connect(&mut self, inner: &Inner, net: &BridgeNet) -> Result<Bridged> {
        let namespace = Netns::at(&net.netns)?;
        self.ensure_fabric(inner)?;
        let subnet = self.fabric.as_ref().map(|f| f.subnet).ok_or_else(torn_down)?;
        if !self.endpoints.contains_key(&net.container) {
            let conf = Self::ipam(subnet);
            let ip = self.store.update(|leases| leases.allocate(&net.container, &conf));
            let endpoint = Endpoint {
                container: net.container.clone(),
                ip: ip.map_err(failed("ADD"))?,
                netns: net.netns.clone(),
                device: self.device(&inner.instance, &net.container)?,
                wanted: net.ports.clone(),
                published: Vec::new(),
                forwarder: None,
            };
            self.keep(endpoint)?;
        }
        let mut inside = Netlink::open(&namespace)?;
        inside.loopback()?;
        self.link(&net.container, &namespace, &mut inside)?;
        let who = Attachment::new(&net.container, TASK_LINK).map_err(failed("ADD"))?;
        let mut task = eni::Side {
            namespace: &namespace,
            netlink: &mut inside,
        };
        let answer = {
            let mut agent = lock(&inner.agent);
            let side = &mut agent.as_mut().ok_or_else(torn_down)?.side;
            let conf = bridge_conf(&net.container);
            bridge::add(side, &mut task, &net.netns, &who, &conf).map_err(failed("ADD"))?
        };
        let bridge_address = match answer.ips.first().map(|ip| ip.address.addr()) {
            Some(std::net::IpAddr::V4(ip)) => ip,
            _ => {
                return Err(Error::Invalid(
                    "ecs-bridge answered without an IPv4 address".into(),
                ));
            }
        };
        self.publish(inner, &net.container)?;
        let endpoint = self.endpoints.get(&net.container).ok_or_else(torn_down)?;
        Ok(Bridged {
            container: net.container.clone(),
            ip: endpoint.ip,
            subnet,
            gateway: Self::gateway(subnet),
            mac: MacAddr::of_ip(endpoint.ip),
            bridge_address,
            ports: endpoint.published.clone(),
        })
    }

    /// A device name that no other container's end has.
    fn device(&self, instance: &InstanceId, container: &str) -> Result<String> {
        let free = |name: &String| self.endpoints.values().all(|e| e.device != *name);
        let names = (0..NAME_ATTEMPTS).map(|attempt| instance.device('b', container, attempt));
        let none = || Error::Invalid(format!("no device name is free for {container}"));
        names.into_iter().find(free).ok_or_else(none)
    }

    fn keep(&mut self, endpoint: Endpoint) -> Result<()> {
        self.records.put(&endpoint.container, &endpoint)?;
        self.endpoints.insert(endpoint.container.clone(), endpoint);
        Ok(())
    }

    /// The veth: one end in the router, the other in the container as `eth0`.
    fn link(&mut self, container: &str, task: &Netns, inside: &mut Netlink) -> Result<()> {
        // The rules first: without its pin the port passes nothing.
        self.filter()?;
        let endpoint = self.endpoints.get(container).cloned().ok_or_else(torn_down)?;
        let fabric = self.fabric.as_mut().ok_or_else(torn_down)?;
        let mac = MacAddr::of_ip(endpoint.ip);
        let mut far = inside.link(TASK_ENI)?.filter(|link| link.mac == Some(mac));
        let mut near = fabric.netlink.link(&endpoint.device)?;
        if near.as_ref().is_some_and(|n| n.group == DOOMED) || near.is_some() != far.is_some() {
            // Half of an attempt that a crash ended, or one that is on its way out.
            fabric.netlink.delete_link(&endpoint.device)?;
            (near, far) = (None, None);
        }
        if near.is_none() {
            fabric.netlink.add_veth(&NewVeth {
                name: &endpoint.device,
                mac: None,
                alias: Some(container),
                controller: None,
                up: true,
                mtu: Mtu(None),
                far_namespace: task,
                far_name: TASK_ENI,
                far_mac: Some(mac),
            })?;
            near = fabric.netlink.link(&endpoint.device)?;
            far = inside.link(TASK_ENI)?;
        }
        let lost = || Error::Invalid(format!("device {} vanished while it was made", endpoint.device));
        let (near, far) = (near.ok_or_else(lost)?, far.ok_or_else(lost)?);
        fabric.settle(&endpoint, near.index)?;
        let prefix = fabric.subnet.prefix_len();
        inside.add_address(far.index, Ipv4Net::new_assert(endpoint.ip, prefix), false)?;
        inside.set_up(far.index)?;
        inside.add_gateway_route(Ipv4Net::default(), Self::gateway(fabric.subnet), far.index, None)?;
        inside.await_carrier(TASK_ENI)?;
        fabric.netlink.await_carrier(&endpoint.device)
    }

    pub(super) fn disconnect(&mut self, inner: &Inner, container: &str) -> Result<()> {
        if let Some(endpoint) = self.endpoints.get(container).cloned() {
            if let Some(forwarder) = endpoint.forwarder {
                let ended = forwarder.end();
                ended.map_err(Error::kernel(format!("ending the forwarder of {container}")))?;
            }
            if let Some(fabric) = &mut self.fabric {
                fabric.cut(&endpoint)?;
                inner.undertaker.bury(&fabric.namespace)?;
            }
        }
        // The link to the agent also when nothing else is known of the container.
        let who = Attachment::new(container, TASK_LINK).map_err(failed("DEL"))?;
        if let Some(agent) = lock(&inner.agent).as_mut() {
            let cut = agent.cut(&inner.undertaker, &who, container);
            cut.map_err(failed("DEL"))?;
        }
        if self.endpoints.remove(container).is_some() {
            self.filter()?;
        }
        let released = self.store.update(|leases| Ok(leases.release(container)));
        released.map_err(failed("DEL"))?;
        self.records.remove(container)?;
        self.drop_fabric_if_unused(inner)
    }

    fn drop_fabric_if_unused(&mut self, inner: &Inner) -> Result<()> {
        if self.endpoints.is_empty() && self.fabric.take().is_some() {
            self.chosen.remove("subnet")?;
            return Netns::remove(&inner.instance.bridge_namespace());
        }
        Ok(())
    }

    /// Takes over what an earlier process left. A container whose namespace is gone has no device any more, but its place
    /// until it is disconnected or reaped.
    pub(super) fn find_again(&mut self, inner: &Inner) -> Result<()> {
        for endpoint in self.records.all::<Endpoint>()? {
            self.endpoints.insert(endpoint.container.clone(), endpoint);
        }
        let name = inner.instance.bridge_namespace();
        if Netns::named(&name)?.is_some() || !self.endpoints.is_empty() {
            self.ensure_fabric(inner)?;
        } else {
            // A file that was to become a namespace.
            Netns::remove(&name)?;
        }
        let Some(fabric) = &mut self.fabric else {
            return Ok(());
        };
        let links = fabric.netlink.links()?;
        for link in &links {
            let known = self.endpoints.values().any(|e| e.device == link.name);
            let doomed = link.group == DOOMED;
            if link.name.starts_with(&inner.instance.device_prefix()) && (doomed || !known) {
                fabric.netlink.delete_link(&link.name)?;
            }
        }
        for endpoint in self.endpoints.clone().into_values() {
            let link = links
                .iter()
                .find(|l| l.group != DOOMED && l.name == endpoint.device);
            if let Some(link) = link {
                let fabric = self.fabric.as_mut().ok_or_else(torn_down)?;
                match fabric.settle(&endpoint, link.index) {
                    Ok(()) => {}
                    // The kernel takes the device of a container that died away some time after it was listed.
                    Err(error) if error.is_absence() => {}
                    Err(error) => return Err(error),
                }
            }
            // Also of one that died: it may run again, with the address and the ports that others know of it.
            self.find_forwarder_again(inner, &endpoint);
        }
        self.drop_fabric_if_unused(inner)
    }

    pub(super) fn containers(&self) -> Vec<String> {
        self.endpoints.keys().cloned().collect()
    }

    /// Ends everything of the network, as far as it can.
    pub(super) fn teardown(&mut self, inner: &Inner) -> Result<()> {
        let mut outcome = Ok(());
        for container in self.containers() {
            outcome = outcome.and(self.disconnect(inner, &container));
        }
        self.fabric = None;
        outcome
    }
}

impl Fabric {
    /// Nothing is sent to the container any more, and nothing comes from it once the rules are refreshed.
    fn cut(&mut self, endpoint: &Endpoint) -> Result<()> {
        if let Some(link) = self.netlink.link(&endpoint.device)? {
            let net = Ipv4Net::new_assert(endpoint.ip, 32);
            self.netlink.delete_device_route(net, link.index)?;
            self.netlink.delete_neighbour(link.index, endpoint.ip)?;
            self.netlink.set_group(link.index, DOOMED)?;
        }
        Ok(())
    }

    /// What lets packets find a port, and it answer by proxy without the delay that is usual.
    fn settle(&mut self, endpoint: &Endpoint, index: u32) -> Result<()> {
        self.netlink.answer_at_once(index)?;
        self.netlink
            .add_neighbour(index, endpoint.ip, MacAddr::of_ip(endpoint.ip))?;
        self.netlink
            .add_device_route(Ipv4Net::new_assert(endpoint.ip, 32), index)
    }
}

fn failed(command: &'static str) -> impl FnOnce(crate::cni::Error) -> Error {
    move |source| Error::Cni {
        plugin: "ecs-bridge",
        command,
        source,
    }
}

fn check(net: &BridgeNet) -> Result<()> {
    Attachment::new(&net.container, TASK_ENI).map_err(|e| Error::Invalid(e.to_string()))?;
    let all: u32 = net.ports.iter().map(|port| u32::from(port.count)).sum();
    if all > PORTS {
        return Err(Error::Invalid(format!("{all} published ports: at most {PORTS}")));
    }
    let mut seen = BTreeSet::new();
    for port in &net.ports {
        let span = |first: u16| u32::from(first) + u32::from(port.count) <= 1 << 16 && first > 0;
        if port.count == 0 || !span(port.container_port) || !port.host_port.is_none_or(span) {
            return Err(Error::Invalid(format!("{port:?} is no range of ports")));
        }
        for host_port in port.host_port.into_iter().flat_map(|p| p..=p + (port.count - 1)) {
            if !seen.insert((port.transport, host_port)) {
                return Err(Error::Invalid(format!(
                    "host port {host_port} is published twice"
                )));
            }
        }
    }
    Ok(())
}

impl Inner {
    pub(super) fn connect_bridge(&self, net: &BridgeNet) -> Result<Bridged> {
        lock(&self.local).connect(self, net)
    }

    pub(super) fn disconnect_bridge(&self, container: &str) -> Result<()> {
        lock(&self.local).disconnect(self, container)
    }
}
