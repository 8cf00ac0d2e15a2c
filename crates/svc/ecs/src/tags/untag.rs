//! UntagResource.

use roadstead_api_ecs::{UntagResourceRequest, UntagResourceResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn untag_resource(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: UntagResourceRequest,
) -> Result<UntagResourceResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "UntagResource")))
}
