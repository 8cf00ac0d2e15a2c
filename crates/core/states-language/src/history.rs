//! What an execution tells of itself: the events of `GetExecutionHistory` (API reference, "HistoryEvent").

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// An event of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// Counted from 1.
    pub id: u64,
    /// The event that led to it; 0 for the first.
    pub previous: u64,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// What happened.
    pub what: History,
}

/// What a task calls, as its events say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Called {
    /// A function by its ARN: `LambdaFunction…`
    Function,
    /// An activity: `Activity…`
    Activity,
    /// Anything else: `Task…`
    Task {
        /// `ecs`, `aws-sdk:ecs`
        resource_type: String,
        /// `runTask.sync`
        resource: String,
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are those of the API
pub enum History {
    ExecutionStarted {
        input: Value,
    },
    ExecutionSucceeded {
        output: Value,
    },
    ExecutionFailed {
        failure: Failure,
    },
    ExecutionAborted {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionTimedOut,
    ExecutionRedriven {
        count: u64,
    },
    StateEntered {
        kind: String,
        name: String,
        input: Value,
    },
    StateExited {
        kind: String,
        name: String,
        output: Value,
        assigned: Map<String, Value>,
    },
    StateAborted {
        kind: String,
    },
    /// A Parallel or a Map starts its work. `length` is that of a Map's items.
    StateStarted {
        kind: String,
        length: Option<u64>,
    },
    StateSucceeded {
        kind: String,
    },
    StateFailed {
        kind: String,
    },
    TaskScheduled {
        called: Called,
        arn: String,
        parameters: Value,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
        credentials: Option<Value>,
    },
    TaskStarted {
        called: Called,
        /// What the worker of an activity calls itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<String>,
    },
    /// It was not taken: `TaskSubmitFailed`, `ActivityScheduleFailed`.
    TaskRefused {
        called: Called,
        failure: Failure,
    },
    TaskSubmitted {
        called: Called,
        output: Value,
    },
    TaskSucceeded {
        called: Called,
        output: Value,
    },
    TaskFailed {
        called: Called,
        failure: Failure,
    },
    TaskTimedOut {
        called: Called,
        failure: Failure,
    },
    IterationStarted {
        name: String,
        index: u64,
    },
    IterationSucceeded {
        name: String,
        index: u64,
    },
    IterationFailed {
        name: String,
        index: u64,
    },
    IterationAborted {
        name: String,
        index: u64,
    },
    EvaluationFailed {
        state: String,
        failure: Failure,
    },
}

impl History {
    /// As `HistoryEventType` has it.
    pub fn type_name(&self) -> String {
        let task = |called: &Called, what: &str| match called {
            Called::Function => format!("LambdaFunction{what}"),
            Called::Activity => format!("Activity{what}"),
            Called::Task { .. } => format!("Task{what}"),
        };
        match self {
            History::ExecutionStarted { .. } => "ExecutionStarted".to_owned(),
            History::ExecutionSucceeded { .. } => "ExecutionSucceeded".to_owned(),
            History::ExecutionFailed { .. } => "ExecutionFailed".to_owned(),
            History::ExecutionAborted { .. } => "ExecutionAborted".to_owned(),
            History::ExecutionTimedOut => "ExecutionTimedOut".to_owned(),
            History::ExecutionRedriven { .. } => "ExecutionRedriven".to_owned(),
            History::StateEntered { kind, .. } => format!("{kind}StateEntered"),
            History::StateExited { kind, .. } => format!("{kind}StateExited"),
            History::StateAborted { kind } => format!("{kind}StateAborted"),
            History::StateStarted { kind, .. } => format!("{kind}StateStarted"),
            History::StateSucceeded { kind } => format!("{kind}StateSucceeded"),
            History::StateFailed { kind } => format!("{kind}StateFailed"),
            History::TaskScheduled { called, .. } => task(called, "Scheduled"),
            History::TaskStarted { called, .. } => task(called, "Started"),
            History::TaskRefused { called, .. } => match called {
                Called::Task { .. } => task(called, "SubmitFailed"),
                Called::Function | Called::Activity => task(called, "ScheduleFailed"),
            },
            History::TaskSubmitted { called, .. } => task(called, "Submitted"),
            History::TaskSucceeded { called, .. } => task(called, "Succeeded"),
            History::TaskFailed { called, .. } => task(called, "Failed"),
            History::TaskTimedOut { called, .. } => task(called, "TimedOut"),
            History::IterationStarted { .. } => "MapIterationStarted".to_owned(),
            History::IterationSucceeded { .. } => "MapIterationSucceeded".to_owned(),
            History::IterationFailed { .. } => "MapIterationFailed".to_owned(),
            History::IterationAborted { .. } => "MapIterationAborted".to_owned(),
            History::EvaluationFailed { .. } => "EvaluationFailed".to_owned(),
        }
    }
}
