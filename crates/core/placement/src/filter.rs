//! Who may take a task at all. The order of the questions is the order in which reasons are given: what the
//! instance is comes before how full it is.

use std::fmt;

use crate::model::{Candidate, Capacity, Demand, RequiredAttribute, Resource, Status};
use crate::query::Query;

/// Why a candidate cannot take a task, in the words of the service's failure reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such instance.
    Missing,
    /// It does not take new tasks.
    Inactive,
    /// Its agent is not connected.
    Agent,
    /// It lacks an attribute that the task requires, or that a `memberOf` asks for which asks for attributes alone.
    Attribute,
    /// It is in another VPC or zone than the task's subnets.
    Location,
    /// A `memberOf` does not hold.
    MemberOf,
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
            Self::MemberOf => "memberOf placement constraint unsatisfied.",
            Self::DistinctInstance => "distinctInstance placement constraint unsatisfied.",
            Self::Resource(Resource::Cpu) => "RESOURCE:CPU",
            Self::Resource(Resource::Memory) => "RESOURCE:MEMORY",
            Self::Resource(Resource::Ports) => "RESOURCE:PORTS",
            Self::Resource(Resource::Gpu) => "RESOURCE:GPU",
            Self::Resource(Resource::Eni) => "RESOURCE:ENI",
        })
    }
}

pub(crate) fn check(candidate: &Candidate, free: &Capacity, demand: &Demand) -> Result<(), Refusal> {
    if candidate.status != Status::Active {
        return Err(Refusal::Inactive);
    }
    if !candidate.agent_connected {
        return Err(Refusal::Agent);
    }
    suits(candidate, demand)?;
    if demand.distinct_instance && candidate.peers(&demand.group) > 0 {
        return Err(Refusal::DistinctInstance);
    }
    room(free, demand).map_err(Refusal::Resource)
}

/// What the instance is, however full.
pub(crate) fn suits(candidate: &Candidate, demand: &Demand) -> Result<(), Refusal> {
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
    match unsatisfied(candidate, demand) {
        Some(query) if query.asks_attributes_alone() => Err(Refusal::Attribute),
        Some(_) => Err(Refusal::MemberOf),
        None => Ok(()),
    }
}

/// The first required attribute that the candidate lacks.
pub(crate) fn missing<'d>(candidate: &Candidate, demand: &'d Demand) -> Option<&'d RequiredAttribute> {
    let mut required = demand.attributes.iter();
    required.find(|required| !has(candidate, &required.name, required.value.as_deref()))
}

/// The first `memberOf` that does not hold.
pub(crate) fn unsatisfied<'d>(candidate: &Candidate, demand: &'d Demand) -> Option<&'d Query> {
    demand.member_of.iter().find(|query| !query.holds(candidate))
}

fn has(candidate: &Candidate, name: &str, value: Option<&str>) -> bool {
    candidate
        .attributes
        .get(name)
        .is_some_and(|present| value.is_none() || present.as_deref() == value)
}

fn room(free: &Capacity, demand: &Demand) -> Result<(), Resource> {
    // What is not asked for cannot run out, even on a machine that shrank below what it runs.
    let short = |wanted: i64, free: i64| wanted > 0 && wanted > free;
    if short(demand.cpu, free.cpu) {
        Err(Resource::Cpu)
    } else if short(demand.memory, free.memory) {
        Err(Resource::Memory)
    } else if !demand.ports.fit(&free.used_ports) {
        Err(Resource::Ports)
    } else if short(demand.gpus, free.gpus) {
        Err(Resource::Gpu)
    } else if short(demand.eni_slots, free.eni_slots) {
        Err(Resource::Eni)
    } else {
        Ok(())
    }
}
