//! ListTaskDefinitions. Families know which of their revisions are ACTIVE, so a listing reads no definition.

use roadstead_api_ecs::{
    ListTaskDefinitionsRequest, ListTaskDefinitionsResponse, SortOrder, TaskDefinitionStatus,
};
use roadstead_base::Ctx;
use roadstead_store::Entry;

use crate::Ecs;
use crate::definitions::FamilyRecord;
use crate::error::Result;
use crate::names::{Family, TaskDefinitionId};
use crate::paging::Paging;
use crate::tables::family_key;

pub(crate) async fn list_task_definitions(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListTaskDefinitionsRequest,
) -> Result<ListTaskDefinitionsResponse> {
    let ListTaskDefinitionsRequest {
        family_prefix,
        max_results,
        next_token,
        sort,
        status,
    } = input;
    let status = status.unwrap_or(TaskDefinitionStatus::Active);
    let sort = sort.unwrap_or(SortOrder::Asc);
    let filters = [
        "ListTaskDefinitions",
        family_prefix.as_deref().unwrap_or(""),
        status.as_str(),
        sort.as_str(),
    ];
    let paging = Paging::of(ctx, &filters, max_results, next_token.as_deref())?;
    let partition = ctx.partition();
    // Despite its name the prefix is a whole family.
    let mut families = match family_prefix.as_deref() {
        Some(name) if !name.is_empty() => {
            let key = family_key(&partition, &Family::new(name)?);
            ecs.families().get(&key).await?.into_iter().collect()
        }
        _ => ecs.families().all(&ecs.families().within(&partition)).await?.0,
    };
    let descending = sort == SortOrder::Desc;
    if descending {
        families.reverse();
    }
    let revisions = families
        .iter()
        .flat_map(|family| revisions(family, status, descending));
    let page = paging.cut(
        ctx,
        revisions,
        |id| format!("{} {:010}", id.family, id.revision),
        descending,
    );
    let arns = page.items.iter().map(|id| id.arn(&partition)).collect();
    Ok(ListTaskDefinitionsResponse {
        next_token: page.next_token,
        task_definition_arns: Some(arns),
    })
}

fn revisions(
    family: &Entry<FamilyRecord>,
    status: TaskDefinitionStatus,
    descending: bool,
) -> impl Iterator<Item = TaskDefinitionId> {
    let FamilyRecord {
        family: name,
        last_revision,
        active,
    } = &family.value;
    let numbers: Box<dyn DoubleEndedIterator<Item = i32>> = match status {
        TaskDefinitionStatus::Active => Box::new(active.iter()),
        TaskDefinitionStatus::Inactive => {
            Box::new((1..=*last_revision).filter(|revision| !active.contains(*revision)))
        }
        // Nothing is deleted yet.
        TaskDefinitionStatus::DeleteInProgress => Box::new(std::iter::empty()),
    };
    let numbers: Box<dyn Iterator<Item = i32>> = if descending {
        Box::new(numbers.rev())
    } else {
        numbers
    };
    numbers.map(|revision| TaskDefinitionId {
        family: name.clone(),
        revision,
    })
}
