//! ListTagsForResource.

use roadstead_api_ecs::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::{Error, Result};
use crate::tags::resource;

pub(crate) async fn list_tags_for_resource(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse> {
    let ListTagsForResourceRequest { resource_arn } = input;
    // This operation documents no ResourceNotFoundException: what is not there is a bad parameter.
    let tags = resource::update(ecs, ctx, &resource_arn, |_| Ok(()))
        .await
        .map_err(|error| match error {
            Error::ResourceNotFound(message) => Error::InvalidParameter(message),
            other => other,
        })?;
    Ok(ListTagsForResourceResponse {
        tags: Some(tags.to_api()),
    })
}
