//! ChangeMessageVisibility and ChangeMessageVisibilityBatch.

use roadstead_api_sqs::{
    ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchRequestEntry,
    ChangeMessageVisibilityBatchResult, ChangeMessageVisibilityBatchResultEntry,
    ChangeMessageVisibilityRequest,
};
use roadstead_base::Ctx;
use roadstead_queue::{NotChanged, Taken};

use crate::Sqs;
use crate::error::{Error, Result};
use crate::ops::batch;
use crate::receipt::Receipt;
use crate::records::QueueRecord;

/// From its receive on, a message is hidden for so long at the most.
const MAX_SECONDS: i32 = 43_200;

pub(crate) async fn change_message_visibility(
    sqs: &Sqs,
    ctx: &Ctx,
    input: ChangeMessageVisibilityRequest,
) -> Result<()> {
    let ChangeMessageVisibilityRequest {
        queue_url,
        receipt_handle,
        visibility_timeout,
    } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    let changed = change(sqs, &queue.value, &receipt_handle, visibility_timeout)?;
    sqs.messages.note(queue.value.id, &[changed]).await
}

pub(crate) async fn change_message_visibility_batch(
    sqs: &Sqs,
    ctx: &Ctx,
    input: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult> {
    let ChangeMessageVisibilityBatchRequest { entries, queue_url } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    batch::check(
        "ChangeMessageVisibilityBatchRequestEntry",
        entries.iter().map(|entry| entry.id.as_str()),
    )?;
    let mut result = ChangeMessageVisibilityBatchResult::default();
    let mut changed = Vec::new();
    for entry in entries {
        let ChangeMessageVisibilityBatchRequestEntry {
            id,
            receipt_handle,
            visibility_timeout,
        } = entry;
        let one = visibility_timeout
            .ok_or_else(|| Error::Missing("VisibilityTimeout".into()))
            .and_then(|timeout| change(sqs, &queue.value, &receipt_handle, timeout));
        match one {
            Ok(one) => {
                changed.push(one);
                result
                    .successful
                    .push(ChangeMessageVisibilityBatchResultEntry { id });
            }
            Err(error) => result.failed.push(batch::failed(id, error)),
        }
    }
    sqs.messages.note(queue.value.id, &changed).await?;
    Ok(result)
}

fn change(sqs: &Sqs, queue: &QueueRecord, handle: &str, timeout: i32) -> Result<Taken> {
    if !(0..=MAX_SECONDS).contains(&timeout) {
        return Err(Error::value(
            "VisibilityTimeout",
            timeout,
            "VisibilityTimeout must be an integer between 0 and 43200",
        ));
    }
    let Receipt {
        queue: _checked,
        number,
        receipt,
    } = Receipt::read(queue.id, handle)?;
    let now = sqs.clock.now().0;
    let visible = now + i64::from(timeout) * 1000;
    let backlog = sqs.messages.backlog(queue.id);
    let mut messages = backlog.queue();
    let received = messages.get(number).map_or(now, |message| message.received);
    if visible - received > i64::from(MAX_SECONDS) * 1000 {
        return Err(Error::value(
            "VisibilityTimeout",
            timeout,
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
        ));
    }
    match messages.change(number, receipt, visible, now) {
        Ok(message) => Ok(Taken { number, message }),
        Err(NotChanged::NotInFlight) => Err(Error::NotInFlight),
        Err(NotChanged::Gone) => Err(Error::value(
            "ReceiptHandle",
            handle,
            "Message does not exist or is not available for visibility timeout change.",
        )),
    }
}
