//! Dead letters and records of invocations, on their way as the function's role.

use roadstead_base::{Arn, Ctx, Partition};
use roadstead_dispatch::{ActAs, invocation};
use roadstead_protocol::ApiError;
use serde_json::{Value as Json, json};

use super::later;
use crate::counts::{Metric, Of};
use crate::names;
use crate::records::{EventRecord, LATEST, OwedKind, OwedRecord};
use crate::{Lambda, PRINCIPAL};

/// How often one is tried.
const MAX_TRIES: u32 = 5;
/// Hands it over. What is owed afterwards; nothing: it arrived, or never will.
pub(super) async fn hand_over(
    lambda: &Lambda,
    partition: &Partition,
    event: &EventRecord,
    owed: &OwedRecord,
) -> Vec<EventRecord> {
    let Err(error) = send(lambda, partition, event, owed).await else {
        return Vec::new();
    };
    let metric = match owed.kind {
        OwedKind::Letter { .. } => Metric::DeadLetterErrors,
        OwedKind::Result { .. } => Metric::DestinationDeliveryFailures,
    };
    let of = Of::event(partition, &event.function, event.qualifier.as_deref());
    lambda.count(&of, metric, 1.0);
    tracing::warn!(function = event.function, target = owed.target, %error, "what came of an event could not be sent");
    match error.is_transient() && event.setbacks + 1 < MAX_TRIES {
        true => vec![later(lambda, event)],
        false => Vec::new(),
    }
}

async fn send(
    lambda: &Lambda,
    partition: &Partition,
    event: &EventRecord,
    owed: &OwedRecord,
) -> Result<(), ApiError> {
    let target: Arn = owed
        .target
        .parse()
        .map_err(|_| wrong(format!("{} is no ARN", owed.target)))?;
    let ctx = role(lambda, partition, event, owed)?;
    let (service, operation, input) = match &owed.kind {
        OwedKind::Letter { code, message } => letter(&target, event, *code, message),
        OwedKind::Result { success } => result(partition, &target, event, *success),
    };
    let answer = lambda
        .dispatcher
        .call_json(service, operation, &ctx, input)
        .await?;
    // An event that a bus did not take is no error of the call.
    match answer["Entries"][0]["ErrorCode"].as_str() {
        None => Ok(()),
        Some(code @ ("InternalFailure" | "ThrottlingException")) => Err(ApiError::new(
            "ServiceUnavailable",
            503,
            format!("the bus says {code}"),
        )),
        Some(code) => Err(wrong(format!(
            "the bus says {code}: {}",
            answer["Entries"][0]["ErrorMessage"]
        ))),
    }
}

fn wrong(error: String) -> ApiError {
    ApiError::client("InvalidParameterValueException", error)
}

/// The function's role, as which all of it is sent.
fn role(
    lambda: &Lambda,
    partition: &Partition,
    event: &EventRecord,
    owed: &OwedRecord,
) -> Result<Ctx, ApiError> {
    let source = names::arn(partition, &event.function, None);
    let own = lambda
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone());
    let act = ActAs {
        role_arn: &owed.role,
        service: PRINCIPAL,
        session_name: &event.function,
        source_arn: Some(&source),
        seconds: 900,
    };
    lambda
        .dispatcher
        .assume_for_service(&own, act)
        .map_err(|error| wrong(error.to_string()))
}

type Call = (&'static str, &'static str, Json);

/// The event itself; what went wrong stands beside it.
fn letter(target: &Arn, event: &EventRecord, code: u16, message: &str) -> Call {
    let text = |kind: &str, text: &str| json!({"DataType": kind, "StringValue": text});
    let attributes = json!({
        "RequestID": text("String", &event.id),
        "ErrorCode": text("Number", &code.to_string()),
        "ErrorMessage": text("String", message),
    });
    let (service, operation, mut input) = message_to(target, &event.payload);
    input["MessageAttributes"] = attributes;
    (service, operation, input)
}

/// The record, in whichever form the destination takes it.
fn result(partition: &Partition, target: &Arn, event: &EventRecord, success: bool) -> Call {
    match target.service.as_str() {
        "lambda" => {
            let call = invocation(&target.to_string(), event.payload.as_bytes());
            ("lambda", "Invoke", call)
        }
        "events" => {
            let qualifier = event.qualifier.as_deref().unwrap_or(LATEST);
            let function = names::arn(partition, &event.function, Some(qualifier));
            let end = if success { "Success" } else { "Failure" };
            let entry = json!({
                "EventBusName": target.to_string(),
                "Source": "lambda",
                "DetailType": format!("Lambda Function Invocation Result - {end}"),
                "Resources": [target.to_string(), function],
                "Detail": event.payload,
            });
            ("events", "PutEvents", json!({"Entries": [entry]}))
        }
        _ => message_to(target, &event.payload),
    }
}

/// To a queue or a topic.
fn message_to(target: &Arn, text: &str) -> Call {
    match target.service.as_str() {
        "sns" => (
            "sns",
            "Publish",
            json!({"TopicArn": target.to_string(), "Message": text}),
        ),
        _ => {
            let url = format!(
                "https://sqs.{}.amazonaws.com/{}/{}",
                target.region, target.account, target.resource
            );
            (
                "sqs",
                "SendMessage",
                json!({"QueueUrl": url, "MessageBody": text}),
            )
        }
    }
}
