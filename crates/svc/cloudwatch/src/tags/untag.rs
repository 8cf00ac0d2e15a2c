//! UntagResource. Keys that are not there are no error.

use roadstead_api_cloudwatch::{UntagResourceInput, UntagResourceOutput};
use roadstead_base::Ctx;

use crate::CloudWatch;
use crate::error::Result;

pub(crate) async fn untag_resource(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput> {
    let UntagResourceInput {
        resource_arn,
        tag_keys,
    } = input;
    let remove = |all: &mut super::Tags| {
        all.remove(&tag_keys);
        Ok(())
    };
    metrics.retag(ctx, &resource_arn, remove).await?;
    Ok(UntagResourceOutput {})
}
