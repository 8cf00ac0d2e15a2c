//! What is kept of a container instance.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_acs::ATTRIBUTE_ENI_SLOTS;
use roadstead_api_ecs::{Attribute, Resource};
use roadstead_base::{Arn, Partition, Timestamp};
use roadstead_placement::{Location, NodeId, Ports};
use roadstead_store::Key;
use serde::{Deserialize, Serialize};

use crate::names::{ClusterName, ContainerInstanceId};
use crate::stored::{Shaped, Stored};
use crate::tables::instance_key;
use crate::tags::{Tagged, Tags};

const ATTRIBUTE_VPC: &str = "ecs.vpc-id";
pub(crate) const ATTRIBUTE_ZONE: &str = "ecs.availability-zone";

/// A container instance by name: what tasks and ledgers refer to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct InstanceRef {
    pub partition: Partition,
    pub cluster: ClusterName,
    pub id: ContainerInstanceId,
}

impl InstanceRef {
    pub(crate) fn of_arn(text: &str) -> Option<Self> {
        let arn: Arn = text.parse().ok()?;
        let (cluster, id) = arn.resource_of("container-instance")?.split_once('/')?;
        Some(Self {
            partition: Partition {
                account: arn.account.parse().ok()?,
                region: arn.region.parse().ok()?,
            },
            cluster: ClusterName::new(cluster).ok()?,
            id: ContainerInstanceId::parse(id)?,
        })
    }

    pub(crate) fn arn(&self) -> String {
        self.id.arn(&self.partition, &self.cluster)
    }

    pub(crate) fn key(&self) -> Key {
        instance_key(&self.partition, &self.cluster, &self.id)
    }

    /// Whether it is capacity behind launch type FARGATE, which users never see.
    pub(crate) fn is_fargate(&self) -> bool {
        self.cluster.as_str() == roadstead_acs::FARGATE_CLUSTER
    }
}

/// Whether an instance takes part in its cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum InstanceStatus {
    Active,
    Draining,
    /// Deregistered; it can be described for a while and never comes back.
    Inactive {
        since: Timestamp,
        /// What its tasks are told.
        reason: String,
    },
}

impl InstanceStatus {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive { .. } => "INACTIVE",
        }
    }
}

impl Shaped for Resource {
    const SHAPE: &'static str = "Resource";
}

/// What an agent said its machine has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    /// CPU units.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// Ports that tasks never get.
    pub tcp: BTreeSet<u16>,
    pub udp: BTreeSet<u16>,
    /// Resources that no task can ask for; shown as they were registered.
    pub others: Vec<Stored<Resource>>,
}

impl Registered {
    pub(crate) fn ports(&self) -> Ports {
        Ports {
            tcp: self.tcp.clone(),
            udp: self.udp.clone(),
        }
    }
}

/// What runs on the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    pub agent_hash: Option<String>,
    pub agent: Option<String>,
    pub docker: Option<String>,
}

/// A container instance: one agent's registration in one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContainerInstanceRecord {
    #[serde(flatten)]
    pub name: InstanceRef,
    /// `i-…`; none for external instances.
    pub ec2_instance_id: Option<String>,
    pub status: InstanceStatus,
    pub attributes: BTreeMap<String, Option<String>>,
    /// Names of those that users put there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub custom: BTreeSet<String>,
    pub registered: Registered,
    pub versions: Versions,
    pub registered_at: Timestamp,
    /// Grows with every change.
    pub version: i64,
    pub tags: Tags,
}

impl ContainerInstanceRecord {
    /// The ledger it draws on: the machine's, whichever clusters it is registered in.
    pub(crate) fn node(&self) -> NodeId {
        NodeId(self.ec2_instance_id.clone().unwrap_or_else(|| self.name.arn()))
    }

    /// How many task interfaces the machine holds: what the agent said; none on machines that the network
    /// service does not know.
    pub(crate) fn eni_slots(&self) -> i64 {
        if self.ec2_instance_id.is_none() {
            return 0;
        }
        let said = self.attribute(ATTRIBUTE_ENI_SLOTS);
        said.and_then(|text| text.parse::<u16>().ok())
            .map_or(0, i64::from)
    }

    pub(crate) fn location(&self) -> Option<Location> {
        Some(Location {
            vpc: self.attribute(ATTRIBUTE_VPC)?.to_owned(),
            zone: self.zone()?.to_owned(),
        })
    }

    /// Also of an instance that is in no VPC.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.attribute(ATTRIBUTE_ZONE)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_deref()
    }

    pub(crate) fn is_inactive(&self) -> bool {
        matches!(self.status, InstanceStatus::Inactive { .. })
    }

    pub(crate) fn api_attributes(&self) -> Vec<Attribute> {
        let api = |(name, value): (&String, &Option<String>)| Attribute {
            name: name.clone(),
            value: value.clone(),
            ..Attribute::default()
        };
        self.attributes.iter().map(api).collect()
    }
}

impl Tagged for ContainerInstanceRecord {
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
