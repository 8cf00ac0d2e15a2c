//! DeleteMessage and DeleteMessageBatch, by the receipt of the latest receive. Of a standard queue an older receipt is
//! answered as if it deleted, and does not; of a FIFO queue one whose timeout is over is refused.

use roadstead_api_sqs::{
    DeleteMessageBatchRequest, DeleteMessageBatchRequestEntry, DeleteMessageBatchResult,
    DeleteMessageBatchResultEntry, DeleteMessageRequest,
};
use roadstead_base::Ctx;

use crate::Sqs;
use crate::error::{Error, Result};
use crate::ops::batch;
use crate::receipt::Receipt;
use crate::records::QueueRecord;

pub(crate) async fn delete_message(sqs: &Sqs, ctx: &Ctx, input: DeleteMessageRequest) -> Result<()> {
    let DeleteMessageRequest {
        queue_url,
        receipt_handle,
    } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    let number = meant(sqs, &queue.value, &receipt_handle)?;
    let numbers = number.into_iter().collect();
    sqs.messages
        .delete(queue.value.id, numbers, sqs.clock.now())
        .await
}

pub(crate) async fn delete_message_batch(
    sqs: &Sqs,
    ctx: &Ctx,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult> {
    let DeleteMessageBatchRequest { entries, queue_url } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    batch::check(
        "DeleteMessageBatchRequestEntry",
        entries.iter().map(|entry| entry.id.as_str()),
    )?;
    let mut result = DeleteMessageBatchResult::default();
    let mut numbers = Vec::new();
    for DeleteMessageBatchRequestEntry { id, receipt_handle } in entries {
        match meant(sqs, &queue.value, &receipt_handle) {
            Ok(number) => {
                numbers.extend(number);
                result.successful.push(DeleteMessageBatchResultEntry { id });
            }
            Err(error) => result.failed.push(batch::failed(id, error)),
        }
    }
    sqs.messages
        .delete(queue.value.id, numbers, sqs.clock.now())
        .await?;
    Ok(result)
}

/// The message to be deleted, if one is.
fn meant(sqs: &Sqs, queue: &QueueRecord, handle: &str) -> Result<Option<u64>> {
    let Receipt {
        queue: _checked,
        number,
        receipt,
    } = Receipt::read(queue.id, handle)?;
    let backlog = sqs.messages.backlog(queue.id);
    let mut messages = backlog.queue();
    let Some(message) = messages.get(number) else {
        return Ok(None);
    };
    let latest = message.receipt == receipt;
    if queue.fifo && !messages.holds(number, receipt, sqs.clock.now().0) {
        return Err(Error::value(
            "ReceiptHandle",
            handle,
            "The receipt handle has expired.",
        ));
    }
    Ok(latest.then_some(number))
}
