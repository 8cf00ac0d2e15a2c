//! DescribeServiceDeployments.

use roadstead_api_ecs::{
    DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse, Failure, ServiceDeployment,
};
use roadstead_base::Ctx;

use super::history::is_told;
use super::name::{DEPLOYMENT, Named};
use super::record::ServiceDeploymentRecord;
use super::show::whole;
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::ServiceRecord;
use crate::services::scheduler::tasks_of_service;
use crate::tables::{service_deployments_of, service_key};

/// ARNs of one call, as the reference says.
const MAX: usize = 20;

pub(crate) async fn describe_service_deployments(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeServiceDeploymentsRequest,
) -> Result<DescribeServiceDeploymentsResponse> {
    let DescribeServiceDeploymentsRequest {
        service_deployment_arns,
    } = input;
    let named = all_named(ctx, DEPLOYMENT, "serviceDeploymentArns", &service_deployment_arns)?;
    let (mut deployments, mut failures) = (Vec::new(), Vec::new());
    for named in &named {
        match show(ecs, ctx, named).await? {
            Some(deployment) => deployments.push(deployment),
            None => failures.push(missing(ctx, DEPLOYMENT, named)),
        }
    }
    Ok(DescribeServiceDeploymentsResponse {
        failures: Some(failures),
        service_deployments: Some(deployments),
    })
}

/// What a request names, one to 20 of them.
pub(super) fn all_named(ctx: &Ctx, kind: &str, member: &str, arns: &[String]) -> Result<Vec<Named>> {
    if arns.is_empty() {
        return Err(Error::invalid(format!("{member} cannot be empty.")));
    }
    if arns.len() > MAX {
        return Err(Error::invalid(format!("{member} can have at most {MAX} items.")));
    }
    arns.iter().map(|arn| Named::of(ctx, kind, arn)).collect()
}

pub(super) fn missing(ctx: &Ctx, kind: &str, named: &Named) -> Failure {
    Failure {
        arn: Some(named.arn(kind, &ctx.partition())),
        reason: Some("MISSING".to_owned()),
        detail: None,
    }
}

/// The service that something is of; none if there is none any more.
pub(super) async fn service_of(ecs: &Ecs, ctx: &Ctx, named: &Named) -> Result<Option<ServiceRecord>> {
    let key = service_key(&ctx.partition(), &named.cluster, &named.service);
    let entry = ecs.services().get(&key).await?;
    Ok(entry
        .map(|entry| entry.value)
        .filter(|service| !service.is_gone()))
}

/// One that can still be described, and its service.
pub(super) async fn find(
    ecs: &Ecs,
    ctx: &Ctx,
    named: &Named,
) -> Result<Option<(ServiceRecord, ServiceDeploymentRecord)>> {
    let Some(service) = service_of(ecs, ctx, named).await? else {
        return Ok(None);
    };
    let below = service_deployments_of(&service.partition, &service.cluster, &service.name);
    let entry = ecs.service_deployments().get(&below.child(&named.id)).await?;
    let now = ecs.clock.now();
    let record = entry.map(|entry| entry.value);
    let record = record.filter(|record| is_told(record, now));
    Ok(record.map(|record| (service, record)))
}

async fn show(ecs: &Ecs, ctx: &Ctx, named: &Named) -> Result<Option<ServiceDeployment>> {
    let Some((service, record)) = find(ecs, ctx, named).await? else {
        return Ok(None);
    };
    let tasks = tasks_of_service(ecs, &service).await?;
    let tasks = tasks.iter().map(|entry| &entry.value);
    Ok(Some(whole(&service, &record, tasks)))
}
