//! Actions: a topic and a function get what is documented, failures are tried again within bounds and told.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roadstead_api_lambda::MODEL as LAMBDA;
use roadstead_api_sns::MODEL as SNS;
use roadstead_protocol::{ApiError, ServiceModel};
use roadstead_testing::Fake;
use serde_json::{Value as Json, json};

use super::alarms::{alarm, history, sample};
use crate::harness::Bench;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

/// A service that refuses so often, then takes everything.
fn serve(
    bench: &Bench,
    model: &'static ServiceModel,
    refusals: impl IntoIterator<Item = ApiError>,
) -> Arc<Fake> {
    let service = Fake::new(model);
    refusals.into_iter().for_each(|error| service.refuse(error));
    bench.dispatcher.register(service.clone());
    service
}

#[tokio::test]
async fn a_topic_and_a_function_get_what_is_documented() {
    let bench = Bench::new().await;
    let (sns, lambda) = (serve(&bench, &SNS, vec![]), serve(&bench, &LAMBDA, vec![]));
    let more = json!({"AlarmActions": [TOPIC, FUNCTION, TOPIC], "AlarmDescription": "d",
        "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]});
    alarm(&bench, "a", more).await;
    super::put(&bench, json!([super::datum(super::MINUTE + 25, 5.0)])).await;
    bench.pass(11).await;
    let asked = sns.asked();
    assert_eq!(asked.len(), 1);
    let (caller, input) = (asked[0].ctx.caller.to_string(), &asked[0].input);
    assert!(caller.contains("cloudwatch.amazonaws.com"), "{caller}");
    assert_eq!(input["TopicArn"], TOPIC);
    assert_eq!(input["Subject"], "ALARM: \"a\" in US East (N. Virginia)");
    assert_eq!(input["MessageStructure"], "json");
    let message: Json = serde_json::from_str(input["Message"].as_str().expect("text")).expect("JSON");
    let message: Json = serde_json::from_str(message["default"].as_str().expect("text")).expect("JSON");
    for (member, wanted) in [
        ("AlarmName", json!("a")),
        ("AlarmDescription", json!("d")),
        ("AWSAccountId", json!("000000000000")),
        ("NewStateValue", json!("ALARM")),
        ("OldStateValue", json!("INSUFFICIENT_DATA")),
        ("StateChangeTime", json!("2023-11-14T22:13:31.000+0000")),
        ("Region", json!("US East (N. Virginia)")),
        (
            "AlarmArn",
            json!("arn:aws:cloudwatch:us-east-1:000000000000:alarm:a"),
        ),
        ("AlarmActions", json!([TOPIC, FUNCTION])),
    ] {
        assert_eq!(message[member], wanted, "{member}");
    }
    let trigger = &message["Trigger"];
    for (member, wanted) in [
        ("MetricName", json!("m")),
        ("Namespace", json!("App")),
        ("StatisticType", json!("Statistic")),
        ("Statistic", json!("SUM")),
        ("Period", json!(10)),
        ("EvaluationPeriods", json!(1)),
        ("DatapointsToAlarm", json!(1)),
        ("ComparisonOperator", json!("GreaterThanThreshold")),
        ("Threshold", json!(1.0)),
        (
            "Dimensions",
            json!([{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]),
        ),
    ] {
        assert_eq!(trigger[member], wanted, "{member}");
    }
    let asked = lambda.asked();
    assert_eq!(asked.len(), 1);
    let (caller, input) = (asked[0].ctx.caller.to_string(), &asked[0].input);
    assert!(
        caller.contains("lambda.alarms.cloudwatch.amazonaws.com"),
        "{caller}"
    );
    assert_eq!(
        (&input["FunctionName"], &input["InvocationType"]),
        (&json!(FUNCTION), &json!("Event"))
    );
    let payload = BASE64
        .decode(input["Payload"].as_str().expect("text"))
        .expect("base64");
    let payload: Json = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(payload["source"], "aws.cloudwatch");
    assert_eq!(payload["accountId"], "000000000000");
    assert_eq!(
        payload["alarmArn"],
        "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a"
    );
    assert_eq!(payload["alarmData"]["state"]["value"], "ALARM");
    assert_eq!(
        payload["alarmData"]["previousState"]["value"],
        "INSUFFICIENT_DATA"
    );
    assert_eq!(
        payload["alarmData"]["configuration"]["metrics"][0]["metricStat"]["period"],
        10
    );
    assert_eq!(
        history(&bench, "a", "Action").await,
        [
            format!("Successfully executed action {TOPIC}"),
            format!("Successfully executed action {FUNCTION}")
        ]
    );
    let source = Some("arn:aws:cloudwatch:us-east-1:000000000000:alarm:a".to_owned());
    for service in [&sns, &lambda] {
        assert_eq!(
            service.asked()[0].ctx.origin.source_arn,
            source,
            "so that its policy is asked"
        );
    }
    bench.pass(60).await;
    assert_eq!(sns.asked().len(), 1, "once for each transition");
}

#[tokio::test]
async fn what_nobody_takes_is_told_in_the_history() {
    let bench = Bench::new().await;
    alarm(&bench, "a", json!({"AlarmActions": [TOPIC]})).await;
    sample(&bench, 25, 5.0).await;
    bench.pass(11).await;
    assert_eq!(
        history(&bench, "a", "Action").await,
        [format!(
            "Failed to execute action {TOPIC}. Received error: \"ServiceUnavailable: sns is not running here\""
        )]
    );
    let found = bench
        .call("DescribeAlarmHistory", json!({"HistoryItemType": "Action"}))
        .await
        .expect("history");
    let data = found["AlarmHistoryItems"][0]["HistoryData"]
        .as_str()
        .expect("data");
    let data: Json = serde_json::from_str(data).expect("JSON");
    assert_eq!(data["actionState"], "Failed");
    assert_eq!(data["notificationResource"], TOPIC);
    assert!(
        data["publishedMessage"]
            .as_str()
            .is_some_and(|text| text.contains("OldStateValue"))
    );
}

#[tokio::test]
async fn failures_are_tried_again_so_often_and_over_a_restart() {
    let bench = Bench::new().await;
    let busy = || ApiError::new("InternalError", 500, "busy");
    let denied = ApiError::new("AuthorizationError", 403, "CloudWatch Alarms is not authorized");
    let sns = serve(&bench, &SNS, vec![denied]);
    alarm(
        &bench,
        "a",
        json!({"AlarmActions": [TOPIC], "OKActions": [TOPIC], "InsufficientDataActions": [TOPIC], "TreatMissingData": "ignore"}),
    )
    .await;
    let set = async |bench: &Bench, state: &str| {
        let request = json!({"AlarmName": "a", "StateValue": state, "StateReason": ""});
        bench.call("SetAlarmState", request).await.expect("set");
        bench.look().await;
    };
    set(&bench, "ALARM").await;
    assert_eq!(sns.asked().len(), 1, "no use in trying again");
    let told = history(&bench, "a", "Action").await;
    assert!(
        told[0].contains("AuthorizationError: CloudWatch Alarms is not authorized"),
        "{told:?}"
    );
    // Busy for good: six attempts, then it is given up.
    (0..20).for_each(|_| sns.refuse(busy()));
    set(&bench, "OK").await;
    for _ in 0..200 {
        bench.clock.advance(1000);
        bench.look().await;
    }
    assert_eq!(sns.asked().len(), 1 + 6);
    assert_eq!(history(&bench, "a", "Action").await.len(), 2);
    // Busy once, and the service is another one when it is tried again.
    set(&bench, "INSUFFICIENT_DATA").await;
    assert_eq!(history(&bench, "a", "Action").await.len(), 2);
    let bench = bench.restarted().await;
    let sns = serve(&bench, &SNS, vec![]);
    bench.clock.advance(3000);
    bench.look().await;
    assert_eq!(sns.asked().len(), 1);
    assert_eq!(
        history(&bench, "a", "Action").await[2],
        format!("Successfully executed action {TOPIC}")
    );
}
