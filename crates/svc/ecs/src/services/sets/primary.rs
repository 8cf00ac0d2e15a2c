//! UpdateServicePrimaryTaskSet. What the service shows of its tasks is the PRIMARY task set's from then on.

use roadstead_api_ecs::{UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse};
use roadstead_base::Ctx;
use roadstead_store::Transaction;

use super::TaskSetStatus;
use super::lookup::{commit, external_service, named};
use super::show::show;
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::show::Include;

const TRIES: usize = 32;

pub(crate) async fn update_service_primary_task_set(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateServicePrimaryTaskSetRequest,
) -> Result<UpdateServicePrimaryTaskSetResponse> {
    let UpdateServicePrimaryTaskSetRequest {
        cluster,
        primary_task_set,
        service,
    } = input;
    for _ in 0..TRIES {
        let entry = external_service(ecs, ctx, &cluster, &service).await?;
        let mut record = entry.value.clone();
        let id = named(ctx, &record, &primary_task_set)?;
        let now = ecs.clock.now();
        for set in &mut record.sets {
            let status = match (set.deployment.id == id, set.status) {
                (true, TaskSetStatus::Draining) => {
                    return Err(Error::invalid(
                        "Unable to update a task set that is still Draining.",
                    ));
                }
                (true, TaskSetStatus::Primary | TaskSetStatus::Active) => TaskSetStatus::Primary,
                (false, TaskSetStatus::Primary) => TaskSetStatus::Active,
                (false, other) => other,
            };
            if status != set.status {
                set.status = status;
                set.deployment.updated_at = now;
            }
        }
        if let Some(record) = commit(ecs, Transaction::new(&ecs.store), &entry, record).await? {
            let set = show(ecs, &record, &id, Include { tags: true }).await?;
            return Ok(UpdateServicePrimaryTaskSetResponse { task_set: Some(set) });
        }
    }
    Err(Error::Contended)
}
