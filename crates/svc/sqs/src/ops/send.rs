//! SendMessage and SendMessageBatch. A message that is answered for is on disk.

use std::collections::BTreeMap;

use roadstead_api_sqs::{
    MessageAttributeValue, MessageSystemAttributeValue, SendMessageBatchRequest,
    SendMessageBatchRequestEntry, SendMessageBatchResult, SendMessageBatchResultEntry, SendMessageRequest,
    SendMessageResult,
};
use roadstead_base::{Ctx, random_uuid};
use sha2::{Digest as _, Sha256};

use crate::Sqs;
use crate::digest;
use crate::error::{Error, Result};
use crate::message::{self, MAX_BYTES};
use crate::messages::Outgoing;
use crate::ops::batch;
use crate::records::{Attributes, MessageRecord, QueueRecord, SentRecord};

/// For so long a message with the same deduplication id is the same message.
const SAME: i64 = 5 * 60_000;
const MAX_ID: usize = 128;

/// What either operation sends.
struct Asked {
    body: String,
    delay_seconds: Option<i32>,
    attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    system: Option<BTreeMap<String, MessageSystemAttributeValue>>,
    deduplication: Option<String>,
    group: Option<String>,
}

/// A message as it will be, and what is answered for it.
struct Ready {
    record: MessageRecord,
    visible: i64,
    known: Option<Vec<u8>>,
    bytes: usize,
    sums: Sums,
}

struct Sums {
    body: String,
    attributes: Option<String>,
    system: Option<String>,
}

struct Sent {
    id: String,
    sequence: Option<String>,
    sums: Sums,
}

pub(crate) async fn send_message(
    sqs: &Sqs,
    ctx: &Ctx,
    input: SendMessageRequest,
) -> Result<SendMessageResult> {
    let SendMessageRequest {
        message_body,
        queue_url,
        delay_seconds,
        message_attributes,
        message_deduplication_id,
        message_group_id,
        message_system_attributes,
    } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    let asked = Asked {
        body: message_body,
        delay_seconds,
        attributes: message_attributes,
        system: message_system_attributes,
        deduplication: message_deduplication_id,
        group: message_group_id,
    };
    let ready = prepare(sqs, ctx, &queue.value, asked)?;
    let sent = send(sqs, &queue.value, vec![ready]).await?.pop();
    let sent = sent.ok_or_else(|| Error::Broken("a message was sent and is not there".into()))?;
    Ok(SendMessageResult {
        md5_of_message_attributes: sent.sums.attributes,
        md5_of_message_body: Some(sent.sums.body),
        md5_of_message_system_attributes: sent.sums.system,
        message_id: Some(sent.id),
        sequence_number: sent.sequence,
    })
}

pub(crate) async fn send_message_batch(
    sqs: &Sqs,
    ctx: &Ctx,
    input: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult> {
    let SendMessageBatchRequest { entries, queue_url } = input;
    let queue = sqs.queue(ctx, &queue_url)?;
    batch::check(
        "SendMessageBatchRequestEntry",
        entries.iter().map(|entry| entry.id.as_str()),
    )?;
    let mut failed = Vec::new();
    let mut ids = Vec::new();
    let mut ready = Vec::new();
    for entry in entries {
        let SendMessageBatchRequestEntry {
            id,
            message_body,
            delay_seconds,
            message_attributes,
            message_deduplication_id,
            message_group_id,
            message_system_attributes,
        } = entry;
        let asked = Asked {
            body: message_body,
            delay_seconds,
            attributes: message_attributes,
            system: message_system_attributes,
            deduplication: message_deduplication_id,
            group: message_group_id,
        };
        match prepare(sqs, ctx, &queue.value, asked) {
            Ok(message) => {
                ids.push(id);
                ready.push(message);
            }
            Err(error) => failed.push(batch::failed(id, error)),
        }
    }
    let bytes: usize = ready.iter().map(|message| message.bytes).sum();
    if bytes > MAX_BYTES {
        return Err(Error::BatchTooLong {
            most: MAX_BYTES,
            sent: bytes,
        });
    }
    let sent = send(sqs, &queue.value, ready).await?;
    let successful = ids
        .into_iter()
        .zip(sent)
        .map(|(id, sent)| SendMessageBatchResultEntry {
            id,
            md5_of_message_body: sent.sums.body,
            message_id: sent.id,
            md5_of_message_attributes: sent.sums.attributes,
            md5_of_message_system_attributes: sent.sums.system,
            sequence_number: sent.sequence,
        });
    Ok(SendMessageBatchResult {
        failed,
        successful: successful.collect(),
    })
}

/// Checks a message, and says what it will be.
fn prepare(sqs: &Sqs, ctx: &Ctx, queue: &QueueRecord, asked: Asked) -> Result<Ready> {
    let Asked {
        body,
        delay_seconds,
        attributes,
        system,
        deduplication,
        group,
    } = asked;
    message::check_body(&body)?;
    let attributes: Attributes = message::attributes(attributes)?;
    let system = message::system(system)?;
    let bytes = message::size(&body, &attributes);
    let most = queue.settings.max_bytes;
    if bytes as i64 > most {
        return Err(Error::Value(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
        )));
    }
    const OF_FIFO: &str = "The request include parameter that is not valid for this queue type";
    let delay = match delay_seconds {
        None => queue.settings.delay_seconds,
        Some(0) if queue.fifo => queue.settings.delay_seconds,
        Some(delay) if queue.fifo => return Err(Error::value("DelaySeconds", delay, OF_FIFO)),
        Some(delay) if (0..=900).contains(&delay) => i64::from(delay),
        Some(delay) => {
            return Err(Error::value(
                "DelaySeconds",
                delay,
                "DelaySeconds must be >= 0 and <= 900.",
            ));
        }
    };
    let now = sqs.clock.now();
    let (group, deduplication, known) = if queue.fifo {
        let (group, deduplication) = in_order(queue, &body, group, deduplication)?;
        let known = known_by(queue, &group, &deduplication);
        (Some(group), Some(deduplication), Some(known))
    } else {
        for (name, value) in [
            ("MessageGroupId", &group),
            ("MessageDeduplicationId", &deduplication),
        ] {
            if let Some(value) = value {
                return Err(Error::value(name, value, OF_FIFO));
            }
        }
        (None, None, None)
    };
    Ok(Ready {
        visible: now.0 + delay * 1000,
        known,
        bytes,
        sums: Sums {
            body: digest::of_body(&body),
            attributes: digest::of_attributes(&attributes),
            system: digest::of_attributes(&system),
        },
        record: MessageRecord {
            id: random_uuid(),
            body,
            attributes,
            trace_header: message::trace_header(&system),
            sender: message::sender(ctx),
            sent: now.0,
            group,
            deduplication,
            source_arn: None,
        },
    })
}

/// Group and deduplication id of a message of a FIFO queue.
fn in_order(
    queue: &QueueRecord,
    body: &str,
    group: Option<String>,
    deduplication: Option<String>,
) -> Result<(String, String)> {
    let group = group
        .filter(|group| !group.is_empty())
        .ok_or_else(|| Error::Missing("MessageGroupId".into()))?;
    check_id("MessageGroupId", &group)?;
    let deduplication = match deduplication {
        Some(id) => {
            check_id("MessageDeduplicationId", &id)?;
            id
        }
        None if queue.settings.by_content => hex::encode(Sha256::digest(body.as_bytes())),
        None => {
            return Err(Error::Value(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
                    .into(),
            ));
        }
    };
    Ok((group, deduplication))
}

/// Refuses what no such id can be: letters, digits and punctuation, from 1 to 128.
pub(crate) fn check_id(name: &str, id: &str) -> Result<()> {
    let fine = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match fine {
        true => Ok(()),
        false => Err(Error::value(
            name,
            id,
            "It can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )),
    }
}

/// What another message that is the same would be known by.
fn known_by(queue: &QueueRecord, group: &str, deduplication: &str) -> Vec<u8> {
    let mut sum = Sha256::new();
    if queue.settings.scope_is_group {
        sum.update(group.as_bytes());
    }
    sum.update([0]);
    sum.update(deduplication.as_bytes());
    sum.finalize()[..16].to_vec()
}

/// Sends them all; those of a FIFO queue that are known already are answered for and not sent again.
async fn send(sqs: &Sqs, queue: &QueueRecord, ready: Vec<Ready>) -> Result<Vec<Sent>> {
    if ready.is_empty() {
        return Ok(Vec::new());
    }
    if sqs.messages.count() + ready.len() > sqs.options.max_messages {
        return Err(Error::OverLimit(format!(
            "There are {} messages in all queues, which is as many as this server takes; receive some.",
            sqs.options.max_messages
        )));
    }
    let backlog = sqs.messages.backlog(queue.id);
    // One after the other, so that numbers, and what was sent, are in order.
    let turn = match queue.fifo {
        true => Some(backlog.sending.clone().lock_owned().await),
        false => None,
    };
    let now = sqs.clock.now();
    let first = sqs.messages.numbers.take(ready.len() as u64).await?;
    let mut outgoing: Vec<Outgoing> = Vec::new();
    let mut sent = Vec::new();
    for (number, message) in (first..).zip(ready) {
        let Ready {
            record,
            visible,
            known,
            bytes: _counted,
            sums,
        } = message;
        let earlier = known.as_ref().and_then(|known| {
            let before = backlog
                .known()
                .get(known)
                .filter(|sent| sent.until > now.0)
                .cloned();
            let here = || {
                let same =
                    |message: &&Outgoing| message.known.as_ref().is_some_and(|(other, _)| other == known);
                outgoing
                    .iter()
                    .find(same)
                    .and_then(|message| message.known.clone())
            };
            before.or_else(|| here().map(|(_, sent)| sent))
        });
        if let Some(SentRecord { id, number, until: _ }) = earlier {
            sent.push(Sent {
                id,
                sequence: Some(sequence(number)),
                sums,
            });
            continue;
        }
        sent.push(Sent {
            id: record.id.clone(),
            sequence: queue.fifo.then(|| sequence(number)),
            sums,
        });
        let known = known.map(|known| {
            let sent = SentRecord {
                id: record.id.clone(),
                number,
                until: now.0 + SAME,
            };
            (known, sent)
        });
        outgoing.push(Outgoing {
            number,
            record,
            visible,
            known,
        });
    }
    if !outgoing.is_empty() {
        sqs.messages
            .send(queue.id, outgoing, queue.settings.sealed, now, turn)
            .await?;
    }
    Ok(sent)
}

/// Twenty digits, so that they are in order as texts too.
pub(crate) fn sequence(number: u64) -> String {
    format!("{number:020}")
}
