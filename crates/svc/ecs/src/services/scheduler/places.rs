//! Where a service's tasks may be: the instances that its daemon belongs on, and the zones it is balanced over.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use roadstead_deployment::{Instance, InstanceId, Snapshot as Seen, Task};
use roadstead_placement::{Snapshot, daemons as belongs};
use roadstead_store::Entry;

use crate::Ecs;
use crate::error::Result;
use crate::instances::ledger::node_key;
use crate::instances::{ContainerInstanceRecord, InstanceStatus, candidate};
use crate::services::news::News;
use crate::services::record::{DeploymentRecord, Scheduling};
use crate::services::scheduler::start;
use crate::services::{Owner, ServiceRecord};
use crate::tables::instances_of;
use crate::tasks::Launch;

/// The instances of the cluster, as a DAEMON service sees them.
pub(super) async fn daemons(
    ecs: &Ecs,
    entry: &Entry<ServiceRecord>,
    service: &ServiceRecord,
) -> Result<Vec<Instance>> {
    let Some(primary) = service.primary() else {
        return Ok(Vec::new());
    };
    let owner = Owner::of(entry, service, &primary.id, &News::default());
    let Some((_, wanted)) = start::wanted(ecs, owner).await? else {
        return Ok(Vec::new());
    };
    let mirrors = ecs.present().await?;
    let instances = mirrors.instances.snapshot();
    let below = instances_of(&service.partition, &service.cluster);
    let mut snapshot = Snapshot::default();
    for instance in instances.below(&below).filter(|entry| !entry.value.is_inactive()) {
        snapshot.candidates.push(candidate(ecs, mirrors, &instance.value));
    }
    let eligible: BTreeSet<String> = belongs(&snapshot, &wanted.demand)
        .into_iter()
        .map(|it| it.id.0)
        .collect();
    let others = |groups: &BTreeMap<String, usize>| {
        // Daemons of other services leave last, too: they are no reason to stay.
        groups
            .iter()
            .any(|(group, count)| *count > 0 && !is_daemon(ecs, service, group))
    };
    Ok(snapshot
        .candidates
        .iter()
        .map(|candidate| Instance {
            id: InstanceId(candidate.id.0.clone()),
            eligible: eligible.contains(&candidate.id.0),
            busy: others(&candidate.groups),
        })
        .collect())
}

/// Whether a group of tasks is of a DAEMON service of the same cluster.
fn is_daemon(ecs: &Ecs, service: &ServiceRecord, group: &str) -> bool {
    let Some(name) = group.strip_prefix("service:") else {
        return false;
    };
    let Some(mirrors) = ecs.present.get() else {
        return false;
    };
    let Ok(name) = crate::names::ServiceName::new(name) else {
        return false;
    };
    let key = crate::tables::service_key(&service.partition, &service.cluster, &name);
    let services = mirrors.services.snapshot();
    services
        .get(&key)
        .is_some_and(|entry| entry.value.scheduling == Scheduling::Daemon)
}

/// What there is to find a place in, as a number: another when an instance or what is sold of it is another, or its
/// agent came or went.
pub(super) async fn world(ecs: &Ecs, service: &ServiceRecord, maker: &str) -> Result<u64> {
    let mirrors = ecs.present().await?;
    let fargate = service
        .maker(maker)
        .is_some_and(|maker| maker.spec.launch == Launch::Fargate);
    let (instances, nodes) = (mirrors.instances.snapshot(), mirrors.nodes.snapshot());
    let below = instances_of(&service.partition, &service.cluster);
    let mut hasher = DefaultHasher::new();
    for entry in instances
        .iter()
        .filter(|entry| fargate || below.below().contains(&entry.key.to_bytes()))
    {
        let instance = &entry.value;
        let ledger = nodes.get(&node_key(&instance.node()));
        ecs.agents.is_connected(&instance.name.arn()).hash(&mut hasher);
        (entry.revision.0, ledger.map(|ledger| ledger.revision.0)).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// The zones that tasks are to be balanced over: those of their subnets, and on EC2 those in which there is an instance
/// that suits them, which is all that counts for tasks without subnets.
pub(super) async fn zones(
    ecs: &Ecs,
    entry: &Entry<ServiceRecord>,
    service: &ServiceRecord,
    maker: &DeploymentRecord,
    tasks: &[Task],
) -> Result<Vec<String>> {
    if !service.rebalancing || !service.is_active() || tasks.len() < 2 {
        return Ok(Vec::new());
    }
    let mirrors = ecs.present().await?;
    let snapshot = mirrors.instances.snapshot();
    let below = instances_of(&service.partition, &service.cluster);
    let instances = snapshot.below(&below).map(|entry| &entry.value);
    let here: Vec<&ContainerInstanceRecord> = instances
        .filter(|instance| instance.status == InstanceStatus::Active)
        .filter(|instance| ecs.agents.is_connected(&instance.name.arn()))
        .collect();
    let ec2 = maker.spec.launch == Launch::Ec2;
    let zones: BTreeSet<&str> = here.iter().filter_map(|instance| instance.zone()).collect();
    if ec2 && zones.len() < 2 {
        // Which of them suit the tasks is not worth asking.
        return Ok(Vec::new());
    }
    let owner = Owner::of(entry, service, &maker.id, &News::default());
    let Some((_, wanted)) = start::wanted(ecs, owner).await? else {
        return Ok(Vec::new());
    };
    let zones: BTreeSet<String> = if ec2 {
        let mut seen = Snapshot::default();
        seen.candidates
            .extend(here.iter().map(|instance| candidate(ecs, mirrors, instance)));
        let suits: BTreeSet<String> = belongs(&seen, &wanted.demand)
            .into_iter()
            .map(|it| it.id.0)
            .collect();
        let suiting = here
            .iter()
            .filter(|instance| suits.contains(&instance.name.arn()));
        suiting
            .filter_map(|instance| instance.zone().map(str::to_owned))
            .collect()
    } else {
        wanted.zones().collect()
    };
    Ok(zones.into_iter().collect())
}

/// How many tasks there are in each of the zones, in words.
pub(super) fn balance(seen: &Seen) -> String {
    let in_zone = |zone: &String| {
        let own = seen.tasks.iter().filter(|task| task.zone.as_ref() == Some(zone));
        format!("{} tasks in {zone}", own.count())
    };
    let each: Vec<String> = seen.zones.iter().map(in_zone).collect();
    each.join(", ")
}
