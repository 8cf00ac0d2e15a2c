//! A task is addressable like a machine only if its packets really pass a router and a firewall that
//! belong to its VPC and to no one else. This crate builds that on one node: a namespace per VPC that
//! routes and filters, a veth per interface, the CNI chain that hands it to the task, and the agent's own
//! namespace with the private link to every task. It decides nothing about who may talk to whom: that
//! comes as a map ([`roadstead_acs::network::VpcMap`]), and the kernel is made to agree with it.
//!
//! Nothing here touches the host's own addresses, routes or firewall, but for the one route of an explicit
//! host attachment. All that is made carries the instance id and survives the process; [`Network::open`]
//! finds it again.

pub mod cni;
mod error;
mod firewall;
mod forward;
mod names;
mod netlink;
pub mod netns;
mod network;
mod resolver;
mod state;
mod task_files;

pub use cni::cni_main_if_asked;
pub use error::{Error, Result};
pub use firewall::Transaction;
pub use forward::{PublishPort, PublishedPort, Transport, forward_main_if_asked};
pub use names::{GroupId, InstanceId, InterfaceId, MacAddr, VpcId};
pub use netlink::ipv6_is_there;
pub use network::{
    AGENT_ADDRESS, AGENT_LINK, Applied, BridgeNet, Bridged, Connected, Eni, EniIpv6, HostAttachError, Keep,
    LINK_SUBNET, Network, Options, Reaped, TASK_ENI, TASK_LINK, TaskNet,
};
pub use task_files::{
    ExtraHost, LINK_LOCAL_RESOLVER, TaskFiles, TaskNames, hosts_and_resolv, internal_domain, internal_host,
    subnet_gateway, vpc_resolver,
};
