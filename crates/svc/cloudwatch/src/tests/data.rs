//! Many queries at once: answered in either order and in pages, and refused.

use serde_json::{Value as Json, json};

use super::{MINUTE, data, datum, put, query};
use crate::harness::Bench;

#[tokio::test]
async fn get_metric_data_answers_many_queries_in_either_order_and_in_pages() {
    let bench = Bench::new().await;
    put(
        &bench,
        json!([
            datum(MINUTE, 1.0),
            datum(MINUTE + 10, 3.0),
            datum(MINUTE + 70, 5.0)
        ]),
    )
    .await;
    let queries = json!([
        query("sums", "Sum", 60),
        query("each", "Average", 1),
        query("p", "p90", 60)
    ]);
    let up = json!({"ScanBy": "TimestampAscending"});
    let whole = data(&bench, queries.clone(), up.clone()).await;
    let result = |index: usize, timestamps: Json, values: Json| {
        let found = &whole["MetricDataResults"][index];
        assert_eq!(
            (&found["Timestamps"], &found["Values"]),
            (&timestamps, &values),
            "{index}"
        );
        assert_eq!(found["StatusCode"], "Complete");
        assert_eq!(found["Label"], "m");
    };
    result(0, json!([MINUTE, MINUTE + 60]), json!([4.0, 5.0]));
    result(
        1,
        json!([MINUTE, MINUTE + 10, MINUTE + 70]),
        json!([1.0, 3.0, 5.0]),
    );
    result(2, json!([MINUTE, MINUTE + 60]), json!([3.0, 5.0]));
    let down = data(&bench, json!([query("sums", "Sum", 60)]), json!({})).await;
    assert_eq!(
        down["MetricDataResults"][0]["Values"],
        json!([5.0, 4.0]),
        "the latest first, unless asked otherwise"
    );
    let (mut values, mut token) = (vec![Vec::new(); 3], Json::Null);
    loop {
        let mut more = up.clone();
        more["MaxDatapoints"] = json!(2);
        if !token.is_null() {
            more["NextToken"] = token;
        }
        let page = data(&bench, queries.clone(), more).await;
        for (index, found) in page["MetricDataResults"]
            .as_array()
            .expect("results")
            .iter()
            .enumerate()
        {
            values[index].extend(found["Values"].as_array().expect("values").clone());
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(json!(values), json!([[4.0, 5.0], [1.0, 3.0, 5.0], [3.0, 5.0]]));
    let mut hidden = query("hidden", "Sum", 60);
    hidden["ReturnData"] = json!(false);
    let mut named = query("named", "Sum", 60);
    named["Label"] = json!("Orders");
    named["MetricStat"]["Unit"] = json!("Bytes");
    let shown = data(&bench, json!([hidden, named]), json!({})).await;
    assert_eq!(shown["MetricDataResults"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["MetricDataResults"][0]["Label"], "Orders");
    assert_eq!(
        shown["MetricDataResults"][0]["Values"],
        json!([]),
        "in Bytes there is nothing"
    );
}

/// Of what a long read costs, other calls notice nothing.
#[tokio::test]
async fn samples_are_not_read_by_the_workers_of_the_calls() {
    let bench = Bench::new().await;
    let here = std::thread::current().id();
    let there = crate::ops::reading(&bench.metrics, |_samples| Ok(std::thread::current().id()));
    assert_ne!(there.await.expect("read"), here);
}

#[tokio::test]
async fn get_metric_data_refuses_what_it_cannot_answer() {
    let bench = Bench::new().await;
    let with = |more: Json| {
        let mut query = query("a", "Sum", 60);
        for (name, value) in more.as_object().expect("members") {
            query[name] = value.clone();
        }
        query
    };
    let stat = |more: Json| {
        let mut query = query("a", "Sum", 60);
        for (name, value) in more.as_object().expect("members") {
            query["MetricStat"][name] = value.clone();
        }
        query
    };
    for (queries, code, words) in [
        (json!([with(json!({"Id": "A"}))]), "InvalidParameterValue", "Id"),
        (json!([with(json!({"Id": "a-b"}))]), "InvalidParameterValue", "Id"),
        (
            json!([with(json!({})), with(json!({}))]),
            "InvalidParameterValue",
            "twice",
        ),
        (json!([{"Id": "a"}]), "MissingParameter", "MetricStat"),
        (
            json!([with(json!({"Expression": "1 + 1"}))]),
            "InvalidParameterCombination",
            "mutually exclusive",
        ),
        (
            json!([with(json!({"AccountId": "000000000000"}))]),
            "InvalidParameterValue",
            "MetricDataQueries.AccountId",
        ),
        (
            json!([with(json!({"Label": "${MOST}"}))]),
            "InvalidParameterValue",
            "no dynamic value ${MOST}",
        ),
        (
            json!([with(json!({"Period": 60}))]),
            "InvalidParameterCombination",
            "Period",
        ),
        (
            json!([stat(json!({"Stat": "Median"}))]),
            "InvalidParameterValue",
            "position 0",
        ),
        (
            json!([stat(json!({"Period": 7}))]),
            "InvalidParameterValue",
            "Period 7",
        ),
        (
            json!([stat(json!({"Metric": {"Namespace": "App"}}))]),
            "MissingParameter",
            "MetricName",
        ),
        (
            json!([stat(json!({"Metric": {"MetricName": "m"}}))]),
            "MissingParameter",
            "Namespace",
        ),
    ] {
        let request = json!({"StartTime": MINUTE, "EndTime": MINUTE + 60, "MetricDataQueries": queries});
        Bench::refused(bench.call("GetMetricData", request).await, code, words);
    }
    for (more, code, words) in [
        (
            json!({"LabelOptions": {"Timezone": "CET"}}),
            "InvalidParameterValue",
            "LabelOptions.Timezone",
        ),
        (
            json!({"MaxDatapoints": 100_801}),
            "InvalidParameterValue",
            "MaxDatapoints",
        ),
        (json!({"NextToken": "x"}), "InvalidNextToken", "invalid"),
        (json!({"EndTime": MINUTE}), "InvalidParameterValue", "StartTime"),
        (
            json!({"MetricDataQueries": (0..501).map(|index| query(&format!("q{index}"), "Sum", 60)).collect::<Vec<_>>()}),
            "InvalidParameterValue",
            "500",
        ),
    ] {
        let mut request = json!({"StartTime": MINUTE, "EndTime": MINUTE + 60, "MetricDataQueries": [query("a", "Sum", 60)]});
        for (name, value) in more.as_object().expect("members") {
            request[name] = value.clone();
        }
        Bench::refused(bench.call("GetMetricData", request).await, code, words);
    }
}
