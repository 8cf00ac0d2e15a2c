//! StopTask. It says what is meant; the reconciler and the agent bring it about.

use roadstead_api_ecs::{StopTaskRequest, StopTaskResponse};
use roadstead_base::Ctx;
use roadstead_store::Change;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::names::TaskId;
use crate::tables::task_key;
use crate::tasks::show::{Include, show};
use crate::tasks::{Desired, LastStatus, StopCode, TaskRecord, abandon};

/// Characters of a reason.
const MAX_REASON: usize = 1024;
const DEFAULT_REASON: &str = "Task stopped by user";

pub(crate) async fn stop_task(ecs: &Ecs, ctx: &Ctx, input: StopTaskRequest) -> Result<StopTaskResponse> {
    let StopTaskRequest {
        task,
        cluster,
        reason,
    } = input;
    let cluster = get_cluster(ecs, ctx, cluster.as_deref()).await?.value.name;
    let id = TaskId::of(ctx, &cluster, &task)?;
    let reason = reason
        .filter(|reason| !reason.is_empty())
        .unwrap_or_else(|| DEFAULT_REASON.to_owned());
    if reason.chars().count() > MAX_REASON {
        return Err(Error::invalid(format!(
            "reason can have at most {MAX_REASON} characters."
        )));
    }
    let key = task_key(&ctx.partition(), &cluster, &id);
    let now = ecs.clock.now();
    let updated = ecs
        .tasks()
        .update(&key, |task: Option<&TaskRecord>| {
            let Some(task) = task else {
                return Err(Error::invalid("The referenced task was not found."));
            };
            if task.desired == Desired::Stopped || task.last == LastStatus::Stopped {
                return Ok(Change::Keep);
            }
            let mut task = task.clone();
            abandon(&mut task, StopCode::UserInitiated, reason.clone());
            task.times.stopping.get_or_insert(now);
            task.version += 1;
            Ok(Change::Put(task))
        })
        .await?;
    let task = updated.value.map(|task| show(ecs, &task, Include::default()));
    Ok(StopTaskResponse { task })
}
