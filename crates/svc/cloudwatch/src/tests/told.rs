//! What alarms tell the event bus, with each change; and alarms on expressions.

use serde_json::{Value as Json, json};

use super::MINUTE;
use super::alarms::{alarm, described, sample, state};
use crate::harness::{Bench, ctx};

#[tokio::test]
async fn an_alarm_on_an_expression_watches_what_it_comes_to() {
    let bench = Bench::new().await;
    let metric = |id: &str, name: &str| {
        json!({"Id": id, "ReturnData": false, "MetricStat": {"Stat": "Sum", "Period": 10,
            "Metric": {"Namespace": "App", "MetricName": name}}})
    };
    let rate = json!({"Id": "rate", "Expression": "100 * m1 / m2", "Label": "errors in a hundred"});
    let metrics = json!([metric("m1", "m"), metric("m2", "all"), rate]);
    let request = json!({"AlarmName": "a", "Metrics": metrics, "EvaluationPeriods": 1, "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold"});
    bench.call("PutMetricAlarm", request).await.expect("an alarm");
    let bench = bench.restarted().await;
    let all = |second: i64| json!([{"MetricName": "all", "Timestamp": MINUTE + second, "Value": 50.0, "StorageResolution": 1}]);
    for (second, errors, wanted) in [(25, 4.0, "ALARM"), (35, 1.0, "OK")] {
        super::put(&bench, all(second)).await;
        sample(&bench, second, errors).await;
        bench.pass(if second == 25 { 11 } else { 10 }).await;
        assert_eq!(state(&bench, "a").await, wanted);
    }
    let found = described(&bench, "a").await;
    assert_eq!(
        found["StateReason"],
        "Threshold Crossed: 1 out of the last 1 datapoints [2.0 (14/11/23 22:13:30)] was not greater than the threshold \
         (5.0) (minimum 1 datapoint for ALARM -> OK transition)."
    );
    let told = told(&bench, "a").await;
    let configured = &told[1].1["configuration"]["metrics"];
    assert_eq!(
        configured[2],
        json!({"id": "rate", "expression": "100 * m1 / m2", "label": "errors in a hundred", "returnData": true})
    );
    assert_eq!(configured[0]["metricStat"]["metric"]["name"], "m");
}

/// What waits to be told of an alarm: nobody empties the outbox here.
async fn told(bench: &Bench, name: &str) -> Vec<(String, Json)> {
    let table = roadstead_outbox::table(&bench.store);
    let (all, _) = table.all(&table.within(&ctx().partition())).await.expect("reads");
    let arn = format!("arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}");
    all.into_iter()
        .filter(|entry| entry.value.subject == arn)
        .map(|entry| (entry.value.detail_type, entry.value.detail))
        .collect()
}

#[tokio::test]
async fn each_change_is_told_with_it() {
    let bench = Bench::new().await;
    alarm(
        &bench,
        "a",
        json!({"AlarmDescription": "too much", "Dimensions": [{"Name": "k", "Value": "v"}]}),
    )
    .await;
    let set = json!({"AlarmName": "a", "StateValue": "ALARM", "StateReason": "a test"});
    bench.call("SetAlarmState", set).await.expect("set");
    alarm(&bench, "a", json!({"Threshold": 2.0})).await;
    assert_eq!(state(&bench, "a").await, "ALARM", "an update leaves the state");
    bench
        .call("DeleteAlarms", json!({"AlarmNames": ["a"]}))
        .await
        .expect("deleted");
    let told = told(&bench, "a").await;
    let types: Vec<(&str, &str)> = told
        .iter()
        .map(|(kind, detail)| (kind.as_str(), detail["operation"].as_str().unwrap_or_default()))
        .collect();
    let configuration = "CloudWatch Alarm Configuration Change";
    assert_eq!(
        types,
        [
            (configuration, "create"),
            ("CloudWatch Alarm State Change", ""),
            (configuration, "update"),
            (configuration, "delete"),
        ]
    );
    let changed = &told[1].1;
    assert_eq!(changed["alarmName"], "a");
    assert_eq!(changed["state"]["value"], "ALARM");
    assert_eq!(changed["state"]["reason"], "a test");
    assert_eq!(changed["state"]["timestamp"], "2023-11-14T22:13:20.000+0000");
    assert_eq!(changed["previousState"]["value"], "INSUFFICIENT_DATA");
    assert_eq!(changed["configuration"]["description"], "too much");
    let metric = &changed["configuration"]["metrics"][0];
    assert_eq!(metric["returnData"], true);
    assert_eq!(
        metric["metricStat"],
        json!({"metric": {"namespace": "App", "name": "m", "dimensions": {"k": "v"}}, "period": 10, "stat": "Sum"})
    );
    let updated = &told[2].1;
    assert_eq!(updated["configuration"]["threshold"], 2.0);
    assert_eq!(updated["previousConfiguration"]["threshold"], 1.0);
}
