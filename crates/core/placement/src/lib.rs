//! Where a task goes, decided without touching anything: a snapshot of what is free and a demand in, a plan
//! and the reasons for every refusal out. Pure, so that "nothing is sold twice" can be tested by the thousand
//! and the same question always has the same answer.
//!
//! A decision filters candidates (`filter`), orders those left (`rank`), takes the first, subtracts what the copy costs, and goes on with the next copy. Strategies and the query language of
//! constraints change the first two and nothing else.

mod filter;
mod model;
mod ports;
mod rank;

pub use filter::Refusal;
pub use model::{
    Candidate, CandidateId, Capacity, Demand, Location, NodeId, RequiredAttribute, Resource, Snapshot, Status,
};
pub use ports::{MAX_RESERVED, Ports};

/// Where each copy goes, in order; and, when not every copy found a place, why each candidate could not take
/// the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub placements: Vec<CandidateId>,
    /// Empty when every copy was placed. One for each candidate otherwise, in the snapshot's order.
    pub refusals: Vec<(CandidateId, Refusal)>,
}

/// Places up to `count` copies of a demand.
pub fn place(snapshot: &Snapshot, demand: &Demand, count: usize) -> Plan {
    let mut state = snapshot.clone();
    let mut plan = Plan::default();
    while plan.placements.len() < count {
        let mut fitting = Vec::new();
        let mut refusals = Vec::new();
        for candidate in &state.candidates {
            match filter::check(&state, candidate, demand) {
                Ok(()) => fitting.push(candidate),
                Err(refusal) => refusals.push((candidate.id.clone(), refusal)),
            }
        }
        let Some(chosen) = rank::best(&state, &fitting).map(|candidate| candidate.id.clone()) else {
            plan.refusals = refusals;
            break;
        };
        state.take(&chosen, demand);
        plan.placements.push(chosen);
    }
    plan
}

/// Whether this one candidate can take a copy: for tasks whose place the user chose.
///
/// # Errors
/// The first reason against it.
pub fn admit(snapshot: &Snapshot, candidate: &CandidateId, demand: &Demand) -> Result<(), Refusal> {
    let found = snapshot.candidates.iter().find(|known| known.id == *candidate);
    filter::check(snapshot, found.ok_or(Refusal::Missing)?, demand)
}

/// The first attribute that the demand requires and the candidate lacks: what [`Refusal::Attribute`] is about.
pub fn missing_attribute<'d>(
    snapshot: &Snapshot,
    candidate: &CandidateId,
    demand: &'d Demand,
) -> Option<&'d RequiredAttribute> {
    let found = snapshot.candidates.iter().find(|known| known.id == *candidate);
    filter::missing(found?, demand)
}
