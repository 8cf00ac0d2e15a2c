//! Publishing: what matches is owed before the publisher is answered, and what is not valid fails alone.

use roadstead_base::{Caller, Ctx};
use serde_json::{Value as Json, json};

use crate::harness::{Bench, START, ctx};

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/events/x";

async fn with_rule(pattern: &str) -> Bench {
    let bench = Bench::new().await;
    bench
        .call("PutRule", json!({"Name": "r", "EventPattern": pattern}))
        .await
        .expect("a rule");
    let targets = json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": GROUP}]});
    bench.call("PutTargets", targets).await.expect("a target");
    bench
}

fn entry() -> Json {
    json!({"Source": "shop", "DetailType": "Order", "Detail": "{\"amount\": 5}"})
}

/// What is owed, event by event, in order of ids.
fn owed(bench: &Bench) -> Vec<Json> {
    let snapshot = bench.events.owed.snapshot();
    snapshot
        .iter()
        .map(|entry| serde_json::from_str(&entry.value.event).expect("an event"))
        .collect()
}

async fn settled(bench: &Bench, count: usize) {
    for _ in 0..24_000 {
        if bench.events.owed.snapshot().len() == count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!(
        "{} deliveries are owed, not {count}",
        bench.events.owed.snapshot().len()
    );
}

#[tokio::test]
async fn put_events_owes_what_matches_before_it_answers() {
    let bench = with_rule(r#"{"source": ["shop"], "detail": {"amount": [{"numeric": [">", 3]}]}}"#).await;
    let full = json!({"Source": "shop", "DetailType": "Order", "Detail": "{\"amount\": 7}", "Time": 1_600_000_000,
        "Resources": ["arn:x"], "EventBusName": "default"});
    let small = json!({"Source": "shop", "DetailType": "Order", "Detail": "{\"amount\": 1}"});
    let answer = bench
        .call("PutEvents", json!({"Entries": [entry(), full, small]}))
        .await
        .expect("taken");
    assert_eq!(answer["FailedEntryCount"], 0);
    assert_eq!(answer["Entries"].as_array().map(Vec::len), Some(3));
    // As a restart would find it.
    let again = Bench::over(bench.store.clone(), START).await;
    let mut events = owed(&again);
    events.sort_by_key(|event| event["detail"]["amount"].as_i64());
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[1],
        json!({"version": "0", "id": answer["Entries"][1]["EventId"], "source": "shop", "detail-type": "Order",
            "account": "000000000000", "region": "us-east-1", "time": "2020-09-13T12:26:40Z",
            "resources": ["arn:x"], "detail": {"amount": 7}})
    );
    assert_eq!(events[0]["time"], "2023-11-14T22:13:20Z");
}

#[tokio::test]
async fn an_entry_that_is_not_valid_fails_alone() {
    let bench = with_rule(r#"{"source": [{"exists": true}]}"#).await;
    let with = |member: &str, value: Json| {
        let mut entry = entry();
        entry[member] = value;
        entry
    };
    for (bad, code) in [
        (with("Source", json!("")), "InvalidArgument"),
        (json!({"DetailType": "x", "Detail": "{}"}), "InvalidArgument"),
        (json!({"Source": "x", "Detail": "{}"}), "InvalidArgument"),
        (json!({"Source": "x", "DetailType": "x"}), "InvalidArgument"),
        (with("DetailType", json!("x".repeat(129))), "InvalidArgument"),
        (with("Detail", json!("[1]")), "MalformedDetail"),
        (with("Detail", json!("{")), "MalformedDetail"),
        (with("Source", json!("aws.ecs")), "NotAuthorizedForSource"),
        (
            with("EventBusName", json!("nowhere")),
            "ResourceNotFoundException",
        ),
    ] {
        let answer = bench
            .call("PutEvents", json!({"Entries": [bad, entry()]}))
            .await
            .expect("answered");
        assert_eq!(answer["FailedEntryCount"], 1, "{bad}");
        assert_eq!(answer["Entries"][0]["ErrorCode"], code, "{bad}");
        assert!(
            answer["Entries"][0].get("EventId").is_none() && answer["Entries"][1].get("EventId").is_some()
        );
    }
    settled(&bench, 9).await;
}

#[tokio::test]
async fn only_the_platform_speaks_for_its_services() {
    let bench = with_rule(r#"{"source": ["aws.ecs"]}"#).await;
    let platform = Ctx {
        caller: Caller::Service("ecs.amazonaws.com"),
        ..ctx()
    };
    let entry = json!({"Source": "aws.ecs", "DetailType": "ECS Task State Change", "Detail": "{}"});
    let answer = bench
        .call_as(&platform, "PutEvents", json!({"Entries": [entry]}))
        .await
        .expect("taken");
    assert_eq!(answer["FailedEntryCount"], 0);
    settled(&bench, 1).await;
}

#[tokio::test]
async fn put_events_refuses_what_has_no_effect_and_what_is_too_large() {
    let bench = with_rule(r#"{"source": ["shop"]}"#).await;
    let traced = json!({"Source": "x", "DetailType": "x", "Detail": "{}", "TraceHeader": "Root=1"});
    let answer = bench.call("PutEvents", json!({"Entries": [traced]})).await;
    Bench::refused(answer, "ValidationException", "Entries[0].TraceHeader");
    let answer = bench
        .call("PutEvents", json!({"Entries": [entry()], "EndpointId": "a.b"}))
        .await;
    Bench::refused(answer, "ValidationException", "EndpointId");
    let mut large = entry();
    large["Detail"] = json!(format!("{{\"x\": \"{}\"}}", "y".repeat(600_000)));
    bench
        .call("PutEvents", json!({"Entries": [large]}))
        .await
        .expect("one is within the limit");
    let answer = bench.call("PutEvents", json!({"Entries": [large, large]})).await;
    Bench::refused(answer, "ValidationException", "Total size");
}

#[tokio::test]
async fn a_rule_matches_from_when_it_was_put_until_it_is_off() {
    let bench = with_rule(r#"{"source": ["shop"]}"#).await;
    let publish = || bench.call("PutEvents", json!({"Entries": [entry()]}));
    publish().await.expect("taken");
    settled(&bench, 1).await;
    bench
        .call("DisableRule", json!({"Name": "r"}))
        .await
        .expect("off");
    publish().await.expect("taken");
    bench.call("EnableRule", json!({"Name": "r"})).await.expect("on");
    publish().await.expect("taken");
    settled(&bench, 2).await;
    let other = json!({"Name": "r", "EventPattern": r#"{"source": ["other"]}"#});
    bench.call("PutRule", other).await.expect("replaced");
    publish().await.expect("taken");
    settled(&bench, 2).await;
    // Of other accounts and buses nothing comes.
    bench
        .call("CreateEventBus", json!({"Name": "orders"}))
        .await
        .expect("a bus");
    let mut elsewhere = entry();
    elsewhere["EventBusName"] = json!("orders");
    elsewhere["Source"] = json!("other");
    bench
        .call("PutEvents", json!({"Entries": [elsewhere]}))
        .await
        .expect("taken");
    let stranger = Ctx {
        account: "111111111111".parse().expect("an account"),
        ..ctx()
    };
    let mut foreign = entry();
    foreign["Source"] = json!("other");
    bench
        .call_as(&stranger, "PutEvents", json!({"Entries": [foreign]}))
        .await
        .expect("taken");
    settled(&bench, 2).await;
}

#[tokio::test]
async fn test_event_pattern_says_whether_it_matches() {
    let bench = Bench::new().await;
    let event = json!({"id": "1", "account": "0", "source": "shop", "time": "t", "region": "r", "resources": [],
        "detail-type": "x", "detail": {"a": 1}});
    let test = |pattern: &str, event: &str| {
        let request = json!({"EventPattern": pattern, "Event": event});
        let bench = &bench;
        async move { bench.call("TestEventPattern", request).await }
    };
    let whole = event.to_string();
    assert_eq!(
        test(r#"{"detail": {"a": [1]}}"#, &whole).await.expect("tested"),
        json!({"Result": true})
    );
    assert_eq!(
        test(r#"{"detail": {"a": [2]}}"#, &whole).await.expect("tested"),
        json!({"Result": false})
    );
    Bench::refused(test("{", &whole).await, "InvalidEventPatternException", "line: 1");
    Bench::refused(test(r#"{"a": [1]}"#, "{").await, "ValidationException", "no JSON");
    Bench::refused(
        test(r#"{"a": [1]}"#, "{}").await,
        "ValidationException",
        "id is a required argument",
    );
}
