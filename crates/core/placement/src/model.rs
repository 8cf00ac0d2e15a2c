//! What a decision sees and what is asked of it.

use std::collections::BTreeMap;
use std::fmt;

use crate::ports::Ports;
use crate::query::Query;
use crate::strategy::Strategy;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A container instance, by its ARN.
    CandidateId
}
name! {
    /// A machine, by whatever its ledger goes by. Instances of several clusters may stand for one machine.
    NodeId
}

/// What may run and where, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Instances in a fixed order: ties go to the first.
    pub candidates: Vec<Candidate>,
    /// What is free on each machine. A candidate whose machine is absent here has nothing.
    pub nodes: BTreeMap<NodeId, Capacity>,
}

impl Snapshot {
    /// What is free where the candidate is.
    pub fn capacity(&self, candidate: &Candidate) -> Capacity {
        self.nodes.get(&candidate.node).cloned().unwrap_or_default()
    }

    /// Subtracts one copy of the demand from where it was placed.
    pub fn take(&mut self, id: &CandidateId, demand: &Demand) {
        let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.id == *id) else {
            return;
        };
        candidate.take(demand);
        // A machine without capacity has ports still, which are taken once.
        self.nodes.entry(candidate.node.clone()).or_default().take(demand);
    }
}

/// Whether an instance takes new tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Status {
    #[default]
    Active,
    Draining,
    /// Deregistered or not yet registered.
    Inactive,
}

/// A container instance.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    pub id: CandidateId,
    pub node: NodeId,
    pub status: Status,
    pub agent_connected: bool,
    pub agent_version: Option<String>,
    /// `i-…`; none for external instances.
    pub ec2_instance_id: Option<String>,
    /// Milliseconds since 1970.
    pub registered_at: i64,
    pub attributes: BTreeMap<String, Option<String>>,
    /// Where its interfaces would be. None: the instance is in no VPC.
    pub location: Option<Location>,
    /// Tasks on it that are not stopped.
    pub tasks: usize,
    /// Of those, the ones that are RUNNING: what `runningTasksCount` asks.
    pub running: usize,
    /// Of its tasks, how many belong to which group: what `distinctInstance`, `spread` and `task:group` look at.
    pub groups: BTreeMap<String, usize>,
}

impl Candidate {
    /// Tasks of this group that are here.
    pub fn peers(&self, group: &str) -> usize {
        self.groups.get(group).copied().unwrap_or_default()
    }

    pub(crate) fn take(&mut self, demand: &Demand) {
        self.tasks += 1;
        *self.groups.entry(demand.group.clone()).or_default() += 1;
    }

    pub(crate) fn give_back(&mut self, demand: &Demand) {
        self.tasks = self.tasks.saturating_sub(1);
        if let Some(peers) = self.groups.get_mut(&demand.group) {
            *peers = peers.saturating_sub(1);
            if *peers == 0 {
                self.groups.remove(&demand.group);
            }
        }
    }
}

/// A zone of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    pub vpc: String,
    pub zone: String,
}

/// What a machine has, and what of it is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// CPU units, 1024 to the vCPU; less than zero when the machine shrank below what it runs.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    pub eni_slots: i64,
    /// Whole GPUs.
    pub gpus: i64,
    pub used_ports: Ports,
}

impl Capacity {
    pub(crate) fn take(&mut self, demand: &Demand) {
        self.cpu -= demand.cpu;
        self.memory -= demand.memory;
        self.eni_slots -= demand.eni_slots;
        self.gpus -= demand.gpus;
        self.used_ports.take(&demand.ports);
    }

    pub(crate) fn give_back(&mut self, demand: &Demand) {
        self.cpu += demand.cpu;
        self.memory += demand.memory;
        self.eni_slots += demand.eni_slots;
        self.gpus += demand.gpus;
        self.used_ports.give_back(&demand.ports);
    }
}

/// A resource that can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Cpu,
    Memory,
    Ports,
    Gpu,
    Eni,
}

/// An attribute an instance must have; with a value, that value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequiredAttribute {
    pub name: String,
    pub value: Option<String>,
}

/// What one copy of a task needs, and where of all places that suit it is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Demand {
    /// The task's group: `family:web`, `service:shop`.
    pub group: String,
    /// CPU units, 1024 to the vCPU.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// Interfaces of its own.
    pub eni_slots: i64,
    /// Whole GPUs.
    pub gpus: i64,
    pub ports: Ports,
    pub attributes: Vec<RequiredAttribute>,
    /// The zones its interface may be in; empty: it does not matter.
    pub locations: Vec<Location>,
    /// `distinctInstance`: never where a task of the same group is.
    pub distinct_instance: bool,
    /// `memberOf`: only where all of these hold.
    pub member_of: Vec<Query>,
    /// In the order in which they decide; ties go to the next. After all of them, and without any: the instance
    /// with the fewest tasks, then the one with the most memory left, then the first.
    pub strategies: Vec<Strategy>,
}
