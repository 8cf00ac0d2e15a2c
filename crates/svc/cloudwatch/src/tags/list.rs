//! ListTagsForResource.

use roadstead_api_cloudwatch::{ListTagsForResourceInput, ListTagsForResourceOutput};
use roadstead_base::Ctx;

use crate::CloudWatch;
use crate::error::Result;

pub(crate) async fn list_tags_for_resource(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput> {
    let ListTagsForResourceInput { resource_arn } = input;
    let tags = metrics.tags_of(ctx, &resource_arn).await?;
    Ok(ListTagsForResourceOutput {
        tags: Some(super::to_api(&tags)),
    })
}
