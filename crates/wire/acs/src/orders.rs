//! The control plane's messages.

use serde::{Deserialize, Serialize};

use crate::network::VpcMap;
use crate::payload::{ElasticNetworkInterface, RoleCredentials, Task};

/// Answered by [`crate::HeartbeatAck`]; any frame resets the agent's inactivity timer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Heartbeat {
    pub message_id: String,
    pub healthy: bool,
}

/// Tasks to start or to stop; stops apply first. Acknowledged whole, and safe to deliver twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    pub message_id: String,
    pub cluster_arn: String,
    pub container_instance_arn: String,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub generated_at: i64,
    #[serde(default)]
    pub seq_num: i64,
    pub tasks: Vec<Task>,
}

/// An interface that is about to show up for a task. Acknowledged at once; reported `ATTACHED` when there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachTaskNetworkInterfaces {
    pub message_id: String,
    pub cluster_arn: String,
    pub container_instance_arn: String,
    #[serde(default)]
    pub generated_at: i64,
    pub task_arn: String,
    pub task_cluster_arn: String,
    pub wait_timeout_ms: i64,
    pub elastic_network_interfaces: Vec<ElasticNetworkInterface>,
}

/// Every task this instance should have. An agent drops one whose timeline is not above the highest it saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskManifest {
    pub message_id: String,
    pub cluster_arn: String,
    pub container_instance_arn: String,
    #[serde(default)]
    pub generated_at: i64,
    pub timeline: i64,
    pub tasks: Vec<ManifestTask>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestTask {
    pub task_arn: String,
    #[serde(default)]
    pub task_cluster_arn: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
}

/// Which of the agent's stop candidates are really to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStopVerificationAck {
    /// The manifest's.
    pub message_id: String,
    #[serde(default)]
    pub generated_at: i64,
    pub stop_tasks: Vec<StopTask>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopTask {
    pub task_arn: String,
    #[serde(default)]
    pub task_cluster_arn: String,
    /// `STOPPED`.
    #[serde(default)]
    pub desired_status: String,
}

/// Ours alone, sent only to agents with [`crate::CAPABILITY_NETWORK_MAP`]: every VPC that has an interface on
/// the instance, whole. VPCs that are absent have none there any more. Acknowledged when applied; nacked with
/// a reason when it cannot be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkMap {
    pub message_id: String,
    /// Grows with every message to this instance; an older one changes nothing.
    pub generation: u64,
    pub vpcs: Vec<VpcMap>,
}

/// New keys of a task's role. Acknowledged by [`crate::CredentialsAck`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IamRoleCredentials {
    pub message_id: String,
    pub task_arn: String,
    pub task_cluster_arn: String,
    /// [`ROLE_OF_APPLICATION`] or [`ROLE_OF_EXECUTION`].
    pub role_type: String,
    pub role_credentials: RoleCredentials,
}

pub const ROLE_OF_APPLICATION: &str = "TaskApplication";
pub const ROLE_OF_EXECUTION: &str = "TaskExecution";

/// The control plane is about to close the connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Close {
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Error {
    pub message: String,
}
