//! A state that failed: it is tried again, its error is caught, or what it is part of fails.

use serde_json::{Map, Value, json};

use super::context::Seen;
use super::stepper::Stepper;
use super::{Doing, Handled, Status};
use crate::definition::{Catcher, Next, QueryLanguage, Retrier, State};
use crate::dice::Dice;
use crate::failure::{Failure, names};
use crate::history::History;

impl Stepper<'_> {
    /// The state of the thread failed.
    pub(super) fn fail(&mut self, id: u64, failure: Failure) {
        if let Some(state) = self.state(id)
            && (self.again(id, state, &failure) || self.caught(id, state, &failure))
        {
            self.execution.forget(id);
            return;
        }
        self.unhandled(id, failure);
    }

    /// Whether a retrier tries it again.
    fn again(&mut self, id: u64, state: &State, failure: &Failure) -> bool {
        let meant = |retrier: &Retrier| retrier.errors.iter().any(|listed| failure.is_meant_by(listed));
        let Some((index, retrier)) = state.retry.iter().enumerate().find(|(_, retrier)| meant(retrier))
        else {
            return false;
        };
        let (now, dice) = (self.now, self.dice);
        let Some(thread) = self.thread(id) else {
            return false;
        };
        let Some(tries) = thread
            .tries
            .get_mut(index)
            .filter(|tries| **tries < retrier.attempts)
        else {
            return false;
        };
        let delay = retrier.delay(*tries, dice);
        *tries += 1;
        thread.doing = Doing::Pausing {
            until: now.saturating_add(delay),
        };
        self.inspect(|seen| seen.handled = Some((failure.clone(), Handled::Retried { index, delay })));
        true
    }

    /// Whether a catcher goes on with it.
    fn caught(&mut self, id: u64, state: &State, failure: &Failure) -> bool {
        let meant = |catcher: &Catcher| catcher.errors.iter().any(|listed| failure.is_meant_by(listed));
        let mut catchers = state.catch.iter().enumerate();
        let Some((index, catcher)) = catchers.find(|(_, catcher)| meant(catcher)) else {
            return false;
        };
        self.inspect(|seen| seen.handled = Some((failure.clone(), Handled::Caught { index })));
        // It may have failed for what it spent.
        self.spend_anew();
        let error = json!({"Error": failure.error, "Cause": failure.cause});
        let result = self
            .catch(id, state, catcher, &error)
            .and_then(|(output, assigned)| {
                self.exit(id, output, assigned, &Next::State(catcher.next.clone()))
            });
        if let Err(failure) = result {
            // What catching fails with is not caught by the same state.
            let failure = self.blamed(id, failure);
            self.unhandled(id, failure);
        }
        true
    }

    /// What the thread is part of fails: the whole execution, a Parallel or a Map.
    fn unhandled(&mut self, id: u64, failure: Failure) {
        let Some(thread) = self.execution.threads.get(&id) else {
            return;
        };
        let previous = thread.previous;
        match thread.parent {
            None => self.end(previous, Status::Failed { failure }),
            Some((parent, _)) => self.broken(id, parent, failure),
        }
    }

    fn catch(
        &self,
        id: u64,
        state: &State,
        catcher: &Catcher,
        error: &Value,
    ) -> Result<(Value, Map<String, Value>), Failure> {
        let seen = Seen {
            input: Some(error),
            error: Some(error),
            ..Seen::default()
        };
        let assigned = self.assigned(id, &catcher.assign, seen)?;
        if state.language == QueryLanguage::Jsonata {
            let output = catcher
                .output
                .as_ref()
                .map_or_else(|| Ok(error.clone()), |output| self.fill(id, output, seen))?;
            return Ok((output, assigned));
        }
        let raw = || {
            self.execution
                .threads
                .get(&id)
                .map_or(Value::Null, |thread| thread.input.clone())
        };
        let output = match &catcher.result_path {
            None => error.clone(),
            Some(None) => raw(),
            Some(Some(place)) => place
                .put(raw(), error.clone())
                .map_err(|fault| Failure::new(names::RESULT_PATH, fault.to_string()))?,
        };
        Ok((output, assigned))
    }

    /// Ends a thread and all below it, which somebody else's failure stops.
    pub(super) fn abort(&mut self, id: u64) {
        let children: Vec<u64> = self.children(id);
        for child in children {
            self.abort(child);
        }
        let Some(kind) = self.state(id).map(State::type_name) else {
            self.execution.threads.remove(&id);
            return;
        };
        let entered = self
            .execution
            .threads
            .get(&id)
            .is_some_and(|thread| thread.entered.is_some());
        if entered && matches!(kind, "Task" | "Wait" | "Parallel" | "Map") {
            self.tell_of(
                id,
                History::StateAborted {
                    kind: kind.to_owned(),
                },
            );
        }
        let Some(thread) = self.execution.threads.remove(&id) else {
            return;
        };
        self.execution.halt(id, thread.clone());
        if let Doing::Task(running) = thread.doing {
            self.step.cancelled.push(running.task);
            self.step.orders.retain(|order| order.task != running.task);
        }
        if let (Some((parent, _)), Some(item)) = (thread.parent, thread.item) {
            let name = self
                .execution
                .threads
                .get(&parent)
                .map_or_else(String::new, |parent| parent.state.clone());
            self.tell(
                thread.previous,
                History::IterationAborted {
                    name,
                    index: item.index,
                },
            );
        }
    }

    pub(super) fn children(&self, id: u64) -> Vec<u64> {
        let threads = self.execution.threads.iter();
        threads
            .filter(|(_, thread)| thread.parent.is_some_and(|(parent, _)| parent == id))
            .map(|(id, _)| *id)
            .collect()
    }
}

impl Retrier {
    /// Milliseconds before the next attempt, after so many.
    pub fn delay(&self, tries: u64, dice: &Dice) -> i64 {
        let most = self.max_delay.unwrap_or(99_999_999) as f64;
        let tries = i32::try_from(tries).unwrap_or(i32::MAX);
        let seconds = (self.interval as f64 * self.backoff.powi(tries)).min(most);
        let seconds = if self.jitter {
            seconds * dice.fraction()
        } else {
            seconds
        };
        (seconds * 1000.0) as i64
    }
}
