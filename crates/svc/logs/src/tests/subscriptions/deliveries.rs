//! What functions get of lines, and what becomes of it when they do not take it.

use roadstead_protocol::ApiError;

use super::*;
use crate::tests::filters::taken;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600_000;

fn busy() -> ApiError {
    ApiError::new("TooManyRequestsException", 429, "Rate exceeded")
}

/// The metrics that were published, by name and value.
fn metrics(lambda: &Lambda) -> Vec<(String, f64)> {
    let mut all = Vec::new();
    for call in taken(&lambda.metrics) {
        assert_eq!(call["Namespace"], "AWS/Logs");
        for datum in call["MetricData"].as_array().expect("data") {
            let dimensions = json!([{"Name": "LogGroupName", "Value": "/a"},
                {"Name": "DestinationType", "Value": "Lambda"}, {"Name": "FilterName", "Value": "f"}]);
            assert_eq!(datum["Dimensions"], dimensions);
            let name = datum["MetricName"].as_str().expect("a name").to_owned();
            all.push((name, datum["Value"].as_f64().expect("a number")));
        }
    }
    all
}

#[tokio::test]
async fn lines_that_match_go_to_the_function_as_documented() {
    let (bench, lambda) = subscribed().await;
    let deliveries = Deliveries::of(&bench.logs);
    subscribe(&bench, &lambda, "f", "[ip, status = 4*, ...]").await;
    put(&bench, &["1.2.3.4 404 x y", "1.2.3.4 200 x", "5.6.7.8 400"]).await;
    assert!(
        lambda.taken().is_empty(),
        "who writes lines does not wait for functions"
    );
    pass(&deliveries).await;
    let found = bench
        .call(
            "FilterLogEvents",
            json!({"logGroupName": "/a", "filterPattern": "?404 ?400"}),
        )
        .await
        .expect("lines");
    let id = |index: usize| found["events"][index]["eventId"].clone();
    let taken = lambda.taken();
    let [asked] = taken.as_slice() else {
        panic!("{taken:?}")
    };
    assert_eq!(
        asked.message,
        json!({"messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": "/a", "logStream": "s",
            "subscriptionFilters": ["f"], "logEvents": [
                {"id": id(0), "timestamp": START.0, "message": "1.2.3.4 404 x y",
                    "extractedFields": {"ip": "1.2.3.4", "status": "404"}},
                {"id": id(1), "timestamp": START.0 + 2, "message": "5.6.7.8 400",
                    "extractedFields": {"ip": "5.6.7.8", "status": "400"}}]})
    );
    assert_eq!(
        (asked.function.as_str(), asked.kind.as_str()),
        (FUNCTION, "Event")
    );
    let told = metrics(&lambda);
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ForwardedLogEvents", "ForwardedBytes"]);
    assert!(told[0].1 == 2.0 && told[1].1 > 50.0, "{told:?}");
    pass(&deliveries).await;
    assert!(lambda.taken().is_empty(), "what was delivered is owed no more");
    put(&bench, &["nothing that matches"]).await;
    pass(&deliveries).await;
    assert!(lambda.taken().is_empty());
}

#[tokio::test]
async fn each_filter_gets_its_own_lines() {
    let (bench, lambda) = subscribed().await;
    let deliveries = Deliveries::of(&bench.logs);
    subscribe(&bench, &lambda, "all", "").await;
    subscribe(&bench, &lambda, "errors", "ERROR").await;
    put(&bench, &["ERROR a", "fine"]).await;
    put(&bench, &["ERROR b"]).await;
    pass(&deliveries).await;
    let mut taken = texts(&lambda.taken());
    // Between filters there is no order, within one there is.
    taken.sort_by_key(|(filter, _)| filter.clone());
    let wanted = [
        texts_of("all", &["ERROR a", "fine"]),
        texts_of("all", &["ERROR b"]),
        texts_of("errors", &["ERROR a"]),
        texts_of("errors", &["ERROR b"]),
    ];
    assert_eq!(taken, wanted);
    // A line without columns has no fields.
    put(&bench, &["ERROR c"]).await;
    pass(&deliveries).await;
    for asked in lambda.taken() {
        assert_eq!(asked.message["logEvents"][0].get("extractedFields"), None);
    }
}

#[tokio::test]
async fn what_fails_for_now_is_tried_again_in_order_with_growing_waits() {
    let (bench, lambda) = subscribed().await;
    let deliveries = Deliveries::of(&bench.logs);
    subscribe(&bench, &lambda, "f", "").await;
    put(&bench, &["a"]).await;
    put(&bench, &["b", "c"]).await;
    lambda.fails([busy(), ApiError::new("ServiceException", 500, "x")]);
    pass(&deliveries).await;
    pass(&deliveries).await;
    assert_eq!(
        lambda.taken().len(),
        1,
        "not again before its time, and nothing before the oldest"
    );
    let named = |name: &str, value: f64| (name.to_owned(), value);
    assert_eq!(
        metrics(&lambda),
        [named("DeliveryErrors", 1.0), named("DeliveryThrottling", 1.0)]
    );
    bench.clock.advance(SECOND);
    pass(&deliveries).await;
    assert_eq!(texts(&lambda.taken()), [texts_of("f", &["a"])]);
    assert_eq!(metrics(&lambda), [named("DeliveryErrors", 1.0)]);
    bench.clock.advance(SECOND);
    pass(&deliveries).await;
    assert!(lambda.taken().is_empty(), "the second wait is longer");
    bench.clock.advance(SECOND);
    pass(&deliveries).await;
    assert_eq!(
        texts(&lambda.taken()),
        [texts_of("f", &["a"]), texts_of("f", &["b", "c"])]
    );
    assert_eq!(metrics(&lambda)[0], named("ForwardedLogEvents", 3.0));
}

#[tokio::test]
async fn waits_begin_anew_where_something_was_taken() {
    let (bench, lambda) = subscribed().await;
    let deliveries = Deliveries::of(&bench.logs);
    subscribe(&bench, &lambda, "f", "").await;
    for line in ["a", "b", "c"] {
        put(&bench, &[line]).await;
    }
    // Each time one is taken and the next is not.
    for left in [["a", "b"], ["b", "c"]] {
        lambda.takes_one();
        lambda.fails([busy()]);
        pass(&deliveries).await;
        let taken = texts(&lambda.taken());
        assert_eq!(taken, left.map(|line| texts_of("f", &[line])));
        bench.clock.advance(SECOND);
    }
    pass(&deliveries).await;
    assert_eq!(texts(&lambda.taken()), [texts_of("f", &["c"])]);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_given_up_at_once_or_after_a_day() {
    let (bench, lambda) = subscribed().await;
    let deliveries = Deliveries::of(&bench.logs);
    subscribe(&bench, &lambda, "f", "").await;
    put(&bench, &["a"]).await;
    put(&bench, &["b"]).await;
    lambda.fails([ApiError::new("AccessDeniedException", 403, "x")]);
    pass(&deliveries).await;
    assert_eq!(
        lambda.taken().len(),
        2,
        "what comes after one that is given up is delivered"
    );
    assert_eq!(metrics(&lambda)[2], ("DeliveryErrors".to_owned(), 1.0));
    put(&bench, &["c"]).await;
    lambda.fails((0..3).map(|_| busy()));
    pass(&deliveries).await;
    bench.clock.advance(23 * HOUR);
    pass(&deliveries).await;
    assert_eq!(
        texts(&lambda.taken()),
        [texts_of("f", &["c"]), texts_of("f", &["c"])]
    );
    bench.clock.advance(HOUR);
    pass(&deliveries).await;
    assert_eq!(lambda.taken().len(), 1, "a last time");
    bench.clock.advance(HOUR);
    pass(&deliveries).await;
    assert!(lambda.taken().is_empty());
    assert!(deliveries.keys().is_empty(), "nothing is owed");
}

#[tokio::test]
async fn what_is_owed_outlives_a_restart_and_goes_where_the_filter_goes_now() {
    let (bench, lambda) = subscribed().await;
    subscribe(&bench, &lambda, "f", "").await;
    put(&bench, &["a", "b"]).await;
    let bench = bench.restarted().await;
    let lambda = Lambda::serve(&bench);
    let deliveries = Deliveries::of(&bench.logs);
    let other = format!("{FUNCTION}2");
    let mut moved = filter("f", "ERROR");
    moved["destinationArn"] = json!(other);
    bench
        .call("PutSubscriptionFilter", moved)
        .await
        .expect("replaced");
    lambda.taken();
    pass(&deliveries).await;
    let taken = lambda.taken();
    assert_eq!(texts(&taken), [texts_of("f", &["a", "b"])]);
    assert_eq!(taken[0].function, other);
    put(&bench, &["c"]).await;
    pass(&deliveries).await;
    assert!(lambda.taken().is_empty(), "new lines go by the new pattern");
}

#[tokio::test]
async fn what_is_owed_goes_with_its_filter_and_with_its_group() {
    let (bench, lambda) = subscribed().await;
    let deliveries = Deliveries::of(&bench.logs);
    subscribe(&bench, &lambda, "f", "").await;
    put(&bench, &["a"]).await;
    let named = json!({"logGroupName": "/a", "filterName": "f"});
    bench
        .call("DeleteSubscriptionFilter", named.clone())
        .await
        .expect("deleted");
    assert!(deliveries.keys().is_empty());
    let again = bench.call("DeleteSubscriptionFilter", named).await;
    Bench::refused(again, "ResourceNotFoundException", "subscription filter");
    // Another one of the name gets nothing of what the first was owed, even if that came late.
    subscribe(&bench, &lambda, "f", "").await;
    put(&bench, &["b"]).await;
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("deleted");
    bench.group("/a", &["s"]).await;
    subscribe(&bench, &lambda, "f", "").await;
    put(&bench, &["c"]).await;
    assert_eq!(deliveries.keys().len(), 2);
    pass(&deliveries).await;
    assert_eq!(texts(&lambda.taken()), [texts_of("f", &["c"])]);
    assert!(deliveries.keys().is_empty());
    // The sweeper clears it away too.
    put(&bench, &["d"]).await;
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("deleted");
    crate::sweep::sweep(&bench.logs).await.expect("swept");
    assert!(deliveries.keys().is_empty());
}

#[tokio::test]
async fn a_delivery_is_bounded_and_none_of_many_is_forgotten() {
    let (bench, lambda) = subscribed().await;
    let deliveries = Deliveries::of(&bench.logs);
    subscribe(&bench, &lambda, "f", "").await;
    // What compresses badly: digits of a generator, four bits to a byte of text.
    let mut state = 1u64;
    let mut line = || {
        let mut text = String::new();
        for _ in 0..2_500 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(&format!("{state:016x}"));
        }
        text
    };
    let lines: Vec<String> = (0..20).map(|_| line()).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    put(&bench, &lines).await;
    let many: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    for line in &many {
        put(&bench, &[line]).await;
    }
    pass(&deliveries).await;
    let taken = lambda.taken();
    let most = taken.iter().map(|asked| asked.bytes).max().unwrap_or_default();
    assert!(most <= 256 << 10, "{most}");
    assert_eq!(taken.len(), 45, "four lines at a time, then one by one");
    let all: Vec<String> = texts(&taken).into_iter().flat_map(|(_, lines)| lines).collect();
    let wanted: Vec<&str> = lines.into_iter().chain(many.iter().map(String::as_str)).collect();
    assert!(all == wanted, "in order, each once");
}

#[tokio::test]
async fn the_service_delivers_by_itself() {
    let (bench, lambda) = subscribed().await;
    subscribe(&bench, &lambda, "f", "").await;
    put(&bench, &["before it runs"]).await;
    let running = bench.logs.start();
    let got = |wanted: &'static str| {
        let lambda = lambda.clone();
        move || texts(&lambda.taken()).contains(&texts_of("f", &[wanted]))
    };
    roadstead_testing::until("a delivery", got("before it runs")).await;
    put(&bench, &["while it runs"]).await;
    roadstead_testing::until("a delivery", got("while it runs")).await;
    running.stop().await;
    put(&bench, &["after it stopped"]).await;
    assert_eq!(Deliveries::of(&bench.logs).keys().len(), 1);
}
