//! Attributes of queues: from the texts of a request to settings, and back.

use std::collections::BTreeMap;

use roadstead_api_sqs::QueueAttributeName as Name;
use roadstead_base::{Partition, Timestamp};
use roadstead_policy::Kind;
use roadstead_queue::Counts;
use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::names;
use crate::records::{QueueRecord, Redrive, RedriveAllow, Settings};

const MAX_RECEIVES: u64 = 1000;
const MAX_SOURCES: usize = 10;

/// Sets what the attributes say. `creating` is whether the queue is being made, which some can be set at only.
pub(crate) fn apply(
    settings: &mut Settings,
    given: &BTreeMap<String, String>,
    fifo: bool,
    creating: bool,
) -> Result<()> {
    for (name, value) in given {
        let unknown = || Error::AttributeName(name.clone());
        let wrong = || Error::AttributeValue(name.clone());
        let flag = || match value.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(wrong()),
        };
        let number = |low: i64, high: i64| {
            let number = value.parse::<i64>().map_err(|_| wrong())?;
            (low..=high).contains(&number).then_some(number).ok_or_else(wrong)
        };
        // What is empty takes off what was set.
        let text = || Some(value.clone()).filter(|text| !text.is_empty());
        match Name::parse(name).ok_or_else(unknown)? {
            Name::DelaySeconds => settings.delay_seconds = number(0, 900)?,
            Name::MaximumMessageSize => settings.max_bytes = number(1024, crate::message::MAX_BYTES as i64)?,
            Name::MessageRetentionPeriod => settings.retention_seconds = number(60, 1_209_600)?,
            Name::ReceiveMessageWaitTimeSeconds => settings.wait_seconds = number(0, 20)?,
            Name::VisibilityTimeout => settings.visibility_seconds = number(0, 43_200)?,
            Name::Policy => {
                if let Some(policy) = text() {
                    roadstead_policy::parse(&policy, Kind::Resource).map_err(|fault| {
                        Error::Value(format!("Invalid value for the parameter Policy. Reason: {fault}"))
                    })?;
                }
                settings.policy = text();
            }
            Name::RedrivePolicy => settings.redrive = text().map(|text| redrive(&text)).transpose()?,
            Name::RedriveAllowPolicy => {
                settings.redrive_allow = text().map(|text| redrive_allow(&text)).transpose()?;
            }
            Name::SqsManagedSseEnabled => settings.sealed = flag()?,
            Name::FifoQueue if creating && fifo && flag()? => {}
            Name::FifoQueue if creating && fifo => return Err(wrong()),
            Name::ContentBasedDeduplication if fifo => settings.by_content = flag()?,
            Name::DeduplicationScope if fifo => {
                settings.scope_is_group = match value.as_str() {
                    "messageGroup" => true,
                    "queue" => false,
                    _ => return Err(wrong()),
                };
            }
            Name::FifoThroughputLimit if fifo => {
                settings.throughput_is_per_group = match value.as_str() {
                    "perMessageGroupId" => true,
                    "perQueue" => false,
                    _ => return Err(wrong()),
                };
            }
            // No keys are kept here but the service's own.
            Name::KmsMasterKeyId | Name::KmsDataKeyReusePeriodSeconds if value.is_empty() => {}
            Name::KmsMasterKeyId | Name::KmsDataKeyReusePeriodSeconds => {
                return Err(Error::unsupported(name));
            }
            _ => return Err(unknown()),
        }
    }
    if settings.throughput_is_per_group && !settings.scope_is_group {
        return Err(Error::Value(
            "The perMessageGroupId value of FifoThroughputLimit is allowed only when the value of DeduplicationScope is \
             messageGroup."
                .into(),
        ));
    }
    Ok(())
}

fn redrive(text: &str) -> Result<Redrive> {
    let wrong = |reason: &str| Error::value("RedrivePolicy", text, reason);
    let json: Json =
        serde_json::from_str(text).map_err(|_| wrong("Redrive policy is not a valid JSON map."))?;
    let map = json
        .as_object()
        .ok_or_else(|| wrong("Redrive policy is not a valid JSON map."))?;
    if map
        .keys()
        .any(|key| key != "deadLetterTargetArn" && key != "maxReceiveCount")
    {
        return Err(wrong(
            "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
        ));
    }
    let target = map
        .get("deadLetterTargetArn")
        .and_then(Json::as_str)
        .ok_or_else(|| wrong("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."))?;
    let count = map
        .get("maxReceiveCount")
        .ok_or_else(|| wrong("Redrive policy does not contain mandatory attribute: maxReceiveCount."))?;
    let count = count
        .as_u64()
        .or_else(|| count.as_str()?.parse().ok())
        .filter(|count| (1..=MAX_RECEIVES).contains(count))
        .ok_or_else(|| {
            wrong(&format!(
                "Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
            ))
        })?;
    Ok(Redrive {
        target_arn: target.to_owned(),
        max_receives: u32::try_from(count).unwrap_or(u32::MAX),
    })
}

/// A redrive policy as it is shown.
pub(crate) fn show_redrive(redrive: &Redrive) -> String {
    let Redrive {
        target_arn,
        max_receives,
    } = redrive;
    json!({"deadLetterTargetArn": target_arn, "maxReceiveCount": max_receives}).to_string()
}

fn redrive_allow(text: &str) -> Result<RedriveAllow> {
    let wrong = |reason: &str| Error::value("RedriveAllowPolicy", text, reason);
    let json: Json = serde_json::from_str(text)
        .map_err(|_| wrong("Amazon SQS can't create the redrive allow policy, as it is no JSON map."))?;
    let map = json.as_object().ok_or_else(|| wrong("It is no JSON map."))?;
    if map
        .keys()
        .any(|key| key != "redrivePermission" && key != "sourceQueueArns")
    {
        return Err(wrong(
            "Only following attributes are supported: [redrivePermission, sourceQueueArns].",
        ));
    }
    let sources = map.get("sourceQueueArns");
    match (map.get("redrivePermission").and_then(Json::as_str), sources) {
        (Some("allowAll"), None) => Ok(RedriveAllow::All),
        (Some("denyAll"), None) => Ok(RedriveAllow::None),
        (Some("byQueue"), Some(Json::Array(sources))) => {
            let sources: Option<Vec<String>> = sources
                .iter()
                .map(|source| source.as_str().map(str::to_owned))
                .collect();
            let sources = sources.filter(|sources| (1..=MAX_SOURCES).contains(&sources.len()));
            sources
                .map(RedriveAllow::Queues)
                .ok_or_else(|| wrong("sourceQueueArns has from 1 to 10 ARNs."))
        }
        (Some("allowAll" | "denyAll"), Some(_)) => Err(wrong("sourceQueueArns goes with byQueue.")),
        (Some("byQueue"), _) => Err(wrong("byQueue needs sourceQueueArns.")),
        _ => Err(wrong("redrivePermission is one of allowAll, denyAll, byQueue.")),
    }
}

fn seconds(time: Timestamp) -> String {
    (time.0.div_euclid(1000)).to_string()
}

/// One attribute of a queue as it is shown; none where it is not set.
pub(crate) fn show(name: Name, queue: &QueueRecord, partition: &Partition, counts: Counts) -> Option<String> {
    let settings = &queue.settings;
    let of_fifo = |text: &str| queue.fifo.then(|| text.to_owned());
    match name {
        Name::ApproximateNumberOfMessages => Some(counts.visible.to_string()),
        Name::ApproximateNumberOfMessagesDelayed => Some(counts.delayed.to_string()),
        Name::ApproximateNumberOfMessagesNotVisible => Some(counts.in_flight.to_string()),
        Name::CreatedTimestamp => Some(seconds(queue.created_at)),
        Name::LastModifiedTimestamp => Some(seconds(queue.modified_at)),
        Name::QueueArn => Some(names::arn(partition, &queue.name)),
        Name::DelaySeconds => Some(settings.delay_seconds.to_string()),
        Name::MaximumMessageSize => Some(settings.max_bytes.to_string()),
        Name::MessageRetentionPeriod => Some(settings.retention_seconds.to_string()),
        Name::ReceiveMessageWaitTimeSeconds => Some(settings.wait_seconds.to_string()),
        Name::VisibilityTimeout => Some(settings.visibility_seconds.to_string()),
        Name::Policy => settings.policy.clone(),
        Name::RedrivePolicy => settings.redrive.as_ref().map(show_redrive),
        Name::RedriveAllowPolicy => settings.redrive_allow.as_ref().map(|allow| {
            let shown = match allow {
                RedriveAllow::All => json!({"redrivePermission": "allowAll"}),
                RedriveAllow::None => json!({"redrivePermission": "denyAll"}),
                RedriveAllow::Queues(arns) => {
                    json!({"redrivePermission": "byQueue", "sourceQueueArns": arns})
                }
            };
            shown.to_string()
        }),
        Name::SqsManagedSseEnabled => Some(settings.sealed.to_string()),
        Name::FifoQueue => of_fifo("true"),
        Name::ContentBasedDeduplication => of_fifo(if settings.by_content { "true" } else { "false" }),
        Name::DeduplicationScope => of_fifo(if settings.scope_is_group {
            "messageGroup"
        } else {
            "queue"
        }),
        Name::FifoThroughputLimit => of_fifo(if settings.throughput_is_per_group {
            "perMessageGroupId"
        } else {
            "perQueue"
        }),
        _ => None,
    }
}

/// Those that queues have.
pub(crate) const OF_QUEUES: &[Name] = &[
    Name::Policy,
    Name::VisibilityTimeout,
    Name::MaximumMessageSize,
    Name::MessageRetentionPeriod,
    Name::ApproximateNumberOfMessages,
    Name::ApproximateNumberOfMessagesNotVisible,
    Name::CreatedTimestamp,
    Name::LastModifiedTimestamp,
    Name::QueueArn,
    Name::ApproximateNumberOfMessagesDelayed,
    Name::DelaySeconds,
    Name::ReceiveMessageWaitTimeSeconds,
    Name::RedrivePolicy,
    Name::FifoQueue,
    Name::ContentBasedDeduplication,
    Name::KmsMasterKeyId,
    Name::KmsDataKeyReusePeriodSeconds,
    Name::DeduplicationScope,
    Name::FifoThroughputLimit,
    Name::RedriveAllowPolicy,
    Name::SqsManagedSseEnabled,
];
