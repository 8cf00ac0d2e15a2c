//! What is kept: buses, rules with their targets, how far each schedule was answered for, and what is owed to
//! targets.

use std::collections::BTreeMap;

use roadstead_base::{Tags, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A bus. The default one has a record only once something was said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BusRecord {
    pub name: String,
    pub description: Option<String>,
    pub tags: Tags,
    /// Who else may do what with it, as a document.
    #[serde(default)]
    pub policy: Option<String>,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleRecord {
    pub name: String,
    pub bus: String,
    pub description: Option<String>,
    /// As it was given.
    pub pattern: Option<String>,
    pub schedule: Option<String>,
    pub enabled: bool,
    /// Whether it also gets events of calls that change nothing.
    #[serde(default)]
    pub reads: bool,
    /// For targets that have none of their own.
    pub role_arn: Option<String>,
    pub tags: Tags,
    pub targets: Vec<TargetRecord>,
    /// From when the schedule counts: when it was given, or the rule was enabled.
    pub anchor: Timestamp,
}

/// Whom a rule hands its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TargetRecord {
    pub id: String,
    pub arn: String,
    pub role_arn: Option<String>,
    pub input: InputRecord,
    pub retry: Option<RetryRecord>,
    /// `EcsParameters` as the API has them, in JSON by the model's names.
    pub ecs: Option<Json>,
    /// The message group, of targets that are FIFO queues.
    #[serde(default)]
    pub message_group: Option<String>,
    /// The ARN of the queue for what could not be delivered.
    #[serde(default)]
    pub dead_letters: Option<String>,
}

/// What a target gets of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum InputRecord {
    /// All of it.
    Event,
    /// A constant in JSON.
    Constant(String),
    /// A part of it, by a path.
    Path(String),
    Transformed {
        paths: BTreeMap<String, String>,
        template: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RetryRecord {
    pub max_age_seconds: Option<i32>,
    pub max_attempts: Option<i32>,
}

/// Up to which tick a schedule was answered for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CursorRecord {
    /// The anchor of the schedule that this belongs to; that of another schedule counts for nothing.
    pub anchor: Timestamp,
    pub mark: Timestamp,
}

/// An event that is owed to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliveryRecord {
    /// Unique, and the same for the same event, rule and target.
    pub id: String,
    pub rule: String,
    pub bus: String,
    pub target: TargetRecord,
    /// The whole event, in JSON.
    pub event: String,
    pub created_at: Timestamp,
    /// The rules that brought the event here from another bus.
    #[serde(default)]
    pub through: Vec<String>,
    /// Attempts that failed.
    pub failures: u32,
    /// Not to be tried before.
    pub due_at: Timestamp,
    /// Given up: from now on it is owed to the target's dead-letter queue.
    #[serde(default)]
    pub dead: Option<DeadRecord>,
}

/// Why an event was given up, as its dead letter says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadRecord {
    pub code: String,
    pub message: String,
    /// Which bound of the retry policy was reached; none if it was not tried again at all.
    pub exhausted: Option<String>,
    pub retries: u32,
    pub at: Timestamp,
}
