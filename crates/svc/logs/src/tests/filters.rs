//! Metric filters, and what they publish to a service that remembers it.

use std::sync::Arc;

use roadstead_testing::{Asked, Fake};
use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};

async fn with_filter(pattern: &str, transformation: Json) -> (Bench, Arc<Fake>) {
    let bench = Bench::new().await;
    let metrics = Fake::new(&roadstead_api_cloudwatch::MODEL);
    bench.dispatcher.register(metrics.clone());
    bench.group("/a", &["s"]).await;
    let filter = filter(pattern, transformation);
    bench.call("PutMetricFilter", filter).await.expect("a filter");
    (bench, metrics)
}

fn filter(pattern: &str, transformation: Json) -> Json {
    json!({"logGroupName": "/a", "filterName": "f", "filterPattern": pattern, "metricTransformations": [transformation]})
}

fn metric(more: Json) -> Json {
    let mut metric = json!({"metricName": "Errors", "metricNamespace": "App", "metricValue": "1"});
    for (name, value) in more.as_object().expect("members") {
        metric[name] = value.clone();
    }
    metric
}

async fn put(bench: &Bench, lines: &[(i64, &str)]) {
    let event = |(time, message): &(i64, &str)| json!({"timestamp": START.0 + time, "message": message});
    let events: Vec<Json> = lines.iter().map(event).collect();
    let request = json!({"logGroupName": "/a", "logStreamName": "s", "logEvents": events});
    bench.call("PutLogEvents", request).await.expect("written");
}

/// What was put since this was last asked, all of it by the service itself.
pub(super) fn taken(metrics: &Fake) -> Vec<Json> {
    let input = |put: Asked| {
        assert_eq!(put.ctx.caller.to_string(), "logs.amazonaws.com");
        put.input
    };
    metrics.taken().into_iter().map(input).collect()
}

#[tokio::test]
async fn lines_that_match_are_counted_by_minute() {
    let (bench, metrics) = with_filter("ERROR", metric(json!({"unit": "Count"}))).await;
    // START is 20 seconds into a minute.
    put(
        &bench,
        &[(0, "ERROR a"), (1, "fine"), (2, "ERROR b"), (40_000, "ERROR c")],
    )
    .await;
    let minute = START.0 / 1000 - 20;
    let datum = |time: i64, count: f64| {
        json!({"MetricName": "Errors", "Dimensions": [], "Timestamp": time,
        "Values": [1.0], "Counts": [count], "Unit": "Count"})
    };
    let wanted = json!({"Namespace": "App", "MetricData": [datum(minute, 2.0), datum(minute + 60, 1.0)]});
    assert_eq!(taken(&metrics), [wanted]);
    put(&bench, &[(50_000, "fine")]).await;
    assert_eq!(
        taken(&metrics),
        [] as [Json; 0],
        "no default, so nothing is said of lines that do not match"
    );
    let bench = bench.restarted().await;
    bench.dispatcher.register(metrics.clone());
    put(&bench, &[(60_000, "ERROR d")]).await;
    assert_eq!(taken(&metrics).len(), 1);
    bench
        .call(
            "DeleteMetricFilter",
            json!({"logGroupName": "/a", "filterName": "f"}),
        )
        .await
        .expect("deleted");
    put(&bench, &[(70_000, "ERROR e")]).await;
    assert_eq!(taken(&metrics), [] as [Json; 0]);
}

#[tokio::test]
async fn values_dimensions_and_the_default_come_from_lines() {
    let of = metric(
        json!({"metricName": "Latency", "metricValue": "$.latency", "dimensions": {"Host": "$.host"}}),
    );
    let (bench, metrics) = with_filter("{ $.latency > 0 }", of).await;
    put(
        &bench,
        &[
            (0, r#"{"latency": 5, "host": "a"}"#),
            (0, r#"{"latency": 7, "host": "a"}"#),
            (0, r#"{"latency": 5, "host": "b"}"#),
            (0, r#"{"latency": 9}"#),
        ],
    )
    .await;
    let first = taken(&metrics);
    let data = first[0]["MetricData"].as_array().expect("data");
    assert_eq!(data.len(), 2, "a line without the dimension makes no metric");
    assert_eq!(data[0]["Dimensions"], json!([{"Name": "Host", "Value": "a"}]));
    assert_eq!(
        (&data[0]["Values"], &data[0]["Counts"]),
        (&json!([5.0, 7.0]), &json!([1.0, 1.0]))
    );
    assert_eq!(data[1]["Dimensions"], json!([{"Name": "Host", "Value": "b"}]));
    let (bench, metrics) = with_filter("ERROR", metric(json!({"defaultValue": 0.0}))).await;
    put(&bench, &[(0, "fine"), (1, "fine")]).await;
    assert_eq!(taken(&metrics)[0]["MetricData"][0]["Values"], json!([0.0]));
}

#[tokio::test]
async fn put_metric_filter_refuses_what_could_make_no_metric() {
    let (bench, _metrics) = with_filter("ERROR", metric(json!({}))).await;
    for (pattern, transformation, words) in [
        ("a:b", metric(json!({})), "position 1"),
        ("ERROR", metric(json!({"metricValue": "$.x"})), "metricValue"),
        ("ERROR", metric(json!({"metricValue": "many"})), "metricValue"),
        ("[a, b]", metric(json!({"metricValue": "b"})), "metricValue"),
        (
            "ERROR",
            metric(json!({"dimensions": {"x": "$.y"}})),
            "the dimension x",
        ),
        (
            "{ $.a = 1 }",
            metric(json!({"dimensions": {"x": "y"}})),
            "the dimension x",
        ),
        (
            "{ $.a = 1 }",
            metric(json!({"dimensions": {"a": "$.a", "b": "$.b", "c": "$.c", "d": "$.d"}})),
            "at most 3",
        ),
        (
            "{ $.a = 1 }",
            metric(json!({"dimensions": {"a": "$.a"}, "defaultValue": 1.0})),
            "mutually exclusive",
        ),
        ("ERROR", metric(json!({"metricNamespace": "AWS/App"})), "AWS/"),
    ] {
        let answer = bench
            .call("PutMetricFilter", filter(pattern, transformation))
            .await;
        Bench::refused(answer, "InvalidParameterException", words);
    }
    for (member, value) in [
        ("applyOnTransformedLogs", json!(true)),
        ("emitSystemFieldDimensions", json!(["@aws.account"])),
        ("fieldSelectionCriteria", json!("@aws.region = x")),
    ] {
        let mut request = filter("ERROR", metric(json!({})));
        request[member] = value;
        Bench::refused(
            bench.call("PutMetricFilter", request).await,
            "InvalidParameterException",
            member,
        );
    }
    let nowhere = json!({"logGroupName": "/x", "filterName": "f"});
    Bench::refused(
        bench.call("DeleteMetricFilter", nowhere).await,
        "ResourceNotFoundException",
        "group",
    );
    let unknown = json!({"logGroupName": "/a", "filterName": "g"});
    Bench::refused(
        bench.call("DeleteMetricFilter", unknown).await,
        "ResourceNotFoundException",
        "metric filter",
    );
}

#[tokio::test]
async fn describe_metric_filters_finds_pages_and_narrows() {
    let (bench, _metrics) = with_filter(
        "{ $.a = 1 }",
        metric(json!({"dimensions": {"x": "$.x"}, "unit": "Count"})),
    )
    .await;
    bench
        .call("CreateLogGroup", json!({"logGroupName": "/b"}))
        .await
        .expect("a group");
    let mut other = filter(
        "ERROR",
        metric(json!({"metricName": "Other", "defaultValue": 0.0})),
    );
    other["logGroupName"] = json!("/b");
    other["filterName"] = json!("g");
    bench.call("PutMetricFilter", other).await.expect("a filter");
    let all = bench
        .call("DescribeMetricFilters", json!({}))
        .await
        .expect("filters");
    let names = |page: &Json| {
        let filters = page["metricFilters"].as_array().expect("filters").clone();
        let name = |filter: &Json| filter["filterName"].as_str().expect("a name").to_owned();
        filters.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&all), ["f", "g"]);
    // In order of the filters' names, whatever the groups are called.
    let mut early = filter("ERROR", metric(json!({})));
    early["logGroupName"] = json!("/b");
    early["filterName"] = json!("a");
    bench.call("PutMetricFilter", early).await.expect("a filter");
    let ordered = bench.call("DescribeMetricFilters", json!({})).await;
    assert_eq!(names(&ordered.expect("filters")), ["a", "f", "g"]);
    let early = json!({"logGroupName": "/b", "filterName": "a"});
    bench.call("DeleteMetricFilter", early).await.expect("gone");
    assert_eq!(
        all["metricFilters"][0],
        json!({"filterName": "f", "logGroupName": "/a", "filterPattern": "{ $.a = 1 }", "creationTime": START.0,
            "metricTransformations": [{"metricName": "Errors", "metricNamespace": "App", "metricValue": "1",
                "dimensions": {"x": "$.x"}, "unit": "Count"}], "applyOnTransformedLogs": false})
    );
    for (request, found) in [
        (json!({"logGroupName": "/b"}), vec!["g"]),
        (json!({"logGroupName": "/a", "filterNamePrefix": "g"}), vec![]),
        (
            json!({"metricName": "Other", "metricNamespace": "App"}),
            vec!["g"],
        ),
    ] {
        let page = bench
            .call("DescribeMetricFilters", request.clone())
            .await
            .expect("filters");
        assert_eq!(names(&page), found, "{request}");
    }
    let first = bench
        .call("DescribeMetricFilters", json!({"limit": 1}))
        .await
        .expect("a page");
    let rest = json!({"nextToken": first["nextToken"]});
    assert_eq!(
        names(&bench.call("DescribeMetricFilters", rest).await.expect("a page")),
        ["g"]
    );
    let half = bench
        .call("DescribeMetricFilters", json!({"metricName": "Other"}))
        .await;
    Bench::refused(half, "InvalidParameterException", "go together");
}

#[tokio::test]
async fn test_metric_filter_tells_what_matches_and_what_it_takes() {
    let bench = Bench::new().await;
    let request = json!({"filterPattern": "[ip, status=4*, bytes]",
        "logEventMessages": ["1.2.3.4 200 10", "1.2.3.4 404 20"]});
    let answer = bench.call("TestMetricFilter", request).await.expect("tested");
    assert_eq!(
        answer,
        json!({"matches": [{"eventNumber": 2, "eventMessage": "1.2.3.4 404 20",
            "extractedValues": {"$ip": "1.2.3.4", "$status": "404", "$bytes": "20"}}]})
    );
    let bad = json!({"filterPattern": "{", "logEventMessages": ["x"]});
    Bench::refused(
        bench.call("TestMetricFilter", bad).await,
        "InvalidParameterException",
        "position 1",
    );
}
