//! StopTask. It says what is meant; the reconciler and the agent bring it about.

use roadstead_api_ecs::{StopTaskRequest, StopTaskResponse};
use roadstead_base::Ctx;
use roadstead_store::Key;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::names::TaskId;
use crate::tables::task_key;
use crate::tasks::show::{Include, show};
use crate::tasks::{Desired, LastStatus, StopCode, TaskRecord, abandon, finish};

const TRIES: usize = 128;
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
    let task = stop(ecs, &key, &reason).await?;
    Ok(StopTaskResponse {
        task: Some(show(ecs, &task, Include::default())),
    })
}

/// The task, now meant to stop.
async fn stop(ecs: &Ecs, key: &Key, reason: &str) -> Result<TaskRecord> {
    for _ in 0..TRIES {
        let Some(entry) = ecs.tasks().get(key).await? else {
            return Err(Error::invalid("The referenced task was not found."));
        };
        if entry.value.desired == Desired::Stopped || entry.value.last == LastStatus::Stopped {
            return Ok(entry.value);
        }
        let mut task = entry.value.clone();
        abandon(&mut task, StopCode::UserInitiated, reason);
        task.times.stopping.get_or_insert(ecs.clock.now());
        task.version += 1;
        if finish(ecs, &entry, &task).await? {
            return Ok(task);
        }
    }
    Err(Error::Contended)
}
