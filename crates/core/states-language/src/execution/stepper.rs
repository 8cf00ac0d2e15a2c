//! One step: what happened is taken, what is due is done, and threads that can go on do, until there is nothing to do.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Doing, Execution, Input, Inspection, Running, Status, Step, Thread};
use crate::budget::Budget;
use crate::definition::{Flow, Kind, Machine, State};
use crate::dice::Dice;
use crate::failure::{Failure, names};
use crate::history::{History, HistoryEvent};

/// Transitions in one step, so that a loop without waits lets others go first.
const TRANSITIONS: usize = 100;
/// How long one step goes on: what computes for long lets others go first, too. Where a step ends changes nothing of what
/// comes of it.
const LONG: Duration = Duration::from_millis(500);
/// Bytes that the events of one step may have before it ends, so that a step can be stored.
const TOLD: usize = 256 * 1024;

pub(super) struct Stepper<'a> {
    pub(super) execution: &'a mut Execution,
    pub(super) machine: &'a Machine,
    pub(super) now: i64,
    pub(super) dice: &'a Dice,
    pub(super) step: Step,
    /// The history has no place for anything but the end.
    pub(super) full: bool,
    /// Bytes of data that were told of.
    pub(super) told: usize,
    /// Where what happens within a state is noted, if somebody wants to see it.
    pub(super) inspection: Option<&'a RefCell<Inspection>>,
    /// The context object, in place of the execution's own.
    pub(super) context: Option<&'a Value>,
    /// What the fields of the state that is looked at may still spend.
    pub(super) budget: Budget,
}

impl<'a> Stepper<'a> {
    pub(super) fn new(
        execution: &'a mut Execution,
        machine: &'a Machine,
        now: i64,
        dice: &'a Dice,
    ) -> Stepper<'a> {
        Stepper {
            execution,
            machine,
            now,
            dice,
            step: Step::default(),
            full: false,
            told: 0,
            inspection: None,
            context: None,
            budget: Budget::default(),
        }
    }

    pub(super) fn run(mut self, input: Input) -> Step {
        if self.execution.status != Status::Running {
            return self.step;
        }
        if self.execution.events == 0 {
            let input = self.execution.about.input.clone();
            // Nothing leads to the first state: its event's previous one is 0, too.
            self.tell(0, History::ExecutionStarted { input });
        }
        self.take(input);
        self.expire();
        let begun = Instant::now();
        for _ in 0..TRANSITIONS {
            let ready = self
                .execution
                .threads
                .iter()
                .find(|(_, thread)| thread.doing == Doing::Ready)
                .map(|(id, _)| *id);
            match ready {
                Some(id) if self.is_running() && !self.full && self.told < TOLD && begun.elapsed() < LONG => {
                    self.enter(id)
                }
                _ => break,
            }
        }
        if self.full {
            let (previous, status) = (self.execution.events, self.exhausted());
            self.end(previous, status);
        }
        self.step
    }

    pub(super) fn inspect(&self, note: impl FnOnce(&mut Inspection)) {
        if let Some(inspection) = self.inspection {
            note(&mut inspection.borrow_mut());
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.execution.status == Status::Running
    }

    /// Adds an event and gives its id. The last place in a bounded history is kept for the end.
    pub(super) fn tell(&mut self, previous: u64, what: History) -> u64 {
        if self
            .execution
            .limit
            .is_some_and(|limit| self.execution.events + 1 >= limit)
            && !is_end(&what)
        {
            self.full = true;
            return self.execution.events;
        }
        self.told += data(&what);
        self.execution.events += 1;
        let id = self.execution.events;
        self.step.history.push(HistoryEvent {
            id,
            previous,
            at: self.now,
            what,
        });
        id
    }

    /// Adds an event of a thread.
    pub(super) fn tell_of(&mut self, id: u64, what: History) -> u64 {
        let previous = self
            .execution
            .threads
            .get(&id)
            .map_or(self.execution.events, |thread| thread.previous);
        let event = self.tell(previous, what);
        if let Some(thread) = self.execution.threads.get_mut(&id) {
            thread.previous = event;
        }
        event
    }

    /// The end: nobody waits for anything any more.
    pub(super) fn end(&mut self, previous: u64, status: Status) {
        if !self.is_running() {
            return;
        }
        let status = if self.full { self.exhausted() } else { status };
        let what = match &status {
            Status::Succeeded { output } => History::ExecutionSucceeded {
                output: output.clone(),
            },
            Status::Failed { failure } => History::ExecutionFailed {
                failure: failure.clone(),
            },
            Status::Aborted { error, cause } => History::ExecutionAborted {
                error: error.clone(),
                cause: cause.clone(),
            },
            Status::TimedOut | Status::Running => History::ExecutionTimedOut,
        };
        self.tell(previous, what);
        self.execution.status = status;
        self.step.cancelled.extend(self.execution.tasks());
        self.step
            .orders
            .retain(|order| !self.step.cancelled.contains(&order.task));
        match self.execution.status {
            Status::Succeeded { .. } => {
                self.execution.threads.clear();
                self.execution.halted.clear();
            }
            _ => self.execution.halted.append(&mut self.execution.threads),
        }
    }

    /// How an execution ends whose history is full.
    fn exhausted(&self) -> Status {
        let limit = self.execution.limit.unwrap_or_default();
        let cause = format!("The execution reached the maximum number of history events ({limit}).");
        Status::Failed {
            failure: Failure::runtime(cause),
        }
    }

    /// What is evaluated next is of another state, or comes after the work of the same.
    pub(super) fn spend_anew(&mut self) {
        self.budget = Budget::default();
    }

    pub(super) fn take(&mut self, input: Input) {
        self.spend_anew();
        match input {
            Input::Proceed => {}
            Input::Fail { failure } => {
                let previous = self.execution.events;
                self.end(previous, Status::Failed { failure });
            }
            Input::Stop { error, cause } => {
                let previous = self.execution.events;
                self.end(previous, Status::Aborted { error, cause });
            }
            Input::TaskStarted { task, worker } => {
                if let Some((id, mut running)) = self.running(task) {
                    let called = running.called.clone();
                    self.tell_of(id, History::TaskStarted { called, worker });
                    if let Some(limits) = running.once_taken.take() {
                        running.count(limits, self.now);
                        self.set(id, Doing::Task(running));
                    }
                }
            }
            Input::TaskRefused { task, failure } => {
                if let Some((id, running)) = self.in_time(task) {
                    self.tell_of(
                        id,
                        History::TaskRefused {
                            called: running.called,
                            failure: failure.clone(),
                        },
                    );
                    self.fail(id, failure);
                }
            }
            Input::TaskSubmitted { task, output } => {
                if let Some((id, running)) = self.running(task) {
                    self.tell_of(
                        id,
                        History::TaskSubmitted {
                            called: running.called,
                            output,
                        },
                    );
                }
            }
            Input::Heartbeat { task } => {
                let now = self.now;
                let beating =
                    self.execution
                        .threads
                        .values_mut()
                        .find_map(|thread| match &mut thread.doing {
                            Doing::Task(running) if running.task == task => running.heartbeat.as_mut(),
                            _ => None,
                        });
                if let Some((every, overdue)) = beating
                    && *overdue > now
                {
                    *overdue = now.saturating_add(*every);
                }
            }
            Input::TaskSucceeded { task, output } => {
                if let Some((id, running)) = self.in_time(task) {
                    self.tell_of(
                        id,
                        History::TaskSucceeded {
                            called: running.called,
                            output: output.clone(),
                        },
                    );
                    self.complete(id, output);
                }
            }
            Input::TaskFailed { task, failure } => {
                if let Some((id, running)) = self.in_time(task) {
                    self.tell_of(
                        id,
                        History::TaskFailed {
                            called: running.called,
                            failure: failure.clone(),
                        },
                    );
                    self.fail(id, failure);
                }
            }
        }
    }

    fn running(&self, task: u64) -> Option<(u64, Running)> {
        self.execution
            .threads
            .iter()
            .find_map(|(id, thread)| match &thread.doing {
                Doing::Task(running) if running.task == task => Some((*id, running.clone())),
                _ => None,
            })
    }

    /// A result that comes too late is none: the timeout is told of instead, however late anybody looked.
    fn in_time(&self, task: u64) -> Option<(u64, Running)> {
        self.execution
            .awaits(task, self.now)
            .then(|| self.running(task))
            .flatten()
    }

    /// What is due: the end of the execution, ends of waits, times to try again, timeouts.
    pub(super) fn expire(&mut self) {
        if self
            .execution
            .deadline
            .is_some_and(|deadline| deadline <= self.now)
        {
            let previous = self.execution.events;
            return self.end(previous, Status::TimedOut);
        }
        let ids: Vec<u64> = self.execution.threads.keys().copied().collect();
        for id in ids {
            // What is due in one thread may have ended others.
            let Some(thread) = self.execution.threads.get_mut(&id) else {
                continue;
            };
            self.budget = Budget::default();
            match &thread.doing {
                Doing::Waiting { until } if *until <= self.now => self.waited(id),
                Doing::Pausing { until } if *until <= self.now => thread.doing = Doing::Ready,
                Doing::Task(running) if running.due().is_some_and(|due| due <= self.now) => {
                    let running = running.clone();
                    self.overdue(id, running);
                }
                _ => {}
            }
        }
    }

    fn overdue(&mut self, id: u64, running: Running) {
        let timed_out = running.deadline.is_some_and(|deadline| deadline <= self.now);
        let failure = Failure::new(
            if timed_out {
                names::TIMEOUT
            } else {
                names::HEARTBEAT_TIMEOUT
            },
            "",
        );
        self.step.cancelled.push(running.task);
        self.tell_of(
            id,
            History::TaskTimedOut {
                called: running.called,
                failure: failure.clone(),
            },
        );
        self.fail(id, failure);
    }

    /// The flow of a thread, and the state that it is in.
    pub(super) fn state(&self, id: u64) -> Option<&'a State> {
        let thread = self.execution.threads.get(&id)?;
        flow(&self.machine.flow, thread)?.states.get(&thread.state)
    }

    /// The next number for a thread or a task.
    pub(super) fn number(&mut self) -> u64 {
        self.execution.last += 1;
        self.execution.last
    }

    pub(super) fn thread(&mut self, id: u64) -> Option<&mut Thread> {
        self.execution.threads.get_mut(&id)
    }

    /// Fails with what the machine itself found wrong.
    pub(super) fn blame(&mut self, id: u64, failure: Failure) {
        let failure = self.blamed(id, failure);
        self.fail(id, failure);
    }

    /// The failure with a cause that says where it came about.
    pub(super) fn blamed(&mut self, id: u64, failure: Failure) -> Failure {
        let Some(thread) = self.execution.threads.get(&id) else {
            return failure;
        };
        let event = thread.entered.map_or(0, |(event, _)| event);
        let state = thread.state.clone();
        let head = format!(
            "An error occurred while executing the state '{state}' (entered at the event id #{event})."
        );
        let failure = Failure {
            cause: format!("{head} {}", failure.cause),
            ..failure
        };
        if failure.location.is_some() {
            self.tell_of(
                id,
                History::EvaluationFailed {
                    state,
                    failure: failure.clone(),
                },
            );
        }
        failure
    }
}

/// Bytes of the data in an event.
fn data(what: &History) -> usize {
    match what {
        History::StateEntered { input: value, .. }
        | History::StateExited { output: value, .. }
        | History::TaskScheduled {
            parameters: value, ..
        }
        | History::TaskSubmitted { output: value, .. }
        | History::TaskSucceeded { output: value, .. } => size(value),
        _ => 0,
    }
}

/// Whether the event is the last of an execution.
fn is_end(what: &History) -> bool {
    matches!(
        what,
        History::ExecutionSucceeded { .. }
            | History::ExecutionFailed { .. }
            | History::ExecutionAborted { .. }
            | History::ExecutionTimedOut
    )
}

fn flow<'m>(whole: &'m Flow, thread: &Thread) -> Option<&'m Flow> {
    thread.place.iter().try_fold(whole, |flow, (state, branch)| {
        match &flow.states.get(state)?.kind {
            Kind::Parallel { branches } => branches.get(*branch),
            Kind::Map(map) => Some(&map.processor),
            _ => None,
        }
    })
}

/// The length of a value as JSON text.
pub fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}
