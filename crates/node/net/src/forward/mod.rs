//! A container on the node's bridge network is reached from outside through ports of the host. No rule in the
//! host's firewall may do that, and a container outlives the daemon; so each container with published ports
//! has a process of its own that listens on the host's addresses and carries bytes and datagrams into the
//! bridge network. It is the daemon's own binary started anew: one thread, a session of its own, outside the
//! daemon's control groups. The daemon starts it again if it ends before its container.

mod bind;
mod child;
mod process;
mod serve;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use child::forward_main_if_asked;
pub(crate) use process::{Process, Starting};

/// How the daemon's binary is called when it is to forward; the container's name follows.
const NAME: &str = "rs-forward";
/// Bytes of the one line that says what to forward, and of the one that answers.
const LINE: u64 = 1 << 20;

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    Udp,
}

/// A port of a container, or a run of consecutive ones, that is to be reached from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishPort {
    pub container_port: u16,
    /// How many consecutive ports; 1 for a single one. They get as many consecutive ports of the host.
    pub count: u16,
    /// Absent: one that is free, from the kernel's range for that (`net.ipv4.ip_local_port_range`).
    pub host_port: Option<u16>,
    pub transport: Transport,
}

/// A port that is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    pub container_port: u16,
    pub count: u16,
    pub host_port: u16,
    pub transport: Transport,
    /// Where the host listens: `0.0.0.0`, and `::` where the kernel has IPv6.
    pub addresses: Vec<IpAddr>,
}

/// What a forwarder is told on standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The namespace whose addresses it listens on; absent: the one it is started in.
    pub(crate) outside: Option<PathBuf>,
    /// The namespace from which it reaches the container.
    pub(crate) inside: PathBuf,
    /// The container's address.
    pub(crate) to: IpAddr,
    pub(crate) ports: Vec<PublishPort>,
}

/// What it answers once it listens, or why it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Report {
    Published(Vec<PublishedPort>),
    Taken(SocketAddr, Transport),
    Failed(String),
}
