//! What is kept of a task set.

use roadstead_deployment::part;
use serde::{Deserialize, Serialize};

use super::TaskSetId;
use crate::services::record::{DeploymentRecord, Unplaced};
use crate::services::{ServiceRecord, ServiceStatus};
use crate::tags::Tags;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum TaskSetStatus {
    Primary,
    Active,
    /// Deleted; its tasks are being stopped.
    Draining,
}

/// The request that made it, if that had a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub token: String,
    /// Without its token.
    pub fingerprint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskSetRecord {
    /// What its tasks are made of, and how they fare. Nothing rolls it out: it is COMPLETED from its beginning.
    pub deployment: DeploymentRecord,
    pub status: TaskSetStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Percent of the service's desired count.
    pub scale: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// It was told that it is.
    #[serde(default)]
    pub steady: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unplaced: Option<Unplaced>,
    pub tags: Tags,
}

impl TaskSetRecord {
    pub(crate) fn id(&self) -> TaskSetId {
        TaskSetId::known(&self.deployment.id)
    }

    pub(crate) fn arn(&self, service: &ServiceRecord) -> String {
        self.id().arn(&service.partition, &service.cluster, &service.name)
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.status == TaskSetStatus::Primary
    }

    /// By DeleteTaskSet.
    pub(crate) fn was_deleted(&self) -> bool {
        self.status == TaskSetStatus::Draining
    }

    /// By itself, or with its service.
    pub(crate) fn is_draining(&self, service: &ServiceRecord) -> bool {
        self.was_deleted() || service.status == ServiceStatus::Draining
    }

    /// Tasks that it is to have.
    pub(crate) fn desired(&self, service: &ServiceRecord) -> usize {
        if self.is_draining(service) {
            return 0;
        }
        part(usize::try_from(service.desired).unwrap_or_default(), self.scale)
    }
}
