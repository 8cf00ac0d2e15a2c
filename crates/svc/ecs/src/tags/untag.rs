//! UntagResource. Keys that are not there are no error.

use roadstead_api_ecs::{UntagResourceRequest, UntagResourceResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::Result;
use crate::tags::resource;

pub(crate) async fn untag_resource(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse> {
    let UntagResourceRequest {
        resource_arn,
        tag_keys,
    } = input;
    resource::update(ecs, ctx, &resource_arn, |tags| tags.remove(&tag_keys)).await?;
    Ok(UntagResourceResponse {})
}
