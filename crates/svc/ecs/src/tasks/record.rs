//! What is kept of a task: everything that its description shows and that its reconciler needs, so that either
//! can be made again from the store alone.

use roadstead_api_ecs::{NetworkBinding, TaskOverride};
use roadstead_base::{Arn, Partition, Timestamp};
use roadstead_placement::NodeId;
use roadstead_store::Key;
use serde::{Deserialize, Serialize};

use crate::instances::InstanceRef;
use crate::names::{ClusterName, TaskDefinitionId, TaskId};
use crate::stored::{Shaped, Stored};
use crate::tables::task_key;
use crate::tags::{Tagged, Tags};

impl Shaped for NetworkBinding {
    const SHAPE: &'static str = "NetworkBinding";
}

/// Where a task is on its way. It only ever moves down this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LastStatus {
    /// Its interface is being made; no agent has heard of it.
    Provisioning,
    /// The agent has it, or gets it as soon as it is connected.
    Pending,
    Activating,
    Running,
    Deactivating,
    /// The agent is told to stop it.
    Stopping,
    /// The agent has stopped it; its interface is being taken away.
    Deprovisioning,
    Stopped,
}

impl LastStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What the task is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Desired {
    Running,
    Stopped,
}

impl Desired {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Launch {
    Ec2,
    Fargate,
}

/// Why a task stopped. Source: the developer guide, "Stopped tasks error codes".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    UserInitiated,
    TerminationNotice,
    ServiceSchedulerInitiated,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub code: StopCode,
    pub reason: String,
}

/// When what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Times {
    pub created: Timestamp,
    pub connected: Option<Timestamp>,
    pub pull_started: Option<Timestamp>,
    pub pull_stopped: Option<Timestamp>,
    pub started: Option<Timestamp>,
    pub stopping: Option<Timestamp>,
    pub execution_stopped: Option<Timestamp>,
    pub stopped: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ContainerStatus {
    Pending,
    Running,
    Stopped,
}

impl ContainerStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// One container of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    pub name: String,
    pub arn: String,
    pub image: String,
    pub essential: bool,
    pub status: ContainerStatus,
    /// As the definition and the overrides have it.
    pub cpu: i32,
    pub memory: Option<i32>,
    pub memory_reservation: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// Its definition says `versionConsistency` `disabled`: what its image is, is of no other task's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_tag: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Stored<NetworkBinding>>,
    /// What its health check said last; none: it has no health check. Kept, so that a new daemon does not take what
    /// ran well for something that has yet to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<CheckedHealth>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum CheckedHealth {
    Unknown,
    Healthy,
    Unhealthy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum AttachmentStatus {
    Precreated,
    Attaching,
    Attached,
    Detaching,
    Deleted,
}

impl AttachmentStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Precreated => "PRECREATED",
            Self::Attaching => "ATTACHING",
            Self::Attached => "ATTACHED",
            Self::Detaching => "DETACHING",
            Self::Deleted => "DELETED",
        }
    }
}

/// The task's own network interface: what was asked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttachmentRecord {
    /// A UUID derived from the task's id.
    pub id: String,
    pub status: AttachmentStatus,
    pub subnet: String,
    /// `a.b.c.d/len`, the subnet's.
    pub cidr: String,
    /// The subnet's IPv6 block, if the interface is to have an address of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr: Option<String>,
    /// The resolver of the VPC: its base address + 2.
    pub resolver: String,
    /// Empty: the VPC's default group.
    pub groups: Vec<String>,
    /// On the machine.
    pub device_index: i32,
    pub interface: Option<InterfaceRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InterfaceRecord {
    /// `eni-…`
    pub id: String,
    /// `eni-attach-…`
    pub attachment: Option<String>,
    pub mac: String,
    pub address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<String>,
    pub dns_name: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRecord {
    pub partition: Partition,
    pub cluster: ClusterName,
    pub id: TaskId,
    pub definition: TaskDefinitionId,
    pub launch: Launch,
    /// What it counts for, if a capacity provider strategy decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_provider: Option<String>,
    /// Where it runs; for FARGATE, capacity that users do not see.
    pub host: InstanceRef,
    /// The `i-…` of that machine, if it has one.
    pub host_ec2_id: Option<String>,
    /// Whose ledger it stands in.
    #[serde(with = "node_text")]
    pub node: NodeId,
    pub zone: Option<String>,
    pub desired: Desired,
    pub last: LastStatus,
    pub stop: Option<Stop>,
    pub group: String,
    pub started_by: Option<String>,
    /// For the task as a whole, with overrides: CPU units and MiB.
    pub cpu: Option<i64>,
    pub memory: Option<i64>,
    pub overrides: Stored<TaskOverride>,
    pub architecture: String,
    pub containers: Vec<ContainerRecord>,
    pub attachment: Option<AttachmentRecord>,
    /// GiB; FARGATE alone.
    pub ephemeral_storage: Option<i32>,
    pub times: Times,
    /// A service may not stop it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_until: Option<Timestamp>,
    /// Grows with every change.
    pub version: i64,
    pub tags: Tags,
}

impl TaskRecord {
    pub(crate) fn arn(&self) -> String {
        self.id.arn(&self.partition, &self.cluster)
    }

    pub(crate) fn key(&self) -> Key {
        task_key(&self.partition, &self.cluster, &self.id)
    }

    /// Of its essential containers that have a health check; none: there is no such container. Source: the API
    /// reference, `healthStatus` of HealthCheck.
    pub(crate) fn checked_health(&self) -> Option<CheckedHealth> {
        let essential = self.containers.iter().filter(|container| container.essential);
        let checked: Vec<CheckedHealth> = essential.filter_map(|container| container.health).collect();
        [
            CheckedHealth::Unhealthy,
            CheckedHealth::Unknown,
            CheckedHealth::Healthy,
        ]
        .into_iter()
        .find(|health| checked.contains(health))
    }

    /// What of it the manifest and the payloads of its agent speak of.
    pub(crate) fn concerns_agent(&self) -> bool {
        self.last < LastStatus::Deprovisioning
    }
}

impl AttachmentRecord {
    pub(crate) fn arn(&self, partition: &Partition) -> String {
        Arn::new(
            "ecs",
            &partition.region,
            &partition.account,
            format!("attachment/{}", self.id),
        )
        .to_string()
    }
}

impl Tagged for TaskRecord {
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

/// The key of the record that a task's ARN names, if it is one.
pub(crate) fn key_of_arn(text: &str) -> Option<Key> {
    let arn: Arn = text.parse().ok()?;
    let (cluster, id) = arn
        .resource_of("task")
        .filter(|_| arn.service == "ecs")?
        .split_once('/')?;
    let partition = Partition {
        account: arn.account.parse().ok()?,
        region: arn.region.parse().ok()?,
    };
    Some(task_key(
        &partition,
        &ClusterName::new(cluster).ok()?,
        &TaskId::parse(id)?,
    ))
}

mod node_text {
    use roadstead_placement::NodeId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(node: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&node.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
        String::deserialize(deserializer).map(NodeId)
    }
}
