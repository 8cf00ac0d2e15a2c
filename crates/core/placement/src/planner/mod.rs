//! The planner: a snapshot and the views of it that demands have, kept in step as copies come and go.

mod random;
mod tree;
mod view;

use foldhash::{HashMap, HashMapExt as _};

use crate::filter::{self, Refusal};
use crate::model::{Candidate, CandidateId, Capacity, Demand, NodeId, Snapshot};
use crate::planner::random::Random;
use crate::planner::view::View;

/// Demands whose views are kept; the one that was used longest ago goes first.
const MAX_VIEWS: usize = 64;

/// Where each copy goes, in order; and, when not every copy found a place, why each candidate could not take
/// the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub placements: Vec<CandidateId>,
    /// Empty when every copy was placed. One for each candidate otherwise, in the snapshot's order.
    pub refusals: Vec<(CandidateId, Refusal)>,
}

/// Candidates and machines by number.
struct State {
    candidates: Vec<Candidate>,
    machines: Vec<Capacity>,
    /// Of each candidate, its machine.
    machine_of: Vec<usize>,
    /// Of each machine, the candidates that stand for it.
    on: Vec<Vec<u32>>,
}

impl State {
    fn free(&self, index: usize) -> &Capacity {
        const NOTHING: &Capacity = &Capacity {
            cpu: 0,
            memory: 0,
            eni_slots: 0,
            gpus: 0,
            used_ports: crate::ports::Ports::NONE,
        };
        let machine = self.machine_of.get(index).and_then(|at| self.machines.get(*at));
        machine.unwrap_or(NOTHING)
    }
}

/// Decides about one copy after another. What it decided it takes off its own account; whoever acts on a plan
/// verifies it against what is true then.
pub struct Planner {
    state: State,
    by_id: HashMap<CandidateId, usize>,
    views: HashMap<Demand, View>,
    /// Candidates that changed, oldest first, from the `forgotten`th change on.
    changes: Vec<u32>,
    forgotten: u64,
    uses: u64,
}

impl Planner {
    pub fn new(snapshot: Snapshot) -> Self {
        let Snapshot {
            candidates,
            mut nodes,
        } = snapshot;
        let mut state = State {
            machines: Vec::new(),
            machine_of: Vec::with_capacity(candidates.len()),
            on: Vec::new(),
            candidates,
        };
        let mut numbers: HashMap<NodeId, usize> = HashMap::new();
        let mut by_id = HashMap::with_capacity(state.candidates.len());
        for (index, candidate) in state.candidates.iter().enumerate() {
            let machine = *numbers.entry(candidate.node.clone()).or_insert_with(|| {
                state
                    .machines
                    .push(nodes.remove(&candidate.node).unwrap_or_default());
                state.on.push(Vec::new());
                state.machines.len() - 1
            });
            state.machine_of.push(machine);
            if let (Some(on), Ok(small)) = (state.on.get_mut(machine), u32::try_from(index)) {
                on.push(small);
            }
            by_id.insert(candidate.id.clone(), index);
        }
        Self {
            state,
            by_id,
            views: HashMap::new(),
            changes: Vec::new(),
            forgotten: 0,
            uses: 0,
        }
    }

    /// Places up to `count` copies. The seed decides where `random` does, and nothing else.
    pub fn place(&mut self, demand: &Demand, count: usize, seed: u64) -> Plan {
        let mut random = Random::new(seed);
        let mut plan = Plan::default();
        let mut view = self.view(demand);
        while plan.placements.len() < count {
            self.catch_up(&mut view);
            let Some(index) = view.choose(&mut random) else {
                plan.refusals = self.refusals(demand);
                break;
            };
            if let Some(candidate) = self.state.candidates.get(index) {
                plan.placements.push(candidate.id.clone());
            }
            self.change(index, |candidate, free| {
                candidate.take(demand);
                free.take(demand);
            });
        }
        self.keep(demand, view);
        plan
    }

    /// Whether this one candidate can take a copy: for tasks whose place the user chose.
    ///
    /// # Errors
    /// The first reason against it.
    pub fn admit(&self, id: &CandidateId, demand: &Demand) -> Result<(), Refusal> {
        let index = *self.by_id.get(id).ok_or(Refusal::Missing)?;
        let candidate = self.state.candidates.get(index).ok_or(Refusal::Missing)?;
        filter::check(candidate, self.state.free(index), demand)
    }

    /// Takes a copy that was placed elsewhere off the account.
    pub fn take(&mut self, id: &CandidateId, demand: &Demand) {
        if let Some(index) = self.by_id.get(id).copied() {
            self.change(index, |candidate, free| {
                candidate.take(demand);
                free.take(demand);
            });
        }
    }

    /// A copy ended.
    pub fn give_back(&mut self, id: &CandidateId, demand: &Demand) {
        if let Some(index) = self.by_id.get(id).copied() {
            self.change(index, |candidate, free| {
                candidate.give_back(demand);
                free.give_back(demand);
            });
        }
    }

    /// Why each candidate could not take a copy; those that could are absent.
    fn refusals(&self, demand: &Demand) -> Vec<(CandidateId, Refusal)> {
        let candidates = self.state.candidates.iter().enumerate();
        candidates
            .filter_map(|(index, candidate)| {
                let refusal = filter::check(candidate, self.state.free(index), demand).err()?;
                Some((candidate.id.clone(), refusal))
            })
            .collect()
    }

    fn change(&mut self, index: usize, change: impl FnOnce(&mut Candidate, &mut Capacity)) {
        let Some(machine) = self.state.machine_of.get(index).copied() else {
            return;
        };
        if let (Some(candidate), Some(free)) = (
            self.state.candidates.get_mut(index),
            self.state.machines.get_mut(machine),
        ) {
            change(candidate, free);
        }
        self.changes
            .extend(self.state.on.get(machine).into_iter().flatten());
        if self.changes.len() > self.state.candidates.len() * 2 + 1024 {
            // Whoever has not seen these looks at all anew, which then costs less.
            self.forgotten += self.changes.len() as u64;
            self.changes.clear();
        }
    }

    fn now(&self) -> u64 {
        self.forgotten + self.changes.len() as u64
    }

    fn view(&mut self, demand: &Demand) -> View {
        match self.views.remove(demand) {
            Some(view) if view.seen >= self.forgotten => view,
            _ => View::new(&self.state, demand, self.now()),
        }
    }

    fn catch_up(&self, view: &mut View) {
        if view.seen < self.forgotten {
            let used = view.used;
            *view = View::new(&self.state, view.demand(), self.now());
            view.used = used;
            return;
        }
        let missed = usize::try_from(view.seen - self.forgotten).unwrap_or(usize::MAX);
        for index in self.changes.iter().skip(missed) {
            view.refresh(&self.state, *index as usize);
        }
        view.seen = self.now();
    }

    fn keep(&mut self, demand: &Demand, mut view: View) {
        self.uses += 1;
        view.used = self.uses;
        if self.views.len() >= MAX_VIEWS {
            let oldest = self.views.iter().min_by_key(|(_, view)| view.used);
            if let Some(oldest) = oldest.map(|(demand, _)| demand.clone()) {
                self.views.remove(&oldest);
            }
        }
        self.views.insert(demand.clone(), view);
    }
}
