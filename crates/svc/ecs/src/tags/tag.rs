//! TagResource.

use roadstead_api_ecs::{TagResourceRequest, TagResourceResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn tag_resource(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: TagResourceRequest,
) -> Result<TagResourceResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "TagResource")))
}
