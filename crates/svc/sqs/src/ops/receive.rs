//! ReceiveMessage. What is received is nobody else's for the visibility timeout, which is on disk before it is answered.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use roadstead_api_sqs::{
    Message, MessageSystemAttributeName as System, ReceiveMessageRequest, ReceiveMessageResult,
};
use roadstead_base::{Ctx, Timestamp};
use roadstead_queue::Taken;

use crate::Sqs;
use crate::digest;
use crate::error::{Error, Result};
use crate::message;
use crate::messages::{Attempt, Backlog, Transfer};
use crate::names;
use crate::ops::send::{check_id, sequence};
use crate::receipt::Receipt;
use crate::records::{Attributes, MessageRecord, QueueRecord};

const MOST: i32 = 10;
/// For so long an attempt can be tried again.
const ATTEMPT: i64 = 5 * 60_000;
/// The longest sleep of who waits; the clock may be set.
const NAP: Duration = Duration::from_secs(1);
/// Dead letters and old messages that are cleared away at a time.
const LOT: usize = 100;

/// What of a message is shown.
struct Wanted {
    system: Vec<System>,
    attributes: Vec<String>,
}

pub(crate) async fn receive_message(
    sqs: &Sqs,
    ctx: &Ctx,
    input: ReceiveMessageRequest,
) -> Result<ReceiveMessageResult> {
    let ReceiveMessageRequest {
        queue_url,
        attribute_names,
        max_number_of_messages,
        message_attribute_names,
        message_system_attribute_names,
        receive_request_attempt_id,
        visibility_timeout,
        wait_time_seconds,
    } = input;
    let queue = sqs.queue(ctx, &queue_url)?.value.clone();
    let most = within("MaxNumberOfMessages", max_number_of_messages, 1, MOST)?.unwrap_or(1);
    let timeout = within("VisibilityTimeout", visibility_timeout, 0, 43_200)?;
    let timeout = timeout.map_or(queue.settings.visibility_seconds, i64::from) * 1000;
    let wait = within("WaitTimeSeconds", wait_time_seconds, 0, 20)?;
    let wait = wait.map_or(queue.settings.wait_seconds, i64::from);
    if let Some(attempt) = &receive_request_attempt_id {
        if !queue.fifo {
            return Err(Error::value(
                "ReceiveRequestAttemptId",
                attempt,
                "The request include parameter that is not valid for this queue type",
            ));
        }
        check_id("ReceiveRequestAttemptId", attempt)?;
    }
    let mut system = message_system_attribute_names.unwrap_or_default();
    for name in attribute_names.unwrap_or_default() {
        let name = System::parse(name.as_str()).ok_or_else(|| Error::AttributeName(name.to_string()))?;
        system.push(name);
    }
    let wanted = Wanted {
        system,
        attributes: message_attribute_names.unwrap_or_default(),
    };
    let most = usize::try_from(most).unwrap_or(1);
    let deadline = sqs.clock.now().plus_millis(wait * 1000);
    let taken = loop {
        let backlog = sqs.messages.backlog(queue.id);
        let arrived = backlog.arrived.notified();
        tokio::pin!(arrived);
        // From here on, whatever arrives wakes.
        arrived.as_mut().enable();
        // It may have been deleted, or set otherwise, while this waited.
        let queue = sqs.queue(ctx, &queue_url)?;
        let taken = take(
            sqs,
            ctx,
            &queue.value,
            &backlog,
            most,
            timeout,
            wait,
            receive_request_attempt_id.as_deref(),
        )
        .await?;
        let now = sqs.clock.now();
        if !taken.is_empty() || now >= deadline || sqs.closing.load(Ordering::Acquire) {
            break taken;
        }
        let next = backlog
            .queue()
            .next_at()
            .map_or(deadline.0, |next| next.min(deadline.0));
        let sleep = Duration::from_millis(u64::try_from(next - now.0).unwrap_or_default()).min(NAP);
        tokio::select! {
            () = &mut arrived => {}
            () = tokio::time::sleep(sleep.max(Duration::from_millis(1))) => {}
        }
    };
    let mut messages = Vec::with_capacity(taken.len());
    for Taken { number, message } in taken {
        let Some(record) = sqs.messages.read(queue.id, number)? else {
            // Deleted at the same time as something else was written of it: that is what is left.
            sqs.messages
                .delete(queue.id, vec![number], sqs.clock.now())
                .await?;
            continue;
        };
        messages.push(show(&queue, number, &message, record, &wanted));
    }
    Ok(ReceiveMessageResult {
        messages: Some(messages).filter(|messages| !messages.is_empty()),
    })
}

fn within(name: &str, value: Option<i32>, low: i32, high: i32) -> Result<Option<i32>> {
    match value {
        Some(value) if !(low..=high).contains(&value) => Err(Error::value(
            name,
            value,
            &format!("Must be between {low} and {high}, if provided."),
        )),
        value => Ok(value),
    }
}

/// One look at the queue.
#[allow(clippy::too_many_arguments)] // each is a different thing, and they are used once
async fn take(
    sqs: &Sqs,
    ctx: &Ctx,
    queue: &QueueRecord,
    backlog: &Backlog,
    most: usize,
    timeout: i64,
    wait: i64,
    attempt: Option<&str>,
) -> Result<Vec<Taken>> {
    let now = sqs.clock.now();
    if let Some(again) = attempt.and_then(|attempt| tried_before(backlog, attempt, timeout, now)) {
        sqs.messages.note(queue.id, &again).await?;
        return Ok(again);
    }
    sqs.expire(queue, now).await?;
    bury(sqs, ctx, queue, backlog, now).await?;
    let room = sqs
        .options
        .max_in_flight
        .saturating_sub(backlog.queue().counts(now.0).in_flight);
    if room == 0 && !queue.fifo && wait == 0 {
        return Err(Error::OverLimit(format!(
            "The maximum number of in flight messages is reached: {}.",
            sqs.options.max_in_flight
        )));
    }
    let mut broken = None;
    let receipt = || match roadstead_base::random_bytes::<8>() {
        Ok(bytes) => u64::from_be_bytes(bytes).max(1),
        Err(error) => {
            broken = Some(error.to_string());
            1
        }
    };
    let taken = backlog.queue().receive(most.min(room), timeout, now.0, receipt);
    if let Some(error) = broken {
        return Err(Error::Broken(error));
    }
    if taken.is_empty() {
        return Ok(taken);
    }
    sqs.messages.note(queue.id, &taken).await?;
    if let Some(attempt) = attempt {
        let remembered = Attempt {
            until: now.0 + ATTEMPT,
            taken: taken.clone(),
        };
        backlog.remember(attempt.to_owned(), remembered);
    }
    Ok(taken)
}

/// The messages that the same attempt got before, if all are still with whoever tried; their timeout begins anew.
fn tried_before(backlog: &Backlog, attempt: &str, timeout: i64, now: Timestamp) -> Option<Vec<Taken>> {
    let taken = backlog.attempt(attempt, now.0)?;
    let mut queue = backlog.queue();
    let unchanged = taken.iter().all(|taken| {
        queue.get(taken.number) == Some(&taken.message)
            && queue.holds(taken.number, taken.message.receipt, now.0)
    });
    if !unchanged {
        return None;
    }
    let again = taken.into_iter().map(|Taken { number, message }| {
        let changed = queue.change(number, message.receipt, now.0 + timeout, now.0);
        let message = changed.unwrap_or(message);
        Taken { number, message }
    });
    let again: Vec<Taken> = again.collect();
    drop(queue);
    let remembered = Attempt {
        until: now.0 + ATTEMPT,
        taken: again.clone(),
    };
    backlog.remember(attempt.to_owned(), remembered);
    Some(again)
}

/// Moves those that were received too often to the dead-letter queue. Where there is none, they stay.
async fn bury(sqs: &Sqs, ctx: &Ctx, queue: &QueueRecord, backlog: &Backlog, now: Timestamp) -> Result<()> {
    let Some(redrive) = &queue.settings.redrive else {
        return Ok(());
    };
    let partition = ctx.partition();
    let target = names::of_arn(&partition, &redrive.target_arn).and_then(|name| sqs.named(ctx, &name));
    let Some(target) = target else { return Ok(()) };
    loop {
        let dead = backlog.queue().dead(redrive.max_receives, LOT, now.0);
        if dead.is_empty() {
            return Ok(());
        }
        let change = Transfer {
            source_arn: Some(names::arn(&partition, &queue.name)),
            sealed: target.value.settings.sealed,
        };
        sqs.messages
            .transfer(queue.id, target.value.id, dead, change, now)
            .await?;
    }
}

impl Sqs {
    /// Deletes what is older than the queue keeps it.
    pub(crate) async fn expire(&self, queue: &QueueRecord, now: Timestamp) -> Result<()> {
        let backlog = self.messages.backlog(queue.id);
        let before = now.0 - queue.settings.retention_seconds * 1000;
        loop {
            let old = backlog.queue().older_than(before, LOT);
            if old.is_empty() {
                return Ok(());
            }
            self.messages.delete(queue.id, old, now).await?;
        }
    }
}

fn show(
    queue: &QueueRecord,
    number: u64,
    state: &roadstead_queue::Message,
    record: MessageRecord,
    wanted: &Wanted,
) -> Message {
    let receipt = Receipt {
        queue: queue.id,
        number,
        receipt: state.receipt,
    };
    let mut system = BTreeMap::new();
    let all = wanted.system.contains(&System::All);
    let mut put = |name: System, value: Option<String>| {
        if let Some(value) = value.filter(|_| all || wanted.system.contains(&name)) {
            system.insert(name.to_string(), value);
        }
    };
    put(System::SenderId, Some(record.sender));
    put(System::SentTimestamp, Some(record.sent.to_string()));
    put(System::ApproximateReceiveCount, Some(state.receives.to_string()));
    put(
        System::ApproximateFirstReceiveTimestamp,
        Some(state.first_received.to_string()),
    );
    put(System::SequenceNumber, queue.fifo.then(|| sequence(number)));
    put(System::MessageDeduplicationId, record.deduplication);
    put(System::MessageGroupId, record.group);
    put(System::AwsTraceHeader, record.trace_header);
    put(System::DeadLetterQueueSourceArn, record.source_arn);
    let attributes: Attributes = record
        .attributes
        .into_iter()
        .filter(|(name, _)| wanted.attributes.iter().any(|wanted| asks_for(wanted, name)))
        .collect();
    Message {
        attributes: Some(system).filter(|system| !system.is_empty()),
        md5_of_body: Some(digest::of_body(&record.body)),
        body: Some(record.body),
        md5_of_message_attributes: digest::of_attributes(&attributes),
        message_attributes: Some(
            attributes
                .into_iter()
                .map(|(name, attribute)| (name, message::show(attribute)))
                .collect(),
        )
        .filter(|shown: &BTreeMap<_, _>| !shown.is_empty()),
        message_id: Some(record.id),
        receipt_handle: Some(receipt.write()),
    }
}

/// `All` and `.*` ask for all, `prefix.*` for those that begin so.
fn asks_for(wanted: &str, name: &str) -> bool {
    match wanted.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => wanted == "All" || wanted == name,
    }
}
