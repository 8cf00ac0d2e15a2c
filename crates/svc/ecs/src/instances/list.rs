//! ListContainerInstances.

use roadstead_api_ecs::{
    ContainerInstanceStatus, ListContainerInstancesRequest, ListContainerInstancesResponse,
};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::Result;
use crate::instances::{candidate, named_cluster};
use crate::paging::Paging;
use crate::tables::instances_of;
use crate::tasks::placement::expression_of;

pub(crate) async fn list_container_instances(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListContainerInstancesRequest,
) -> Result<ListContainerInstancesResponse> {
    let ListContainerInstancesRequest {
        cluster,
        filter,
        max_results,
        next_token,
        status,
    } = input;
    let filter = filter.filter(|filter| !filter.is_empty());
    let query = match &filter {
        Some(text) => Some(expression_of("filter", text)?),
        None => None,
    };
    let cluster = named_cluster(ecs, ctx, cluster.as_deref()).await?;
    let wanted = status.map_or("", ContainerInstanceStatus::as_str);
    let filter = filter.as_deref().unwrap_or_default();
    let filters = ["ListContainerInstances", cluster.as_str(), wanted, filter];
    let paging = Paging::of(ctx, &filters, max_results, next_token.as_deref())?;
    let below = instances_of(&ctx.partition(), &cluster);
    let mirrors = ecs.present().await?;
    let snapshot = mirrors.instances.snapshot();
    let ids: Vec<_> = snapshot
        .below(&below)
        .filter(|entry| match status {
            Some(_) => entry.value.status.as_str() == wanted,
            None => !entry.value.is_inactive(),
        })
        .filter(|entry| match &query {
            Some(query) => query.holds(&candidate(ecs, mirrors, &entry.value)),
            None => true,
        })
        .map(|entry| entry.value.name.clone())
        .collect();
    let page = paging.cut(ctx, ids, |name| name.id.to_string(), false);
    Ok(ListContainerInstancesResponse {
        container_instance_arns: Some(page.items.iter().map(|name| name.arn()).collect()),
        next_token: page.next_token,
    })
}
