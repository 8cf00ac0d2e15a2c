//! DiscoverPollEndpoint.

use roadstead_api_ecs::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn discover_poll_endpoint(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DiscoverPollEndpointRequest,
) -> Result<DiscoverPollEndpointResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "DiscoverPollEndpoint",
    )))
}
