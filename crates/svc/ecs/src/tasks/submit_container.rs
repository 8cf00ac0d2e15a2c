//! SubmitContainerStateChange: one container's news. No agent known today sends it; what it says is taken as the
//! container part of a task's report.

use roadstead_api_ecs::{SubmitContainerStateChangeRequest, SubmitContainerStateChangeResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::{Error, Result};
use crate::tasks::report::{ContainerReport, Report};
use crate::tasks::submit_task::{ACKNOWLEDGED, named_task, read_status, take};

pub(crate) async fn submit_container_state_change(
    ecs: &Ecs,
    ctx: &Ctx,
    input: SubmitContainerStateChangeRequest,
) -> Result<SubmitContainerStateChangeResponse> {
    let SubmitContainerStateChangeRequest {
        cluster,
        container_name,
        exit_code,
        network_bindings,
        reason,
        runtime_id,
        status,
        task,
    } = input;
    let Some(name) = container_name.filter(|name| !name.is_empty()) else {
        return Err(Error::invalid("containerName can not be blank."));
    };
    let key = named_task(ctx, cluster.as_deref(), task.as_deref())?;
    let container = ContainerReport {
        name,
        status: read_status(status.as_deref()),
        runtime_id,
        exit_code,
        reason,
        image_digest: None,
        bindings: network_bindings.unwrap_or_default(),
    };
    take(
        ecs,
        &key,
        &Report {
            containers: vec![container],
            ..Report::default()
        },
    )
    .await?;
    Ok(SubmitContainerStateChangeResponse {
        acknowledgment: Some(ACKNOWLEDGED.to_owned()),
    })
}
