//! Metric alarms over time: they fire and clear when their points say so, and not because of a restart.

use serde_json::{Value as Json, json};

use super::MINUTE;
use crate::harness::Bench;

/// An alarm on the metric `m` by periods of ten seconds, with more members over it.
pub(super) async fn alarm(bench: &Bench, name: &str, more: Json) {
    let mut request = json!({"AlarmName": name, "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": 10,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"});
    for (name, value) in more.as_object().expect("members") {
        request[name] = value.clone();
    }
    bench.call("PutMetricAlarm", request).await.expect("an alarm");
}

/// A sample of `m` so many seconds after the minute.
pub(super) async fn sample(bench: &Bench, second: i64, value: f64) {
    let datum =
        json!({"MetricName": "m", "Timestamp": MINUTE + second, "Value": value, "StorageResolution": 1});
    super::put(bench, json!([datum])).await;
}

pub(super) async fn described(bench: &Bench, name: &str) -> Json {
    let request = json!({"AlarmNames": [name], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
    let found = bench.call("DescribeAlarms", request).await.expect("alarms");
    let first = |kind: &str| found[kind].get(0).cloned();
    first("MetricAlarms")
        .or(first("CompositeAlarms"))
        .expect("the alarm")
}

pub(super) async fn state(bench: &Bench, name: &str) -> String {
    described(bench, name).await["StateValue"]
        .as_str()
        .expect("a state")
        .to_owned()
}

/// Summaries of the history, the oldest first.
pub(super) async fn history(bench: &Bench, name: &str, item: &str) -> Vec<String> {
    let request = json!({"AlarmName": name, "HistoryItemType": item, "ScanBy": "TimestampAscending",
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
    let found = bench
        .call("DescribeAlarmHistory", request)
        .await
        .expect("history");
    let items = found["AlarmHistoryItems"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["HistorySummary"].as_str().expect("text").to_owned())
        .collect()
}

/// However long a read takes, other calls go on: this one is the only worker, and the read ends once it goes on.
#[tokio::test]
async fn alarms_do_not_read_samples_by_the_workers_of_the_calls() {
    let bench = Bench::new().await;
    alarm(&bench, "a", json!({})).await;
    let metrics = std::sync::Arc::clone(&bench.metrics);
    let (hold, held) = tokio::sync::oneshot::channel();
    let (go_on, went_on) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let _held = metrics.samples.hold();
        hold.send(()).expect("somebody waits");
        went_on.recv_timeout(std::time::Duration::from_secs(10)).is_ok()
    });
    held.await.expect("held");
    tokio::join!(bench.look(), async {
        let _too_late = go_on.send(());
    });
    assert!(holder.join().expect("ended"), "the read was waited for");
}

#[tokio::test]
async fn an_alarm_of_ten_seconds_fires_and_clears_on_time() {
    let bench = Bench::new().await;
    alarm(&bench, "a", json!({})).await;
    let fresh = described(&bench, "a").await;
    assert_eq!(fresh["StateValue"], "INSUFFICIENT_DATA");
    assert_eq!(fresh["StateReason"], "Unchecked: Initial alarm creation");
    bench.look().await;
    assert_eq!(state(&bench, "a").await, "INSUFFICIENT_DATA", "there is nothing");
    // From 20 to 30, which is evaluated a second after it ended.
    sample(&bench, 22, 3.0).await;
    sample(&bench, 29, 2.0).await;
    bench.pass(10).await;
    assert_eq!(
        state(&bench, "a").await,
        "INSUFFICIENT_DATA",
        "the period is not over"
    );
    bench.pass(1).await;
    let fired = described(&bench, "a").await;
    assert_eq!(fired["StateValue"], "ALARM");
    assert_eq!(
        fired["StateReason"],
        "Threshold Crossed: 1 out of the last 1 datapoints [5.0 (14/11/23 22:13:20)] was greater than the threshold (1.0) \
         (minimum 1 datapoint for OK -> ALARM transition)."
    );
    let data: Json = serde_json::from_str(fired["StateReasonData"].as_str().expect("data")).expect("JSON");
    assert_eq!(data["version"], "1.0");
    assert_eq!(data["queryDate"], "2023-11-14T22:13:31.000+0000");
    assert_eq!(data["startDate"], "2023-11-14T22:13:20.000+0000");
    assert_eq!(data["statistic"], "Sum");
    assert_eq!(data["period"], 10);
    assert_eq!(data["recentDatapoints"], json!([5.0]));
    assert_eq!(data["threshold"], 1.0);
    assert_eq!(
        data["evaluatedDatapoints"][0],
        json!({"timestamp": "2023-11-14T22:13:20.000+0000", "sampleCount": 2.0, "value": 5.0})
    );
    assert_eq!(fired["StateTransitionedTimestamp"], json!(MINUTE + 31));
    sample(&bench, 33, 0.5).await;
    bench.pass(9).await;
    assert_eq!(state(&bench, "a").await, "ALARM");
    bench.pass(1).await;
    let cleared = described(&bench, "a").await;
    assert_eq!(cleared["StateValue"], "OK");
    assert_eq!(
        cleared["StateReason"],
        "Threshold Crossed: 1 out of the last 1 datapoints [0.5 (14/11/23 22:13:30)] was not greater than the threshold \
         (1.0) (minimum 1 datapoint for ALARM -> OK transition)."
    );
    assert_eq!(
        history(&bench, "a", "StateUpdate").await,
        [
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            "Alarm updated from ALARM to OK"
        ]
    );
    assert_eq!(
        history(&bench, "a", "ConfigurationUpdate").await,
        ["Alarm \"a\" created"]
    );
}

#[tokio::test]
async fn an_alarm_of_a_minute_is_evaluated_each_minute() {
    let bench = Bench::new().await;
    alarm(&bench, "a", json!({"Period": 60})).await;
    sample(&bench, 30, 7.0).await;
    bench.pass(40).await;
    assert_eq!(
        state(&bench, "a").await,
        "INSUFFICIENT_DATA",
        "not before the minute is over"
    );
    bench.pass(1).await;
    assert_eq!(state(&bench, "a").await, "ALARM");
}

#[tokio::test]
async fn m_of_n_points_fire() {
    let bench = Bench::new().await;
    alarm(
        &bench,
        "a",
        json!({"EvaluationPeriods": 3, "DatapointsToAlarm": 2, "TreatMissingData": "notBreaching"}),
    )
    .await;
    for (second, value, wanted) in [
        (20, 5.0, "OK"),
        (30, 0.0, "OK"),
        (40, 6.0, "ALARM"),
        (50, 0.0, "OK"),
    ] {
        sample(&bench, second, value).await;
        bench.pass(if second == 20 { 11 } else { 10 }).await;
        assert_eq!(state(&bench, "a").await, wanted, "after {second}");
        if wanted == "ALARM" {
            assert_eq!(
                described(&bench, "a").await["StateReason"],
                "Threshold Crossed: 2 out of the last 3 datapoints [6.0 (14/11/23 22:13:40), 5.0 (14/11/23 22:13:20)] were \
                 greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition)."
            );
        }
    }
}

#[tokio::test]
async fn missing_points_count_as_asked() {
    let bench = Bench::new().await;
    for (name, missing) in [
        ("b", "breaching"),
        ("n", "notBreaching"),
        ("i", "ignore"),
        ("m", "missing"),
    ] {
        alarm(
            &bench,
            name,
            json!({"TreatMissingData": missing, "EvaluationPeriods": 2}),
        )
        .await;
    }
    bench.look().await;
    let all = async |bench: &Bench| {
        let mut states = Vec::new();
        for name in ["b", "n", "i", "m"] {
            states.push(state(bench, name).await);
        }
        states
    };
    assert_eq!(
        all(&bench).await,
        ["ALARM", "OK", "INSUFFICIENT_DATA", "INSUFFICIENT_DATA"]
    );
    assert_eq!(
        described(&bench, "b").await["StateReason"],
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [Breaching]."
    );
    for second in [25, 35] {
        sample(&bench, second, 9.0).await;
    }
    bench.pass(21).await;
    assert_eq!(all(&bench).await, ["ALARM"; 4]);
    // Long after the last sample.
    bench.pass(60).await;
    assert_eq!(all(&bench).await, ["ALARM", "OK", "ALARM", "INSUFFICIENT_DATA"]);
    assert_eq!(
        described(&bench, "m").await["StateReason"],
        "Insufficient Data: 2 datapoints were unknown."
    );
}

#[tokio::test]
async fn a_restart_moves_no_alarm_and_loses_no_state() {
    let bench = Bench::new().await;
    alarm(&bench, "a", json!({})).await;
    alarm(
        &bench,
        "heartbeat",
        json!({"TreatMissingData": "breaching", "ComparisonOperator": "LessThanThreshold"}),
    )
    .await;
    sample(&bench, 25, 4.0).await;
    bench.pass(11).await;
    let before = [described(&bench, "a").await, described(&bench, "heartbeat").await];
    assert_eq!(
        (&before[0]["StateValue"], &before[1]["StateValue"]),
        (&json!("ALARM"), &json!("OK"))
    );
    let bench = bench.restarted().await;
    bench.look().await;
    assert_eq!(
        [described(&bench, "a").await, described(&bench, "heartbeat").await],
        before
    );
    // Nobody could hand in samples while it was down, so that none came says nothing.
    let bench = bench.restarted_after(3600).await;
    bench.look().await;
    assert_eq!(
        [described(&bench, "a").await, described(&bench, "heartbeat").await],
        before
    );
    assert_eq!(history(&bench, "a", "StateUpdate").await.len(), 1);
    // From then on it does.
    bench.pass(60).await;
    assert_eq!(state(&bench, "heartbeat").await, "ALARM");
    assert_eq!(state(&bench, "a").await, "INSUFFICIENT_DATA");
}

#[tokio::test]
async fn a_state_that_was_set_lasts_until_an_evaluation_says_otherwise() {
    let bench = Bench::new().await;
    alarm(&bench, "a", json!({"TreatMissingData": "notBreaching"})).await;
    alarm(&bench, "kept", json!({"TreatMissingData": "ignore"})).await;
    bench.look().await;
    for name in ["a", "kept"] {
        let set = json!({"AlarmName": name, "StateValue": "ALARM", "StateReason": "a test", "StateReasonData": "{\"x\": 1}"});
        bench.call("SetAlarmState", set).await.expect("set");
    }
    bench.look().await;
    let set = described(&bench, "a").await;
    assert_eq!(
        (&set["StateValue"], &set["StateReason"]),
        (&json!("ALARM"), &json!("a test"))
    );
    assert_eq!(set["StateReasonData"], "{\"x\": 1}");
    bench.pass(2).await;
    // The same once more: updated, and no transition.
    let again = json!({"AlarmName": "kept", "StateValue": "ALARM", "StateReason": "again"});
    bench.call("SetAlarmState", again).await.expect("set");
    let kept = described(&bench, "kept").await;
    assert_eq!(kept["StateUpdatedTimestamp"], json!(MINUTE + 22));
    assert_eq!(kept["StateTransitionedTimestamp"], json!(MINUTE + 20));
    assert_eq!(kept["StateReason"], "again");
    bench.pass(9).await;
    assert_eq!(state(&bench, "a").await, "OK");
    assert_eq!(state(&bench, "kept").await, "ALARM");
    assert_eq!(history(&bench, "kept", "StateUpdate").await.len(), 1);
    for (request, code, words) in [
        (
            json!({"AlarmName": "x", "StateValue": "OK", "StateReason": ""}),
            "ResourceNotFound",
            "x",
        ),
        (
            json!({"AlarmName": "a", "StateValue": "OK", "StateReason": "", "StateReasonData": "{"}),
            "InvalidFormat",
            "line 1, column 1",
        ),
    ] {
        Bench::refused(bench.call("SetAlarmState", request).await, code, words);
    }
}

#[tokio::test]
async fn percentiles_units_dimensions_and_low_samples() {
    let bench = Bench::new().await;
    let more = json!({"ExtendedStatistic": "p90", "Statistic": null});
    let mut ignoring = more.clone();
    ignoring["EvaluateLowSampleCountPercentile"] = json!("ignore");
    for (name, more) in [("evaluated", more), ("ignored", ignoring)] {
        let mut request = json!({"AlarmName": name, "Namespace": "App", "MetricName": "m", "Period": 10,
            "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold"});
        for (name, value) in more
            .as_object()
            .expect("members")
            .iter()
            .filter(|(_, value)| !value.is_null())
        {
            request[name] = value.clone();
        }
        bench.call("PutMetricAlarm", request).await.expect("an alarm");
    }
    let dimensions = json!([{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]);
    alarm(
        &bench,
        "dimensions",
        json!({"Dimensions": dimensions, "Unit": "Count"}),
    )
    .await;
    alarm(&bench, "unit", json!({"Dimensions": dimensions, "Unit": "Bytes"})).await;
    sample(&bench, 21, 5.0).await;
    super::put(&bench, json!([super::datum(MINUTE + 22, 5.0)])).await;
    bench.pass(11).await;
    assert_eq!(state(&bench, "evaluated").await, "ALARM");
    assert_eq!(
        state(&bench, "ignored").await,
        "INSUFFICIENT_DATA",
        "a sample is too few for p90"
    );
    assert_eq!(state(&bench, "dimensions").await, "ALARM");
    assert_eq!(state(&bench, "unit").await, "INSUFFICIENT_DATA");
    let many = json!([{"MetricName": "m", "Timestamp": MINUTE + 35, "Values": [5.0], "Counts": [100.0], "StorageResolution": 1}]);
    super::put(&bench, many).await;
    bench.pass(10).await;
    assert_eq!(state(&bench, "ignored").await, "ALARM", "a hundred are enough");
}

#[tokio::test]
async fn metrics_with_one_metric_is_an_alarm_on_it() {
    let bench = Bench::new().await;
    let dimensions = json!([{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]);
    let metrics = json!([{"Id": "m1", "Label": "orders", "ReturnData": true, "MetricStat": {"Stat": "Maximum", "Period": 10,
        "Unit": "Count", "Metric": {"Namespace": "App", "MetricName": "m", "Dimensions": dimensions}}}]);
    let request = json!({"AlarmName": "a", "Metrics": metrics.clone(), "EvaluationPeriods": 1, "Threshold": 3.0,
        "ComparisonOperator": "LessThanOrEqualToThreshold"});
    bench.call("PutMetricAlarm", request).await.expect("an alarm");
    sample(&bench, 25, 9.0).await;
    super::put(&bench, json!([super::datum(MINUTE + 25, 3.0)])).await;
    bench.pass(11).await;
    let found = described(&bench, "a").await;
    assert_eq!(found["StateValue"], "ALARM");
    assert_eq!(found["Metrics"], metrics);
    assert!(found.get("MetricName").is_none());
    let listed = bench
        .call(
            "DescribeAlarmsForMetric",
            json!({"Namespace": "App", "MetricName": "m"}),
        )
        .await
        .expect("alarms");
    assert_eq!(
        listed["MetricAlarms"],
        json!([]),
        "only those of the metric itself"
    );
}
