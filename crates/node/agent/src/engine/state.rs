//! Where a task stands. What must survive the agent is serialised; what an agent does at the moment is not,
//! since a new agent does not do it.

use std::collections::{BTreeMap, VecDeque};

use roadstead_base::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::Health;

/// How far a container, or a whole task, has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    #[default]
    None,
    Pulled,
    Created,
    Running,
    Stopped,
}

impl Status {
    /// As the API and the metadata documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Pulled => "PULLED",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }

    /// What the control plane is told: it knows no status between PENDING and RUNNING.
    pub fn upstream(self) -> &'static str {
        match self {
            Self::None | Self::Pulled | Self::Created => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A task's whole state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskState {
    /// The node has set resources aside for it.
    pub admitted: bool,
    /// It is to stop.
    pub stop: Option<Stop>,
    pub network: Network,
    pub containers: BTreeMap<String, ContainerState>,
    pub pull_started_at: Option<Timestamp>,
    pub pull_stopped_at: Option<Timestamp>,
    /// When the first essential container ended.
    pub execution_stopped_at: Option<Timestamp>,
    /// The status that was last put into the outbox.
    pub told: Status,
    /// All is stopped, torn down and released; what is left is to tell the control plane.
    pub finished_at: Option<Timestamp>,
    /// What the control plane does not know yet, oldest first.
    pub outbox: VecDeque<Change>,
    pub next_change: u64,
    #[serde(skip)]
    pub network_doing: Option<NetworkDoing>,
    #[serde(skip)]
    pub finishing: bool,
    /// The change that is on its way: it must not grow any more.
    #[serde(skip)]
    pub in_flight: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub at: Timestamp,
    /// Told as the task's reason; the control plane has words of its own for the ordinary cases.
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    #[default]
    Absent,
    /// Being made, or half made by an agent that died.
    Begun,
    /// The namespace is there, so containers can be created in it; none may start yet.
    Namespace(Namespace),
    /// Complete: addresses, routes, firewall.
    Up(Namespace),
    Down,
}

impl Network {
    pub fn namespace(&self) -> Option<&Namespace> {
        match self {
            Self::Namespace(namespace) | Self::Up(namespace) => Some(namespace),
            Self::Absent | Self::Begun | Self::Down => None,
        }
    }
}

/// What containers join, and how the task is known on the link-local side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// A path to join; empty for the host's own network.
    pub path: String,
    /// First process of the pause container; 0 without one.
    pub pause_pid: i32,
    /// The task's address on the link to the agent's namespace: who asks for metadata from there is this task.
    pub local_address: Option<std::net::Ipv4Addr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkDoing {
    Up,
    /// Being set up while it is no longer wanted.
    Cancelled,
    Down,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    pub known: Status,
    pub image: Option<ImageFacts>,
    pub created_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    pub stopping: Option<Stopping>,
    /// What of it was put into the outbox: None, Running or Stopped.
    pub told: Status,
    /// Which image it is was told by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub told_image: bool,
    /// The runtime may hold something of it, which has to be deleted.
    pub exists: bool,
    /// Its place on the node's bridge; none in other network modes.
    pub connection: Option<Connection>,
    pub health: Health,
    /// How often its policy has had it run again.
    pub restarts: u32,
    /// When it was decided the last time. Until it runs, how the run before ended stands in `exit_code`, `reason` and
    /// `finished_at`.
    pub last_restart_at: Option<Timestamp>,
    #[serde(skip)]
    pub doing: Option<Doing>,
    /// Its health is being checked.
    #[serde(skip)]
    pub checking: bool,
    /// The check is one of a run that has ended.
    #[serde(skip)]
    pub check_is_old: bool,
}

/// A container's place on the node's bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    pub address: std::net::Ipv4Addr,
    /// `a.b.c.d/len`
    pub subnet: String,
    pub gateway: std::net::Ipv4Addr,
    pub mac: String,
    /// Its address on the link to the agent's namespace: who asks for metadata from there is this container.
    pub local_address: Option<std::net::Ipv4Addr>,
    /// Ports of the node that lead to it.
    pub bindings: Vec<Binding>,
}

/// What the engine and the metadata need to know of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageFacts {
    /// Digest of the image's configuration: `sha256:…`.
    pub id: String,
    /// Digest of the manifest, if the image came from a registry.
    pub digest: Option<String>,
    /// A name or number, if the image says.
    pub stop_signal: Option<String>,
    /// What a log driver tells of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<ImageTold>,
}

/// What goes with the lines of a container, as far as its image has a say in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageTold {
    /// The program that the container runs, and its arguments.
    pub command: Vec<String>,
    /// `NAME=value`.
    pub environment: Vec<String>,
    pub labels: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopping {
    pub kill_at: Timestamp,
    /// SIGKILL has been sent.
    pub killed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Pull,
    Create,
    Start,
    Delete,
}

/// One message to the control plane about a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    pub number: u64,
    /// The task's status at the time.
    pub status: Status,
    pub reason: Option<String>,
    pub containers: Vec<ContainerChange>,
    pub pull_started_at: Option<Timestamp>,
    pub pull_stopped_at: Option<Timestamp>,
    pub execution_stopped_at: Option<Timestamp>,
    /// Not before this time unless something more urgent joins it.
    pub not_before: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerChange {
    pub name: String,
    /// Absent when nothing was ever created.
    pub runtime_id: Option<String>,
    pub status: Status,
    pub exit_code: Option<i32>,
    pub reason: Option<String>,
    pub image_digest: Option<String>,
    pub bindings: Vec<Binding>,
}

/// A port of the node, or a range of them, that leads to as many of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    pub container_port: u16,
    pub host_port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// How many consecutive ports; 1 unless it is a range.
    #[serde(default = "one")]
    pub count: u16,
}

fn one() -> u16 {
    1
}

impl Binding {
    /// The container's ports and the node's as `first-last`, if it is a range.
    pub fn ranges(&self) -> Option<(String, String)> {
        let range = |first: u16| format!("{first}-{}", first.saturating_add(self.count - 1));
        (self.count > 1).then(|| (range(self.container_port), range(self.host_port)))
    }
}
