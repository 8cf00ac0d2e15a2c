//! Finding the task definition a request means.

use roadstead_base::Ctx;
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ecs;
use crate::definitions::{FamilyRecord, TaskDefinitionRecord};
use crate::error::{Error, Result};
use crate::names::{TaskDefinitionId, TaskDefinitionRef};
use crate::tables::{definition_key, family_key};

/// The definition named by `family` (its latest ACTIVE revision), `family:revision` or ARN, ACTIVE or not; none
/// if there is none. For running tasks, see [`load`].
pub(crate) async fn find(
    ecs: &Ecs,
    ctx: &Ctx,
    named: &TaskDefinitionRef,
) -> Result<Option<Entry<TaskDefinitionRecord>>> {
    let partition = ctx.partition();
    let id = match named {
        TaskDefinitionRef::Revision(id) => id.clone(),
        TaskDefinitionRef::Latest(family) => {
            let record = ecs.families().get(&family_key(&partition, family)).await?;
            let Some(revision) = record.and_then(|record| record.value.active.last()) else {
                return Ok(None);
            };
            TaskDefinitionId {
                family: family.clone(),
                revision,
            }
        }
    };
    Ok(ecs.definitions().get(&definition_key(&partition, &id)).await?)
}

/// As [`load`], ACTIVE or not.
///
/// # Errors
/// There is none: `ClientException`.
pub(crate) async fn load_any(
    ecs: &Ecs,
    ctx: &Ctx,
    task_definition: &str,
) -> Result<Entry<TaskDefinitionRecord>> {
    let named = TaskDefinitionRef::of(ctx, task_definition)?;
    find(ecs, ctx, &named)
        .await?
        .ok_or_else(|| Error::client("TaskDefinition not found."))
}

/// The definition that a new task is to be made of.
///
/// # Errors
/// There is none, or it is INACTIVE: `ClientException`.
pub(crate) async fn load(ecs: &Ecs, ctx: &Ctx, task_definition: &str) -> Result<Entry<TaskDefinitionRecord>> {
    let named = TaskDefinitionRef::of(ctx, task_definition)?;
    let entry = find(ecs, ctx, &named)
        .await?
        .ok_or_else(|| Error::client("TaskDefinition not found."))?;
    if entry.value.is_active() {
        Ok(entry)
    } else {
        Err(Error::client("TaskDefinition is inactive"))
    }
}

/// Writes a revision in another status, and its family with it; not if either was changed meanwhile.
pub(super) async fn restate(
    ecs: &Ecs,
    (family, numbered): (&Entry<FamilyRecord>, &FamilyRecord),
    (entry, record): (&Entry<TaskDefinitionRecord>, &TaskDefinitionRecord),
) -> Result<bool> {
    let outcome = Transaction::new(&ecs.store)
        .replace(&ecs.families(), family, numbered)
        .replace(&ecs.definitions(), entry, record)
        .commit()
        .await?;
    Ok(matches!(outcome, Outcome::Committed(_)))
}
