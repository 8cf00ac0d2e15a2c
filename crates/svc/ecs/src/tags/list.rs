//! ListTagsForResource.

use roadstead_api_ecs::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn list_tags_for_resource(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "ListTagsForResource",
    )))
}
