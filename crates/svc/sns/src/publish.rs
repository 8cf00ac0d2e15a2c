//! Publish and PublishBatch: what passes a subscription's filter is owed to it before the publisher is answered.

use std::collections::{BTreeMap, HashSet};

use roadstead_api_sns::{
    BatchResultErrorEntry, MessageAttributeValue, PublishBatchInput, PublishBatchRequestEntry,
    PublishBatchResponse, PublishBatchResultEntry, PublishInput, PublishResponse,
};
use roadstead_base::{Ctx, random_uuid};
use roadstead_protocol::{ApiError, Fault};
use roadstead_store::Transaction;
use serde_json::Value as Json;

use crate::Sns;
use crate::error::{Error, Result, refuse};
use crate::filter;
use crate::names;
use crate::records::{self, Attribute, Attributes, DeliveryRecord, MessageRecord};

/// Of a message with its attributes, and of a batch.
const MAX_BYTES: usize = 256 * 1024;
const MAX_ENTRIES: usize = 10;
const MAX_SUBJECT: usize = 100;
/// Of what is owed in one transaction, well within what the store takes.
const AT_ONCE: usize = 1024 * 1024;

struct Asked {
    message: String,
    subject: Option<String>,
    structure: Option<String>,
    attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    deduplication: Option<String>,
    group: Option<String>,
}

pub(crate) async fn publish(sns: &Sns, ctx: &Ctx, input: PublishInput) -> Result<PublishResponse> {
    let PublishInput {
        message,
        message_attributes,
        message_deduplication_id,
        message_group_id,
        message_structure,
        phone_number,
        subject,
        target_arn,
        topic_arn,
    } = input;
    refuse("PhoneNumber", phone_number.as_ref())?;
    let arn = match (topic_arn, target_arn) {
        (Some(arn), None) | (None, Some(arn)) => arn,
        (None, None) => {
            return Err(Error::invalid(
                "TopicArn or TargetArn Reason: no value for required parameter",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Error::invalid(
                "TopicArn or TargetArn Reason: exactly one of them is needed",
            ));
        }
    };
    let topic = names::topic(ctx, "TopicArn", &arn)?;
    sns.topic(ctx, &topic)?;
    let asked = Asked {
        message,
        subject,
        structure: message_structure,
        attributes: message_attributes,
        deduplication: message_deduplication_id,
        group: message_group_id,
    };
    let (record, _bytes) = prepare(sns, &topic, asked)?;
    let message_id = record.id.clone();
    sns.owe(ctx, vec![record]).await?;
    Ok(PublishResponse {
        message_id: Some(message_id),
        sequence_number: None,
    })
}

pub(crate) async fn publish_batch(
    sns: &Sns,
    ctx: &Ctx,
    input: PublishBatchInput,
) -> Result<PublishBatchResponse> {
    let PublishBatchInput {
        publish_batch_request_entries: entries,
        topic_arn,
    } = input;
    let topic = names::topic(ctx, "TopicArn", &topic_arn)?;
    sns.topic(ctx, &topic)?;
    check_ids(&entries)?;
    let mut response = PublishBatchResponse {
        failed: Some(Vec::new()),
        successful: Some(Vec::new()),
    };
    let mut records = Vec::new();
    let mut all = 0;
    for entry in entries {
        let PublishBatchRequestEntry {
            id,
            message,
            message_attributes,
            message_deduplication_id,
            message_group_id,
            message_structure,
            subject,
        } = entry;
        let asked = Asked {
            message,
            subject,
            structure: message_structure,
            attributes: message_attributes,
            deduplication: message_deduplication_id,
            group: message_group_id,
        };
        match prepare(sns, &topic, asked) {
            Ok((record, bytes)) => {
                all += bytes;
                let message_id = Some(record.id.clone());
                response
                    .successful
                    .get_or_insert_default()
                    .push(PublishBatchResultEntry {
                        id: Some(id),
                        message_id,
                        sequence_number: None,
                    });
                records.push(record);
            }
            Err(error) => {
                let error = ApiError::from(error);
                response
                    .failed
                    .get_or_insert_default()
                    .push(BatchResultErrorEntry {
                        id,
                        sender_fault: error.fault() == Fault::Client,
                        message: Some(error.message),
                        code: error.code.into_owned(),
                    });
            }
        }
    }
    if all > MAX_BYTES {
        return Err(Error::BatchTooLong(MAX_BYTES));
    }
    sns.owe(ctx, records).await?;
    Ok(response)
}

fn check_ids(entries: &[PublishBatchRequestEntry]) -> Result<()> {
    match entries.len() {
        0 => return Err(Error::EmptyBatch),
        count if count > MAX_ENTRIES => return Err(Error::TooManyEntries(count)),
        _ => {}
    }
    let mut seen = HashSet::new();
    for entry in entries {
        if entry.id.len() > 80 || !names::is_name(&entry.id) {
            return Err(Error::EntryId);
        }
        if !seen.insert(&entry.id) {
            return Err(Error::RepeatedId(entry.id.clone()));
        }
    }
    Ok(())
}

fn prepare(sns: &Sns, topic: &str, asked: Asked) -> Result<(MessageRecord, usize)> {
    let Asked {
        message,
        subject,
        structure,
        attributes,
        deduplication,
        group,
    } = asked;
    refuse("MessageDeduplicationId", deduplication.as_ref())?;
    refuse("MessageGroupId", group.as_ref())?;
    if message.is_empty() {
        return Err(Error::invalid("Empty message"));
    }
    if let Some(subject) = &subject {
        let fine = (1..=MAX_SUBJECT).contains(&subject.chars().count())
            && !subject.chars().any(char::is_control)
            && !subject.starts_with(char::is_whitespace);
        if !fine {
            return Err(Error::invalid("Subject"));
        }
    }
    let attributes = accept(attributes.unwrap_or_default())?;
    let mut bytes = message.len();
    for (name, attribute) in &attributes {
        let content =
            attribute.text.as_ref().map_or(0, String::len) + attribute.bytes.as_ref().map_or(0, Vec::len);
        bytes += name.len() + attribute.data_type.len() + content;
    }
    if bytes > MAX_BYTES {
        return Err(Error::invalid("Message too long"));
    }
    let record = MessageRecord {
        id: random_uuid(),
        topic: topic.to_owned(),
        subject,
        message: for_queues(message, structure.as_deref())?,
        attributes,
        published_at: sns.clock.now(),
    };
    Ok((record, bytes))
}

/// Of a message with a text for each protocol that for queues, or the default.
fn for_queues(message: String, structure: Option<&str>) -> Result<String> {
    match structure {
        None => return Ok(message),
        Some("json") => {}
        Some(_) => return Err(Error::invalid("MessageStructure")),
    }
    let wrong = |why: &str| Error::invalid(format!("Message Structure - {why}"));
    let json: Json =
        serde_json::from_str(&message).map_err(|_| wrong("JSON message body failed to parse"))?;
    let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let default = text("default").ok_or_else(|| wrong("No default entry in JSON message body"))?;
    Ok(text("sqs").unwrap_or(default))
}

fn accept(given: BTreeMap<String, MessageAttributeValue>) -> Result<Attributes> {
    let mut all = Attributes::new();
    for (name, value) in given {
        let MessageAttributeValue {
            data_type,
            binary_value,
            string_value,
        } = value;
        let wrong = |why: &str| Error::Attribute(format!("The message attribute '{name}' {why}"));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty()
            || name.len() > 256
            || !name.bytes().all(plain)
            || name.starts_with('.')
            || name.ends_with('.')
        {
            return Err(wrong("has an invalid name."));
        }
        let kind = data_type.split('.').next().unwrap_or_default();
        if !["String", "Number", "Binary"].contains(&kind) {
            return Err(wrong(
                "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
            ));
        }
        let empty = || {
            wrong(&format!(
                "must contain non-empty message attribute value for message attribute type '{data_type}'."
            ))
        };
        let attribute = match (kind, string_value, binary_value) {
            (_, Some(_), Some(_)) => return Err(wrong("must contain one value, and not two.")),
            ("Binary", _, bytes) => Attribute {
                text: None,
                bytes: Some(
                    bytes
                        .map(|bytes| bytes.0)
                        .filter(|bytes| !bytes.is_empty())
                        .ok_or_else(empty)?,
                ),
                data_type,
            },
            (_, text, _) => Attribute {
                text: Some(text.filter(|text| !text.is_empty()).ok_or_else(empty)?),
                bytes: None,
                data_type,
            },
        };
        if attribute.data_type == "Number"
            && attribute
                .text
                .as_ref()
                .is_some_and(|text| text.parse::<f64>().is_err())
        {
            return Err(Error::Attribute(format!(
                "Could not cast message attribute '{name}' value to number."
            )));
        }
        let array = |text: &String| serde_json::from_str::<Vec<Json>>(text).is_err();
        if attribute.data_type == "String.Array" && attribute.text.as_ref().is_some_and(array) {
            return Err(wrong("is no JSON array."));
        }
        all.insert(name, attribute);
    }
    Ok(all)
}

impl Sns {
    /// Writes down what is owed to whom, all of it before it returns.
    async fn owe(&self, ctx: &Ctx, messages: Vec<MessageRecord>) -> Result<()> {
        let now = self.clock.now();
        let mut owed = Vec::new();
        for message in messages {
            for subscription in self.subscribed(ctx, &message.topic) {
                if filter::passes(&subscription.settings, &message) {
                    owed.push(DeliveryRecord {
                        subscription,
                        message: message.clone(),
                        failures: 0,
                        due_at: now,
                        dead: false,
                    });
                }
            }
        }
        if self.owed.snapshot().len() + owed.len() > self.options.max_owed {
            return Err(Error::Busy(self.options.max_owed));
        }
        let table = records::deliveries(&self.store);
        let mut rest = owed.as_slice();
        while !rest.is_empty() {
            let mut transaction = Transaction::new(&self.store);
            let (mut bytes, mut taken) = (0, 0);
            for record in rest {
                bytes += record.message.message.len() + 4096;
                if taken > 0 && (transaction.room() == 0 || bytes > AT_ONCE) {
                    break;
                }
                let key = table
                    .key(&ctx.partition(), &record.message.id)
                    .child(&record.subscription.id);
                transaction = transaction.put(&table, &key, record);
                taken += 1;
            }
            rest = &rest[taken..];
            // There is no condition that could fail: ids are unique.
            let _written = transaction.commit().await?;
        }
        Ok(())
    }
}
