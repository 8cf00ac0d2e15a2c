//! One state by itself, with what its filters make of the data on the way: what `TestState` runs. Source: the developer
//! guide, "Testing state machines with TestState API".

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::context::Seen;
use super::stepper::Stepper;
use super::{About, Execution, Input, Item, Order, Status};
use crate::definition::{Kind, Machine, Next, QueryLanguage, State};
use crate::dice::Dice;
use crate::failure::{Failure, names};

/// The only thread.
const ROOT: u64 = 1;

/// A state that is tried by itself.
#[derive(Debug)]
pub struct Trial {
    machine: Machine,
    execution: Execution,
    context: Option<Value>,
    inspection: RefCell<Inspection>,
    begun: bool,
}

/// What a state's data were between its filters, as far as it came.
#[derive(Debug, Default, Clone, PartialEq)]
#[allow(missing_docs)] // the names are those of the API
pub struct Inspection {
    pub after_arguments: Option<Value>,
    pub after_input_path: Option<Value>,
    pub after_parameters: Option<Value>,
    pub after_items_path: Option<Value>,
    pub after_item_selector: Option<Value>,
    pub max_concurrency: Option<u64>,
    pub result: Option<Value>,
    pub after_result_selector: Option<Value>,
    pub after_result_path: Option<Value>,
    /// Those that were given, with those that the state assigned.
    pub variables: Map<String, Value>,
    /// The failure that a retrier or a catcher dealt with.
    pub handled: Option<(Failure, Handled)>,
    /// What was handed on, and where to.
    pub(super) left: Option<(Value, Next)>,
}

/// What was done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It is to be tried again.
    Retried {
        /// Which retrier says so.
        index: usize,
        /// After so many milliseconds.
        delay: i64,
    },
    /// It was caught.
    Caught {
        /// By which catcher.
        index: usize,
    },
}

/// How the state ended.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the names are those of the API
pub enum Outcome {
    /// It handed its output on; of `next`, nothing is that the flow ends there.
    Left {
        output: Value,
        next: Option<String>,
        caught: Option<Failure>,
    },
    Retriable {
        failure: Failure,
    },
    Failed {
        failure: Failure,
    },
}

impl Trial {
    /// `machine` has the state as its first one; `deadline`: when it has taken too long.
    pub fn new(
        machine: Machine,
        about: About,
        variables: Map<String, Value>,
        now: i64,
        deadline: i64,
    ) -> Trial {
        let mut execution = Execution::new(&machine, about, now, Some(deadline), None);
        if let Some(root) = execution.threads.get_mut(&ROOT) {
            root.variables.clone_from(&variables);
        }
        let inspection = Inspection {
            variables,
            ..Inspection::default()
        };
        Trial {
            machine,
            execution,
            context: None,
            inspection: RefCell::new(inspection),
            begun: false,
        }
    }

    /// With another context object than one of its own.
    pub fn in_context(self, context: Value) -> Trial {
        Trial {
            context: Some(context),
            ..self
        }
    }

    /// As what a Map does with the first of its items, which is the input.
    pub fn of_map(mut self) -> Trial {
        let value = self.execution.about.input.clone();
        if let Some(root) = self.execution.threads.get_mut(&ROOT) {
            root.item = Some(Item {
                index: 0,
                key: None,
                value,
            });
        }
        self
    }

    /// Takes what happened; the tasks to be done. Nothing comes of it once there is an outcome.
    pub fn step(&mut self, input: Input, now: i64, dice: &Dice) -> Vec<Order> {
        let begins = !std::mem::replace(&mut self.begun, true);
        self.act(now, dice, |stepper| {
            stepper.take(input);
            stepper.expire();
            if begins && stepper.is_running() {
                stepper.enter(ROOT);
            }
            std::mem::take(&mut stepper.step.orders)
        })
    }

    /// Does the whole with a result, or an error, in place of what the state's work would give. `tried`: how often the
    /// retrier that means the error has tried again.
    pub fn mock(&mut self, result: Result<Value, Failure>, tried: u64, now: i64, dice: &Dice) {
        self.begun = true;
        self.act(now, dice, |stepper| stepper.rehearse(result, tried));
    }

    fn act<T>(&mut self, now: i64, dice: &Dice, act: impl FnOnce(&mut Stepper<'_>) -> T) -> T {
        let mut stepper = Stepper::new(&mut self.execution, &self.machine, now, dice);
        stepper.inspection = Some(&self.inspection);
        stepper.context = self.context.as_ref();
        act(&mut stepper)
    }

    /// When it wants to go on by itself.
    pub fn due(&self) -> Option<i64> {
        self.execution.due()
    }

    /// Nothing while it is under way.
    pub fn outcome(&self) -> Option<Outcome> {
        let inspection = self.inspection.borrow();
        let handled = inspection.handled.clone();
        if let Some((output, next)) = &inspection.left {
            return Some(Outcome::Left {
                output: output.clone(),
                next: match next {
                    Next::State(name) => Some(name.clone()),
                    Next::End => None,
                },
                caught: handled.map(|(failure, _)| failure),
            });
        }
        match (self.execution.status(), handled) {
            (Status::Failed { failure }, _) => Some(Outcome::Failed {
                failure: failure.clone(),
            }),
            (Status::Running, Some((failure, Handled::Retried { .. }))) => {
                Some(Outcome::Retriable { failure })
            }
            (Status::Running, _) => None,
            (Status::TimedOut | Status::Aborted { .. } | Status::Succeeded { .. }, _) => {
                Some(Outcome::Failed {
                    failure: Failure::new(names::TIMEOUT, ""),
                })
            }
        }
    }

    /// What was seen on the way.
    pub fn inspection(&self) -> Inspection {
        self.inspection.borrow().clone()
    }
}

impl Stepper<'_> {
    pub(super) fn inspect_input(&self, state: &State, effective: &Value) {
        if state.language == QueryLanguage::JsonPath {
            self.inspect(|seen| seen.after_input_path = Some(effective.clone()));
        }
    }

    pub(super) fn inspect_parameters(&self, state: &State, parameters: &Value) {
        self.inspect(|seen| {
            let place = match state.language {
                QueryLanguage::JsonPath => &mut seen.after_parameters,
                QueryLanguage::Jsonata => &mut seen.after_arguments,
            };
            *place = Some(parameters.clone());
        });
    }

    pub(super) fn inspect_exit(&self, id: u64, output: &Value, next: &Next) {
        self.inspect(|seen| {
            if let Some(thread) = self.execution.threads.get(&id) {
                seen.variables.clone_from(&thread.variables);
            }
            seen.left = Some((output.clone(), next.clone()));
        });
    }

    fn rehearse(&mut self, result: Result<Value, Failure>, tried: u64) {
        let Some(state) = self.state(ROOT) else {
            return;
        };
        if matches!(state.kind, Kind::Task(_)) {
            self.enter(ROOT);
            if self.step.orders.pop().is_none() {
                // It did not come to that.
                return;
            }
        } else {
            self.arrive(ROOT, state);
            if let Err(failure) = self.prepare(ROOT, state) {
                return self.blame(ROOT, failure);
            }
        }
        match result {
            Ok(result) => {
                self.spend_anew();
                self.complete(ROOT, result);
            }
            Err(failure) => {
                let meant = |listed: &[String]| listed.iter().any(|listed| failure.is_meant_by(listed));
                let retrier = state.retry.iter().position(|retrier| meant(&retrier.errors));
                if let (Some(index), Some(thread)) = (retrier, self.thread(ROOT))
                    && let Some(tries) = thread.tries.get_mut(index)
                {
                    *tries = tried;
                }
                self.fail(ROOT, failure);
            }
        }
    }

    /// What comes before the work of a Parallel or a Map.
    fn prepare(&self, id: u64, state: &State) -> Result<(), Failure> {
        let effective = self.effective(id)?;
        self.inspect_input(state, &effective);
        let seen = Seen {
            input: Some(&effective),
            ..Seen::default()
        };
        match &state.kind {
            Kind::Parallel { .. } => {
                let input = match &state.io.parameters {
                    Some(parameters) => self.fill(id, parameters, seen)?,
                    None => effective.clone(),
                };
                self.inspect_parameters(state, &input);
            }
            Kind::Map(map) => {
                let items = self.items(id, map, &effective)?;
                if state.language == QueryLanguage::JsonPath {
                    let values = items.iter().map(|item| item.value.clone()).collect();
                    self.inspect(|seen| seen.after_items_path = Some(values));
                }
                let concurrency = self.concurrency(id, map, &effective)?;
                self.inspect(|seen| seen.max_concurrency = Some(concurrency));
                let inputs: Result<Vec<Value>, Failure> = items
                    .iter()
                    .map(|item| self.iteration(id, state.io.parameters.as_ref(), &effective, item))
                    .collect();
                let inputs = Value::Array(inputs?);
                self.inspect(|seen| seen.after_item_selector = Some(inputs));
            }
            _ => {}
        }
        Ok(())
    }
}
