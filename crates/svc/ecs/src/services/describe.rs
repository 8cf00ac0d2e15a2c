//! DescribeServices.

use roadstead_api_ecs::{DescribeServicesRequest, DescribeServicesResponse, Failure, ServiceField};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::names::ServiceName;
use crate::services::show::{Include, show};
use crate::tables::service_key;

/// Services of one call.
const MAX: usize = 10;

pub(crate) async fn describe_services(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeServicesRequest,
) -> Result<DescribeServicesResponse> {
    let DescribeServicesRequest {
        services: named,
        cluster,
        include,
    } = input;
    let cluster = get_cluster(ecs, ctx, cluster.as_deref()).await?.value.name;
    if named.is_empty() {
        return Err(Error::invalid("Services cannot be empty."));
    }
    if named.len() > MAX {
        return Err(Error::invalid(format!("services can have at most {MAX} items.")));
    }
    let tags = include.unwrap_or_default().into_iter().any(|field| match field {
        ServiceField::Tags => true,
    });
    let partition = ctx.partition();
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for text in &named {
        let name = ServiceName::of(ctx, &cluster, text)?;
        match ecs
            .services()
            .get(&service_key(&partition, &cluster, &name))
            .await?
        {
            Some(entry) => services.push(show(ecs, &entry.value, Include { tags }).await?),
            None => failures.push(Failure {
                arn: Some(name.arn(&partition, &cluster)),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeServicesResponse {
        services: Some(services),
        failures: Some(failures),
    })
}
