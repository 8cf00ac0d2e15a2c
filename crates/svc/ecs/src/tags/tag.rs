//! TagResource.

use roadstead_api_ecs::{TagResourceRequest, TagResourceResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::Result;
use crate::tags::{Tags, resource};

pub(crate) async fn tag_resource(
    ecs: &Ecs,
    ctx: &Ctx,
    input: TagResourceRequest,
) -> Result<TagResourceResponse> {
    let TagResourceRequest { resource_arn, tags } = input;
    let more = Tags::of(Some(tags))?;
    resource::update(ecs, ctx, &resource_arn, |tags| tags.merge(more.clone())).await?;
    Ok(TagResourceResponse {})
}
