//! SubmitAttachmentStateChanges: attachments that agents report apart from a task. Those of tasks are found by
//! their id; an attachment that is not known is acknowledged, as any late report is.

use roadstead_api_ecs::{SubmitAttachmentStateChangesRequest, SubmitAttachmentStateChangesResponse};
use roadstead_base::{Caller, Ctx};

use crate::Ecs;
use crate::error::Result;
use crate::names::ClusterName;
use crate::tasks::LastStatus;
use crate::tasks::report::Report;
use crate::tasks::submit_task::{ACKNOWLEDGED, read_attachments, take};

pub(crate) async fn submit_attachment_state_changes(
    ecs: &Ecs,
    ctx: &Ctx,
    input: SubmitAttachmentStateChangesRequest,
) -> Result<SubmitAttachmentStateChangesResponse> {
    let SubmitAttachmentStateChangesRequest { attachments, cluster } = input;
    let cluster = ClusterName::of(ctx, cluster.as_deref())?;
    let attached = read_attachments(attachments)?;
    let snapshot = ecs.present().await?.tasks.snapshot();
    let mine = snapshot.iter().filter(|entry| {
        let task = &entry.value;
        let open =
            ctx.caller == Caller::Node || (task.partition == ctx.partition() && task.host.cluster == cluster);
        let named = task
            .attachment
            .as_ref()
            .is_some_and(|attachment| attached.contains(&attachment.id));
        open && named && task.last < LastStatus::Deprovisioning
    });
    for entry in mine {
        take(
            ecs,
            &entry.key,
            &Report {
                attached: attached.clone(),
                ..Report::default()
            },
        )
        .await?;
    }
    Ok(SubmitAttachmentStateChangesResponse {
        acknowledgment: Some(ACKNOWLEDGED.to_owned()),
    })
}
