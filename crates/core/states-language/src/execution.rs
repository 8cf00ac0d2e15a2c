//! An execution as a machine without effects: [`Execution::step`] takes what happened and gives what is to be done and what
//! is to be told. Between steps an execution is a value that can be stored; nothing of it lives elsewhere.
//!
//! An execution is a tree of threads: the flow of the machine, below a Parallel one for each branch, below a Map one for
//! each item that is being worked on. A thread is in one state and sees the variables of its own and of those above it.

mod choose;
mod context;
mod enter;
mod fail;
mod leave;
mod r#loop;
mod numbers;
mod redrive;
mod stepper;
mod token;
mod trial;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::definition::{Machine, Resource};
use crate::dice::Dice;
use crate::failure::Failure;
use crate::history::{Called, HistoryEvent};

pub use stepper::size;
pub use token::TaskToken;
pub use trial::{Handled, Inspection, Outcome, Trial};

/// What a state may take and give, as JSON text in bytes.
pub const DATA_LIMIT: usize = 256 * 1024;
/// What all variables of an execution may have together.
pub const VARIABLES_LIMIT: usize = 10 * 1024 * 1024;
/// Events in the history of a Standard execution.
pub const EVENT_LIMIT: u64 = 25_000;
/// Iterations of a Map at the same time.
pub const CONCURRENCY: u64 = 40;

/// What the context object says of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are those of the context object
pub struct About {
    pub execution_arn: String,
    pub execution_name: String,
    pub role_arn: String,
    pub state_machine_arn: String,
    pub state_machine_name: String,
    pub input: Value,
}

/// How it stands with an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are those of the API
pub enum Status {
    Running,
    Succeeded {
        output: Value,
    },
    Failed {
        failure: Failure,
    },
    Aborted {
        error: Option<String>,
        cause: Option<String>,
    },
    TimedOut,
}

/// An execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    about: About,
    status: Status,
    started: i64,
    /// When it has taken too long.
    deadline: Option<i64>,
    /// How many events it may have.
    limit: Option<u64>,
    /// The id of its last event.
    events: u64,
    /// The id of the last thread or task.
    last: u64,
    threads: BTreeMap<u64, Thread>,
    /// Threads as they were when they failed or were stopped, and with them what they are part of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    halted: BTreeMap<u64, Thread>,
    /// How often it was redriven, and when last.
    #[serde(default)]
    redrives: u64,
    #[serde(default)]
    redriven: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Thread {
    /// The thread that waits for this one, and which of its results this is.
    parent: Option<(u64, usize)>,
    /// The states, and the branches below them, that lead to its flow.
    place: Vec<(String, usize)>,
    variables: Map<String, Value>,
    item: Option<Item>,
    /// Its last event.
    previous: u64,
    state: String,
    input: Value,
    /// The event that it was entered with, and when.
    entered: Option<(u64, i64)>,
    /// How often each retrier has tried again.
    tries: Vec<u64>,
    doing: Doing,
}

/// An item of a Map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    index: u64,
    key: Option<String>,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Doing {
    /// Can go on at once.
    Ready,
    Task(Running),
    Waiting {
        until: i64,
    },
    /// Tries again then.
    Pausing {
        until: i64,
    },
    Parallel {
        #[serde(with = "slots")]
        results: Vec<Option<Value>>,
    },
    Map {
        input: Value,
        items: Vec<Item>,
        concurrency: u64,
        next: usize,
        #[serde(with = "slots")]
        results: Vec<Option<Value>>,
    },
}

/// Results that may be there and be null: as JSON, a list each of one or none.
mod slots {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(slots: &[Option<Value>], to: S) -> Result<S::Ok, S::Error> {
        let lists: Vec<&[Value]> = slots.iter().map(Option::as_slice).collect();
        lists.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Option<Value>>, D::Error> {
        let lists = Vec::<Vec<Value>>::deserialize(from)?;
        Ok(lists.into_iter().map(|mut list| list.pop()).collect())
    }
}

/// A task that was ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Running {
    task: u64,
    called: Called,
    deadline: Option<i64>,
    /// Milliseconds between heartbeats, and when the next is overdue.
    heartbeat: Option<(i64, i64)>,
    /// What is counted only once a worker takes the task: milliseconds until it is too late, and between heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    once_taken: Option<(Option<i64>, Option<i64>)>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Nothing; go on with what is due.
    Proceed,
    /// Somebody took the task up.
    TaskStarted {
        /// Which.
        task: u64,
        /// What the worker of an activity calls itself.
        worker: Option<String>,
    },
    /// The job could not be handed over, or nobody can be handed it.
    TaskRefused {
        /// Which.
        task: u64,
        /// Why.
        failure: Failure,
    },
    /// The job was handed over, and this was answered.
    TaskSubmitted {
        /// Which.
        task: u64,
        /// The answer.
        output: Value,
    },
    /// The task is done.
    TaskSucceeded {
        /// Which.
        task: u64,
        /// Its result.
        output: Value,
    },
    /// The task failed.
    TaskFailed {
        /// Which.
        task: u64,
        /// Why.
        failure: Failure,
    },
    /// The task is still alive.
    Heartbeat {
        /// Which.
        task: u64,
    },
    /// Whoever runs the execution cannot go on with it.
    Fail {
        /// Why.
        failure: Failure,
    },
    /// Somebody stops the execution.
    Stop {
        /// Its error, for the record.
        error: Option<String>,
        /// Its cause, for the record.
        cause: Option<String>,
    },
}

/// A task to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The event by which its state was entered.
    #[serde(default)]
    pub entered: u64,
    /// Its number, which what happens to it is told with.
    pub task: u64,
    /// The state that wants it.
    pub state: String,
    /// What is called.
    pub resource: Resource,
    /// What with.
    pub parameters: Value,
    /// What the task's doer answers with, where the resource waits for that.
    pub token: Option<String>,
    /// As whom, if not as the machine's role.
    pub credentials: Option<Value>,
    /// Seconds until the execution gives up.
    pub timeout: Option<u64>,
    /// Seconds that may go by between heartbeats.
    pub heartbeat: Option<u64>,
    /// When it was given, in milliseconds since 1970. 0 in what was kept before this was.
    #[serde(default)]
    pub given: i64,
}

/// What came of a step.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    /// What is to be told, in order.
    pub history: Vec<HistoryEvent>,
    /// What is to be done.
    pub orders: Vec<Order>,
    /// Tasks that nobody waits for any more.
    pub cancelled: Vec<u64>,
}

impl Execution {
    /// An execution that has not made a step. `deadline`: when it ends at the latest, whatever the definition says;
    /// `limit`: the number of events that it may have ([`EVENT_LIMIT`] for Standard).
    pub fn new(
        machine: &Machine,
        about: About,
        now: i64,
        deadline: Option<i64>,
        limit: Option<u64>,
    ) -> Execution {
        let own = machine.deadline(now);
        let root = Thread::new(machine.flow.start.clone(), about.input.clone());
        Execution {
            about,
            status: Status::Running,
            started: now,
            deadline: own.into_iter().chain(deadline).min(),
            limit,
            events: 0,
            last: 1,
            threads: BTreeMap::from([(1, root)]),
            halted: BTreeMap::new(),
            redrives: 0,
            redriven: None,
        }
    }

    /// Takes what happened. After the execution has ended, and for tasks that it does not wait for, nothing comes of it.
    /// One step makes a bounded number of transitions: [`Execution::due`] tells whether there are more.
    pub fn step(&mut self, machine: &Machine, input: Input, now: i64, dice: &Dice) -> Step {
        stepper::Stepper::new(self, machine, now, dice).run(input)
    }

    /// When it wants to go on by itself, in milliseconds since the epoch: at once if that is past.
    pub fn due(&self) -> Option<i64> {
        if self.status != Status::Running {
            return None;
        }
        let threads = self.threads.values().filter_map(|thread| match &thread.doing {
            Doing::Ready => Some(i64::MIN),
            Doing::Waiting { until } | Doing::Pausing { until } => Some(*until),
            Doing::Task(running) => running.due(),
            Doing::Parallel { .. } | Doing::Map { .. } => None,
        });
        threads.chain(self.deadline).min()
    }

    /// How it stands.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The id of its last event.
    pub fn last_event(&self) -> u64 {
        self.events
    }

    /// Whether it waits for the task, and the task's time is not over.
    pub fn awaits(&self, task: u64, now: i64) -> bool {
        let overdue = self.deadline.is_some_and(|deadline| deadline <= now);
        let in_time = |running: &Running| running.due().is_none_or(|due| due > now);
        !overdue
            && self.threads.values().any(
                |thread| matches!(&thread.doing, Doing::Task(running) if running.task == task && in_time(running)),
            )
    }

    /// The tasks that it waits for.
    pub fn tasks(&self) -> impl Iterator<Item = u64> {
        self.threads.values().filter_map(|thread| match &thread.doing {
            Doing::Task(running) => Some(running.task),
            _ => None,
        })
    }
}

impl Machine {
    /// When an execution that begins now has taken too long.
    fn deadline(&self, now: i64) -> Option<i64> {
        let after =
            |seconds: u64| now.saturating_add(seconds.saturating_mul(1000).min(i64::MAX as u64) as i64);
        self.timeout.map(after)
    }
}

impl Thread {
    fn new(state: String, input: Value) -> Thread {
        Thread {
            parent: None,
            place: Vec::new(),
            variables: Map::new(),
            item: None,
            previous: 0,
            state,
            input,
            entered: None,
            tries: Vec::new(),
            doing: Doing::Ready,
        }
    }
}

impl Running {
    /// Milliseconds until it is too late, and between heartbeats, from now on.
    fn count(&mut self, (timeout, heartbeat): (Option<i64>, Option<i64>), now: i64) {
        self.deadline = timeout.map(|millis| now.saturating_add(millis));
        self.heartbeat = heartbeat.map(|millis| (millis, now.saturating_add(millis)));
    }

    fn due(&self) -> Option<i64> {
        self.deadline
            .into_iter()
            .chain(self.heartbeat.map(|(_, overdue)| overdue))
            .min()
    }
}
