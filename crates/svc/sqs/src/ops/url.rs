//! GetQueueUrl.

use roadstead_api_sqs::{GetQueueUrlRequest, GetQueueUrlResult};
use roadstead_base::Ctx;

use crate::Sqs;
use crate::error::{Error, Result};
use crate::names;

pub(crate) fn get_queue_url(sqs: &Sqs, ctx: &Ctx, input: GetQueueUrlRequest) -> Result<GetQueueUrlResult> {
    let GetQueueUrlRequest {
        queue_name,
        queue_owner_aws_account_id,
    } = input;
    if queue_owner_aws_account_id.is_some_and(|owner| owner != ctx.account.as_str()) {
        return Err(Error::unsupported("QueueOwnerAWSAccountId of another account"));
    }
    names::check(&queue_name)?;
    sqs.named(ctx, &queue_name).ok_or(Error::NoSuchQueue)?;
    Ok(GetQueueUrlResult {
        queue_url: Some(names::url(ctx, &queue_name)),
    })
}
