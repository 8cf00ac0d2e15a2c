//! A container instance as the API shows it.

use roadstead_api_ecs::{ContainerInstance, VersionInfo};

use crate::Ecs;
use crate::error::Result;
use crate::instances::ledger::node_key;
use crate::instances::{ContainerInstanceRecord, resources};
use crate::tasks::{Desired, LastStatus};

/// Without its tags.
pub(super) async fn show(ecs: &Ecs, record: &ContainerInstanceRecord) -> Result<ContainerInstance> {
    let arn = record.name.arn();
    let node = ecs
        .nodes()
        .get(&node_key(&record.node()))
        .await?
        .map(|entry| entry.value)
        .unwrap_or_default();
    let tasks = ecs.present().await?.tasks.snapshot();
    let (mut running, mut pending) = (0, 0);
    for (task, _) in node.sold.iter().filter(|(_, sold)| sold.instance == arn) {
        let Some(task) = crate::tasks::key_of_arn(task).and_then(|key| tasks.get(&key)) else {
            continue;
        };
        if task.value.last == LastStatus::Pending {
            pending += 1;
        } else if task.value.desired == Desired::Running && task.value.last == LastStatus::Running {
            running += 1;
        }
    }
    let reason = match &record.status {
        crate::instances::InstanceStatus::Inactive { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    Ok(ContainerInstance {
        agent_connected: Some(ecs.agents.is_connected(&arn)),
        attachments: Some(Vec::new()),
        attributes: Some(record.api_attributes()),
        ec2_instance_id: Some(
            record
                .ec2_instance_id
                .clone()
                .unwrap_or_else(|| record.name.id.to_string()),
        ),
        pending_tasks_count: Some(pending),
        registered_at: Some(record.registered_at),
        registered_resources: Some(resources::registered(&record.registered)),
        remaining_resources: Some(resources::remaining(&record.registered, &node.left(record))),
        running_tasks_count: Some(running),
        status: Some(record.status.as_str().to_owned()),
        status_reason: reason,
        tags: Some(Vec::new()),
        version: Some(record.version),
        version_info: Some(VersionInfo {
            agent_hash: record.versions.agent_hash.clone(),
            agent_version: record.versions.agent.clone(),
            docker_version: record.versions.docker.clone(),
        }),
        container_instance_arn: Some(arn),
        ..ContainerInstance::default()
    })
}
