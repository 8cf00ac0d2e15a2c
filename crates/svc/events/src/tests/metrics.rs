//! What rules did, as the metrics service is told it.

use roadstead_protocol::ApiError;
use roadstead_testing::Fake;
use serde_json::json;

use crate::counts;
use crate::harness::START;
use crate::tests::deliveries::{publish, target, until, with_cluster};

const ROLE: &str = "arn:aws:iam::000000000000:role/runner";

/// `metric dimensions sum` of each that was put, in order; all by the service itself.
fn told(metrics: &Fake) -> Vec<String> {
    let mut told = Vec::new();
    for put in metrics.done() {
        assert_eq!(put.ctx.caller.to_string(), "events.amazonaws.com");
        assert_eq!(put.input["Namespace"], "AWS/Events");
        for datum in put.input["MetricData"].as_array().expect("data") {
            assert_eq!(datum["Unit"], "Count");
            let dimensions = datum["Dimensions"].as_array().into_iter().flatten();
            let dimensions: Vec<String> = dimensions
                .map(|dimension| format!("{}={}", dimension["Name"], dimension["Value"]).replace('"', ""))
                .collect();
            let name = datum["MetricName"].as_str().expect("a name");
            let [value, count] = ["Values", "Counts"].map(|name| datum[name][0].as_f64().expect("a number"));
            let sum = value * count;
            told.push(format!("{name} {} {sum}", dimensions.join(",")));
        }
    }
    told.sort();
    told
}

#[tokio::test]
async fn what_rules_did_is_told_by_the_minute_and_at_an_orderly_stop() {
    let denied = ApiError::client("AccessDeniedException", "no");
    let (bench, _cluster) = with_cluster(vec![Err(denied)]).await;
    let metrics = Fake::new(&roadstead_api_cloudwatch::MODEL);
    bench.dispatcher.register(metrics.clone());
    let targets = json!({"Rule": "r", "Targets": [target(ROLE, json!({}))]});
    bench.call("PutTargets", targets).await.expect("taken");
    publish(&bench).await;
    publish(&bench).await;
    counts::hand_over(&bench.events, false).await;
    assert!(told(&metrics).is_empty(), "the minute is not over");
    metrics.refuse(ApiError::new("InternalServiceError", 500, "not now"));
    bench.clock.advance(60_000);
    counts::hand_over(&bench.events, false).await;
    counts::hand_over(&bench.events, false).await;
    let first = ["MatchedEvents RuleName=r 2", "TriggeredRules RuleName=r 2"];
    assert_eq!(told(&metrics), first, "what was refused once is told later");
    let stamp = metrics.done()[0].input["MetricData"][0]["Timestamp"].clone();
    assert_eq!(stamp.as_f64(), Some((START.0 / 60_000 * 60) as f64));
    let running = bench.events.start();
    until("the deliveries", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let all = [
        "FailedInvocations RuleName=r 1",
        "Invocations  2",
        "Invocations RuleName=r 2",
        "MatchedEvents RuleName=r 2",
        "TriggeredRules RuleName=r 2",
    ];
    assert_eq!(told(&metrics), all, "a denial is not tried again");
}

#[tokio::test]
async fn an_event_runs_no_rule_twice_and_the_circle_is_counted() {
    let (bench, _cluster) = with_cluster(Vec::new()).await;
    let metrics = Fake::new(&roadstead_api_cloudwatch::MODEL);
    bench.dispatcher.register(metrics.clone());
    bench
        .call("CreateEventBus", json!({"Name": "there"}))
        .await
        .expect("a bus");
    let bus = |name: &str| format!("arn:aws:events:us-east-1:000000000000:event-bus/{name}");
    let onwards = json!({"Rule": "r", "Targets": [{"Id": "b", "Arn": bus("there")}]});
    bench.call("PutTargets", onwards).await.expect("taken");
    let rule = json!({"Name": "back", "EventBusName": "there", "EventPattern": r#"{"source": ["shop"]}"#});
    bench.call("PutRule", rule).await.expect("a rule");
    let back =
        json!({"Rule": "back", "EventBusName": "there", "Targets": [{"Id": "b", "Arn": bus("default")}]});
    bench.call("PutTargets", back).await.expect("taken");
    let running = bench.events.start();
    publish(&bench).await;
    until("the end of the circle", || {
        bench.events.counts.has(counts::Metric::DeadLetterInvocations)
    })
    .await;
    until("the end", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let told = told(&metrics);
    assert!(
        told.contains(&"DeadLetterInvocations RuleName=r 1".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"Invocations EventBusName=there,RuleName=back 1".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"TriggeredRules RuleName=r 1".to_owned()),
        "{told:?}"
    );
}
