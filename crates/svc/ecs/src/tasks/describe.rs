//! DescribeTasks.

use roadstead_api_ecs::{DescribeTasksRequest, DescribeTasksResponse, Failure, TaskField};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::names::TaskId;
use crate::tables::task_key;
use crate::tasks::show::{Include, show};

/// Tasks of one call.
const MAX: usize = 100;

pub(crate) async fn describe_tasks(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeTasksRequest,
) -> Result<DescribeTasksResponse> {
    let DescribeTasksRequest {
        tasks: named,
        cluster,
        include,
    } = input;
    let cluster = get_cluster(ecs, ctx, cluster.as_deref()).await?.value.name;
    if named.is_empty() {
        return Err(Error::invalid("Tasks cannot be empty."));
    }
    if named.len() > MAX {
        return Err(Error::invalid(format!("tasks can have at most {MAX} items.")));
    }
    let tags = include.unwrap_or_default().into_iter().any(|field| match field {
        TaskField::Tags => true,
    });
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for text in &named {
        let id = TaskId::of(ctx, &cluster, text)?;
        match ecs
            .tasks()
            .get(&task_key(&ctx.partition(), &cluster, &id))
            .await?
        {
            Some(entry) => tasks.push(show(ecs, &entry.value, Include { tags })),
            None => failures.push(Failure {
                arn: Some(id.arn(&ctx.partition(), &cluster)),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeTasksResponse {
        tasks: Some(tasks),
        failures: Some(failures),
    })
}
