//! Which call an action is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roadstead_base::Partition;
use serde_json::json;

use super::{Call, Principal, words};
use crate::alarms::accept::{Kind, kind};
use crate::alarms::records::{AlarmRecord, Source, StateRecord, Watched};

pub(super) fn of(partition: &Partition, arn: &str, from: &StateRecord, alarm: &AlarmRecord) -> Call {
    // It was understood when the alarm was made.
    match kind("action", arn).unwrap_or(Kind::Topic) {
        Kind::Topic => publish(partition, arn, from, alarm),
        Kind::Function => invoke(partition, arn, from, alarm),
        Kind::Instance => instance(arn, alarm),
        Kind::Scaling => Call {
            service: "autoscaling".into(),
            operation: "ExecutePolicy".into(),
            principal: Principal::CloudWatch,
            input: json!({"PolicyName": arn}),
            published: None,
        },
        Kind::OpsItem => ops_item(partition, arn, alarm),
    }
}

fn publish(partition: &Partition, arn: &str, from: &StateRecord, alarm: &AlarmRecord) -> Call {
    let message = words::message(partition, from, alarm).to_string();
    let published = json!({"default": message}).to_string();
    Call {
        service: "sns".into(),
        operation: "Publish".into(),
        principal: Principal::CloudWatch,
        input: json!({
            "TopicArn": arn,
            "Subject": words::subject(partition, alarm),
            "Message": published,
            "MessageStructure": "json",
        }),
        published: Some(published),
    }
}

/// Asynchronous, as documented: "Invoke a Lambda function from an alarm".
fn invoke(partition: &Partition, arn: &str, from: &StateRecord, alarm: &AlarmRecord) -> Call {
    let payload = words::payload(partition, from, alarm).to_string();
    Call {
        service: "lambda".into(),
        operation: "Invoke".into(),
        principal: Principal::Alarms,
        input: json!({
            "FunctionName": arn,
            "InvocationType": "Event",
            "Payload": BASE64.encode(payload.as_bytes()),
        }),
        published: Some(payload),
    }
}

fn instance(arn: &str, alarm: &AlarmRecord) -> Call {
    let operation = match arn.rsplit(':').next() {
        Some("terminate") => "TerminateInstances",
        Some("reboot") => "RebootInstances",
        _ => "StopInstances",
    };
    let of = |all: &[(String, String)]| {
        let found = all.iter().find(|(name, _)| name == "InstanceId");
        found.map(|(_, id)| id.clone())
    };
    let id = match &alarm.watched {
        Watched::Metric(watched) => match &watched.source {
            Source::One(one) => of(&one.metric.dimensions),
            Source::Queries(_) => None,
        },
        Watched::Composite(_) => None,
    };
    Call {
        service: "ec2".into(),
        operation: operation.into(),
        principal: Principal::CloudWatch,
        input: json!({"InstanceIds": id.into_iter().collect::<Vec<String>>()}),
        published: None,
    }
}

fn ops_item(partition: &Partition, arn: &str, alarm: &AlarmRecord) -> Call {
    let resource = arn.rsplit("opsitem:").next().unwrap_or_default();
    let (severity, category) = resource.split_once('#').unwrap_or((resource, ""));
    let category = category
        .strip_prefix("CATEGORY=")
        .filter(|category| !category.is_empty());
    let mut input = json!({
        "Source": "CloudWatch",
        "Title": format!("CloudWatch alarm - '{}' is in '{}' state", alarm.name, alarm.state.value.as_str()),
        "Description": words::subject(partition, alarm),
        "Severity": severity,
    });
    if let Some(category) = category {
        input["Category"] = category.into();
    }
    Call {
        service: "ssm".into(),
        operation: "CreateOpsItem".into(),
        principal: Principal::CloudWatch,
        input,
        published: None,
    }
}
