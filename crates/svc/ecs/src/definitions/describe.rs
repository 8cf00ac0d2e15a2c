//! DescribeTaskDefinition: a revision by number, ACTIVE or not, or the latest ACTIVE one of a family.

use roadstead_api_ecs::{DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse, TaskDefinitionField};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::definitions::lookup::find;
use crate::error::{Error, Result};
use crate::names::TaskDefinitionRef;

pub(crate) async fn describe_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeTaskDefinitionRequest,
) -> Result<DescribeTaskDefinitionResponse> {
    let DescribeTaskDefinitionRequest {
        task_definition,
        include,
    } = input;
    let named = TaskDefinitionRef::of(ctx, &task_definition)?;
    let entry = find(ecs, ctx, &named)
        .await?
        .ok_or_else(|| Error::client("Unable to describe task definition."))?;
    let with_tags = include.unwrap_or_default().contains(&TaskDefinitionField::Tags);
    let record = entry.value;
    Ok(DescribeTaskDefinitionResponse {
        tags: with_tags.then(|| record.tags.to_api()),
        task_definition: Some(record.definition.0),
    })
}
