//! A task's interface and links, through the node's network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use roadstead_acs::ElasticNetworkInterface;
use roadstead_acs::network::VpcMap;
use roadstead_net::{
    BridgeNet, Eni, EniIpv6, InterfaceId, Keep, MacAddr, Network, PublishPort, PublishedPort, TaskNet,
    Transport, VpcId,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::failed;
use crate::driver::{Failure, Result};
use crate::engine::spec::{Container, Port, Task};
use crate::engine::state::{Binding, Connection};

/// Stands for the VPC of an interface that no map and no record has any more, when only its name is needed.
const NOWHERE: &str = "vpc-unknown";

pub(super) struct Links {
    network: Network,
    maps: watch::Sender<Vec<VpcMap>>,
}

impl Links {
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            maps: watch::channel(Vec::new()).0,
        }
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// All maps are tried; the first that fails is the answer.
    pub(super) async fn apply(&self, maps: &[VpcMap]) -> Result<()> {
        let mut outcome = Ok(());
        let mut applied = Vec::new();
        for map in maps {
            match self.network.apply(map).await {
                Ok(_) => applied.push(map.clone()),
                Err(error) => {
                    let error = Failure(format!("{}: {}", map.vpc_id, super::words(&error)));
                    outcome = outcome.and(Err(error));
                }
            }
        }
        self.maps.send_replace(applied);
        outcome
    }

    /// Waits for a map with the interface and makes it show up.
    pub(super) async fn attach(&self, interface: &ElasticNetworkInterface) -> Result<Eni> {
        let wanted = &interface.ec2_id;
        let mut maps = self.maps.subscribe();
        let here = maps.wait_for(|maps| vpc_of(maps, wanted).is_some()).await;
        let vpc = here.ok().and_then(|maps| vpc_of(&maps, wanted));
        let vpc = vpc.ok_or_else(|| Failure::new("the node is shutting down"))?;
        let eni = eni(interface, &vpc)?;
        self.network.attach(&eni).await.map_err(failed)?;
        Ok(eni)
    }

    /// As [`Links::attach`], until `cancel`.
    pub(super) async fn attach_unless(
        &self,
        interface: &ElasticNetworkInterface,
        cancel: &CancellationToken,
    ) -> Result<Eni> {
        tokio::select! {
            outcome = self.attach(interface) => outcome,
            () = cancel.cancelled() => {
                Err(Failure(format!("no network map with the interface {} came in time", interface.ec2_id)))
            }
        }
    }

    /// Interface and link go into the namespace of the pause container; answers the task's address on the link.
    pub(super) async fn connect(&self, task: &Task, netns: &Path, eni: Eni) -> Result<std::net::Ipv4Addr> {
        let net = task_net(task, netns.to_owned(), eni);
        let connected = self.network.connect(&net).await.map_err(failed)?;
        Ok(connected.bridge_address)
    }

    /// Takes both out again, whatever of them is there. `netns` may be gone.
    pub(super) async fn disconnect(&self, task: &Task, netns: PathBuf) -> Result<()> {
        for interface in &task.interfaces {
            let attached = self.network.attached().await.map_err(failed)?;
            let known = attached
                .into_iter()
                .find(|eni| eni.interface_id.as_str() == interface.ec2_id);
            let eni = match known {
                Some(eni) => eni,
                None => {
                    let vpc = vpc_of(&self.maps.borrow(), &interface.ec2_id);
                    eni(interface, vpc.as_deref().unwrap_or(NOWHERE))?
                }
            };
            self.network
                .disconnect(&task_net(task, netns.clone(), eni))
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Puts a container on the node's bridge network and publishes its ports. Repeating it is fine.
    pub(super) async fn bridge(&self, container: &Container, netns: PathBuf) -> Result<Connection> {
        let port = |port: &Port| PublishPort {
            container_port: port.first,
            count: port.last - port.first + 1,
            host_port: (port.host != 0).then_some(port.host),
            transport: if port.udp { Transport::Udp } else { Transport::Tcp },
        };
        let net = BridgeNet {
            container: container.runtime_id.clone(),
            netns,
            ports: container.ports.iter().map(port).collect(),
        };
        let bridged = self.network.connect_bridge(&net).await.map_err(failed)?;
        let binding = |port: &PublishedPort| Binding {
            container_port: port.container_port,
            host_port: port.host_port,
            protocol: match port.transport {
                Transport::Tcp => "tcp".to_owned(),
                Transport::Udp => "udp".to_owned(),
            },
            count: port.count,
        };
        Ok(Connection {
            address: bridged.ip,
            subnet: bridged.subnet.to_string(),
            gateway: bridged.gateway,
            mac: bridged.mac.to_string(),
            local_address: Some(bridged.bridge_address),
            bindings: bridged.ports.iter().map(binding).collect(),
        })
    }

    /// Its ports are free afterwards. Absence is fine.
    pub(super) async fn unbridge(&self, container: &Container) -> Result<()> {
        self.network
            .disconnect_bridge(&container.runtime_id)
            .await
            .map_err(failed)
    }

    pub(super) async fn detach(&self, interface: &str) -> Result<()> {
        let id = InterfaceId::parse(interface).map_err(failed)?;
        self.network.detach(&id).await.map_err(failed)
    }

    pub(super) async fn attached(&self) -> Result<BTreeSet<String>> {
        let attached = self.network.attached().await.map_err(failed)?;
        Ok(attached
            .into_iter()
            .map(|eni| eni.interface_id.to_string())
            .collect())
    }

    pub(super) async fn sweep(&self, keep: &crate::driver::Keep) -> Result<()> {
        let interfaces = keep
            .interfaces
            .iter()
            .filter_map(|id| InterfaceId::parse(id).ok())
            .collect();
        let reaped = self
            .network
            .reap(Keep {
                interfaces,
                tasks: keep.networks.clone(),
            })
            .await
            .map_err(failed)?;
        if reaped != roadstead_net::Reaped::default() {
            tracing::info!(?reaped, "belonged to no task and was removed");
        }
        Ok(())
    }
}

fn task_net(task: &Task, netns: PathBuf, eni: Eni) -> TaskNet {
    TaskNet {
        container: task.pause_id(),
        netns,
        eni,
        block_instance_metadata: true,
        mtu: None,
    }
}

fn vpc_of(maps: &[VpcMap], interface: &str) -> Option<String> {
    let has = |map: &&VpcMap| map.interfaces.iter().any(|known| known.interface_id == interface);
    maps.iter().find(has).map(|map| map.vpc_id.clone())
}

fn eni(interface: &ElasticNetworkInterface, vpc: &str) -> Result<Eni> {
    let unreadable = |what: &str| {
        Failure(format!(
            "the {what} of the interface {} cannot be read",
            interface.ec2_id
        ))
    };
    let (gateway, prefix) = interface
        .subnet_gateway_ipv4_address
        .split_once('/')
        .ok_or_else(|| unreadable("gateway"))?;
    // The primary address first.
    let mut addresses = interface.ipv4_addresses.clone();
    addresses.sort_by_key(|address| !address.primary);
    let ips = addresses
        .iter()
        .map(|address| address.private_address.parse())
        .collect::<Result<Vec<_>, _>>();
    Ok(Eni {
        interface_id: InterfaceId::parse(&interface.ec2_id).map_err(failed)?,
        vpc_id: VpcId::parse(vpc).map_err(failed)?,
        mac: MacAddr::parse(&interface.mac_address).map_err(failed)?,
        ips: ips.map_err(|_| unreadable("address"))?,
        prefix: prefix.parse().map_err(|_| unreadable("prefix length"))?,
        gateway: gateway.parse().map_err(|_| unreadable("gateway"))?,
        ipv6: ipv6(interface).ok_or_else(|| unreadable("IPv6 address or gateway"))?,
    })
}

/// The IPv6 part of an interface, if it has one; none if that cannot be read.
fn ipv6(interface: &ElasticNetworkInterface) -> Option<Option<EniIpv6>> {
    if interface.ipv6_addresses.is_empty() {
        return Some(None);
    }
    let (gateway, prefix) = interface.subnet_gateway_ipv6_address.split_once('/')?;
    let addresses = interface.ipv6_addresses.iter().map(|ip| ip.address.parse());
    Some(Some(EniIpv6 {
        addresses: addresses.collect::<Result<_, _>>().ok()?,
        prefix: prefix.parse().ok()?,
        gateway: gateway.parse().ok()?,
    }))
}
