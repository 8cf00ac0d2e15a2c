//! What a decision sees and what is asked of it.

use std::collections::BTreeMap;
use std::fmt;

use crate::ports::Ports;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Subtracts one copy of the demand from where it was placed.
    pub fn take(&mut self, id: &CandidateId, demand: &Demand) {
        let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.id == *id) else {
            return;
        };
        candidate.peers += 1;
        candidate.tasks += 1;
        if let Some(capacity) = self.nodes.get_mut(&candidate.node) {
            capacity.take(demand);
        }
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
#[derive(Clone, Debug)]
pub struct Candidate {
    pub id: CandidateId,
    pub node: NodeId,
    pub status: Status,
    pub agent_connected: bool,
    pub attributes: BTreeMap<String, Option<String>>,
    /// Where its interfaces would be. None: the instance is in no VPC.
    pub location: Option<Location>,
    /// Tasks on it that are not stopped.
    pub tasks: usize,
    /// Of those, the ones of the demand's task group: what `distinctInstance` looks at.
    pub peers: usize,
}

/// A zone of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    pub used_ports: Ports,
}

impl Capacity {
    fn take(&mut self, demand: &Demand) {
        self.cpu -= demand.cpu;
        self.memory -= demand.memory;
        self.eni_slots -= demand.eni_slots;
        self.used_ports.take(&demand.ports);
    }
}

/// A resource that can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Cpu,
    Memory,
    Ports,
    Eni,
}

/// An attribute an instance must have; with a value, that value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredAttribute {
    pub name: String,
    pub value: Option<String>,
}

/// What one copy of a task needs.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    /// CPU units, 1024 to the vCPU.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// Interfaces of its own.
    pub eni_slots: i64,
    pub ports: Ports,
    pub attributes: Vec<RequiredAttribute>,
    /// The zones its interface may be in; empty: it does not matter.
    pub locations: Vec<Location>,
    /// `distinctInstance`: never where a task of the same group is.
    pub distinct_instance: bool,
}
