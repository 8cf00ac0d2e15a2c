//! Where a task goes, decided without touching anything: a snapshot of what is free and a demand in, a plan
//! and the reasons for every refusal out. Pure, so that "nothing is sold twice" can be tested by the thousand
//! and the same question always has the same answer.
//!
//! A decision keeps the candidates that suit (`filter`, `query`), takes the best of them by the demand's strategies
//! (`planner`), subtracts what the copy costs, and goes on with the next copy. Which capacity provider a copy counts
//! for is decided before (`share`); what a daemon is to run on is another question (`daemons`).

mod daemons;
mod filter;
mod model;
mod planner;
mod ports;
mod query;
mod share;
mod strategy;

pub use daemons::{Daemon, DaemonPlace, daemons};
pub use filter::Refusal;
pub use model::{
    Candidate, CandidateId, Capacity, Demand, Location, NodeId, RequiredAttribute, Resource, Snapshot, Status,
};
pub use planner::{Plan, Planner};
pub use ports::{MAX_RESERVED, Ports};
pub use query::{MAX_EXPRESSION, Query, SyntaxError};
pub use share::{Share, distribute};
pub use strategy::{BadStrategy, MAX_STRATEGIES, Packed, Spread, Strategy};

/// Places up to `count` copies of a demand. The seed decides where the strategy `random` does, and nothing else.
pub fn place(snapshot: &Snapshot, demand: &Demand, count: usize, seed: u64) -> Plan {
    Planner::new(snapshot.clone()).place(demand, count, seed)
}

/// Whether this one candidate can take a copy: for tasks whose place the user chose.
///
/// # Errors
/// The first reason against it.
pub fn admit(snapshot: &Snapshot, candidate: &CandidateId, demand: &Demand) -> Result<(), Refusal> {
    let found = snapshot.candidates.iter().find(|known| known.id == *candidate);
    let found = found.ok_or(Refusal::Missing)?;
    filter::check(found, &snapshot.capacity(found), demand)
}

/// The first attribute that the demand requires and the candidate lacks.
pub fn missing_attribute<'d>(candidate: &Candidate, demand: &'d Demand) -> Option<&'d RequiredAttribute> {
    filter::missing(candidate, demand)
}

/// The first `memberOf` of the demand that does not hold for the candidate.
pub fn unsatisfied<'d>(candidate: &Candidate, demand: &'d Demand) -> Option<&'d Query> {
    filter::unsatisfied(candidate, demand)
}
