//! Container instances as the placement sees them.

use std::collections::BTreeMap;

use roadstead_placement::{Candidate, CandidateId, Status};

use crate::Ecs;
use crate::instances::ledger::{NodeRecord, node_key};
use crate::instances::{ContainerInstanceRecord, InstanceStatus};
use crate::reconcile::Mirrors;
use crate::tasks::{Desired, LastStatus, key_of_arn};

/// With the ledger of its machine, as the mirror has it.
pub(crate) fn candidate(ecs: &Ecs, mirrors: &Mirrors, record: &ContainerInstanceRecord) -> Candidate {
    let none = NodeRecord::default();
    let nodes = mirrors.nodes.snapshot();
    let ledger = nodes.get(&node_key(&record.node()));
    candidate_with(
        ecs,
        mirrors,
        record,
        ledger.as_ref().map_or(&none, |entry| &entry.value),
    )
}

/// With a ledger that the caller decides from.
pub(crate) fn candidate_with(
    ecs: &Ecs,
    mirrors: &Mirrors,
    record: &ContainerInstanceRecord,
    ledger: &NodeRecord,
) -> Candidate {
    let arn = record.name.arn();
    let now = mirrors.tasks.snapshot();
    let (mut tasks, mut running) = (0, 0);
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    for (task, sold) in ledger.sold.iter().filter(|(_, sold)| sold.instance == arn) {
        tasks += 1;
        let known = key_of_arn(task).and_then(|key| now.get(&key));
        // A task that is meant to stop holds what it has and stands in nobody's way otherwise. One that the mirror does
        // not show yet is new.
        if known.is_some_and(|task| task.value.desired == Desired::Stopped) {
            continue;
        }
        running += usize::from(known.is_some_and(|task| task.value.last == LastStatus::Running));
        *groups.entry(sold.group.clone()).or_default() += 1;
    }
    Candidate {
        node: record.node(),
        status: match record.status {
            InstanceStatus::Active => Status::Active,
            InstanceStatus::Draining => Status::Draining,
            InstanceStatus::Inactive { .. } => Status::Inactive,
        },
        agent_connected: ecs.agents.is_connected(&arn),
        agent_version: record.versions.agent.clone(),
        ec2_instance_id: record.ec2_instance_id.clone(),
        registered_at: record.registered_at.0,
        attributes: record.attributes.clone(),
        location: record.location(),
        tasks,
        running,
        groups,
        id: CandidateId(arn),
    }
}
