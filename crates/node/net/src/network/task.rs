//! Connecting a task: the CNI chain in this process, with what is open already.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ipnet::Ipv4Net;

use super::agent::{AGENT_ADDRESS, AGENT_LINK, LINK_SUBNET};
use super::vpc::Vpc;
use super::{Eni, EniIpv6, Inner, lock, torn_down};
use crate::cni::{Attachment, CniResult, Dns, bridge, eni, ipam};
use crate::netlink::Netlink;
use crate::netns::{self, Netns};
use crate::{Error, Result};

/// The interface's name inside the task.
pub const TASK_ENI: &str = "eth0";
/// The private link's name inside the task.
pub const TASK_LINK: &str = "ecs-eth0";

/// A task to connect.
#[derive(Clone, Debug)]
pub struct TaskNet {
    /// Id of the task's pause container (the CNI container id).
    pub container: String,
    /// Its network namespace.
    pub netns: PathBuf,
    /// The interface, attached before.
    pub eni: Eni,
    /// Packets of the task to the instance metadata service vanish.
    pub block_instance_metadata: bool,
    /// Bytes; absent leaves 1500.
    pub mtu: Option<u32>,
}

/// A connected task.
#[derive(Clone, Debug)]
pub struct Connected {
    /// What `ecs-eni` answered.
    pub eni: CniResult,
    /// What `ecs-bridge` answered.
    pub bridge: CniResult,
    /// The task's address on the private link: whoever asks the agent from it is this task.
    pub bridge_address: Ipv4Addr,
}

/// The agent's configuration of `ecs-bridge` for the owner `id` (an interface's MAC).
pub(super) fn bridge_conf(id: &str) -> bridge::Conf {
    let route = ipam::RouteConf {
        dst: Ipv4Net::new_assert(AGENT_ADDRESS, 32),
        gw: None,
    };
    bridge::Conf {
        bridge: AGENT_LINK.into(),
        bridge_netns: None,
        hairpin: false,
        mtu: None,
        ipam: ipam::Conf {
            kind: "ecs-ipam".into(),
            id: id.to_owned(),
            subnet: LINK_SUBNET.parse().unwrap_or_default(),
            address: None,
            gateway: None,
            routes: vec![route],
        },
        dns: Dns::default(),
    }
}

impl Inner {
    fn eni_conf(&self, task: &TaskNet) -> eni::Conf {
        let Eni {
            interface_id,
            mac,
            ips,
            prefix,
            gateway,
            ipv6,
            vpc_id: _,
        } = &task.eni;
        eni::Conf {
            eni: interface_id.to_string(),
            mac: *mac,
            addresses: ips.iter().map(|ip| Ipv4Net::new_assert(*ip, *prefix)).collect(),
            gateway: Some(*gateway),
            ipv6: ipv6.iter().flat_map(EniIpv6::nets).collect(),
            ipv6_gateway: ipv6.as_ref().map(|ipv6| ipv6.gateway),
            block_instance_metadata: task.block_instance_metadata,
            stay_down: false,
            mtu: task.mtu,
            dns: Dns::default(),
            node_name: self.device_of(&task.eni),
        }
    }

    /// The name of the interface's device on the node, which is also its other end's in the router.
    fn device_of(&self, eni: &Eni) -> Option<String> {
        let vpc = lock(&self.vpcs).get(&eni.vpc_id).cloned()?;
        lock(&vpc).device_of(&eni.interface_id)
    }

    pub(super) fn connect(&self, task: &TaskNet) -> Result<Connected> {
        task.eni.check()?;
        let failed = |plugin, command| {
            move |source| Error::Cni {
                plugin,
                command,
                source,
            }
        };
        let attachment = |ifname| Attachment::new(&task.container, ifname);
        let eth0 = attachment(TASK_ENI).map_err(failed("ecs-eni", "ADD"))?;
        let link = attachment(TASK_LINK).map_err(failed("ecs-bridge", "ADD"))?;
        let namespace = Netns::at(&task.netns)?;
        let mut inside = Netlink::open(&namespace)?;
        inside.loopback()?;
        let mut inner = eni::Side {
            namespace: &namespace,
            netlink: &mut inside,
        };
        let conf = self.eni_conf(task);
        let eni = if self.on_node {
            let mut outside = Netlink::open(&self.node)?;
            let mut outer = eni::Side {
                namespace: &self.node,
                netlink: &mut outside,
            };
            let added = eni::add(&mut outer, &mut inner, &task.netns, &eth0, &conf);
            added.map_err(failed("ecs-eni", "ADD"))?
        } else {
            let added = self.plug(task, &mut inner, &eth0, &conf);
            added.map_err(failed("ecs-eni", "ADD"))?
        };
        let bridged = {
            let mut agent = lock(&self.agent);
            let side = &mut agent.as_mut().ok_or_else(torn_down)?.side;
            bridge::add(
                side,
                &mut inner,
                &task.netns,
                &link,
                &bridge_conf(&task.eni.mac.to_string()),
            )
        };
        let bridge = match bridged {
            Ok(result) => result,
            Err(source) => {
                if let Err(second) = self.give_back(task, Some(&namespace)) {
                    tracing::warn!(interface = %task.eni.interface_id, error = %second, "not given back");
                }
                return Err(failed("ecs-bridge", "ADD")(source));
            }
        };
        let address = bridge.ips.first().map(|ip| ip.address.addr());
        match address {
            Some(std::net::IpAddr::V4(bridge_address)) => Ok(Connected {
                eni,
                bridge,
                bridge_address,
            }),
            _ => Err(Error::Invalid(
                "ecs-bridge answered without an IPv4 address".into(),
            )),
        }
    }

    pub(super) fn disconnect(&self, task: &TaskNet) -> Result<()> {
        let failed = |plugin| {
            move |source| Error::Cni {
                plugin,
                command: "DEL",
                source,
            }
        };
        let link = Attachment::new(&task.container, TASK_LINK).map_err(failed("ecs-bridge"))?;
        let namespace = netns::at_if_there(&task.netns)?;
        let unbridged = match lock(&self.agent).as_mut() {
            Some(agent) => agent
                .cut(&self.undertaker, &link, &task.eni.mac.to_string())
                .map_err(failed("ecs-bridge")),
            None => Err(torn_down()),
        };
        let returned = self.give_back(task, namespace.as_ref());
        unbridged.and(returned.map_err(failed("ecs-eni")))
    }

    fn vpc_with(&self, eni: &Eni) -> Option<Arc<Mutex<Vpc>>> {
        lock(&self.vpcs).get(&eni.vpc_id).cloned()
    }

    /// `ecs-eni`'s ADD for an interface that has no device yet.
    fn plug(
        &self,
        task: &TaskNet,
        inside: &mut eni::Side<'_>,
        who: &Attachment,
        conf: &eni::Conf,
    ) -> Result<CniResult, crate::cni::Error> {
        let missing = || {
            let msg = format!("{} is not attached to this node", task.eni.interface_id);
            crate::cni::Error::new(crate::cni::code::NO_DEVICE, msg)
        };
        let vpc = self.vpc_with(&task.eni).ok_or_else(missing)?;
        if !lock(&vpc).has(&task.eni.interface_id) {
            return Err(missing());
        }
        let id = &task.eni.interface_id;
        let link = lock(&vpc).plug(self, id, inside.namespace, inside.netlink)?;
        let configured = eni::configure(inside, &link, conf)
            .and_then(|()| Ok(lock(&vpc).await_carrier(id, inside.netlink)?));
        match configured {
            Ok(()) => Ok(eni::result(&task.netns, who, conf)),
            Err(error) => Err(match lock(&vpc).unplug(self, id) {
                Ok(()) => error,
                Err(second) => error.and_undoing(&second),
            }),
        }
    }

    /// `ecs-eni`'s DEL.
    fn give_back(&self, task: &TaskNet, namespace: Option<&Netns>) -> Result<(), crate::cni::Error> {
        if self.on_node {
            return eni::del(&self.node, namespace, &self.eni_conf(task));
        }
        match self.vpc_with(&task.eni) {
            Some(vpc) => Ok(lock(&vpc).unplug(self, &task.eni.interface_id)?),
            None => Ok(()),
        }
    }

    pub(super) fn make_task_namespace(&self, task: &str) -> Result<PathBuf> {
        let name = self.task_namespace_name(task)?;
        let namespace = match Netns::named(&name)? {
            Some(namespace) => namespace,
            None => Netns::create(&name)?,
        };
        Netlink::open(&namespace)?.loopback()?;
        Ok(netns::path_of(&name))
    }

    pub(super) fn remove_task_namespace(&self, task: &str) -> Result<()> {
        Netns::remove(&self.task_namespace_name(task)?)
    }

    fn task_namespace_name(&self, task: &str) -> Result<String> {
        Attachment::new(task, TASK_ENI).map_err(|e| Error::Invalid(e.to_string()))?;
        Ok(self.instance.task_namespace(task))
    }
}
