//! Expressions over metrics, and what their results are called.

use serde_json::{Value as Json, json};

use super::{MINUTE, data, put};
use crate::harness::Bench;

/// Errors and requests of two hosts, by the minute; the second host misses one.
async fn filled() -> Bench {
    let bench = Bench::new().await;
    let sample = |metric: &str, host: &str, minute: i64, value: f64| {
        json!({"MetricName": metric, "Value": value,
        "Timestamp": MINUTE + 60 * minute, "Dimensions": [{"Name": "Host", "Value": host}]})
    };
    put(
        &bench,
        json!([
            sample("Errors", "a", 0, 1.0),
            sample("Errors", "a", 1, 2.0),
            sample("Requests", "a", 0, 10.0),
            sample("Requests", "a", 1, 10.0),
            sample("Errors", "b", 0, 4.0),
            sample("Requests", "b", 0, 20.0),
        ]),
    )
    .await;
    bench
}

fn metric(id: &str, name: &str, host: &str, period: i64) -> Json {
    json!({"Id": id, "MetricStat": {"Stat": "Sum", "Period": period, "Metric": {"Namespace": "App", "MetricName": name,
        "Dimensions": [{"Name": "Host", "Value": host}]}}})
}

fn with(mut query: Json, more: Json) -> Json {
    for (name, value) in more.as_object().expect("members") {
        query[name] = value.clone();
    }
    query
}

fn hidden(query: Json) -> Json {
    with(query, json!({"ReturnData": false}))
}

/// Ids, labels and values of the results, oldest first.
async fn results(bench: &Bench, queries: Json, more: Json) -> Vec<(String, String, Vec<f64>)> {
    let more = with(json!({"ScanBy": "TimestampAscending"}), more);
    let answer = data(bench, queries, more).await;
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    let of = |result: &Json| {
        assert_eq!(result["StatusCode"], "Complete");
        let values = result["Values"].as_array().expect("values");
        (
            text(&result["Id"]),
            text(&result["Label"]),
            values.iter().filter_map(Json::as_f64).collect(),
        )
    };
    answer["MetricDataResults"]
        .as_array()
        .expect("results")
        .iter()
        .map(of)
        .collect()
}

fn result(id: &str, label: &str, values: &[f64]) -> (String, String, Vec<f64>) {
    (id.to_owned(), label.to_owned(), values.to_vec())
}

#[tokio::test]
async fn expressions_are_computed_from_metrics_and_from_each_other() {
    let bench = filled().await.restarted().await;
    let queries = json!([
        {"Id": "rate", "Expression": "100 * errors / requests", "Label": "Error rate"},
        {"Id": "high", "Expression": "rate > 15"},
        hidden(metric("errors", "Errors", "a", 60)),
        hidden(metric("requests", "Requests", "a", 60)),
        {"Id": "both", "Expression": "SUM(METRICS())"},
        {"Id": "each", "Expression": "METRICS('err') * 2", "Label": ""},
        {"Id": "filled", "Expression": "FILL(METRICS(), 0)", "Label": "Filled with 0:"},
        hidden(json!({"Id": "unused", "Expression": "rate + 1"})),
    ]);
    assert_eq!(
        results(&bench, queries, json!({})).await,
        [
            result("rate", "Error rate", &[10.0, 20.0]),
            result("high", "high", &[0.0, 1.0]),
            result("both", "both", &[11.0, 12.0]),
            result("each", "Errors", &[2.0, 4.0]),
            result("filled", "Filled with 0: Errors", &[1.0, 2.0]),
            result("filled", "Filled with 0: Requests", &[10.0, 10.0]),
        ]
    );
}

#[tokio::test]
async fn an_expression_is_told_by_its_period_or_the_longest_of_its_metrics() {
    let bench = filled().await;
    let queries = json!([
        metric("fine", "Errors", "a", 60),
        hidden(metric("coarse", "Requests", "a", 120)),
        {"Id": "longest", "Expression": "fine + coarse"},
        {"Id": "period", "Expression": "fine * 0 + PERIOD(fine)"},
        {"Id": "said", "Expression": "coarse", "Period": 60},
        {"Id": "through", "Expression": "longest * 1"},
        {"Id": "constant", "Expression": "TIME_SERIES(5)", "Period": 60},
    ]);
    // Periods of two minutes begin at even minutes, of which the first is one before the data.
    let even = (MINUTE / 60) % 2 == 0;
    assert!(!even, "the table is for this");
    let found = results(
        &bench,
        queries,
        json!({"StartTime": MINUTE - 60, "EndTime": MINUTE + 180}),
    )
    .await;
    assert_eq!(
        found,
        [
            result("fine", "Errors", &[1.0, 2.0]),
            result("longest", "longest", &[11.0, 12.0]),
            result("period", "period", &[60.0, 60.0]),
            result("said", "said", &[10.0, 10.0]),
            result("through", "through", &[11.0, 12.0]),
            result("constant", "constant", &[5.0; 4]),
        ]
    );
}

#[tokio::test]
async fn a_search_finds_what_there_is_and_tells_it_apart() {
    let bench = filled().await;
    let search = |search: &str| json!([{"Id": "s", "Expression": search}]);
    for (query, wanted) in [
        (
            "SEARCH('{App,Host} MetricName=\"Errors\"', 'Sum', 60)",
            vec![result("s", "a", &[1.0, 2.0]), result("s", "b", &[4.0])],
        ),
        ("SEARCH('{App,Host} req', 'Sum', 60)", vec![]),
        (
            "SEARCH('{App,Host} requests Host=\"b\"', 'Sum', 60)",
            vec![result("s", "Requests", &[20.0])],
        ),
        (
            "SEARCH('errors OR (requests AND NOT Host=b)', 'Maximum', 60)",
            vec![
                result("s", "Errors a", &[1.0, 2.0]),
                result("s", "Errors b", &[4.0]),
                result("s", "Requests a", &[10.0, 10.0]),
            ],
        ),
        ("SEARCH('{App,Host,Zone} errors', 'Sum', 60)", vec![]),
        ("SEARCH('{Other}', 'Sum', 60)", vec![]),
        (
            "SUM(SEARCH('errors', 'Sum', 60))",
            vec![result("s", "s", &[5.0, 2.0])],
        ),
        (
            "SORT(SEARCH('errors', 'Sum', 60), SUM, DESC, 1)",
            vec![result("s", "b", &[4.0])],
        ),
    ] {
        assert_eq!(results(&bench, search(query), json!({})).await, wanted, "{query}");
    }
    bench.clock.advance(15 * 86_400_000);
    let forgotten = results(&bench, search("SEARCH('errors', 'Sum', 60)"), json!({})).await;
    assert_eq!(forgotten, []);
}

#[tokio::test]
async fn a_search_that_finds_too_much_says_so() {
    let bench = Bench::new().await;
    let many: Vec<Json> = (0..501)
        .map(|index| json!({"MetricName": format!("x{index:03}"), "Value": 1.0}))
        .collect();
    put(&bench, json!(many)).await;
    let queries = json!([{"Id": "s", "Expression": "SEARCH('{App}', 'Sum')", "Period": 60}]);
    let answer = data(&bench, queries, json!({})).await;
    assert_eq!(answer["MetricDataResults"].as_array().map(Vec::len), Some(500));
    assert_eq!(answer["Messages"][0]["Code"], "MaxMetricsExceeded");
    assert_eq!(answer["Messages"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn labels_have_values_in_them() {
    let bench = filled().await;
    bench.clock.advance(3_600_000);
    let named = |label: &str| with(metric("m", "Errors", "a", 60), json!({"Label": label}));
    for (label, wanted) in [
        ("plain $ {MAX}", "plain $ {MAX}"),
        ("${LABEL} of ${PROP('Dim.Host')}", "Errors of a"),
        ("[${PROP('Dim.Zone')}]", "[]"),
        (
            "${PROP(\"Namespace\")}/${PROP('MetricName')} ${PROP('Stat')} ${PROP('Period')}",
            "App/Errors Sum 60",
        ),
        ("${PROP('AccountId')} ${PROP('Region')}", "000000000000 us-east-1"),
        ("${MIN} ${MAX} ${AVG} ${SUM} ${DATAPOINT_COUNT}", "1 2 1.5 3 2"),
        ("${FIRST} ${LAST} ${FIRST_LAST_RANGE} ${MIN_MAX_RANGE}", "1 2 1 1"),
        (
            "${FIRST_TIME} ${LAST_TIME}",
            "2023-11-14 23:43:00 2023-11-14 23:44:00",
        ),
        (
            "${MIN_TIME} ${MAX_TIME}",
            "2023-11-14 23:43:00 2023-11-14 23:44:00",
        ),
        ("${FIRST_TIME_RELATIVE} ${LAST_TIME_RELATIVE}", "1h20s 59m20s"),
        ("${MIN_TIME_RELATIVE} ${MAX_TIME_RELATIVE}", "1h20s 59m20s"),
        ("${FIRST_LAST_TIME_RANGE} ${MIN_MAX_TIME_RANGE}", "1m 1m"),
    ] {
        let zone = json!({"LabelOptions": {"Timezone": "+0130"}});
        let found = results(&bench, json!([named(label)]), zone).await;
        assert_eq!(found[0].1, wanted, "{label}");
    }
    // One label for all that a search finds.
    let search = json!([{"Id": "s", "Expression": "SEARCH('{App,Host} MetricName=\"Errors\"', 'Sum', 60)",
        "Label": "[max: ${MAX}] ${LABEL}"}]);
    let labels: Vec<String> = results(&bench, search, json!({}))
        .await
        .into_iter()
        .map(|found| found.1)
        .collect();
    assert_eq!(labels, ["[max: 2] a", "[max: 4] b"]);
    let nothing = with(
        metric("m", "Errors", "nobody", 60),
        json!({"Label": "${MAX} ${LAST_TIME} ${DATAPOINT_COUNT}"}),
    );
    assert_eq!(results(&bench, json!([nothing]), json!({})).await[0].1, "- - 0");
    for (label, words) in [
        ("${LABEL} ${LABEL}", "at most once"),
        ("${MAX}${MAX}${MAX}${MAX}${MAX}${MAX}", "at most 5"),
        ("ä ${MAX", "not closed with } (at column 3)"),
        ("${PROP('Dim.')}", "no dynamic value"),
        ("${PROP(Stat)}", "no dynamic value"),
        ("${max}", "no dynamic value"),
    ] {
        let request =
            json!({"StartTime": MINUTE, "EndTime": MINUTE + 60, "MetricDataQueries": [named(label)]});
        Bench::refused(
            bench.call("GetMetricData", request).await,
            "InvalidParameterValue",
            words,
        );
    }
}

#[tokio::test]
async fn with_math_what_is_left_out_is_said_and_has_no_next_page() {
    let bench = filled().await;
    let queries = json!([
        metric("m", "Errors", "a", 60),
        {"Id": "e", "Expression": "m * 2"},
    ]);
    let answer = data(&bench, queries, json!({"MaxDatapoints": 3})).await;
    let statuses: Vec<&Json> = answer["MetricDataResults"]
        .as_array()
        .expect("results")
        .iter()
        .map(|result| &result["StatusCode"])
        .collect();
    assert_eq!(statuses, ["Complete", "PartialData"]);
    assert!(answer["NextToken"].is_null());
}

#[tokio::test]
async fn expressions_that_mean_nothing_are_refused_with_the_place() {
    let bench = filled().await;
    let e = |text: &str| json!({"Id": "e", "Expression": text});
    let m = metric("m", "Errors", "a", 60);
    let long = format!("SEARCH('{}', 'Sum', 60)", "a".repeat(1025));
    for (queries, code, words) in [
        (
            json!([m, e("m +")]),
            "ValidationError",
            "Error in expression 'e': Unexpected the end",
        ),
        (
            json!([m, e("m + nobody")]),
            "ValidationError",
            "Id nobody (at column 5)",
        ),
        (json!([m, e("AVG(m)")]), "ValidationError", "comes to a scalar"),
        (
            json!([m, e("METRICS() / METRICS()")]),
            "ValidationError",
            "(at column 11)",
        ),
        (
            json!([m, hidden(e("AVG(m)"))]),
            "ValidationError",
            "comes to a scalar",
        ),
        (
            json!([m, hidden(e("m / [m, m] * [m]"))]),
            "ValidationError",
            "(at column 12)",
        ),
        (json!([m, e("PERIOD(e)")]), "ValidationError", "refers to itself"),
        (
            json!([e("f + 1"), {"Id": "f", "Expression": "e + 1"}]),
            "ValidationError",
            "refers to itself",
        ),
        (
            json!([m, {"Id": "f", "Expression": "m"}, e("m / PERIOD(f)")]),
            "ValidationError",
            "PERIOD takes the Id of a metric",
        ),
        (json!([e("TIME_SERIES(5)")]), "MissingParameter", "needs a Period"),
        (
            json!([e("SEARCH('a', 'Sum')")]),
            "MissingParameter",
            "needs a Period",
        ),
        (
            json!([e("SEARCH('a', 'Sum', 7)")]),
            "InvalidParameterValue",
            "Period 7",
        ),
        (
            json!([e("SEARCH('a', 'Sum', 0.5)")]),
            "InvalidParameterValue",
            "whole number",
        ),
        (
            json!([e("SEARCH('a', 'Median', 60)")]),
            "ValidationError",
            "(at column 13)",
        ),
        (json!([e(&long)]), "ValidationError", "1024 characters"),
        (
            json!([with(e("SEARCH('a', 'Sum', 60)"), json!({"Period": 300}))]),
            "InvalidParameterCombination",
            "the Period 300",
        ),
        (
            json!([with(e("m"), json!({"Period": 61})), m]),
            "InvalidParameterValue",
            "Period 61",
        ),
        (
            json!([m, e("ANOMALY_DETECTION_BAND(m)")]),
            "InvalidParameterValue",
            "ANOMALY_DETECTION_BAND",
        ),
        (
            json!([e("SELECT AVG(m) FROM App")]),
            "InvalidParameterValue",
            "Metrics Insights",
        ),
        (
            json!([with(e("TIME_SERIES(5)"), json!({"Period": 1}))]),
            "ValidationError",
            "more than 2000000 data points",
        ),
    ] {
        let request =
            json!({"StartTime": MINUTE - 3_000_000, "EndTime": MINUTE + 60, "MetricDataQueries": queries});
        Bench::refused(bench.call("GetMetricData", request).await, code, words);
    }
}

#[tokio::test]
async fn a_long_chain_of_expressions_is_no_deep_one() {
    let bench = filled().await;
    let mut queries = vec![metric("e0", "Errors", "a", 60)];
    queries.extend(
        (1..500).map(|index| json!({"Id": format!("e{index}"), "Expression": format!("e{} + 1", index - 1)})),
    );
    let found = results(&bench, json!(queries), json!({})).await;
    assert_eq!(found[499], result("e499", "e499", &[500.0, 501.0]));
}
