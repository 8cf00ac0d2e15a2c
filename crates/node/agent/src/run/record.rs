//! What of a task goes to disk.

use roadstead_acs as acs;
use serde::{Deserialize, Serialize};

use crate::engine::state::TaskState;

/// A task's record. The payload is kept as it came, so that a newer agent reads it with newer eyes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TaskRecord {
    /// The cluster through whose channel it came: that manifest speaks of it.
    pub session: String,
    /// Order of arrival: the queue for resources keeps it across restarts.
    pub arrival: u64,
    pub payload: acs::Task,
    pub state: TaskState,
}

/// An interface that was announced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AttachmentRecord {
    pub task_arn: String,
    pub cluster: String,
    pub interface: acs::ElasticNetworkInterface,
    /// Milliseconds since 1970, after which nobody waits for it any more.
    pub expires_at: i64,
    /// The control plane knows that it is here.
    pub told: bool,
}

pub(super) const TASKS: &str = "tasks";
pub(super) const ATTACHMENTS: &str = "attachments";
