//! What is kept: state machines, their definitions, executions, and each event of their histories.

use std::sync::Arc;

use roadstead_base::{Partition, Tags, Timestamp};
use roadstead_states_language::{Execution, HistoryEvent, Order, Status};
use roadstead_store::{Key, Store, Table};
use serde::{Deserialize, Serialize};

use crate::jobs::Job;

pub(crate) fn machines(store: &Arc<dyn Store>) -> Table<MachineRecord> {
    Table::new(Arc::clone(store), "states-machine")
}

/// By machine and digest: executions keep the definition that they began with.
pub(crate) fn definitions(store: &Arc<dyn Store>) -> Table<DefinitionRecord> {
    Table::new(Arc::clone(store), "states-definition")
}

/// By machine and name.
pub(crate) fn executions(store: &Arc<dyn Store>) -> Table<ExecutionRecord> {
    Table::new(Arc::clone(store), "states-execution")
}

/// By machine, execution and the event's number. What lies beyond the execution's last event was never acknowledged.
pub(crate) fn histories(store: &Arc<dyn Store>) -> Table<HistoryEvent> {
    Table::new(Arc::clone(store), "states-history")
}

/// The account and region that a key lies in.
pub(crate) fn partition_of(key: &Key) -> Option<Partition> {
    let mut segments = key.segments();
    Some(Partition {
        account: segments.next()?.parse().ok()?,
        region: segments.next()?.parse().ok()?,
    })
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MachineRecord {
    pub name: String,
    /// The digest of its definition.
    pub definition: String,
    pub role_arn: String,
    pub created: Timestamp,
    /// After the first update.
    pub revision: Option<String>,
    pub tags: Tags,
    pub deleting: bool,
    #[serde(default)]
    pub workflow: Workflow,
}

/// What becomes of a machine's executions: each step is kept, or nothing is and they are over in five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Workflow {
    #[default]
    Standard,
    Express,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefinitionRecord {
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExecutionRecord {
    pub machine: String,
    pub name: String,
    /// The digest of its definition.
    pub definition: String,
    pub role_arn: String,
    pub started: Timestamp,
    pub stopped: Option<Timestamp>,
    /// As it was given.
    pub input: String,
    pub execution: Execution,
    /// Tasks that are to be called or are being called.
    pub orders: Vec<Order>,
    /// Tasks that were handed over and are not answered.
    #[serde(default)]
    pub jobs: Vec<Job>,
}

impl ExecutionRecord {
    pub(crate) fn is_running(&self) -> bool {
        *self.execution.status() == Status::Running
    }
}
