//! TagResource. Tags that are there already get the new value.

use roadstead_api_events::{TagResourceRequest, TagResourceResponse};
use roadstead_base::Ctx;

use crate::Events;
use crate::error::Result;

pub(crate) async fn tag_resource(
    events: &Events,
    ctx: &Ctx,
    input: TagResourceRequest,
) -> Result<TagResourceResponse> {
    let TagResourceRequest { resource_arn, tags } = input;
    events
        .retag(ctx, &resource_arn, |all| super::add(all, tags.clone()))
        .await?;
    Ok(TagResourceResponse {})
}
