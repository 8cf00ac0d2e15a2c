//! What the engine needs of a node, and nothing else: whoever implements this makes the effects of the state
//! machine true. The real node and the simulated one are told the same things in the same order.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use roadstead_acs::ElasticNetworkInterface;
use roadstead_acs::network::VpcMap;
use roadstead_base::Timestamp;
use roadstead_runtime::{LogPlace, LogRead};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::engine::event::{Exit, Signal};
use crate::engine::health::{Checked, HealthCheck};
use crate::engine::recover::Found;
use crate::engine::spec::{Container, Task};
use crate::engine::state::{Connection, ImageFacts, Namespace};

/// Why an effect could not be brought about, in words for the person who reads the task's reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// What belongs to a task or an attachment; everything else of this instance is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Runtime ids of containers, pause containers included.
    pub containers: BTreeSet<String>,
    /// `eni-…`
    pub interfaces: BTreeSet<String>,
    /// Ids of tasks whose files and volumes stay.
    pub tasks: BTreeSet<String>,
    /// Pause containers, and containers on the bridge, whose network is, or may be, up.
    pub networks: BTreeSet<String>,
}

/// What a container uses, and was given so far; what the machine does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    pub group: roadstead_runtime::Stats,
    /// By the interface's name in the container; none in the host's own network.
    pub networks: BTreeMap<String, roadstead_runtime::InterfaceStats>,
}

/// A container that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub at: Timestamp,
    /// In network mode bridge.
    pub connection: Option<Connection>,
}

/// A container's log as whoever sends it on reads it.
#[async_trait]
pub trait LogSource: Send {
    /// The place of the next record.
    fn place(&self) -> LogPlace;

    /// What is there next; does not wait for it.
    async fn next(&mut self) -> Result<LogRead>;

    /// Everything before `place` has been sent.
    async fn sent(&mut self, place: LogPlace) -> Result<()>;
}

/// A node. Every call may be repeated: a new agent repeats what it does not know to be done.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// Makes the image of a container be there. Dropping the call gives it up.
    async fn pull(&self, task: &Task, container: &Container) -> Result<ImageFacts>;

    /// Makes what the task's files need before anything else of it is made: its disk, and volumes that outlive it.
    /// A failure is the task's reason, complete.
    async fn prepare(&self, task: &Task) -> Result<()>;

    /// Makes the task's network: the pause container, whose namespace is sent through `early` as soon as
    /// containers can be created in it, then interface, routes and the link to the agent. What an earlier
    /// try left is removed first. `cancel` ends a wait for something that has not come yet.
    async fn network_up(
        &self,
        task: &Task,
        early: oneshot::Sender<Namespace>,
        cancel: CancellationToken,
    ) -> Result<Namespace>;

    /// Takes it down in reverse, the pause container last, then the interface. Absence is fine.
    async fn network_down(&self, task: &Task) -> Result<()>;

    /// Returns when the pause container of a network that is up has ended; never without one.
    async fn pause_ended(&self, task: &Task);

    /// Makes the container without running anything of it. One that is there already is replaced. `peers` are the
    /// task's containers that are on the bridge already, by name.
    async fn create(
        &self,
        task: &Task,
        container: &Container,
        namespace: &Namespace,
        peers: &BTreeMap<String, Connection>,
    ) -> Result<Made>;

    /// Makes a container that has run ready to be started again, as it was made: what it wrote stays, its log goes on.
    async fn renew(&self, task: &Task, container: &Container) -> Result<Made>;

    async fn start(&self, container: &Container) -> Result<Timestamp>;

    /// Runs its health check in a container; a failure to do so is one of the check.
    async fn check(&self, container: &Container, check: &HealthCheck) -> Result<Checked>;

    /// What a container that was made has printed and nobody has sent on yet.
    async fn log(&self, container: &Container) -> Result<Box<dyn LogSource>>;

    /// Waits for the container's end.
    async fn wait(&self, container: &Container) -> Exit;

    async fn signal(&self, container: &Container, signal: &Signal) -> Result<()>;

    /// The container runs no more and will not again: gives back what it holds, but for its log.
    async fn delete(&self, task: &Task, container: &Container) -> Result<()>;

    /// Removes the task's volumes, files and limits.
    async fn finish(&self, task: &Task) -> Result<()>;

    /// Removes the last traces: the logs.
    async fn forget(&self, task: &Task) -> Result<()>;

    /// Every container of this instance by runtime id, pause containers included.
    async fn list(&self) -> Result<BTreeMap<String, Found>>;

    /// The place on the bridge of a container that is there, for a new agent that does not know it.
    async fn connection(&self, task: &Task, container: &Container) -> Result<Option<Connection>>;

    /// Makes an interface show up on the node, as soon as a map has it. Dropping the call gives the wait up.
    async fn attach(&self, interface: &ElasticNetworkInterface) -> Result<()>;

    /// `eni-…`; absence is fine.
    async fn detach(&self, interface_id: &str) -> Result<()>;

    /// Ids of the interfaces on the node.
    async fn attached(&self) -> Result<BTreeSet<String>>;

    /// Makes the node's networks agree with the maps.
    async fn apply(&self, maps: &[VpcMap]) -> Result<()>;

    /// Removes what `keep` does not name. Called once, before anything else is done.
    async fn sweep(&self, keep: &Keep) -> Result<()>;

    /// Removes every trace of this instance from the machine.
    async fn remove_all(&self) -> Result<()>;

    async fn stats(&self, task: &Task, container: &Container) -> Result<Stats>;

    /// Network modes that tasks can have here, for the node's attributes.
    fn network_modes(&self) -> &'static [crate::engine::spec::NetworkMode];
}
