//! The agent's messages.

use serde::{Deserialize, Serialize};

use crate::orders::StopTask;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ack {
    pub cluster: String,
    pub container_instance: String,
    pub message_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Nack {
    pub cluster: String,
    pub container_instance: String,
    pub message_id: String,
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatAck {
    pub message_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialsAck {
    pub message_id: String,
    pub expiration: String,
    pub credentials_id: String,
}

/// Tasks that run here and are not in the manifest; stopped only once the control plane agrees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskStopVerification {
    pub message_id: String,
    pub stop_candidates: Vec<StopTask>,
}
