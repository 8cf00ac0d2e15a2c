//! The model that the planner is compared with: looks at everything, every time, and keeps nothing.

use std::collections::BTreeMap;

use roadstead_placement::{
    Candidate, CandidateId, Demand, Packed, Snapshot, Spread, Strategy as Placement, admit,
};

/// All that are as good as the best, in order.
pub(crate) fn best<'s>(snapshot: &'s Snapshot, demand: &Demand) -> Vec<&'s CandidateId> {
    let mut left: Vec<&Candidate> = snapshot
        .candidates
        .iter()
        .filter(|candidate| admit(snapshot, &candidate.id, demand).is_ok())
        .collect();
    for strategy in &demand.strategies {
        match strategy {
            Placement::Random => return left.iter().map(|candidate| &candidate.id).collect(),
            Placement::Binpack(Packed::Cpu) => keep_least(&mut left, |c| snapshot.capacity(c).cpu),
            Placement::Binpack(Packed::Memory) => keep_least(&mut left, |c| snapshot.capacity(c).memory),
            Placement::Spread(Spread::Instance) => keep_least(&mut left, |c| c.peers(&demand.group) as i64),
            Placement::Spread(Spread::Attribute(name)) => {
                let mut tasks: BTreeMap<Option<String>, i64> = BTreeMap::new();
                for candidate in &snapshot.candidates {
                    *tasks.entry(value(candidate, name)).or_default() +=
                        candidate.peers(&demand.group) as i64;
                }
                keep_least(&mut left, |c| tasks[&value(c, name)]);
            }
        }
    }
    keep_least(&mut left, |c| c.tasks as i64);
    keep_least(&mut left, |c| -snapshot.capacity(c).memory);
    left.iter().map(|candidate| &candidate.id).collect()
}

fn value(candidate: &Candidate, name: &str) -> Option<String> {
    candidate
        .attributes
        .get(name)
        .map(|value| value.clone().unwrap_or_default())
}

fn keep_least(left: &mut Vec<&Candidate>, by: impl Fn(&Candidate) -> i64) {
    if let Some(least) = left.iter().map(|candidate| by(candidate)).min() {
        left.retain(|candidate| by(candidate) == least);
    }
}

pub(crate) fn give_back(snapshot: &mut Snapshot, id: &CandidateId, demand: &Demand) {
    let candidate = snapshot
        .candidates
        .iter_mut()
        .find(|candidate| candidate.id == *id)
        .expect("a candidate");
    candidate.tasks -= 1;
    let peers = candidate.groups.get_mut(&demand.group).expect("a peer");
    *peers -= 1;
    if let Some(free) = snapshot.nodes.get_mut(&candidate.node) {
        free.cpu += demand.cpu;
        free.memory += demand.memory;
        free.eni_slots += demand.eni_slots;
        free.gpus += demand.gpus;
        free.used_ports.give_back(&demand.ports);
    }
}
