//! ListServiceDeployments: the latest first.

use roadstead_api_ecs::{CreatedAt, ListServiceDeploymentsRequest, ListServiceDeploymentsResponse};
use roadstead_base::Ctx;

use super::history::is_told;
use super::record::ServiceDeploymentRecord;
use super::show::brief;
use crate::Ecs;
use crate::error::{Error, Result};
use crate::paging::Paging;
use crate::services::lookup::get_service;
use crate::tables::service_deployments_of;

/// Items of a page when no number is asked for, as the reference says.
const PAGE: usize = 20;

pub(crate) async fn list_service_deployments(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListServiceDeploymentsRequest,
) -> Result<ListServiceDeploymentsResponse> {
    let ListServiceDeploymentsRequest {
        service,
        cluster,
        created_at,
        max_results,
        next_token,
        status,
    } = input;
    let entry = get_service(ecs, ctx, cluster.as_deref(), &service).await?;
    let service = entry.value;
    if service.is_gone() {
        return Err(Error::ServiceNotFound);
    }
    let CreatedAt { after, before } = created_at.unwrap_or_default();
    let asked = status.unwrap_or_default();
    let statuses: Vec<&str> = asked.iter().map(|status| status.as_str()).collect();
    let bound = |at: Option<roadstead_base::Timestamp>| at.map(|at| at.0.to_string()).unwrap_or_default();
    let scope = [
        "ListServiceDeployments",
        service.cluster.as_str(),
        service.name.as_str(),
        service.id.as_str(),
        &statuses.join(","),
        &bound(after),
        &bound(before),
    ];
    let paging = Paging::of(ctx, &scope, max_results, next_token.as_deref())?.up_to(max_results, PAGE);
    let now = ecs.clock.now();
    let lets = |record: &ServiceDeploymentRecord| {
        (asked.is_empty() || asked.contains(&record.status.to_api()))
            && after.is_none_or(|after| record.created_at > after)
            && before.is_none_or(|before| record.created_at < before)
            && is_told(record, now)
    };
    let below = service_deployments_of(&service.partition, &service.cluster, &service.name);
    let (deployments, _) = ecs.service_deployments().all(&below).await?;
    let deployments = deployments.into_iter().map(|entry| entry.value);
    let mut deployments: Vec<_> = deployments.filter(lets).collect();
    deployments.sort_by_key(|record| std::cmp::Reverse(record.number));
    let page = paging.cut(ctx, deployments, |record| format!("{:020}", record.number), true);
    let briefs = page.items.iter().map(|record| brief(&service, record));
    Ok(ListServiceDeploymentsResponse {
        next_token: page.next_token,
        service_deployments: Some(briefs.collect()),
    })
}
