//! TagResource. Tags that are there already get the new value.

use roadstead_api_cloudwatch::{TagResourceInput, TagResourceOutput};
use roadstead_base::Ctx;

use crate::CloudWatch;
use crate::error::Result;

pub(crate) async fn tag_resource(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: TagResourceInput,
) -> Result<TagResourceOutput> {
    let TagResourceInput { resource_arn, tags } = input;
    metrics
        .retag(ctx, &resource_arn, |all| super::add(all, tags.clone()))
        .await?;
    Ok(TagResourceOutput {})
}
