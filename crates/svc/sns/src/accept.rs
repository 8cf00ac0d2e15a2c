//! Attributes of topics and subscriptions, from the texts of a request to what is kept, and back.

use std::collections::BTreeMap;

use roadstead_base::{Arn, Ctx};
use roadstead_policy::Kind;
use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::filter;
use crate::records::{Settings, TopicRecord};

const MAX_DISPLAY_NAME: usize = 100;

pub(crate) fn set_topic(topic: &mut TopicRecord, name: &str, value: &str) -> Result<()> {
    match name {
        "DisplayName" => {
            if value.chars().count() > MAX_DISPLAY_NAME {
                return Err(Error::invalid("DisplayName"));
            }
            value.clone_into(&mut topic.display_name);
        }
        "Policy" => {
            if !value.is_empty() {
                roadstead_policy::parse(value, Kind::Resource)
                    .map_err(|fault| Error::invalid(format!("Policy Error: {fault}")))?;
            }
            topic.policy = Some(value.to_owned()).filter(|policy| !policy.is_empty());
        }
        // What is off anyway.
        "FifoTopic" if value == "false" => {}
        "FifoTopic"
        | "ContentBasedDeduplication"
        | "KmsMasterKeyId"
        | "DeliveryPolicy"
        | "SignatureVersion"
        | "TracingConfig"
        | "ArchivePolicy"
        | "FifoThroughputScope" => return Err(Error::Unsupported(name.to_owned())),
        name if name.contains("Feedback") => return Err(Error::Unsupported(name.to_owned())),
        _ => return Err(Error::invalid("AttributeName")),
    }
    Ok(())
}

pub(crate) fn set_subscription(ctx: &Ctx, settings: &mut Settings, name: &str, value: &str) -> Result<()> {
    match name {
        "RawMessageDelivery" => {
            settings.raw = match value {
                "true" => true,
                "false" => false,
                _ => {
                    return Err(Error::invalid(format!(
                        "Attributes Reason: RawMessageDelivery: Invalid value [{value}]. Must be true or false."
                    )));
                }
            };
        }
        "FilterPolicy" => settings.filter = Some(value.to_owned()).filter(|policy| !policy.is_empty()),
        "FilterPolicyScope" => {
            settings.filter_is_of_body = match value {
                "MessageAttributes" => false,
                "MessageBody" => true,
                _ => {
                    return Err(Error::invalid(format!(
                        "FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
                    )));
                }
            };
        }
        "RedrivePolicy" => settings.dead_letters = redrive(ctx, value)?,
        "DeliveryPolicy" | "SubscriptionRoleArn" | "ReplayPolicy" => {
            return Err(Error::Unsupported(name.to_owned()));
        }
        _ => return Err(Error::invalid("AttributeName")),
    }
    Ok(())
}

/// After all are set: what must fit together.
pub(crate) fn check_subscription(settings: &Settings) -> Result<()> {
    match &settings.filter {
        Some(policy) => filter::check(policy, settings.filter_is_of_body),
        None => Ok(()),
    }
}

fn redrive(ctx: &Ctx, text: &str) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |why: &str| Error::invalid(format!("RedrivePolicy: {why}"));
    let json: Json = serde_json::from_str(text).map_err(|_| wrong("failed to parse JSON."))?;
    let target = json
        .as_object()
        .filter(|map| map.len() == 1)
        .and_then(|map| map.get("deadLetterTargetArn"))
        .and_then(Json::as_str)
        .ok_or_else(|| wrong("it has deadLetterTargetArn, and nothing else."))?;
    if target.parse::<Arn>().is_err() {
        return Err(wrong("deadLetterTargetArn is an invalid arn"));
    }
    queue(ctx, target).map(|()| Some(target.to_owned()))
}

/// Refuses what is no standard queue of the same account and region.
pub(crate) fn queue(ctx: &Ctx, text: &str) -> Result<()> {
    let arn: Arn = text
        .parse()
        .map_err(|_| Error::invalid("Endpoint Reason: SQS endpoint ARN"))?;
    if arn.service != "sqs" || arn.resource.contains([':', '/']) || arn.resource.is_empty() {
        return Err(Error::invalid("Endpoint Reason: SQS endpoint ARN"));
    }
    if arn.account != ctx.account.as_str() || arn.region != ctx.region.as_str() {
        return Err(Error::Unsupported(format!("{text} of another account or region")));
    }
    if arn.resource.ends_with(".fifo") {
        return Err(Error::invalid(
            "Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        ));
    }
    Ok(())
}

/// The attributes that were set on a subscription.
pub(crate) fn show_settings(settings: &Settings, shown: &mut BTreeMap<String, String>) {
    let Settings {
        raw,
        filter,
        filter_is_of_body,
        dead_letters,
    } = settings;
    shown.insert("RawMessageDelivery".into(), raw.to_string());
    if let Some(filter) = filter {
        shown.insert("FilterPolicy".into(), filter.clone());
        let scope = if *filter_is_of_body {
            "MessageBody"
        } else {
            "MessageAttributes"
        };
        shown.insert("FilterPolicyScope".into(), scope.into());
    }
    if let Some(arn) = dead_letters {
        shown.insert(
            "RedrivePolicy".into(),
            json!({"deadLetterTargetArn": arn}).to_string(),
        );
    }
}
