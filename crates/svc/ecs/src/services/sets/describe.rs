//! DescribeTaskSets: those that are named, or all of the service.

use roadstead_api_ecs::{DescribeTaskSetsRequest, DescribeTaskSetsResponse, Failure, TaskSetField};
use roadstead_base::Ctx;

use super::TaskSetId;
use super::lookup::external_service;
use super::show::{show_all, show_one};
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::scheduler::tasks_of_service;
use crate::services::show::Include;

/// Task sets of one call.
const MAX: usize = 10;

pub(crate) async fn describe_task_sets(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeTaskSetsRequest,
) -> Result<DescribeTaskSetsResponse> {
    let DescribeTaskSetsRequest {
        cluster,
        service,
        include,
        task_sets,
    } = input;
    let named = task_sets.unwrap_or_default();
    if named.len() > MAX {
        return Err(Error::invalid(format!("taskSets can have at most {MAX} items.")));
    }
    let tags = include.unwrap_or_default().into_iter().any(|field| match field {
        TaskSetField::Tags => true,
    });
    let include = Include { tags };
    let service = external_service(ecs, ctx, &cluster, &service).await?.value;
    let tasks = tasks_of_service(ecs, &service).await?;
    if named.is_empty() {
        return Ok(DescribeTaskSetsResponse {
            failures: Some(Vec::new()),
            task_sets: Some(show_all(ecs, &service, &tasks, include)),
        });
    }
    let (mut shown, mut failures) = (Vec::new(), Vec::new());
    for text in &named {
        let id = TaskSetId::of(ctx, &service.cluster, &service.name, text)?;
        match service.set(id.as_str()) {
            Some(set) => shown.push(show_one(ecs, &service, set, &tasks, include)),
            None => failures.push(Failure {
                arn: Some(id.arn(&service.partition, &service.cluster, &service.name)),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeTaskSetsResponse {
        failures: Some(failures),
        task_sets: Some(shown),
    })
}
