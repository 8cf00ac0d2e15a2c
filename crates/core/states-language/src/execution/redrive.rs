//! An execution that ended without success goes on from where it ended: what was done is not done again.
//!
//! Threads that fail or are aborted are kept aside until what they are part of has dealt with the failure. Source: the
//! developer guide, "Redriving state machine executions".

use super::stepper::Stepper;
use super::{Doing, Execution, Status, Step};
use crate::definition::{Kind, Machine};
use crate::dice::Dice;
use crate::history::History;

impl Execution {
    /// Whether it ended without success and what it was doing is still known.
    pub fn is_redrivable(&self) -> bool {
        !matches!(self.status, Status::Running | Status::Succeeded { .. }) && !self.halted.is_empty()
    }

    /// Forgets what it was doing, so that it is not redrivable.
    pub fn settle(&mut self) {
        self.halted.clear();
    }

    /// How often it was redriven.
    pub fn redrives(&self) -> u64 {
        self.redrives
    }

    /// Lets an execution that [is redrivable](Execution::is_redrivable) go on; its time, if the definition limits it,
    /// begins anew. `deadline`: when it ends at the latest. Of one that is not redrivable nothing comes.
    pub fn redrive(&mut self, machine: &Machine, now: i64, deadline: Option<i64>, dice: &Dice) -> Step {
        if !self.is_redrivable() {
            return Step::default();
        }
        self.threads = std::mem::take(&mut self.halted);
        self.status = Status::Running;
        self.redrives += 1;
        self.redriven = Some(now);
        self.deadline = machine.deadline(now).into_iter().chain(deadline).min();
        let mut stepper = Stepper::new(self, machine, now, dice);
        stepper.resume();
        stepper.step
    }

    /// Keeps a thread that ended before its work was done.
    pub(super) fn halt(&mut self, id: u64, thread: super::Thread) {
        self.halted.insert(id, thread);
    }

    /// Forgets what was kept of the threads below one.
    pub(super) fn forget(&mut self, id: u64) {
        let below = |thread: &super::Thread| thread.parent.is_some_and(|(parent, _)| parent == id);
        let found: Vec<u64> = self
            .halted
            .iter()
            .filter(|(_, thread)| below(thread))
            .map(|(id, _)| *id)
            .collect();
        for child in found {
            self.halted.remove(&child);
            self.forget(child);
        }
    }
}

impl Stepper<'_> {
    fn resume(&mut self) {
        let count = self.execution.redrives;
        let event = self.tell(self.execution.events, History::ExecutionRedriven { count });
        let ids: Vec<u64> = self.execution.threads.keys().copied().collect();
        for &id in &ids {
            let again = matches!(self.state(id).map(|state| &state.kind), Some(Kind::Fail { .. }));
            let Some(thread) = self.thread(id) else {
                continue;
            };
            thread.previous = event;
            // What is tried again begins to count anew.
            thread.tries.fill(0);
            if again {
                thread.entered = None;
            }
            if !matches!(thread.doing, Doing::Parallel { .. } | Doing::Map { .. }) {
                thread.doing = Doing::Ready;
            }
        }
        // A state's threads have higher numbers than its own.
        for id in ids {
            self.resume_below(id);
        }
    }

    /// A Parallel or a Map goes on with what is missing, or begins anew if its threads were not what failed.
    fn resume_below(&mut self, id: u64) {
        let Some(thread) = self.execution.threads.get(&id) else {
            return;
        };
        let working: Vec<usize> = self
            .execution
            .threads
            .values()
            .filter_map(|thread| thread.parent.filter(|(parent, _)| *parent == id))
            .map(|(_, index)| index)
            .collect();
        let missing = |index: &usize, results: &[Option<serde_json::Value>]| {
            results.get(*index).is_some_and(Option::is_none) && !working.contains(index)
        };
        let whole = match &thread.doing {
            Doing::Parallel { results } => (0..results.len()).any(|index| missing(&index, results)),
            Doing::Map { next, results, .. } => {
                let lost: Vec<usize> = (0..*next).filter(|index| missing(index, results)).collect();
                match lost.as_slice() {
                    [] => false,
                    // The one that could not be begun.
                    [last] if last + 1 == *next && *next > 1 => {
                        if let Some(Doing::Map { next, .. }) = self.thread(id).map(|thread| &mut thread.doing)
                        {
                            *next -= 1;
                        }
                        false
                    }
                    _ => true,
                }
            }
            _ => return,
        };
        if whole {
            for child in self.children(id) {
                self.drop_below(child);
            }
            self.set(id, Doing::Ready);
        } else if working.is_empty() {
            // Nobody's end would begin the rest.
            self.go_on(id);
        }
    }

    fn drop_below(&mut self, id: u64) {
        for child in self.children(id) {
            self.drop_below(child);
        }
        self.execution.threads.remove(&id);
    }
}
