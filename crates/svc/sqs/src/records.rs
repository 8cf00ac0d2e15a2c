//! What is kept: queues with what is set on them, tasks that move messages, and messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_base::Timestamp;
use roadstead_store::{Store, Table};
use serde::{Deserialize, Serialize};

pub(crate) fn queues(store: &Arc<dyn Store>) -> Table<QueueRecord> {
    Table::new(Arc::clone(store), "sqs-queue")
}

/// When queues were deleted, whose names are not free yet.
pub(crate) fn deleted(store: &Arc<dyn Store>) -> Table<Timestamp> {
    Table::new(Arc::clone(store), "sqs-deleted")
}

pub(crate) fn moves(store: &Arc<dyn Store>) -> Table<MoveRecord> {
    Table::new(Arc::clone(store), "sqs-move")
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueueRecord {
    /// What its messages go by; a later queue of the same name has another.
    pub id: u64,
    pub name: String,
    pub fifo: bool,
    pub settings: Settings,
    pub tags: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub purged_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub delay_seconds: i64,
    pub max_bytes: i64,
    pub retention_seconds: i64,
    pub wait_seconds: i64,
    pub visibility_seconds: i64,
    pub policy: Option<String>,
    pub redrive: Option<Redrive>,
    pub redrive_allow: Option<RedriveAllow>,
    /// Messages are sealed.
    pub sealed: bool,
    /// FIFO queues alone, like the two that follow.
    pub by_content: bool,
    /// Duplicates are looked for within the group alone.
    pub scope_is_group: bool,
    pub throughput_is_per_group: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delay_seconds: 0,
            max_bytes: crate::message::MAX_BYTES as i64,
            retention_seconds: 345_600,
            wait_seconds: 0,
            visibility_seconds: 30,
            policy: None,
            redrive: None,
            redrive_allow: None,
            sealed: true,
            by_content: false,
            scope_is_group: false,
            throughput_is_per_group: false,
        }
    }
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Redrive {
    pub target_arn: String,
    pub max_receives: u32,
}

/// Whose dead letters a queue takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RedriveAllow {
    All,
    None,
    Queues(Vec<String>),
}

pub(crate) type Attributes = BTreeMap<String, Attribute>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub data_type: String,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

/// What a message holds, which never changes but by a move between queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageRecord {
    pub id: String,
    pub body: String,
    pub attributes: Attributes,
    pub trace_header: Option<String>,
    pub sender: String,
    pub sent: i64,
    pub group: Option<String>,
    pub deduplication: Option<String>,
    /// The queue that it was a dead letter of.
    pub source_arn: Option<String>,
}

/// What was answered for a message of a FIFO queue, for those who send it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentRecord {
    pub id: String,
    pub number: u64,
    /// Until when another like it is the same.
    pub until: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MoveStatus {
    Running,
    Completed,
    Cancelled,
    Failed,
}

/// A task that moves messages from one queue to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MoveRecord {
    pub handle: String,
    pub source: String,
    /// None: to where each came from.
    pub destination_arn: Option<String>,
    pub per_second: Option<i32>,
    pub status: MoveStatus,
    pub started_at: Timestamp,
    pub moved: i64,
    pub to_move: i64,
    pub failure: Option<String>,
}
