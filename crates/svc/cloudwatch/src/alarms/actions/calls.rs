//! Which call an action is.

use roadstead_base::Partition;
use roadstead_dispatch::invocation;
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
        input: invocation(arn, payload.as_bytes()),
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

#[cfg(test)]
mod tests {
    use roadstead_alarms::State;
    use roadstead_base::Timestamp;
    use serde_json::Value as Json;

    use super::*;
    use crate::alarms::records::{MetricName, MetricRecord, One};
    use crate::harness::ctx;

    fn alarm() -> AlarmRecord {
        let state = StateRecord {
            value: State::Alarm,
            reason: "r".into(),
            reason_data: None,
            updated_at: Timestamp(0),
            transitioned_at: Timestamp(0),
        };
        let one = One {
            metric: MetricName {
                namespace: "App".into(),
                name: "m".into(),
                dimensions: vec![("InstanceId".into(), "i-1".into())],
            },
            statistic: Some("Sum".into()),
            extended: None,
            period: 60,
            unit: None,
        };
        AlarmRecord {
            name: "a".into(),
            description: None,
            actions_enabled: true,
            ok_actions: Vec::new(),
            alarm_actions: Vec::new(),
            insufficient_data_actions: Vec::new(),
            tags: Default::default(),
            configured_at: Timestamp(0),
            watched: Watched::Metric(MetricRecord {
                source: Source::One(one),
                evaluation_periods: 1,
                datapoints_to_alarm: None,
                threshold: 1.0,
                comparison: "GreaterThanThreshold".into(),
                missing: None,
                low_samples: None,
            }),
            state,
            version: 1,
        }
    }

    #[test]
    fn each_action_is_the_call_that_does_it() {
        let alarm = alarm();
        let instance = json!({"InstanceIds": ["i-1"]});
        let policy =
            "arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:1:autoScalingGroupName/g:policyName/p";
        for (arn, service, operation, wanted) in [
            (
                "arn:aws:automate:us-east-1:ec2:stop",
                "ec2",
                "StopInstances",
                instance.clone(),
            ),
            (
                "arn:aws:automate:us-east-1:ec2:reboot",
                "ec2",
                "RebootInstances",
                instance.clone(),
            ),
            (
                "arn:aws:automate:us-east-1:ec2:terminate",
                "ec2",
                "TerminateInstances",
                instance,
            ),
            (
                policy,
                "autoscaling",
                "ExecutePolicy",
                json!({"PolicyName": policy}),
            ),
            (
                "arn:aws:ssm:us-east-1:000000000000:opsitem:2#CATEGORY=Cost",
                "ssm",
                "CreateOpsItem",
                json!({"Severity": "2", "Category": "Cost", "Source": "CloudWatch"}),
            ),
            (
                "arn:aws:ssm:us-east-1:000000000000:opsitem:4",
                "ssm",
                "CreateOpsItem",
                json!({"Severity": "4", "Category": null}),
            ),
        ] {
            let call = of(&ctx().partition(), arn, &alarm.state, &alarm);
            assert_eq!(
                (call.service.as_str(), call.operation.as_str()),
                (service, operation),
                "{arn}"
            );
            for (member, wanted) in wanted.as_object().expect("members") {
                assert_eq!(
                    call.input.get(member).unwrap_or(&Json::Null),
                    wanted,
                    "{arn} {member}"
                );
            }
        }
    }
}
