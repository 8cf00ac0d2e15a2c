//! What the node has and what its tasks hold of it. All registrations of a node share one ledger, so nothing
//! is promised twice; a task that does not fit waits, and those behind it wait too, first in, first out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a task takes. CPU units, MiB, and host ports (`true` is UDP).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub cpu: u64,
    pub memory: u64,
    pub ports: Vec<(u16, bool)>,
}

/// What the node has for tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub cpu: u64,
    pub memory: u64,
}

#[derive(Debug)]
pub struct Ledger {
    capacity: Capacity,
    holding: BTreeMap<String, Needs>,
    waiting: VecDeque<(String, Needs)>,
}

impl Ledger {
    pub fn new(capacity: Capacity) -> Self {
        Self {
            capacity,
            holding: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Puts a task at the end of the queue; answers who may start now. Asking twice changes nothing, and one
    /// that may start already is told so again.
    pub fn ask(&mut self, task: &str, needs: Needs) -> Vec<String> {
        if self.holding.contains_key(task) {
            return vec![task.to_owned()];
        }
        if self.waiting.iter().any(|(waiting, _)| waiting == task) {
            return Vec::new();
        }
        self.waiting.push_back((task.to_owned(), needs));
        self.admit()
    }

    /// Enters a task that runs already, whether it fits or not: it was found after a restart.
    pub fn hold(&mut self, task: &str, needs: Needs) {
        self.waiting.retain(|(waiting, _)| waiting != task);
        self.holding.insert(task.to_owned(), needs);
    }

    /// Takes a task out, waiting or holding; answers who may start now.
    pub fn release(&mut self, task: &str) -> Vec<String> {
        self.holding.remove(task);
        self.waiting.retain(|(waiting, _)| waiting != task);
        self.admit()
    }

    /// All tasks, in an order in which they can be taken out without another being let in: those that wait, the last
    /// first, then those that hold.
    pub fn backwards(&self) -> Vec<String> {
        let waiting = self.waiting.iter().rev().map(|(task, _)| task);
        waiting.chain(self.holding.keys()).cloned().collect()
    }

    /// Tasks that wait for room.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn admit(&mut self) -> Vec<String> {
        let mut admitted = Vec::new();
        while self.waiting.front().is_some_and(|(_, needs)| self.fits(needs)) {
            if let Some((task, needs)) = self.waiting.pop_front() {
                self.holding.insert(task.clone(), needs);
                admitted.push(task);
            }
        }
        admitted
    }

    /// A task that is larger than the whole node starts alone rather than never: the control plane placed it.
    fn fits(&self, needs: &Needs) -> bool {
        let cpu: u64 = self.holding.values().map(|held| held.cpu).sum();
        let memory: u64 = self.holding.values().map(|held| held.memory).sum();
        let ports: BTreeSet<_> = self.holding.values().flat_map(|held| &held.ports).collect();
        let room = cpu + needs.cpu <= self.capacity.cpu && memory + needs.memory <= self.capacity.memory;
        (room || self.holding.is_empty()) && needs.ports.iter().all(|port| !ports.contains(port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(cpu: u64, memory: u64, port: u16) -> Needs {
        Needs {
            cpu,
            memory,
            ports: if port == 0 {
                Vec::new()
            } else {
                vec![(port, false)]
            },
        }
    }

    #[test]
    fn the_head_of_the_queue_holds_back_those_behind_it() {
        let mut ledger = Ledger::new(Capacity {
            cpu: 1024,
            memory: 1024,
        });
        assert_eq!(ledger.ask("a", needs(512, 512, 0)), ["a"]);
        assert_eq!(ledger.ask("big", needs(1024, 128, 0)), [] as [&str; 0]);
        assert_eq!(
            ledger.ask("small", needs(1, 1, 0)),
            [] as [&str; 0],
            "no overtaking"
        );
        assert_eq!(ledger.ask("a", needs(512, 512, 0)), ["a"], "asked already");
        assert_eq!(ledger.release("big"), ["small"], "the head gave up");
        assert_eq!((ledger.release("a").len(), ledger.waiting()), (0, 0));
    }

    #[test]
    fn taken_out_backwards_none_lets_another_in() {
        let mut ledger = Ledger::new(Capacity {
            cpu: 1024,
            memory: 1024,
        });
        assert_eq!(ledger.ask("a", needs(1000, 10, 0)), ["a"]);
        // Each of them could take the place of the one before it.
        for (task, cpu) in [("b", 512), ("c", 20), ("d", 1024), ("e", 1)] {
            assert!(ledger.ask(task, needs(cpu, 1, 0)).is_empty());
        }
        let order = ledger.backwards();
        assert_eq!(order, ["e", "d", "c", "b", "a"]);
        for task in order {
            assert!(ledger.release(&task).is_empty(), "{task}");
        }
    }

    #[test]
    fn one_host_port_is_held_once() {
        let mut ledger = Ledger::new(Capacity {
            cpu: 1024,
            memory: 1024,
        });
        assert_eq!(ledger.ask("a", needs(1, 1, 80)), ["a"]);
        assert!(ledger.ask("b", needs(1, 1, 80)).is_empty());
        let udp = Needs {
            ports: vec![(80, true)],
            ..Needs::default()
        };
        assert!(ledger.ask("c", udp).is_empty(), "behind b");
        assert_eq!(ledger.release("a"), ["b", "c"], "TCP and UDP are apart");
    }

    #[test]
    fn what_is_found_running_counts_though_it_does_not_fit() {
        let mut ledger = Ledger::new(Capacity {
            cpu: 100,
            memory: 100,
        });
        ledger.hold("found", needs(1000, 1000, 0));
        assert!(ledger.ask("next", needs(1, 1, 0)).is_empty());
        assert_eq!(ledger.release("found"), ["next"]);
    }
}
