//! DeleteTaskSet. It says that the task set is to go; the scheduler stops its tasks, and then it is no more.

use roadstead_api_ecs::{DeleteTaskSetRequest, DeleteTaskSetResponse};
use roadstead_base::Ctx;
use roadstead_store::Transaction;

use super::TaskSetStatus;
use super::lookup::{commit, external_service, named};
use super::show::show;
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::show::Include;

const TRIES: usize = 32;

pub(crate) async fn delete_task_set(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteTaskSetRequest,
) -> Result<DeleteTaskSetResponse> {
    let DeleteTaskSetRequest {
        cluster,
        service,
        task_set,
        force,
    } = input;
    for _ in 0..TRIES {
        let entry = external_service(ecs, ctx, &cluster, &service).await?;
        let mut record = entry.value.clone();
        let id = named(ctx, &record, &task_set)?;
        let Some(set) = record.set_mut(&id) else {
            return Err(Error::TaskSetNotFound);
        };
        if !set.was_deleted() {
            if force != Some(true) {
                check(set.is_primary(), set.scale)?;
            }
            set.status = TaskSetStatus::Draining;
            set.unplaced = None;
            set.deployment.updated_at = ecs.clock.now();
            record.unsettle(&id);
        }
        if let Some(record) = commit(ecs, Transaction::new(&ecs.store), &entry, record).await? {
            let set = show(ecs, &record, &id, Include { tags: true }).await?;
            return Ok(DeleteTaskSetResponse { task_set: Some(set) });
        }
    }
    Err(Error::Contended)
}

/// What only `force` deletes.
fn check(primary: bool, scale: f64) -> Result<()> {
    if primary {
        return Err(Error::invalid(
            "The PRIMARY task set of a service cannot be deleted unless force is true.",
        ));
    }
    if scale > 0.0 {
        return Err(Error::invalid(
            "The task set cannot be deleted while it is scaled above 0.",
        ));
    }
    Ok(())
}
