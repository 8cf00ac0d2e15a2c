//! The service through its handlers, over a volume on disk and a clock that the test moves.

use roadstead_base::{Caller, Ctx};
use serde_json::{Value as Json, json};

use crate::harness::{Bench, START, ctx};

mod actions;
mod alarms;
mod composites;
mod dashboards;
mod data;
mod describing;
mod kept;
mod math;
mod refused;
mod tagging;
mod told;

/// A whole minute: START is 20 seconds into it.
const MINUTE: i64 = START.0 / 1000 - 20;

async fn put(bench: &Bench, data: Json) {
    let request = json!({"Namespace": "App", "MetricData": data});
    bench.call("PutMetricData", request).await.expect("taken");
}

fn datum(second: i64, value: f64) -> Json {
    json!({"MetricName": "m", "Timestamp": second, "Value": value, "StorageResolution": 1, "Unit": "Count",
        "Dimensions": [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]})
}

fn ask(more: Json) -> Json {
    let mut request = json!({"Namespace": "App", "MetricName": "m", "StartTime": MINUTE, "EndTime": MINUTE + 60,
        "Period": 60, "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]});
    for (name, value) in more.as_object().expect("members") {
        request[name] = value.clone();
    }
    request
}

async fn statistics(bench: &Bench, more: Json) -> Vec<Json> {
    let answer = bench
        .call("GetMetricStatistics", ask(more))
        .await
        .expect("points");
    assert_eq!(answer["Label"], "m");
    answer["Datapoints"].as_array().expect("points").clone()
}

fn query(id: &str, stat: &str, period: i32) -> Json {
    json!({"Id": id, "MetricStat": {"Stat": stat, "Period": period, "Metric": {"Namespace": "App", "MetricName": "m",
        "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]}}})
}

async fn data(bench: &Bench, queries: Json, more: Json) -> Json {
    let mut request = json!({"StartTime": MINUTE, "EndTime": MINUTE + 120, "MetricDataQueries": queries});
    for (name, value) in more.as_object().expect("members") {
        request[name] = value.clone();
    }
    bench.call("GetMetricData", request).await.expect("data")
}

#[tokio::test]
async fn one_second_samples_are_told_by_the_second_and_by_any_period_also_after_a_restart() {
    let bench = Bench::new().await;
    put(
        &bench,
        json!([datum(MINUTE, 1.0), datum(MINUTE + 1, 2.0), datum(MINUTE + 1, 4.0)]),
    )
    .await;
    put(
        &bench,
        json!([datum(MINUTE + 59, 8.0), datum(MINUTE + 60, 100.0)]),
    )
    .await;
    let bench = bench.restarted().await;
    put(&bench, json!([datum(MINUTE + 30, 5.0)])).await;
    let all = json!({"Statistics": ["SampleCount", "Sum", "Average", "Minimum", "Maximum"]});
    let points = statistics(&bench, all).await;
    assert_eq!(
        points,
        [
            json!({"Timestamp": MINUTE, "Unit": "Count", "SampleCount": 5.0, "Sum": 20.0, "Average": 4.0, "Minimum": 1.0,
            "Maximum": 8.0})
        ]
    );
    let seconds = statistics(&bench, json!({"Statistics": ["Sum"], "Period": 1})).await;
    let told: Vec<(i64, f64)> = seconds
        .iter()
        .map(|point| {
            (
                point["Timestamp"].as_i64().expect("a time") - MINUTE,
                point["Sum"].as_f64().expect("a sum"),
            )
        })
        .collect();
    assert_eq!(told, [(0, 1.0), (1, 6.0), (30, 5.0), (59, 8.0)]);
    let extended = statistics(&bench, json!({"ExtendedStatistics": ["p50", "tm80"]})).await;
    assert_eq!(extended[0]["ExtendedStatistics"]["p50"], 4.0);
    // What was written by the minute counts for the minute, whatever second it was.
    let mut coarse = datum(MINUTE + 45, 50.0);
    coarse["StorageResolution"] = json!(60);
    put(&bench, json!([coarse])).await;
    let seconds = statistics(
        &bench,
        json!({"Statistics": ["Sum"], "Period": 1, "EndTime": MINUTE + 1}),
    )
    .await;
    assert_eq!(seconds[0]["Sum"], 51.0);
}

#[tokio::test]
async fn values_with_counts_sets_and_units() {
    let bench = Bench::new().await;
    let with = |more: Json| {
        let mut datum = json!({"MetricName": "m", "Timestamp": MINUTE});
        for (name, value) in more.as_object().expect("members") {
            datum[name] = value.clone();
        }
        datum
    };
    put(
        &bench,
        json!([with(
            json!({"Values": [1.0, 3.0], "Counts": [2.0, 1.0], "Unit": "Bytes"})
        )]),
    )
    .await;
    let set = json!({"SampleCount": 3.0, "Sum": 9.0, "Minimum": 1.0, "Maximum": 5.0});
    put(&bench, json!([with(json!({"StatisticValues": set}))])).await;
    let points = statistics(
        &bench,
        json!({"Statistics": ["Sum", "SampleCount"], "Dimensions": []}),
    )
    .await;
    assert_eq!(points.len(), 2, "one for each unit");
    let bytes = statistics(
        &bench,
        json!({"Statistics": ["Sum", "SampleCount"], "Dimensions": [], "Unit": "Bytes"}),
    )
    .await;
    assert_eq!(
        bytes,
        [json!({"Timestamp": MINUTE, "Unit": "Bytes", "Sum": 5.0, "SampleCount": 3.0})]
    );
    let none = statistics(
        &bench,
        json!({"ExtendedStatistics": ["p50"], "Dimensions": [], "Unit": "None"}),
    )
    .await;
    assert!(
        none[0].get("ExtendedStatistics").is_none(),
        "of a set no percentile is known"
    );
    let other = statistics(&bench, json!({"Statistics": ["Sum"]})).await;
    assert!(other.is_empty(), "other dimensions are another metric");
}

#[tokio::test]
async fn put_metric_data_refuses_what_cannot_be_and_takes_nothing_of_it() {
    let bench = Bench::new().await;
    let two_weeks = 14 * 86_400;
    let now = START.0 / 1000;
    for (datum, code, words) in [
        (
            json!({"MetricName": "m"}),
            "MissingParameter",
            "MetricData.member.2.Value",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Values": [1.0]}),
            "InvalidParameterCombination",
            "mutually exclusive",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Counts": [1.0]}),
            "InvalidParameterCombination",
            "Counts",
        ),
        (
            json!({"MetricName": "m", "Values": [1.0], "Counts": [1.0, 2.0]}),
            "InvalidParameterValue",
            "Counts",
        ),
        (
            json!({"MetricName": "m", "Values": []}),
            "InvalidParameterValue",
            "Values",
        ),
        (
            json!({"MetricName": "m", "Values": vec![1.0; 151]}),
            "InvalidParameterValue",
            "150",
        ),
        (
            json!({"MetricName": "m", "Value": "NaN"}),
            "InvalidParameterValue",
            "member.2 is invalid",
        ),
        (
            json!({"MetricName": "m", "Value": 1e200}),
            "InvalidParameterValue",
            "2^360",
        ),
        (
            json!({"MetricName": "m", "StatisticValues": {"SampleCount": 1.0, "Sum": 1.0, "Minimum": 2.0, "Maximum": 1.0}}),
            "InvalidParameterValue",
            "minimum",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "StorageResolution": 5}),
            "InvalidParameterValue",
            "1 or 60",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Timestamp": now - two_weeks - 1}),
            "InvalidParameterValue",
            "Timestamp",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Timestamp": now + 7201}),
            "InvalidParameterValue",
            "Timestamp",
        ),
        (
            json!({"MetricName": "m", "Value": 1.0, "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]}),
            "InvalidParameterValue",
            "twice",
        ),
    ] {
        let good = json!({"MetricName": "good", "Value": 1.0});
        let request = json!({"Namespace": "App", "MetricData": [good, datum]});
        Bench::refused(bench.call("PutMetricData", request).await, code, words);
    }
    let listed = bench.call("ListMetrics", json!({})).await.expect("metrics");
    assert_eq!(listed, json!({"Metrics": []}));
    for (request, code, words) in [
        (json!({"Namespace": "App"}), "MissingParameter", "MetricData"),
        (
            json!({"Namespace": "App", "MetricData": []}),
            "MissingParameter",
            "MetricData",
        ),
        (
            json!({"Namespace": "App", "MetricData": vec![json!({"MetricName": "m", "Value": 1.0}); 1001]}),
            "InvalidParameterValue",
            "1000",
        ),
        (
            json!({"Namespace": "AWS/ECS", "MetricData": [{"MetricName": "m", "Value": 1.0}]}),
            "InvalidParameterValue",
            "AWS/",
        ),
        (
            json!({"Namespace": "App", "EntityMetricData": []}),
            "InvalidParameterValue",
            "EntityMetricData",
        ),
        (
            json!({"Namespace": "App", "StrictEntityValidation": true, "MetricData": [{"MetricName": "m", "Value": 1.0}]}),
            "InvalidParameterValue",
            "StrictEntityValidation",
        ),
    ] {
        Bench::refused(bench.call("PutMetricData", request).await, code, words);
    }
    let platform = Ctx {
        caller: Caller::Service("ecs.amazonaws.com"),
        ..ctx()
    };
    let own = json!({"Namespace": "AWS/ECS", "MetricData": [{"MetricName": "m", "Value": 1.0}]});
    bench
        .call_as(&platform, "PutMetricData", own)
        .await
        .expect("the platform's own");
}

#[tokio::test]
async fn get_metric_statistics_keeps_to_the_documented_ranges() {
    let bench = Bench::new().await;
    let now = START.0 / 1000;
    let day = 86_400;
    for (more, code, words) in [
        (
            json!({}),
            "InvalidParameterCombination",
            "Either Statistics or ExtendedStatistics",
        ),
        (
            json!({"Statistics": ["Sum"], "ExtendedStatistics": ["p50"]}),
            "InvalidParameterCombination",
            "not both",
        ),
        (
            json!({"ExtendedStatistics": ["p500"]}),
            "InvalidParameterValue",
            "position 1",
        ),
        (
            json!({"Statistics": ["Sum"], "Period": 7}),
            "InvalidParameterValue",
            "Period 7",
        ),
        (
            json!({"Statistics": ["Sum"], "Period": 90}),
            "InvalidParameterValue",
            "Period 90",
        ),
        (
            json!({"Statistics": ["Sum"], "EndTime": MINUTE}),
            "InvalidParameterValue",
            "StartTime must be less",
        ),
        (
            json!({"Statistics": ["Sum"], "StartTime": now - 2 * day, "EndTime": now}),
            "InvalidParameterCombination",
            "exceeds the limit of 1440",
        ),
        (
            json!({"Statistics": ["Sum"], "Period": 1, "StartTime": now - 4 * 3600, "EndTime": now - 14_000}),
            "InvalidParameterValue",
            "multiple of 60",
        ),
        (
            json!({"Statistics": ["Sum"], "Period": 60, "StartTime": now - 16 * day, "EndTime": now - 16 * day + 600}),
            "InvalidParameterValue",
            "multiple of 300",
        ),
        (
            json!({"Statistics": ["Sum"], "Period": 300, "StartTime": now - 64 * day, "EndTime": now - 64 * day + 600}),
            "InvalidParameterValue",
            "multiple of 3600",
        ),
        (
            json!({"Statistics": ["Sum"], "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]}),
            "InvalidParameterValue",
            "twice",
        ),
    ] {
        Bench::refused(bench.call("GetMetricStatistics", ask(more)).await, code, words);
    }
}
