//! What is kept for how long: which metrics are listed, and what becomes of old samples.

use serde_json::{Value as Json, json};

use super::{MINUTE, data, datum, put, query};
use crate::harness::Bench;

#[tokio::test]
async fn list_metrics_narrows_pages_and_forgets_what_is_silent() {
    let bench = Bench::new().await;
    let named = |metric: &str, dimensions: Json, unit: &str| json!({"MetricName": metric, "Value": 1.0, "Dimensions": dimensions, "Unit": unit});
    let host = |host: &str| json!([{"Name": "Host", "Value": host}]);
    put(
        &bench,
        json!([
            named("m", host("a"), "Count"),
            named("m", host("a"), "Bytes"),
            named("m", host("b"), "Count")
        ]),
    )
    .await;
    put(&bench, json!([named("n", json!([]), "Count")])).await;
    let other = json!({"Namespace": "Other", "MetricData": [named("m", host("a"), "Count")]});
    bench.call("PutMetricData", other).await.expect("taken");
    let bench = bench.restarted().await;
    let count = async |request: Json| {
        let listed = bench.call("ListMetrics", request).await.expect("metrics");
        listed["Metrics"].as_array().expect("metrics").len()
    };
    for (request, wanted) in [
        (json!({}), 4),
        (json!({"Namespace": "App"}), 3),
        (json!({"MetricName": "m"}), 3),
        (json!({"Namespace": "App", "MetricName": "m"}), 2),
        (json!({"Dimensions": [{"Name": "Host"}]}), 3),
        (json!({"Dimensions": [{"Name": "Host", "Value": "a"}]}), 2),
        (json!({"Dimensions": [{"Name": "Other"}]}), 0),
        (json!({"RecentlyActive": "PT3H"}), 4),
        (json!({"IncludeLinkedAccounts": false}), 4),
    ] {
        assert_eq!(count(request.clone()).await, wanted, "{request}");
    }
    bench.clock.advance(4 * 3_600_000);
    assert_eq!(count(json!({"RecentlyActive": "PT3H"})).await, 0);
    assert_eq!(count(json!({})).await, 4);
    bench.clock.advance(15 * 86_400_000);
    assert_eq!(count(json!({})).await, 0);
    for (request, words) in [
        (json!({"IncludeLinkedAccounts": true}), "IncludeLinkedAccounts"),
        (json!({"OwningAccount": "000000000000"}), "OwningAccount"),
    ] {
        Bench::refused(
            bench.call("ListMetrics", request).await,
            "InvalidParameterValue",
            words,
        );
    }
    for part in 0..2 {
        let many: Vec<Json> = (0..400)
            .map(|index| json!({"MetricName": format!("x{:03}", part * 400 + index), "Value": 1.0}))
            .collect();
        put(&bench, json!(many)).await;
    }
    let first = bench
        .call("ListMetrics", json!({"Namespace": "App"}))
        .await
        .expect("a page");
    assert_eq!(first["Metrics"].as_array().map(Vec::len), Some(500));
    let rest = json!({"Namespace": "App", "NextToken": first["NextToken"]});
    assert_eq!(count(rest).await, 300);
    let forged = bench
        .call("ListMetrics", json!({"NextToken": first["NextToken"]}))
        .await;
    Bench::refused(forged, "InvalidNextToken", "invalid");
}

#[tokio::test]
async fn what_is_old_is_rolled_up_and_answers_the_same() {
    let bench = Bench::new().await;
    let samples: Vec<Json> = (0..120)
        .map(|second| datum(MINUTE + second, f64::from(second as i32)))
        .collect();
    put(&bench, json!(samples)).await;
    let minutes = async |bench: &Bench| {
        let found = data(
            bench,
            json!([
                query("a", "Sum", 60),
                query("b", "p90", 60),
                query("c", "Maximum", 60)
            ]),
            json!({}),
        )
        .await;
        found["MetricDataResults"].clone()
    };
    let before = minutes(&bench).await;
    let roll = async |bench: &Bench| {
        bench
            .metrics
            .samples
            .roll_up(bench.now().0 / 1000)
            .await
            .expect("rolled up")
    };
    assert_eq!(roll(&bench).await, 0);
    bench.clock.advance(4 * 3_600_000);
    assert_eq!(roll(&bench).await, 120);
    assert_eq!(minutes(&bench).await, before, "seconds became minutes");
    // One that comes late joins the others.
    put(&bench, json!([datum(MINUTE, 1000.0)])).await;
    assert_eq!(roll(&bench).await, 1);
    let late = minutes(&bench).await;
    assert_eq!(late[2]["Values"], json!([119.0, 1000.0]));
    let bench = bench.restarted().await;
    assert_eq!(minutes(&bench).await, late);
    let day = 86_400_000;
    bench.clock.advance(16 * day);
    assert_eq!(roll(&bench).await, 2, "minutes became five minutes");
    bench.clock.advance(50 * day);
    assert!(roll(&bench).await >= 1, "five minutes became hours");
    bench.clock.advance(400 * day);
    assert!(roll(&bench).await >= 1, "and are gone in the end");
    let hours = data(
        &bench,
        json!([query("a", "Sum", 3600)]),
        json!({"StartTime": MINUTE - 7200, "EndTime": MINUTE + 7200}),
    )
    .await;
    assert_eq!(hours["MetricDataResults"][0]["Values"], json!([]));
}
