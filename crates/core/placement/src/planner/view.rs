//! All instances as one demand sees them: who fits, in which order. Made once for a demand, then kept in step with
//! single changes, so that the next copy of the same task costs little however many instances there are.
//!
//! Instances with the same values of the attributes that are spread over stand in one group. What `spread` counts
//! is the same for all of a group, so within a group a tournament over the rest of the key finds the best, and the
//! best of the groups are compared by their whole keys.

use foldhash::{HashMap, HashMapExt as _};

use crate::filter;
use crate::model::Demand;
use crate::planner::State;
use crate::planner::random::Random;
use crate::planner::tree::{Key, Tree};
use crate::strategy::{MAX_STRATEGIES, Packed, Spread, Strategy};

/// One `spread` over an attribute.
struct Level {
    /// Which of the strategies it is.
    position: usize,
    /// Of each candidate, which value it has.
    value_of: Vec<u32>,
    /// Of each value, how many tasks of the demand's group are there.
    tasks: Vec<i64>,
}

struct Group {
    /// Candidates, in order.
    members: Vec<u32>,
    tree: Tree,
}

pub(super) struct View {
    demand: Demand,
    /// How many changes of the state it has seen.
    pub(super) seen: u64,
    /// When it was last used.
    pub(super) used: u64,
    levels: Vec<Level>,
    groups: Vec<Group>,
    /// Of each candidate, its group and its slot there.
    place_of: Vec<(u32, u32)>,
    /// Of each candidate, the tasks of the demand's group that are counted.
    peers: Vec<i64>,
    /// The strategies that decide; `random` and what follows it do not.
    deciding: usize,
    random: bool,
}

impl View {
    pub(super) fn new(state: &State, demand: &Demand, seen: u64) -> Self {
        let strategies = demand.strategies.iter().take(MAX_STRATEGIES);
        let deciding = strategies
            .clone()
            .take_while(|it| **it != Strategy::Random)
            .count();
        let peers: Vec<i64> = state
            .candidates
            .iter()
            .map(|candidate| count(candidate.peers(&demand.group)))
            .collect();
        let mut view = Self {
            random: deciding < strategies.len(),
            demand: demand.clone(),
            seen,
            used: 0,
            levels: Vec::new(),
            groups: Vec::new(),
            place_of: Vec::new(),
            peers,
            deciding,
        };
        for (position, strategy) in demand.strategies.iter().take(deciding).enumerate() {
            if let Strategy::Spread(Spread::Attribute(name)) = strategy {
                view.levels.push(level(state, name, position, &view.peers));
            }
        }
        view.group(state);
        view
    }

    fn group(&mut self, state: &State) {
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut members: Vec<Vec<u32>> = Vec::new();
        for index in 0..state.candidates.len() {
            let values = self.levels.iter().map(|level| value(level, index)).collect();
            let group = *known.entry(values).or_insert_with(|| {
                members.push(Vec::new());
                members.len() - 1
            });
            if let Some(members) = members.get_mut(group) {
                self.place_of.push((small(group), small(members.len())));
                members.push(small(index));
            }
        }
        for members in members {
            let keys = members.iter().map(|index| self.key(state, *index as usize));
            self.groups.push(Group {
                tree: Tree::of(keys.collect()),
                members,
            });
        }
    }

    /// What decides within a group; none if the candidate does not fit.
    fn key(&self, state: &State, index: usize) -> Option<Key> {
        let candidate = state.candidates.get(index)?;
        let free = state.free(index);
        filter::check(candidate, free, &self.demand).ok()?;
        let mut key = [0; 7];
        for (strategy, place) in self.demand.strategies.iter().take(self.deciding).zip(&mut key) {
            *place = match strategy {
                Strategy::Binpack(Packed::Cpu) => free.cpu,
                Strategy::Binpack(Packed::Memory) => free.memory,
                Strategy::Spread(Spread::Instance) => count(candidate.peers(&self.demand.group)),
                // The same for all of the group.
                Strategy::Spread(Spread::Attribute(_)) | Strategy::Random => 0,
            };
        }
        if !self.random {
            let [.., tasks, memory] = &mut key;
            *tasks = count(candidate.tasks);
            *memory = -free.memory;
        }
        Some(key)
    }

    pub(super) fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Looks at one candidate again.
    pub(super) fn refresh(&mut self, state: &State, index: usize) {
        let Some(candidate) = state.candidates.get(index) else {
            return;
        };
        let now = count(candidate.peers(&self.demand.group));
        if let Some(before) = self.peers.get_mut(index) {
            for level in &mut self.levels {
                let value = value(level, index) as usize;
                if let Some(tasks) = level.tasks.get_mut(value) {
                    *tasks += now - *before;
                }
            }
            *before = now;
        }
        let key = self.key(state, index);
        if let Some((group, slot)) = self.place_of.get(index)
            && let Some(group) = self.groups.get_mut(*group as usize)
        {
            group.tree.set(*slot as usize, key);
        }
    }

    /// Where the next copy goes.
    pub(super) fn choose(&self, random: &mut Random) -> Option<usize> {
        let mut best: Option<(Key, usize)> = None;
        // Groups whose best are as good, and how many those are.
        let mut tied: Vec<(&Group, u32)> = Vec::new();
        for group in &self.groups {
            let Some((slot, key, ties)) = group.tree.best() else {
                continue;
            };
            let Some(index) = group.members.get(slot).map(|index| *index as usize) else {
                continue;
            };
            let key = self.whole(key, index);
            let order = best.map_or(std::cmp::Ordering::Less, |(known, _)| key.cmp(&known));
            if order.is_lt() {
                tied.clear();
            }
            if order.is_le() {
                tied.push((group, ties));
            }
            if best.is_none_or(|known| (key, index) < known) {
                best = Some((key, index));
            }
        }
        if !self.random {
            return best.map(|(_, index)| index);
        }
        let total: u32 = tied.iter().map(|(_, ties)| ties).sum();
        let mut nth = random.below(total)?;
        for (group, ties) in tied {
            if nth < ties {
                let slot = group.tree.nth_best(nth)?;
                return group.members.get(slot).map(|index| *index as usize);
            }
            nth -= ties;
        }
        None
    }

    /// With what the group's values say.
    fn whole(&self, mut key: Key, index: usize) -> Key {
        for level in &self.levels {
            let tasks = level.tasks.get(value(level, index) as usize);
            if let (Some(place), Some(tasks)) = (key.get_mut(level.position), tasks) {
                *place = *tasks;
            }
        }
        key
    }
}

fn level(state: &State, name: &str, position: usize, peers: &[i64]) -> Level {
    let mut known: HashMap<Option<&str>, u32> = HashMap::new();
    let mut tasks: Vec<i64> = Vec::new();
    let mut values = Vec::with_capacity(state.candidates.len());
    for (candidate, peers) in state.candidates.iter().zip(peers) {
        // An attribute without a value is as one with an empty value.
        let own = candidate.attributes.get(name);
        let own = own.map(|value| value.as_deref().unwrap_or_default());
        let index = *known.entry(own).or_insert_with(|| {
            tasks.push(0);
            small(tasks.len() - 1)
        });
        if let Some(tasks) = tasks.get_mut(index as usize) {
            *tasks += peers;
        }
        values.push(index);
    }
    Level {
        position,
        value_of: values,
        tasks,
    }
}

fn value(level: &Level, index: usize) -> u32 {
    level.value_of.get(index).copied().unwrap_or_default()
}

fn count(tasks: usize) -> i64 {
    i64::try_from(tasks).unwrap_or(i64::MAX)
}

fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
