//! DiscoverPollEndpoint: where an agent finds its channels, at the address it reached this service by.

use roadstead_api_ecs::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::acs::PATH;
use crate::error::{Error, Result};
use crate::instances::named_cluster;
use crate::names::ContainerInstanceId;
use crate::tcs;

const MAX_ZONE: usize = 64;

pub(crate) async fn discover_poll_endpoint(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DiscoverPollEndpointRequest,
) -> Result<DiscoverPollEndpointResponse> {
    let DiscoverPollEndpointRequest {
        cluster,
        container_instance,
        zone_id,
    } = input;
    // Every zone finds its channels at the one address; a name that cannot be a zone's is a mistake.
    if zone_id.is_some_and(|zone| zone.chars().count() > MAX_ZONE) {
        return Err(Error::invalid("zoneId is longer than any zone's id."));
    }
    if cluster.is_some() || container_instance.is_some() {
        let cluster = named_cluster(ecs, ctx, cluster.as_deref()).await?;
        if let Some(text) = container_instance.filter(|text| !text.is_empty()) {
            ContainerInstanceId::of(ctx, &cluster, &text)?;
        }
    }
    if ctx.endpoint.is_empty() {
        return Err(Error::client(
            "Only callers that came over a listener can be told where it is.",
        ));
    }
    Ok(DiscoverPollEndpointResponse {
        endpoint: Some(format!("{}{PATH}/", ctx.endpoint)),
        telemetry_endpoint: Some(format!("{}{}/", ctx.endpoint, tcs::PATH)),
        // No agent asks for it before there are services that connect.
        service_connect_endpoint: None,
    })
}
