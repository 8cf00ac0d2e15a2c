//! DeleteTaskDefinitions. A revision that was deregistered goes for good as soon as nothing is made of it any more;
//! until then it is DELETE_IN_PROGRESS, and services that have it scale as before.

use roadstead_api_ecs::{
    DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse, Failure, TaskDefinition,
    TaskDefinitionStatus,
};
use roadstead_base::{Ctx, Partition};
use roadstead_reconcile::Action;
use roadstead_store::{Entry, Key, Outcome, Transaction};

use crate::Ecs;
use crate::definitions::FamilyRecord;
use crate::definitions::lookup::{find, restate};
use crate::error::{Error, Result};
use crate::names::{TaskDefinitionId, TaskDefinitionRef};
use crate::tables::{definition_key, family_key};
use crate::tasks::LastStatus;

/// How many a call may name.
const MAX: usize = 10;
/// How often it looks again when others change the family meanwhile.
const TRIES: usize = 128;
/// Until one that is still used is looked at again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

pub(crate) async fn delete_task_definitions(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteTaskDefinitionsRequest,
) -> Result<DeleteTaskDefinitionsResponse> {
    let DeleteTaskDefinitionsRequest { task_definitions } = input;
    if task_definitions.is_empty() || task_definitions.len() > MAX {
        return Err(Error::invalid(format!(
            "taskDefinitions must have at least 1 and at most {MAX} items."
        )));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for text in &task_definitions {
        match delete(ecs, ctx, text).await? {
            Ok(definition) => deleted.push(definition),
            Err((arn, reason)) => failures.push(Failure {
                arn: Some(arn),
                reason: Some(reason.to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DeleteTaskDefinitionsResponse {
        task_definitions: Some(deleted),
        failures: Some(failures),
    })
}

/// The definition as it is now, or what it is called and why it stays. Deleting again changes nothing.
async fn delete(
    ecs: &Ecs,
    ctx: &Ctx,
    text: &str,
) -> Result<std::result::Result<TaskDefinition, (String, &'static str)>> {
    let named = match TaskDefinitionRef::of(ctx, text) {
        Ok(named) => named,
        Err(_) => {
            return Ok(Err((
                text.to_owned(),
                "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.",
            )));
        }
    };
    let TaskDefinitionRef::Revision(id) = &named else {
        return Ok(Err((
            text.to_owned(),
            "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.",
        )));
    };
    let partition = ctx.partition();
    let missing = || {
        Ok(Err((
            id.arn(&partition),
            "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
        )))
    };
    for _ in 0..TRIES {
        let Some(entry) = find(ecs, ctx, &named).await? else {
            return missing();
        };
        let mut record = entry.value.clone();
        match record.definition.status {
            Some(TaskDefinitionStatus::DeleteInProgress) => return Ok(Ok(record.definition.0)),
            Some(TaskDefinitionStatus::Inactive) => {}
            Some(TaskDefinitionStatus::Active) | None => {
                return Ok(Err((
                    id.arn(&partition),
                    "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
                )));
            }
        }
        let Some(family) = ecs.families().get(&family_key(&partition, &id.family)).await? else {
            return missing();
        };
        let mut numbered = family.value.clone();
        numbered.deleting.insert(id.revision);
        record.definition.status = Some(TaskDefinitionStatus::DeleteInProgress);
        record.definition.delete_requested_at = Some(ecs.clock.now());
        if restate(ecs, (&family, &numbered), (&entry, &record)).await? {
            return Ok(Ok(record.definition.0));
        }
    }
    Err(Error::Contended)
}

/// Whose record it is.
fn partition_of(key: &Key) -> Option<Partition> {
    let mut segments = key.segments();
    Some(Partition {
        account: segments.next()?.parse().ok()?,
        region: segments.next()?.parse().ok()?,
    })
}

/// The family's revisions that are to go.
pub(crate) fn going(family: &Entry<FamilyRecord>) -> Vec<Key> {
    let Some(partition) = partition_of(&family.key) else {
        return Vec::new();
    };
    let id = |revision| TaskDefinitionId {
        family: family.value.family.clone(),
        revision,
    };
    let revisions = family.value.deleting.iter();
    revisions
        .map(|revision| definition_key(&partition, &id(revision)))
        .collect()
}

impl Ecs {
    /// The revisions that are to go, as the mirror shows them.
    pub(crate) fn going(&self) -> Vec<Key> {
        let Some(mirrors) = self.present.get() else {
            return Vec::new();
        };
        let families = mirrors.families.snapshot();
        families.iter().flat_map(|entry| going(entry)).collect()
    }

    /// Removes a revision that is DELETE_IN_PROGRESS once no task and no service needs it.
    pub(crate) async fn let_go(&self, key: &Key) -> Result<Action> {
        let Some(entry) = self.definitions().get(key).await? else {
            return Ok(Action::Done);
        };
        let (Some(TaskDefinitionStatus::DeleteInProgress), Some(partition)) =
            (entry.value.definition.status, partition_of(key))
        else {
            return Ok(Action::Done);
        };
        let id = &entry.value.id;
        if self.needs(&partition, id).await? {
            return Ok(Action::Again(AGAIN));
        }
        let Some(family) = self.families().get(&family_key(&partition, &id.family)).await? else {
            return Ok(Action::Done);
        };
        let mut numbered = family.value.clone();
        numbered.deleting.remove(id.revision);
        numbered.deleted.insert(id.revision);
        let outcome = Transaction::new(&self.store)
            .replace(&self.families(), &family, &numbered)
            .compare_unmodified(&entry)
            .delete(key)
            .commit()
            .await?;
        Ok(match outcome {
            Outcome::Committed(_) => Action::Done,
            Outcome::Conflict => Action::Again(std::time::Duration::ZERO),
        })
    }

    /// Whether a task runs of it, or a service may start one or go back to it. What else would begin to compares the
    /// definition as it was when it was ACTIVE ([`crate::tasks::request::Wanted::guard`]), and so comes too late.
    async fn needs(&self, partition: &Partition, id: &TaskDefinitionId) -> Result<bool> {
        let mirrors = self.present().await?;
        let tasks = mirrors.tasks.snapshot();
        let runs = tasks.iter().any(|entry| {
            entry.value.partition == *partition
                && entry.value.definition == *id
                && entry.value.last != LastStatus::Stopped
        });
        let services = mirrors.services.snapshot();
        Ok(runs
            || services.iter().any(|entry| {
                entry.value.partition == *partition && entry.value.definitions().any(|it| it == id)
            }))
    }
}
