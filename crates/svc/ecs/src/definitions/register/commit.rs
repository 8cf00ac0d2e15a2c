//! Giving a checked definition its number. Family and revision are written together, so that a number is never
//! given twice and never lost.

use roadstead_api_ecs::TaskDefinitionStatus;
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use super::task::Checked;
use crate::Ecs;
use crate::definitions::record::{FamilyRecord, TaskDefinitionRecord};
use crate::error::{Error, Result};
use crate::names::TaskDefinitionId;
use crate::stored::Stored;
use crate::tables::{definition_key, family_key};

/// How many others may register the same family at the same time before this one gives up.
const TRIES: usize = 128;
/// Bytes of a definition as JSON.
const MAX_BYTES: usize = 64 * 1024;

pub(super) async fn commit(ecs: &Ecs, ctx: &Ctx, checked: Checked) -> Result<TaskDefinitionRecord> {
    let Checked {
        family,
        mut definition,
        tags,
    } = checked;
    let bytes = serde_json::to_vec(&Stored(definition.clone())).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_BYTES {
        return Err(Error::client(format!(
            "Actual length: '{bytes}'. Max allowed length is '{MAX_BYTES}' bytes."
        )));
    }
    let partition = ctx.partition();
    definition.registered_at = Some(ecs.clock.now());
    definition.registered_by = Some(ctx.caller.arn(&ctx.account));
    definition.status = Some(TaskDefinitionStatus::Active);
    let (families, definitions) = (ecs.families(), ecs.definitions());
    let key = family_key(&partition, &family);
    for _ in 0..TRIES {
        let entry = families.get(&key).await?;
        let last = entry.as_ref().map_or(0, |entry| entry.value.last_revision);
        let Some(revision) = last.checked_add(1) else {
            return Err(Error::client("The family has as many revisions as there can be."));
        };
        let mut numbered = entry
            .as_ref()
            .map_or_else(|| FamilyRecord::new(family.clone()), |entry| entry.value.clone());
        numbered.last_revision = revision;
        numbered.active.push(revision);
        let id = TaskDefinitionId {
            family: family.clone(),
            revision,
        };
        definition.revision = Some(revision);
        definition.task_definition_arn = Some(id.arn(&partition));
        let record = TaskDefinitionRecord {
            id,
            definition: Stored(definition.clone()),
            tags: tags.clone(),
        };
        let transaction = Transaction::new(&ecs.store);
        let transaction = match &entry {
            Some(entry) => transaction.replace(&families, entry, &numbered),
            None => transaction.insert(&families, &key, &numbered),
        };
        let transaction = transaction.insert(&definitions, &definition_key(&partition, &record.id), &record);
        if let Outcome::Committed(_) = transaction.commit().await? {
            return Ok(record);
        }
    }
    Err(Error::client(
        "Too many concurrent attempts to create a new revision of the specified family.",
    ))
}
