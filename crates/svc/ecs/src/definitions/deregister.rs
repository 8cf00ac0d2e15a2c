//! DeregisterTaskDefinition. The revision stays as INACTIVE: what runs of it goes on, and nothing new is made of
//! it.

use roadstead_api_ecs::{
    DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse, TaskDefinitionStatus,
};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Ecs;
use crate::definitions::lookup::find;
use crate::error::{Error, Result};
use crate::names::TaskDefinitionRef;
use crate::tables::family_key;

/// How often it looks again when others change the family meanwhile.
const TRIES: usize = 128;

pub(crate) async fn deregister_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeregisterTaskDefinitionRequest,
) -> Result<DeregisterTaskDefinitionResponse> {
    let DeregisterTaskDefinitionRequest { task_definition } = input;
    let named = TaskDefinitionRef::of(ctx, &task_definition)?;
    let TaskDefinitionRef::Revision(id) = &named else {
        return Err(Error::client(
            "A revision is required: specify family:revision or the full ARN.",
        ));
    };
    let not_found = || {
        Error::client(
            "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
        )
    };
    for _ in 0..TRIES {
        let entry = find(ecs, ctx, &named).await?.ok_or_else(not_found)?;
        if !entry.value.is_active() {
            return Err(Error::client(
                "The specified task definition is inactive. Specify an active task definition and try again.",
            ));
        }
        let family = ecs
            .families()
            .get(&family_key(&ctx.partition(), &id.family))
            .await?
            .ok_or_else(not_found)?;
        let mut numbered = family.value.clone();
        numbered.active.remove(id.revision);
        let mut record = entry.value.clone();
        record.definition.status = Some(TaskDefinitionStatus::Inactive);
        record.definition.deregistered_at = Some(ecs.clock.now());
        let outcome = Transaction::new(&ecs.store)
            .replace(&ecs.families(), &family, &numbered)
            .replace(&ecs.definitions(), &entry, &record)
            .commit()
            .await?;
        if let Outcome::Committed(_) = outcome {
            return Ok(DeregisterTaskDefinitionResponse {
                task_definition: Some(record.definition.0),
            });
        }
    }
    Err(Error::Contended)
}
