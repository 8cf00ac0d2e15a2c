//! SubmitTaskStateChange: an agent reports. The vendor's retries for a day whatever is refused, so a report that
//! changes nothing, late, double or about a task nobody knows, is acknowledged and forgotten.

use roadstead_api_ecs::{
    AttachmentStateChange, ContainerStateChange, SubmitTaskStateChangeRequest, SubmitTaskStateChangeResponse,
};
use roadstead_base::{Caller, Ctx};
use roadstead_store::Key;

use crate::Ecs;
use crate::error::{Error, Result, refuse};
use crate::names::{ClusterName, TaskId};
use crate::tables::task_key;
use crate::tasks::report::{ContainerReport, Report, Said, apply};
use crate::tasks::{ContainerStatus, finish, key_of_arn};

const TRIES: usize = 64;
/// Containers and attachments of one report.
const MAX: usize = 128;
pub(super) const ACKNOWLEDGED: &str = "ACK";

pub(crate) async fn submit_task_state_change(
    ecs: &Ecs,
    ctx: &Ctx,
    input: SubmitTaskStateChangeRequest,
) -> Result<SubmitTaskStateChangeResponse> {
    let SubmitTaskStateChangeRequest {
        attachments,
        cluster,
        containers,
        execution_stopped_at,
        managed_agents,
        pull_started_at,
        pull_stopped_at,
        reason,
        status,
        task,
    } = input;
    refuse("managedAgents", managed_agents)?;
    let key = named_task(ctx, cluster.as_deref(), task.as_deref())?;
    let report = Report {
        said: Said::read(status.as_deref()),
        reason,
        containers: read_containers(containers.unwrap_or_default())?,
        attached: read_attachments(attachments.unwrap_or_default())?,
        pull_started: pull_started_at,
        pull_stopped: pull_stopped_at,
        execution_stopped: execution_stopped_at,
    };
    take(ecs, &key, &report).await?;
    Ok(SubmitTaskStateChangeResponse {
        acknowledgment: Some(ACKNOWLEDGED.to_owned()),
    })
}

/// Agents name the cluster they are configured for, which for FARGATE is not the task's: the ARN decides. A node
/// reports for every account; others only for their own.
pub(super) fn named_task(ctx: &Ctx, cluster: Option<&str>, task: Option<&str>) -> Result<Key> {
    let text = task.unwrap_or_default();
    if ctx.caller == Caller::Node && text.starts_with("arn:") {
        return key_of_arn(text)
            .ok_or_else(|| Error::invalid("Invalid identifier: it is not the ARN of a task."));
    }
    let cluster = ClusterName::of(ctx, cluster)?;
    let id = TaskId::of(ctx, &cluster, text)?;
    Ok(task_key(&ctx.partition(), &cluster, &id))
}

/// Takes a report into the record.
pub(super) async fn take(ecs: &Ecs, key: &Key, report: &Report) -> Result<()> {
    for _ in 0..TRIES {
        let Some(entry) = ecs.tasks().get(key).await? else {
            tracing::info!(task = %key, said = ?report.said, "a report about a task that is not known is dropped");
            return Ok(());
        };
        let Some(task) = apply(&entry.value, report, ecs.clock.now()) else {
            return Ok(());
        };
        if finish(ecs, &entry, &task).await? {
            return Ok(());
        }
    }
    Err(Error::Contended)
}

fn read_containers(containers: Vec<ContainerStateChange>) -> Result<Vec<ContainerReport>> {
    if containers.len() > MAX {
        return Err(Error::invalid(format!(
            "containers can have at most {MAX} items."
        )));
    }
    let read = |change: ContainerStateChange| {
        let ContainerStateChange {
            container_name,
            exit_code,
            image_digest,
            network_bindings,
            reason,
            runtime_id,
            status,
        } = change;
        ContainerReport {
            name: container_name.unwrap_or_default(),
            status: read_status(status.as_deref()),
            runtime_id,
            exit_code,
            reason,
            image_digest,
            bindings: network_bindings.unwrap_or_default(),
        }
    };
    Ok(containers.into_iter().map(read).collect())
}

pub(super) fn read_status(status: Option<&str>) -> Option<ContainerStatus> {
    match status {
        Some("RUNNING") => Some(ContainerStatus::Running),
        Some("STOPPED") => Some(ContainerStatus::Stopped),
        _ => None,
    }
}

/// The ids of attachments that are there. An agent says nothing else of them.
pub(super) fn read_attachments(attachments: Vec<AttachmentStateChange>) -> Result<Vec<String>> {
    if attachments.len() > MAX {
        return Err(Error::invalid(format!(
            "attachments can have at most {MAX} items."
        )));
    }
    let mut attached = Vec::new();
    for AttachmentStateChange {
        attachment_arn,
        status,
    } in attachments
    {
        let id = attachment_arn.rsplit('/').next().unwrap_or_default().to_owned();
        if !attachment_arn.contains(":attachment/") || id.is_empty() {
            return Err(Error::invalid(
                "attachments.attachmentArn is not the ARN of an attachment.",
            ));
        }
        if status == "ATTACHED" {
            attached.push(id);
        }
    }
    Ok(attached)
}
