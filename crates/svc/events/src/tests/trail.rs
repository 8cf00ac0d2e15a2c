//! Calls as events: which become some, for which rules, and what stands in them.

use roadstead_base::{Caller, Ctx, Origin};
use roadstead_protocol::{Call as _, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;

use crate::harness::{Bench, ctx};
use crate::tests::deliveries::{until, with_cluster};
use crate::{PRINCIPAL, Trail};

async fn watched(pattern: &str, state: &str) -> Bench {
    let (bench, _cluster) = with_cluster(Vec::new()).await;
    bench.dispatcher.observe_by(Trail::of(&bench.events));
    bench
        .call("DeleteRule", json!({"Name": "r"}))
        .await
        .expect("gone");
    let rule = json!({"Name": "calls", "EventPattern": pattern, "State": state});
    bench.call("PutRule", rule).await.expect("a rule");
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:/calls";
    let targets = json!({"Rule": "calls", "Targets": [{"Id": "t", "Arn": group}]});
    bench.call("PutTargets", targets).await.expect("taken");
    bench
}

/// Makes calls through the gate; what became of them.
async fn called(bench: &Bench, calls: &[(&Ctx, &'static str, Json)]) -> Vec<Json> {
    for (ctx, operation, input) in calls {
        let model = &roadstead_api_events::MODEL;
        let shape = model
            .operation(operation)
            .expect("there")
            .input
            .expect("an input");
        let input = roadstead_protocol::json::from_json(model, shape, input.clone(), "").expect("fits");
        let _maybe_refused: Result<Value, _> = bench.dispatcher.call(model, operation, ctx, input).await;
    }
    // Nothing is delivered: the log service is not there, so that what is owed stays.
    let running = bench.events.start();
    running.stop().await;
    let snapshot = bench.events.owed.snapshot();
    let mut events: Vec<Json> = snapshot
        .iter()
        .map(|entry| serde_json::from_str(&entry.value.event).expect("an event"))
        .collect();
    events.sort_by_key(|event| event["detail"]["eventName"].to_string());
    events
}

#[tokio::test]
async fn calls_from_outside_become_events_and_the_platforms_own_do_not() {
    let bench = watched(r#"{"detail-type": ["AWS API Call via CloudTrail"]}"#, "ENABLED").await;
    let outside = ctx();
    let mut on_behalf = ctx();
    on_behalf.origin = Arc::new(Origin {
        via: Some(PRINCIPAL),
        ..Origin::default()
    });
    let mut own = ctx();
    own.caller = Caller::Service(PRINCIPAL);
    let mut node = ctx();
    node.caller = Caller::Node;
    let bus = |name: &str| json!({"Name": name, "Tags": [{"Key": "team", "Value": "a"}]});
    let entry = json!({"Source": "shop", "DetailType": "Order", "Detail": "{}"});
    let events = called(
        &bench,
        &[
            (&outside, "CreateEventBus", bus("one")),
            (
                &outside,
                "DeleteRule",
                json!({"Name": "x", "EventBusName": "nowhere"}),
            ),
            (&outside, "ListRules", json!({})),
            (&outside, "PutEvents", json!({"Entries": [entry]})),
            (&on_behalf, "CreateEventBus", bus("two")),
            (&own, "CreateEventBus", bus("three")),
            (&node, "CreateEventBus", bus("four")),
        ],
    )
    .await;
    let names: Vec<_> = events
        .iter()
        .map(|event| event["detail"]["eventName"].clone())
        .collect();
    assert_eq!(names, ["CreateEventBus", "DeleteRule"]);
    let created = &events[0];
    assert_eq!(
        (&created["source"], &created["detail-type"], &created["account"]),
        (
            &json!("aws.events"),
            &json!("AWS API Call via CloudTrail"),
            &json!("000000000000")
        )
    );
    let detail = &created["detail"];
    assert_eq!(detail["eventVersion"], "1.11");
    assert_eq!(detail["eventSource"], "events.amazonaws.com");
    assert_eq!(detail["userIdentity"]["type"], "Root");
    assert_eq!(
        detail["requestParameters"],
        json!({"name": "one", "tags": [{"key": "team", "value": "a"}]})
    );
    assert_eq!(
        detail["responseElements"]["eventBusArn"],
        "arn:aws:events:us-east-1:000000000000:event-bus/one"
    );
    let refused = &events[1]["detail"];
    assert_eq!(refused["errorCode"], "ResourceNotFoundException");
    assert_eq!(refused["responseElements"], Json::Null);
}

#[tokio::test]
async fn calls_that_change_nothing_are_for_rules_in_the_state_for_all() {
    let pattern = r#"{"source": ["aws.events"]}"#;
    for (state, names) in [
        ("ENABLED", vec!["CreateEventBus"]),
        (
            "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
            vec!["CreateEventBus", "ListRules"],
        ),
        ("DISABLED", vec![]),
    ] {
        let bench = watched(pattern, state).await;
        let shown = bench
            .call("DescribeRule", json!({"Name": "calls"}))
            .await
            .expect("there");
        assert_eq!(shown["State"], state);
        let outside = ctx();
        let calls = [
            (&outside, "CreateEventBus", json!({"Name": "b"})),
            (&outside, "ListRules", json!({})),
        ];
        let events = called(&bench, &calls).await;
        let seen: Vec<_> = events
            .iter()
            .map(|event| event["detail"]["eventName"].clone())
            .collect();
        assert_eq!(seen, names, "{state}");
    }
}

#[tokio::test]
async fn a_rule_of_all_calls_that_is_enabled_plainly_is_one_of_few() {
    let bench = watched(
        r#"{"source": ["aws.events"]}"#,
        "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
    )
    .await;
    bench
        .call("EnableRule", json!({"Name": "calls"}))
        .await
        .expect("enabled");
    let shown = bench
        .call("DescribeRule", json!({"Name": "calls"}))
        .await
        .expect("there");
    assert_eq!(shown["State"], "ENABLED");
    until("the rule", || {
        bench
            .events
            .rules
            .snapshot()
            .iter()
            .all(|entry| !entry.value.reads)
    })
    .await;
}
