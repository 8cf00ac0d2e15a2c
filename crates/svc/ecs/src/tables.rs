//! Where the service's records lie in the store. Keys are `account/region/<table>/<id>...`; what belongs to a
//! cluster lies below the cluster's name, so that one range reads it and one condition guards it.

use roadstead_base::Partition;
use roadstead_store::{Key, Table};

use crate::Ecs;
use crate::clusters::ClusterRecord;
use crate::definitions::{FamilyRecord, TaskDefinitionRecord};
use crate::instances::ContainerInstanceRecord;
use crate::names::{ClusterName, ContainerInstanceId, Family, ServiceName, TaskDefinitionId, TaskId};
use crate::services::deployments::{RevisionRecord, ServiceDeploymentRecord};
use crate::services::{EventRecord, ServiceRecord};
use crate::settings::SettingRecord;
use crate::tasks::TaskRecord;

const CLUSTERS: &str = "ecs-cluster";
const FAMILIES: &str = "ecs-family";
const DEFINITIONS: &str = "ecs-task-definition";
const TASKS: &str = "ecs-task";
const INSTANCES: &str = "ecs-container-instance";
const SERVICES: &str = "ecs-service";
const SERVICE_EVENTS: &str = "ecs-service-event";
const SERVICE_DEPLOYMENTS: &str = "ecs-service-deployment";
const REVISIONS: &str = "ecs-service-revision";
const ACCOUNT_SETTINGS: &str = "ecs-account-setting";

impl Ecs {
    /// `ecs-cluster/<name>`
    pub(crate) fn clusters(&self) -> Table<ClusterRecord> {
        Table::new(self.store.clone(), CLUSTERS)
    }

    /// `ecs-family/<family>`
    pub(crate) fn families(&self) -> Table<FamilyRecord> {
        Table::new(self.store.clone(), FAMILIES)
    }

    /// `ecs-task-definition/<family>/<revision, ten digits>`
    pub(crate) fn definitions(&self) -> Table<TaskDefinitionRecord> {
        Table::new(self.store.clone(), DEFINITIONS)
    }

    /// `ecs-task/<cluster>/<task id>`
    pub(crate) fn tasks(&self) -> Table<TaskRecord> {
        Table::new(self.store.clone(), TASKS)
    }

    /// `ecs-service/<cluster>/<service>`
    pub(crate) fn services(&self) -> Table<ServiceRecord> {
        Table::new(self.store.clone(), SERVICES)
    }

    /// `ecs-service-event/<cluster>/<service>/<number, ten digits>`
    pub(crate) fn service_events(&self) -> Table<EventRecord> {
        Table::new(self.store.clone(), SERVICE_EVENTS)
    }

    /// `ecs-service-deployment/<cluster>/<service>/<id>`
    pub(crate) fn service_deployments(&self) -> Table<ServiceDeploymentRecord> {
        Table::new(self.store.clone(), SERVICE_DEPLOYMENTS)
    }

    /// `ecs-service-revision/<cluster>/<service>/<id>`
    pub(crate) fn revisions(&self) -> Table<RevisionRecord> {
        Table::new(self.store.clone(), REVISIONS)
    }

    /// `ecs-account-setting/<name>/<principal's ARN>`
    pub(crate) fn account_settings(&self) -> Table<SettingRecord> {
        Table::new(self.store.clone(), ACCOUNT_SETTINGS)
    }

    /// `ecs-container-instance/<cluster>/<container instance id>`
    pub(crate) fn instances(&self) -> Table<ContainerInstanceRecord> {
        Table::new(self.store.clone(), INSTANCES)
    }
}

pub(crate) fn cluster_key(partition: &Partition, cluster: &ClusterName) -> Key {
    Key::of(partition).child(CLUSTERS).child(cluster)
}

pub(crate) fn family_key(partition: &Partition, family: &Family) -> Key {
    Key::of(partition).child(FAMILIES).child(family)
}

/// Revisions in order of their number, which is why it is padded.
pub(crate) fn definition_key(partition: &Partition, id: &TaskDefinitionId) -> Key {
    let revision = format!("{:010}", id.revision);
    Key::of(partition)
        .child(DEFINITIONS)
        .child(&id.family)
        .child(revision)
}

/// Above every task of the cluster.
pub(crate) fn tasks_of(partition: &Partition, cluster: &ClusterName) -> Key {
    Key::of(partition).child(TASKS).child(cluster)
}

pub(crate) fn task_key(partition: &Partition, cluster: &ClusterName, task: &TaskId) -> Key {
    tasks_of(partition, cluster).child(task)
}

/// Above every service of the cluster.
pub(crate) fn services_of(partition: &Partition, cluster: &ClusterName) -> Key {
    Key::of(partition).child(SERVICES).child(cluster)
}

pub(crate) fn service_key(partition: &Partition, cluster: &ClusterName, service: &ServiceName) -> Key {
    services_of(partition, cluster).child(service)
}

/// Above every event of the service.
pub(crate) fn events_of(partition: &Partition, cluster: &ClusterName, service: &ServiceName) -> Key {
    Key::of(partition)
        .child(SERVICE_EVENTS)
        .child(cluster)
        .child(service)
}

/// Above every service deployment of the service.
pub(crate) fn service_deployments_of(
    partition: &Partition,
    cluster: &ClusterName,
    service: &ServiceName,
) -> Key {
    Key::of(partition)
        .child(SERVICE_DEPLOYMENTS)
        .child(cluster)
        .child(service)
}

/// Above every revision of the service.
pub(crate) fn revisions_of(partition: &Partition, cluster: &ClusterName, service: &ServiceName) -> Key {
    Key::of(partition).child(REVISIONS).child(cluster).child(service)
}

/// Above every container instance of the cluster.
pub(crate) fn instances_of(partition: &Partition, cluster: &ClusterName) -> Key {
    Key::of(partition).child(INSTANCES).child(cluster)
}

pub(crate) fn instance_key(
    partition: &Partition,
    cluster: &ClusterName,
    instance: &ContainerInstanceId,
) -> Key {
    instances_of(partition, cluster).child(instance)
}
