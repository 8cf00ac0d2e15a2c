//! The one door to a node's network. Calls are level-triggered and may be repeated; each runs to its end
//! on a worker thread, so that a cancelled caller leaves nothing half-made.

mod agent;
mod doomed;
mod host;
mod host_ipv6;
mod ipv6;
mod local;
mod router;
mod sweep;
mod task;
mod vpc;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ipnet::{Ipv4Net, Ipv6Net};
use roadstead_acs::network::VpcMap;
use serde::{Deserialize, Serialize};

pub use agent::{AGENT_ADDRESS, AGENT_LINK, LINK_SUBNET};
pub(crate) use doomed::DOOMED;
pub use host::HostAttachError;
pub use local::{BridgeNet, Bridged};
pub use sweep::{Keep, Reaped};
pub use task::{Connected, TASK_ENI, TASK_LINK, TaskNet};

use crate::firewall::Transaction;
use crate::names::{InstanceId, InterfaceId, MacAddr, VpcId};
use crate::netlink::{NO_IPV6, ipv6_is_there};
use crate::netns::Netns;
use crate::state::Records;
use crate::{Error, Result};
use agent::Agent;
use doomed::Undertaker;
use vpc::Vpc;

/// How to open a node's network.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stands in every name this instance makes.
    pub instance: InstanceId,
    /// A directory of this crate's own.
    pub state_dir: PathBuf,
    /// The namespace that plays the node: where interfaces show up and the host attachment ends. Absent:
    /// the one that [`Network::open`] is called in.
    pub node_namespace: Option<PathBuf>,
    /// An attached interface is a device in the node's namespace until a task gets it, and again afterwards, as
    /// plugins of other programs want it. Otherwise it is made in the task's namespace straight away, which
    /// spares the kernel a move of some 20 ms.
    pub on_node: bool,
    /// A binary whose `main` calls [`crate::forward_main_if_asked`], for published ports. Absent: this one.
    pub helper: Option<PathBuf>,
}

/// An elastic network interface as the control plane describes it to the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eni {
    pub interface_id: InterfaceId,
    pub vpc_id: VpcId,
    pub mac: MacAddr,
    /// The primary address first.
    pub ips: Vec<Ipv4Addr>,
    /// Prefix length of the subnet.
    pub prefix: u8,
    /// The subnet's gateway, base plus one.
    pub gateway: Ipv4Addr,
    /// Absent in a subnet without an IPv6 block, and in records of releases that knew none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<EniIpv6>,
}

/// IPv6 of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EniIpv6 {
    /// At least one.
    pub addresses: Vec<Ipv6Addr>,
    /// Prefix length of the subnet's block.
    pub prefix: u8,
    /// The subnet's gateway, base plus one.
    pub gateway: Ipv6Addr,
}

impl EniIpv6 {
    pub(crate) fn nets(&self) -> Vec<Ipv6Net> {
        let nets = self.addresses.iter().map(|ip| Ipv6Net::new(*ip, self.prefix));
        nets.flatten().collect()
    }

    fn check(&self, interface: &InterfaceId) -> Result<()> {
        if !ipv6_is_there() {
            return Err(Error::Invalid(format!(
                "{interface} has IPv6 addresses, but {NO_IPV6}"
            )));
        }
        let block = Ipv6Net::new(self.gateway, self.prefix).ok();
        let block = block.filter(|_| self.prefix <= 124).ok_or_else(|| {
            Error::Invalid(format!("{interface}: prefix {} is no IPv6 block's", self.prefix))
        })?;
        let inside = |ip: &Ipv6Addr| block.contains(ip) && *ip != self.gateway;
        match self.addresses.iter().find(|ip| !inside(ip)) {
            Some(ip) => Err(Error::Invalid(format!(
                "{interface}: {ip} is not an address of {}",
                block.trunc()
            ))),
            None => Ok(()),
        }
    }
}

impl Eni {
    fn check(&self) -> Result<()> {
        let subnet = Ipv4Net::new(self.gateway, self.prefix)
            .ok()
            .filter(|_| self.prefix <= 30)
            .ok_or_else(|| {
                Error::Invalid(format!(
                    "{}: prefix {} is no subnet's",
                    self.interface_id, self.prefix
                ))
            })?;
        if self.ips.is_empty() {
            return Err(Error::Invalid(format!("{} has no address", self.interface_id)));
        }
        let outside = self
            .ips
            .iter()
            .find(|ip| !subnet.contains(*ip) || **ip == self.gateway);
        match outside {
            Some(ip) => Err(Error::Invalid(format!(
                "{}: {ip} is not an address of {}",
                self.interface_id,
                subnet.trunc()
            ))),
            None => self
                .ipv6
                .iter()
                .try_for_each(|ipv6| ipv6.check(&self.interface_id)),
        }
    }
}

/// What applying a map did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The generation now in force.
    pub generation: u64,
    /// How much of the firewall changed; none too while no interface of the VPC is on this node.
    pub transaction: Transaction,
    /// Whether this node routes for the VPC.
    pub routed: bool,
}

/// A node's network. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    instance: InstanceId,
    state_dir: PathBuf,
    node: Netns,
    enis: Records,
    vpc_records: Records,
    runtime: tokio::runtime::Handle,
    vpcs: Mutex<BTreeMap<VpcId, Arc<Mutex<Vpc>>>>,
    /// None once torn down.
    agent: Mutex<Option<Agent>>,
    local: Mutex<local::Local>,
    undertaker: Undertaker,
    /// As [`Options`] has them.
    on_node: bool,
    node_path: Option<PathBuf>,
    helper: Option<PathBuf>,
    /// For what outlives a call.
    me: Weak<Inner>,
}

/// A panic in another thread leaves the kernel as it is; the next call looks at it anew.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network {
    /// Opens the network of this instance: makes the agent's namespace with its bridge, or finds what an
    /// earlier process left, drops what no record explains, and serves the resolvers again.
    ///
    /// # Errors
    /// The kernel's refusals (root is needed), an unusable state directory.
    pub async fn open(options: Options) -> Result<Self> {
        let node = match &options.node_namespace {
            Some(path) => Netns::at(path)?,
            None => Netns::current()?,
        };
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let Options {
                instance,
                state_dir,
                node_namespace: node_path,
                helper,
                on_node,
            } = options;
            let enis = Records::open(state_dir.join("interfaces"))?;
            let vpc_records = Records::open(state_dir.join("vpcs"))?;
            let agent = Agent::ensure(&instance, &state_dir)?;
            let (vpcs, agent) = (Mutex::default(), Mutex::new(Some(agent)));
            let undertaker = Undertaker::start()?;
            let local = Mutex::new(local::Local::open(&state_dir)?);
            let inner = Arc::new_cyclic(|me: &Weak<Inner>| Inner {
                instance,
                state_dir,
                node,
                enis,
                vpc_records,
                runtime,
                vpcs,
                agent,
                local,
                undertaker,
                on_node,
                node_path,
                helper,
                me: Weak::clone(me),
            });
            inner.find_again()?;
            Ok(Self { inner })
        };
        blocking("opening the network", work).await
    }

    /// Makes the node agree with `map`: groups, rules, members, gateways, names. The firewall changes in
    /// one transaction. The same generation again repairs what differs.
    ///
    /// # Errors
    /// [`Error::Stale`] for an older generation than the one in force; then nothing has changed, nor for
    /// any other error.
    pub async fn apply(&self, map: &VpcMap) -> Result<Applied> {
        let map = map.clone();
        self.run("applying a map", move |inner| {
            let id = VpcId::parse(&map.vpc_id)?;
            let vpc = inner.vpc(&id);
            lock(&vpc).apply(inner, map)
        })
        .await
    }

    /// The interface is this node's from now on: the router of its VPC is there, and with [`Options::on_node`] a
    /// device with its MAC in the node's namespace, down, whose other end is in the router. Repeating it is
    /// fine; a changed description replaces it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a description that contradicts itself; the kernel's refusals, after which
    /// nothing of it is left.
    pub async fn attach(&self, eni: &Eni) -> Result<()> {
        let eni = eni.clone();
        self.run("attaching an interface", move |inner| {
            eni.check()?;
            if let Some(other) = inner
                .vpc_of(&eni.interface_id)
                .filter(|other| *other != eni.vpc_id)
            {
                let msg = format!(
                    "{} is attached in {other}; detach it there first",
                    eni.interface_id
                );
                return Err(Error::Invalid(msg));
            }
            let vpc = inner.vpc(&eni.vpc_id);
            lock(&vpc).attach(inner, eni)
        })
        .await
    }

    /// Removes the interface from the node, wherever its device is, and the router with the last of its
    /// VPC. An interface that is not here is none.
    ///
    /// # Errors
    /// The kernel's refusals.
    pub async fn detach(&self, interface: &InterfaceId) -> Result<()> {
        let interface = interface.clone();
        self.run("detaching an interface", move |inner| inner.detach(&interface))
            .await
    }

    /// Interfaces attached here.
    pub async fn attached(&self) -> Result<Vec<Eni>> {
        self.run("listing interfaces", |inner| {
            let vpcs: Vec<_> = lock(&inner.vpcs).values().cloned().collect();
            Ok(vpcs.iter().flat_map(|vpc| lock(vpc).enis()).collect())
        })
        .await
    }

    /// Connects a task: `ecs-eni`, then `ecs-bridge` with `ecs-ipam`, in this process. Repeating it is fine.
    ///
    /// # Errors
    /// [`Error::Cni`] with the step that failed; what earlier steps did is undone.
    pub async fn connect(&self, task: &TaskNet) -> Result<Connected> {
        let task = task.clone();
        self.run("connecting a task", move |inner| inner.connect(&task))
            .await
    }

    /// Disconnects a task: the chain's DEL in reverse. Twice is fine, and so is a namespace that is gone.
    ///
    /// # Errors
    /// [`Error::Cni`] with the first step that failed; the others have been done.
    pub async fn disconnect(&self, task: &TaskNet) -> Result<()> {
        let task = task.clone();
        self.run("disconnecting a task", move |inner| inner.disconnect(&task))
            .await
    }

    /// Connects a container to the node's bridge network: `eth0` with an address and a default route, the private
    /// link to the agent, and its published ports on the host's addresses. Repeating it is fine; another
    /// namespace or other ports replace what was. The ports are served while the container is connected, also
    /// when this process is not there.
    ///
    /// # Errors
    /// [`Error::PortTaken`]; [`Error::Invalid`] for ports that can never be; the kernel's refusals. Nothing of
    /// it is left then.
    pub async fn connect_bridge(&self, net: &BridgeNet) -> Result<Bridged> {
        let net = net.clone();
        self.run("connecting a container", move |inner| inner.connect_bridge(&net))
            .await
    }

    /// Disconnects a container: its ports are free afterwards. Twice is fine, and so is a namespace that is
    /// gone.
    ///
    /// # Errors
    /// The kernel's refusals.
    pub async fn disconnect_bridge(&self, container: &str) -> Result<()> {
        let container = container.to_owned();
        self.run("disconnecting a container", move |inner| {
            inner.disconnect_bridge(&container)
        })
        .await
    }

    /// Waits until the kernel has deleted every device that was cut off before. Nothing needs it but who looks
    /// for devices.
    ///
    /// # Errors
    /// None of its own.
    pub async fn settled(&self) -> Result<()> {
        self.run("deleting devices", |inner| {
            inner.undertaker.finish();
            Ok(())
        })
        .await
    }

    /// Makes a namespace for a task, named after it, with its loopback up, or finds it. The path is good
    /// for [`TaskNet::netns`] and for a container that joins by path.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `task` is not a container id; the kernel's refusals.
    pub async fn make_task_namespace(&self, task: &str) -> Result<PathBuf> {
        let task = task.to_owned();
        self.run("making a task's namespace", move |inner| {
            inner.make_task_namespace(&task)
        })
        .await
    }

    /// Removes the file of a task's namespace; the namespace ends with its last process.
    ///
    /// # Errors
    /// As [`Network::make_task_namespace`].
    pub async fn remove_task_namespace(&self, task: &str) -> Result<()> {
        let task = task.to_owned();
        self.run("removing a task's namespace", move |inner| {
            inner.remove_task_namespace(&task)
        })
        .await
    }

    /// A listening socket inside the agent's namespace, non-blocking, ready for
    /// `tokio::net::TcpListener::from_std`. Tasks reach [`AGENT_ADDRESS`] alone.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the address is in use or not there.
    pub async fn listen_in_agent_ns(&self, address: SocketAddr) -> Result<std::net::TcpListener> {
        self.run("listening in the agent's namespace", move |inner| {
            lock(&inner.agent).as_ref().ok_or_else(torn_down)?.listen(address)
        })
        .await
    }

    /// Lets the host reach a VPC: a veth and one route for `cidr` in the node's namespace. The VPC can
    /// answer, but not begin. Repeating it is fine.
    ///
    /// # Errors
    /// [`HostAttachError::Refused`] when `cidr` overlaps a route (but for the default), an address or a
    /// resolver of the host, another attachment included; then nothing has changed.
    pub async fn attach_host(&self, vpc: &VpcId, cidr: Ipv4Net) -> Result<(), HostAttachError> {
        let vpc_id = vpc.clone();
        self.run("attaching the host", move |inner| {
            let vpc = inner.vpc(&vpc_id);
            let outcome = lock(&vpc).attach_host(inner, cidr);
            Ok(outcome)
        })
        .await?
    }

    /// Takes the host's way to a VPC away. Absence is fine.
    ///
    /// # Errors
    /// The kernel's refusals.
    pub async fn detach_host(&self, vpc: &VpcId) -> Result<()> {
        let vpc = vpc.clone();
        self.run("detaching the host", move |inner| {
            let vpc = inner.vpc(&vpc);
            lock(&vpc).detach_host(inner)
        })
        .await
    }

    /// Removes interfaces, links, leases and task namespaces of this instance that `keep` does not name:
    /// what a crash left, or what the control plane no longer knows.
    ///
    /// # Errors
    /// The first failure; the rest has been tried.
    pub async fn reap(&self, keep: Keep) -> Result<Reaped> {
        self.run("reaping", move |inner| inner.reap(&keep)).await
    }

    /// Removes every trace of this instance: devices, namespaces, routes, records. Afterwards this handle
    /// refuses all work.
    ///
    /// # Errors
    /// The first failure; the rest has been tried, and calling again tries anew.
    pub async fn teardown(&self) -> Result<()> {
        self.run("tearing the network down", Inner::teardown).await
    }

    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        blocking(what, move || work(&inner)).await
    }
}

impl Inner {
    /// The VPC's state, made empty at first mention.
    fn vpc(&self, id: &VpcId) -> Arc<Mutex<Vpc>> {
        let mut vpcs = lock(&self.vpcs);
        Arc::clone(
            vpcs.entry(id.clone())
                .or_insert_with(|| Arc::new(Mutex::new(Vpc::new(id.clone())))),
        )
    }

    fn vpc_of(&self, interface: &InterfaceId) -> Option<VpcId> {
        let vpcs: Vec<_> = lock(&self.vpcs)
            .iter()
            .map(|(id, vpc)| (id.clone(), Arc::clone(vpc)))
            .collect();
        vpcs.into_iter()
            .find(|(_, vpc)| lock(vpc).has(interface))
            .map(|(id, _)| id)
    }

    fn detach(&self, interface: &InterfaceId) -> Result<()> {
        match self.vpc_of(interface) {
            Some(id) => {
                let vpc = self.vpc(&id);
                lock(&vpc).detach(self, interface)
            }
            None => self.enis.remove(interface.as_str()),
        }
    }
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Interrupted(what)))
}

fn torn_down() -> Error {
    Error::Invalid("the network was torn down; open it again".into())
}
