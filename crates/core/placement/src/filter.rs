//! Who may take a task at all. The order of the questions is the order in which reasons are given: what the
//! instance is comes before how full it is.

use std::fmt;

use crate::model::{Candidate, Demand, RequiredAttribute, Resource, Snapshot, Status};

/// Why a candidate cannot take a task, in the words of the service's failure reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such instance.
    Missing,
    /// It does not take new tasks.
    Inactive,
    /// Its agent is not connected.
    Agent,
    /// It lacks an attribute the task requires.
    Attribute,
    /// It is in another VPC or zone than the task's subnets.
    Location,
    /// A task of the group is already there.
    DistinctInstance,
    /// Too little of this is left.
    Resource(Resource),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "MISSING",
            Self::Inactive => "INACTIVE",
            Self::Agent => "AGENT",
            Self::Attribute => "ATTRIBUTE",
            Self::Location => "LOCATION",
            Self::DistinctInstance => "distinctInstance placement constraint unsatisfied.",
            Self::Resource(Resource::Cpu) => "RESOURCE:CPU",
            Self::Resource(Resource::Memory) => "RESOURCE:MEMORY",
            Self::Resource(Resource::Ports) => "RESOURCE:PORTS",
            Self::Resource(Resource::Eni) => "RESOURCE:ENI",
        })
    }
}

pub(crate) fn check(snapshot: &Snapshot, candidate: &Candidate, demand: &Demand) -> Result<(), Refusal> {
    if candidate.status != Status::Active {
        return Err(Refusal::Inactive);
    }
    if !candidate.agent_connected {
        return Err(Refusal::Agent);
    }
    if missing(candidate, demand).is_some() {
        return Err(Refusal::Attribute);
    }
    if !demand.locations.is_empty()
        && !candidate
            .location
            .as_ref()
            .is_some_and(|here| demand.locations.contains(here))
    {
        return Err(Refusal::Location);
    }
    if demand.distinct_instance && candidate.peers > 0 {
        return Err(Refusal::DistinctInstance);
    }
    room(snapshot, candidate, demand).map_err(Refusal::Resource)
}

/// The first required attribute that the candidate lacks.
pub(crate) fn missing<'d>(candidate: &Candidate, demand: &'d Demand) -> Option<&'d RequiredAttribute> {
    let mut required = demand.attributes.iter();
    required.find(|required| !has(candidate, &required.name, required.value.as_deref()))
}

fn has(candidate: &Candidate, name: &str, value: Option<&str>) -> bool {
    candidate
        .attributes
        .get(name)
        .is_some_and(|present| value.is_none() || present.as_deref() == value)
}

fn room(snapshot: &Snapshot, candidate: &Candidate, demand: &Demand) -> Result<(), Resource> {
    let none = Default::default();
    let free = snapshot.nodes.get(&candidate.node).unwrap_or(&none);
    // What is not asked for cannot run out, even on a machine that shrank below what it runs.
    let short = |wanted: i64, free: i64| wanted > 0 && wanted > free;
    if short(demand.cpu, free.cpu) {
        Err(Resource::Cpu)
    } else if short(demand.memory, free.memory) {
        Err(Resource::Memory)
    } else if !demand.ports.fit(&free.used_ports) {
        Err(Resource::Ports)
    } else if short(demand.eni_slots, free.eni_slots) {
        Err(Resource::Eni)
    } else {
        Ok(())
    }
}
