//! The container service: what clusters, task definitions, container instances and tasks are, and what becomes
//! of them. It decides and records; interfaces come from the network service through dispatch, containers from
//! the agents at the other end of the agent channel. Nothing it knows lives only in memory.

mod acs;
mod capacity;
mod clusters;
mod compile;
mod definitions;
mod error;
mod handshake;
mod instances;
mod linked;
mod names;
mod paging;
mod permissions;
mod published;
mod reconcile;
mod service;
mod services;
mod settings;
mod stored;
mod tables;
mod tags;
mod tally;
mod tasks;
mod tcs;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_dispatch::{Dispatcher, NetworkMaps};
use roadstead_store::Store;

pub use acs::PATH as ACS_PATH;
pub use capacity::StrategyItem;
pub use clusters::{ClusterRecord, ClusterStatus};
pub use definitions::{Definition, TaskDefinitionRecord};
pub use error::{Error, Result};

pub use names::{
    ClusterName, ContainerInstanceId, Family, ServiceName, TaskDefinitionId, TaskDefinitionRef, TaskId,
};
pub use permissions::EcsPermissions;
pub use reconcile::Running;
pub use tags::Tags;
pub use tasks::demand;
pub use tcs::PATH as TCS_PATH;
pub use usage::PATH as USAGE_PATH;

/// What the platform calls itself when this service calls another.
pub const PRINCIPAL: &str = "ecs.amazonaws.com";

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Milliseconds for which a stopped task can still be described.
    pub keep_stopped_millis: i64,
    /// Between heartbeats on the agents' channel. Agents give up after 60 s of silence.
    pub heartbeat: Duration,
    /// An order that an agent has not acknowledged is given again after this.
    pub resend: Duration,
    /// For so long the tasks of a deployment wait for an agent to say what the first one's images are.
    pub first_patience: Duration,
    /// Milliseconds for which a task without a health check must have run before its service counts it as healthy.
    pub settle_millis: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            keep_stopped_millis: 3_600_000,
            heartbeat: Duration::from_secs(25),
            resend: Duration::from_secs(10),
            first_patience: Duration::from_secs(600),
            settle_millis: 40_000,
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: SharedClock,
    /// The way to the network service, and where the agents' channel is mounted.
    pub dispatcher: Arc<Dispatcher>,
    /// What each node is to see of the networks.
    pub maps: Arc<dyn NetworkMaps>,
    pub options: Options,
}

/// The service. Cheap to make again over the same store: that is what a restart is.
pub struct Ecs {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) ec2: roadstead_api_ec2::Client,
    pub(crate) maps: Arc<dyn NetworkMaps>,
    pub(crate) options: Options,
    /// Who is connected now.
    pub(crate) agents: acs::Sessions,
    /// What they said last of tasks and machines.
    pub(crate) telemetry: tcs::Telemetry,
    pub(crate) present: reconcile::Present,
    /// Held while it is decided which task of a deployment says what its images are.
    pub(crate) first: tokio::sync::Mutex<()>,
    pub(crate) wake: reconcile::Wake,
    pub(crate) scheduler: reconcile::Wake,
}

impl Ecs {
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            clock,
            dispatcher,
            maps,
            options,
        } = parts;
        let ec2 = roadstead_api_ec2::Client(dispatcher.clone());
        Self {
            store,
            clock,
            dispatcher,
            ec2,
            maps,
            options,
            agents: acs::Sessions::default(),
            telemetry: tcs::Telemetry::default(),
            present: reconcile::Present::default(),
            first: tokio::sync::Mutex::default(),
            wake: reconcile::Wake::default(),
            scheduler: reconcile::Wake::default(),
        }
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;
