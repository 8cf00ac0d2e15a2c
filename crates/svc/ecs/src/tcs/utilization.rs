//! What the last minute's reports amount to, by cluster and by group: read from records and reports as they are now.

use std::collections::BTreeMap;

use roadstead_base::{Partition, Timestamp};
use roadstead_utilization::{Amount, GroupUtilization, Percent, group, percent};

use crate::Ecs;
use crate::error::Result;
use crate::instances::ledger::{Sold, node_key};
use crate::instances::{ContainerInstanceRecord, InstanceStatus};
use crate::names::ClusterName;
use crate::reconcile::Mirrors;
use crate::tasks::{Launch, TaskRecord};

/// A cluster by account and region.
pub(crate) type ClusterId = (Partition, ClusterName);

/// One cluster's minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ClusterUse {
    /// Of what its instances registered; without instances it has none.
    pub reserved: Option<Percent>,
    /// None also while nothing was heard of any task on its instances.
    pub used: Option<Percent>,
    /// By the tasks' group, `service:NAME` for one: of what these tasks reserve, on instances and on FARGATE.
    pub groups: BTreeMap<String, GroupUtilization>,
}

impl Ecs {
    /// How busy each group of a cluster's tasks was in `[from, until)`, at most the last five minutes: for those who
    /// decide how many tasks a service is to have.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn utilization_by_group(
        &self,
        partition: &Partition,
        cluster: &ClusterName,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<String, GroupUtilization>> {
        let mut all = self.utilization(from, until).await?;
        let of_cluster = all.remove(&(partition.clone(), cluster.clone()));
        Ok(of_cluster.map(|found| found.groups).unwrap_or_default())
    }

    /// Every cluster's use in `[from, until)`, those with instances or with tasks that were heard of.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn utilization(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<ClusterId, ClusterUse>> {
        let mirrors = self.present().await?;
        let registered = registered(mirrors);
        let (mut reserved, mut used) = (
            BTreeMap::<ClusterId, Amount>::new(),
            BTreeMap::<ClusterId, Amount>::new(),
        );
        let mut groups: BTreeMap<ClusterId, BTreeMap<String, Vec<(Amount, Amount)>>> = BTreeMap::new();
        for entry in mirrors.tasks.snapshot().iter() {
            let task = &entry.value;
            let cluster = (task.partition.clone(), task.cluster.clone());
            let sold = sold(mirrors, task);
            if let (Launch::Ec2, Some(sold)) = (task.launch, sold) {
                let sum = reserved.entry(cluster.clone()).or_default();
                *sum = *sum + sold;
            }
            let Some(of_task) = self.telemetry.used(&task.arn(), from, until) else {
                continue;
            };
            if task.launch == Launch::Ec2 {
                let sum = used.entry(cluster.clone()).or_default();
                *sum = *sum + of_task;
            }
            if let Some(sold) = sold {
                let of_cluster = groups.entry(cluster).or_default();
                of_cluster
                    .entry(task.group.clone())
                    .or_default()
                    .push((of_task, sold));
            }
        }
        let mut all: BTreeMap<ClusterId, ClusterUse> = BTreeMap::new();
        for (cluster, whole) in registered {
            let of = all.entry(cluster.clone()).or_default();
            of.reserved = Some(percent(
                reserved.get(&cluster).copied().unwrap_or_default(),
                whole,
            ));
            of.used = used.get(&cluster).map(|used| percent(*used, whole));
        }
        for (cluster, of_cluster) in groups {
            let named = of_cluster.into_iter().map(|(name, tasks)| (name, group(&tasks)));
            all.entry(cluster).or_default().groups = named.collect();
        }
        Ok(all)
    }
}

/// What each cluster's instances registered, those that are ACTIVE or DRAINING.
fn registered(mirrors: &Mirrors) -> BTreeMap<ClusterId, Amount> {
    let mut all: BTreeMap<ClusterId, Amount> = BTreeMap::new();
    for entry in mirrors.instances.snapshot().iter() {
        let ContainerInstanceRecord {
            name,
            status,
            registered,
            ..
        } = &entry.value;
        let counts = matches!(status, InstanceStatus::Active | InstanceStatus::Draining);
        if counts && !name.is_fargate() {
            let sum = all
                .entry((name.partition.clone(), name.cluster.clone()))
                .or_default();
            *sum = *sum
                + Amount {
                    cpu: registered.cpu as f64,
                    memory: registered.memory as f64,
                };
        }
    }
    all
}

/// What a task has reserved of its machine, for as long as it has.
fn sold(mirrors: &Mirrors, task: &TaskRecord) -> Option<Amount> {
    let node = mirrors.nodes.get(&node_key(&task.node))?;
    let Sold { cpu, memory, .. } = node.value.sold.get(&task.arn())?;
    Some(Amount {
        cpu: *cpu as f64,
        memory: *memory as f64,
    })
}
