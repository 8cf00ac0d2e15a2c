//! What is kept: state machines, their definitions, versions and aliases, executions, and each event of their histories.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_base::{Partition, Tags, Timestamp};
use roadstead_states_language::{Execution, HistoryEvent, Order, Status};
use roadstead_store::{Key, Store, Table};
use serde::{Deserialize, Serialize};

use crate::jobs::Job;
use crate::logging::Logging;

pub(crate) fn machines(store: &Arc<dyn Store>) -> Table<MachineRecord> {
    Table::new(Arc::clone(store), "states-machine")
}

/// By machine and digest: executions keep the definition that they began with.
pub(crate) fn definitions(store: &Arc<dyn Store>) -> Table<DefinitionRecord> {
    Table::new(Arc::clone(store), "states-definition")
}

/// By machine and number.
pub(crate) fn versions(store: &Arc<dyn Store>) -> Table<VersionRecord> {
    Table::new(Arc::clone(store), "states-version")
}

/// By machine and name.
pub(crate) fn aliases(store: &Arc<dyn Store>) -> Table<AliasRecord> {
    Table::new(Arc::clone(store), "states-alias")
}

/// By machine and name.
pub(crate) fn executions(store: &Arc<dyn Store>) -> Table<ExecutionRecord> {
    Table::new(Arc::clone(store), "states-execution")
}

/// Express executions that were started and have not ended, by machine and id.
pub(crate) fn express(store: &Arc<dyn Store>) -> Table<ExpressRecord> {
    Table::new(Arc::clone(store), "states-express")
}

/// What those are given, by the same keys: read once it is their turn.
pub(crate) fn express_inputs(store: &Arc<dyn Store>) -> Table<ExpressInput> {
    Table::new(Arc::clone(store), "states-express-input")
}

/// By machine, execution and the event's number. What lies beyond the execution's last event was never acknowledged.
pub(crate) fn histories(store: &Arc<dyn Store>) -> Table<HistoryEvent> {
    Table::new(Arc::clone(store), "states-history")
}

/// By name.
pub(crate) fn activities(store: &Arc<dyn Store>) -> Table<ActivityRecord> {
    Table::new(Arc::clone(store), "states-activity")
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
    /// When it was changed last.
    #[serde(default)]
    pub updated: Option<Timestamp>,
    #[serde(default)]
    pub versions: Versions,
    #[serde(default, skip_serializing_if = "Logging::is_default")]
    pub logging: Logging,
}

impl MachineRecord {
    pub(crate) fn updated(&self) -> Timestamp {
        self.updated.unwrap_or(self.created)
    }
}

/// How a machine stands with its versions and aliases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// The number of the last one published, also if it was deleted: numbers are not given twice.
    pub last: u64,
    /// How many there are.
    pub count: usize,
    /// The version that the current revision was published as.
    pub current: Option<u64>,
    /// How many aliases there are.
    pub aliases: usize,
    /// What was published when the machine was made.
    pub at_creation: Option<Publication>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Publication {
    pub description: Option<String>,
}

/// The machine as it was when it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    pub number: u64,
    pub description: Option<String>,
    pub created: Timestamp,
    /// Without its tags, which are the machine's alone.
    pub machine: MachineRecord,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AliasRecord {
    pub name: String,
    pub description: Option<String>,
    pub routes: Vec<Route>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// So much of a hundred executions goes to a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub version: u64,
    pub weight: u64,
}

/// What an execution was started from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub version: Option<u64>,
    pub alias: Option<String>,
    /// The revision of the machine, and when that was made.
    pub revision: Option<String>,
    pub updated: Option<Timestamp>,
}

/// What becomes of a machine's executions: each step is kept, or nothing is and they are over in five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Workflow {
    #[default]
    Standard,
    Express,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActivityRecord {
    pub name: String,
    pub created: Timestamp,
    pub tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "KeptDefinition", into = "KeptDefinition")]
pub(crate) struct DefinitionRecord {
    pub text: String,
}

/// A definition as it is kept: as base64 where escapes would make it larger than what is written at once may be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptDefinition {
    Text(String),
    Base64(String),
}

/// Bytes of a definition as a JSON string beside which a machine fits into a transaction.
const PLAIN: usize = 1_200_000;

impl From<DefinitionRecord> for KeptDefinition {
    fn from(record: DefinitionRecord) -> Self {
        let DefinitionRecord { text } = record;
        let fits = serde_json::to_string(&text).is_ok_and(|json| json.len() <= PLAIN);
        if fits {
            Self::Text(text)
        } else {
            Self::Base64(STANDARD.encode(text))
        }
    }
}

impl TryFrom<KeptDefinition> for DefinitionRecord {
    type Error = String;

    fn try_from(kept: KeptDefinition) -> Result<Self, String> {
        let text = match kept {
            KeptDefinition::Text(text) => text,
            KeptDefinition::Base64(encoded) => {
                let bytes = STANDARD.decode(encoded).map_err(|fault| fault.to_string())?;
                String::from_utf8(bytes).map_err(|fault| fault.to_string())?
            }
        };
        Ok(Self { text })
    }
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
    #[serde(default)]
    pub origin: Origin,
    /// Jobs that nobody waits for any more and that are to be stopped.
    #[serde(default)]
    pub ending: Vec<Job>,
    /// The latest redrives, by their tokens.
    #[serde(default)]
    pub redrives: Vec<Redrive>,
    /// As its machine was logged when it began.
    #[serde(default, skip_serializing_if = "Logging::is_default")]
    pub logging: Logging,
}

/// What an Express execution begins with, once more after a restart: nothing is kept of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExpressRecord {
    pub machine: String,
    pub name: String,
    /// The last part of its ARN.
    pub id: String,
    /// The digest of its definition.
    pub definition: String,
    pub role_arn: String,
    /// When it was asked for.
    pub asked: Timestamp,
    #[serde(default)]
    pub origin: Origin,
    #[serde(default, skip_serializing_if = "Logging::is_default")]
    pub logging: Logging,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExpressInput {
    /// As it was given.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    pub token: Option<String>,
    pub at: Timestamp,
}

impl ExecutionRecord {
    pub(crate) fn is_running(&self) -> bool {
        *self.execution.status() == Status::Running
    }
}
