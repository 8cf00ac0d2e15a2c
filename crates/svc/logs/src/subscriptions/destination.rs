//! Where a subscription goes: a function, called asynchronously with `{"awslogs": {"data": ...}}`, the data being JSON,
//! compressed and in base64. The function's policy must let the service in for the log group.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use roadstead_base::{Arn, Ctx, Partition, Timestamp};
use roadstead_dispatch::invocation;
use roadstead_protocol::ApiError;
use serde::Serialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::names::group_arn;
use crate::records::{OwedEvent, OwedRecord};
use crate::{Logs, PRINCIPAL};

/// What a destination gets.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    message_type: &'static str,
    owner: &'a str,
    log_group: &'a str,
    log_stream: &'a str,
    subscription_filters: &'a [&'a str],
    log_events: &'a [OwedEvent],
}

/// Refuses what can be no destination, or none here.
pub(super) fn check(ctx: &Ctx, destination: &str, role: Option<&str>) -> Result<()> {
    let arn: Arn = destination
        .parse()
        .map_err(|_| Error::invalid("Invalid destinationArn: it is not the ARN of a destination."))?;
    let vendor = arn.service.as_str();
    let undelivered = |kind: &str| {
        Err(Error::invalid(format!(
            "Could not deliver test message to specified {kind}: a destinationArn of {vendor} is not supported by \
             Roadstead yet."
        )))
    };
    match (vendor, role) {
        ("kinesis" | "firehose", None) => Err(Error::invalid(format!(
            "destinationArn for vendor {vendor} cannot be used without roleArn"
        ))),
        ("kinesis", Some(_)) => undelivered("Kinesis stream"),
        ("firehose", Some(_)) => undelivered("Firehose stream"),
        ("logs", _) => undelivered("destination"),
        ("lambda", Some(_)) => Err(Error::invalid(
            "destinationArn for vendor lambda cannot be used with roleArn",
        )),
        ("lambda", None) => function(ctx, &arn),
        _ => Err(Error::invalid(format!(
            "PutSubscriptionFilter operation cannot work with destinationArn for vendor {vendor}"
        ))),
    }
}

/// As documented, "a Lambda function belonging to the same account as the subscription filter".
fn function(ctx: &Ctx, arn: &Arn) -> Result<()> {
    let named = arn.resource_of("function").is_some_and(|name| !name.is_empty());
    if named && arn.account == ctx.account.as_str() && arn.region == ctx.region.as_str() {
        return Ok(());
    }
    Err(Error::invalid(
        "Invalid destinationArn: it is no function of this account and region.",
    ))
}

/// Tries whether the destination takes anything.
pub(super) async fn test(
    logs: &Logs,
    partition: &Partition,
    group: &str,
    destination: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    let health = OwedEvent {
        id: String::new(),
        timestamp: now.0,
        message: "CWL CONTROL MESSAGE: Checking health of destination Lambda".into(),
        extracted_fields: Default::default(),
    };
    let message = Message {
        message_type: "CONTROL_MESSAGE",
        owner: "CloudwatchLogs",
        log_group: "",
        log_stream: "",
        subscription_filters: &[],
        log_events: &[health],
    };
    send(logs, partition, group, destination, &message)
        .await
        .map(|_| ())
}

/// Hands over lines. How many bytes they were, compressed.
pub(super) async fn deliver(
    logs: &Logs,
    partition: &Partition,
    record: &OwedRecord,
    destination: &str,
) -> Result<usize, ApiError> {
    let OwedRecord {
        account,
        region: _,
        group,
        filter,
        stream,
        created_at: _,
        events,
    } = record;
    let message = Message {
        message_type: "DATA_MESSAGE",
        owner: account,
        log_group: group,
        log_stream: stream,
        subscription_filters: &[filter],
        log_events: events,
    };
    send(logs, partition, group, destination, &message).await
}

async fn send(
    logs: &Logs,
    partition: &Partition,
    group: &str,
    destination: &str,
    message: &Message<'_>,
) -> Result<usize, ApiError> {
    let data = compressed(message)
        .map_err(|failed| ApiError::new("InternalFailure", 500, format!("compressing lines: {failed}")))?;
    let payload = json!({"awslogs": {"data": BASE64.encode(&data)}}).to_string();
    let source = format!("{}:*", group_arn(partition, group));
    let ctx = logs.dispatcher.ctx_for_source(
        PRINCIPAL,
        partition.account.clone(),
        partition.region.clone(),
        &source,
    );
    logs.dispatcher
        .call_json(
            "lambda",
            "Invoke",
            &ctx,
            invocation(destination, payload.as_bytes()),
        )
        .await?;
    Ok(data.len())
}

fn compressed(message: &Message<'_>) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&serde_json::to_vec(message)?)?;
    encoder.finish()
}
