//! An agent: the task machines of its node, what it has written down, and its ledger. When it dies, only what was
//! written down is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roadstead_agent::engine::durable::Weight;
use roadstead_agent::engine::event::{Effect, Event};
use roadstead_agent::engine::ledger::{Capacity, Ledger};
use roadstead_agent::engine::machine::Machine;
use roadstead_agent::engine::recover::found;
use roadstead_agent::engine::spec::Task;
use roadstead_agent::engine::state::{Change, Network, Status};

use crate::Millis;
use crate::node::{self, at};

/// What was written down of a task.
struct Record {
    task: Arc<Task>,
    state: String,
}

pub(crate) struct Agent {
    capacity: Capacity,
    ledger: Ledger,
    machines: BTreeMap<String, Machine>,
    disk: BTreeMap<String, Record>,
    /// Tasks that are over: told of again, they are not started again.
    over: BTreeSet<String>,
    pub(crate) alive: bool,
    /// Counts the agents that this node has had.
    pub(crate) life: u64,
}

impl Agent {
    pub(crate) fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            ledger: Ledger::new(capacity),
            machines: BTreeMap::new(),
            disk: BTreeMap::new(),
            over: BTreeSet::new(),
            alive: true,
            life: 0,
        }
    }

    pub(crate) fn knows(&self, task: &str) -> bool {
        self.machines.contains_key(task) || self.over.contains(task)
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &str> {
        self.machines.keys().map(String::as_str)
    }

    /// Takes on a task that is not known yet: it is written down before it is acknowledged.
    pub(crate) fn take(&mut self, id: &str, task: Task) {
        let machine = Machine::new(task);
        let state = serde_json::to_string(&machine.state).unwrap_or_default();
        let record = Record {
            task: machine.task.clone(),
            state,
        };
        self.disk.insert(id.to_owned(), record);
        self.machines.insert(id.to_owned(), machine);
    }

    /// Feeds an event to a task, and the tasks that got room by it. What is to be done, by task.
    pub(crate) fn feed(&mut self, id: &str, event: Event, now: Millis) -> Vec<(String, Effect)> {
        let mut doing = Vec::new();
        let mut events = vec![(id.to_owned(), event)];
        while let Some((id, event)) = events.pop() {
            for effect in self.step(&id, event, now) {
                let admitted = match &effect {
                    Effect::Admit => {
                        let needs = self.machines[&id].task.needs();
                        self.ledger.ask(&id, needs)
                    }
                    Effect::Release => self.ledger.release(&id),
                    _ => {
                        doing.push((id.clone(), effect));
                        continue;
                    }
                };
                events.extend(admitted.into_iter().map(|task| (task, Event::Admitted)));
            }
        }
        doing
    }

    fn step(&mut self, id: &str, event: Event, now: Millis) -> Vec<Effect> {
        let Some(machine) = self.machines.get_mut(id) else {
            return Vec::new();
        };
        let before = Weight::of(machine);
        let effects = machine.step(event, at(now));
        if before.must_be_written(machine, &effects)
            && let Some(record) = self.disk.get_mut(id)
        {
            record.state = serde_json::to_string(&machine.state).unwrap_or_default();
        }
        if machine.is_over() {
            self.machines.remove(id);
            self.disk.remove(id);
            self.over.insert(id.to_owned());
        }
        effects
    }

    /// When the task wants to be asked again though nothing happens.
    pub(crate) fn deadline(&self, id: &str) -> Option<Millis> {
        Some(self.machines.get(id)?.next_deadline()?.0)
    }

    /// What is to be told of a task next, unless something is on its way.
    pub(crate) fn news(&self, id: &str) -> Option<&Change> {
        let state = &self.machines.get(id)?.state;
        match state.in_flight {
            None => state.outbox.front(),
            Some(_) => None,
        }
    }

    /// What a change that is on its way says.
    pub(crate) fn status_of(&self, id: &str, number: u64) -> Option<Status> {
        let outbox = &self.machines.get(id)?.state.outbox;
        outbox
            .iter()
            .find(|change| change.number == number)
            .map(|change| change.status)
    }

    pub(crate) fn die(&mut self) {
        self.alive = false;
        self.life += 1;
        self.machines.clear();
    }

    /// A new agent reads what the last one wrote, and looks at the machine. What is to be done, by task.
    pub(crate) fn come_back(&mut self, machine: &mut node::Machine, now: Millis) -> Vec<(String, Effect)> {
        self.alive = true;
        self.ledger = Ledger::new(self.capacity);
        for (id, record) in &self.disk {
            let state = serde_json::from_str(&record.state).unwrap_or_default();
            let restored = Machine::restore(record.task.clone(), state);
            if restored.state.admitted && restored.state.finished_at.is_none() {
                self.ledger.hold(id, restored.task.needs());
            }
            self.machines.insert(id.clone(), restored);
        }
        let known: BTreeSet<String> = self.machines.keys().cloned().collect();
        let up = |machine: &Machine| matches!(machine.state.network, Network::Up(_));
        let with_network: BTreeSet<String> = self
            .machines
            .iter()
            .filter(|(_, machine)| up(machine))
            .map(|(id, _)| id.clone())
            .collect();
        machine.sweep(&known, &with_network);
        let mut doing = Vec::new();
        for id in known {
            let Some(restored) = self.machines.get_mut(&id) else {
                continue;
            };
            let find = |container: &str| machine.find(&id, container);
            for event in found(restored, &find, at(now)) {
                restored.absorb(event, at(now));
            }
            doing.extend(self.feed(&id, Event::Tick, now));
        }
        doing
    }
}
