//! PurgeQueue: deletes every message that is there now.

use roadstead_api_sqs::PurgeQueueRequest;
use roadstead_base::Ctx;

use crate::Sqs;
use crate::error::{Error, Result};

/// Not more often than this.
const REST: i64 = 60_000;

pub(crate) async fn purge_queue(sqs: &Sqs, ctx: &Ctx, input: PurgeQueueRequest) -> Result<()> {
    let PurgeQueueRequest { queue_url } = input;
    let now = sqs.clock.now();
    let change = |queue: &mut crate::records::QueueRecord| {
        if queue.purged_at.is_some_and(|purged| now.0 < purged.0 + REST) {
            return Err(Error::PurgeInProgress(queue.name.clone()));
        }
        queue.purged_at = Some(now);
        Ok(())
    };
    sqs.change(ctx, &queue_url, change).await?;
    let id = sqs.queue(ctx, &queue_url)?.value.id;
    let numbers = sqs.messages.backlog(id).queue().numbers().collect();
    sqs.messages.delete(id, numbers, now).await
}
