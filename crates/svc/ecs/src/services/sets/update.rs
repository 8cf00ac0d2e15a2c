//! UpdateTaskSet: another scale.

use roadstead_api_ecs::{UpdateTaskSetRequest, UpdateTaskSetResponse};
use roadstead_base::Ctx;
use roadstead_store::Transaction;

use super::lookup::{commit, external_service, named, percent};
use super::show::show;
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::show::Include;

const TRIES: usize = 32;

pub(crate) async fn update_task_set(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateTaskSetRequest,
) -> Result<UpdateTaskSetResponse> {
    let UpdateTaskSetRequest {
        cluster,
        scale,
        service,
        task_set,
    } = input;
    let scale = percent(Some(scale))?;
    for _ in 0..TRIES {
        let entry = external_service(ecs, ctx, &cluster, &service).await?;
        let mut record = entry.value.clone();
        let id = named(ctx, &record, &task_set)?;
        let Some(set) = record.set_mut(&id) else {
            return Err(Error::TaskSetNotFound);
        };
        if set.was_deleted() {
            return Err(Error::invalid(
                "Unable to update a task set that is still Draining.",
            ));
        }
        #[expect(clippy::float_cmp, reason = "the very number that was given before")]
        if set.scale != scale {
            set.scale = scale;
            set.deployment.updated_at = ecs.clock.now();
            record.unsettle(&id);
        }
        if let Some(record) = commit(ecs, Transaction::new(&ecs.store), &entry, record).await? {
            let set = show(ecs, &record, &id, Include { tags: true }).await?;
            return Ok(UpdateTaskSetResponse { task_set: Some(set) });
        }
    }
    Err(Error::Contended)
}
