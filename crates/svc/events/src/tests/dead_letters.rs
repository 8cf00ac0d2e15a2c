//! Queues as targets, and what becomes of events that could not be delivered.

use std::sync::Arc;

use roadstead_protocol::ApiError;
use roadstead_testing::Fake;
use serde_json::{Value as Json, json};

use crate::counts::Metric;
use crate::harness::{Bench, START};
use crate::tests::deliveries::{one_role, publish, target, until, with_cluster};

const ROLE: &str = "arn:aws:iam::000000000000:role/runner";
const RULE: &str = "arn:aws:events:us-east-1:000000000000:rule/r";

fn queue(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn sent(queues: &Fake) -> Vec<Json> {
    queues.done().into_iter().map(|done| done.input).collect()
}

/// A rule with a target, and queues.
async fn with_target(target: Json, script: Vec<Result<Json, ApiError>>) -> (Bench, Arc<Fake>) {
    let (bench, _cluster) = with_cluster(script).await;
    let queues = Fake::new(&roadstead_api_sqs::MODEL);
    bench.dispatcher.register(queues.clone());
    let targets = json!({"Rule": "r", "Targets": [target]});
    bench.call("PutTargets", targets).await.expect("taken");
    (bench, queues)
}

async fn delivered(bench: &Bench) {
    publish(bench).await;
    let running = bench.events.start();
    until("an end", || {
        let counts = &bench.events.counts;
        let ends = [Metric::Invocations, Metric::InvocationsFailedToBeSentToDlq];
        ends.into_iter().any(|end| counts.has(end)) && bench.events.owed.snapshot().is_empty()
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_queue_gets_what_the_target_asks_for_from_the_service_for_the_rule() {
    let target = json!({"Id": "t", "Arn": queue("q.fifo"), "InputPath": "$.detail",
        "SqsParameters": {"MessageGroupId": "g"}, "DeadLetterConfig": {"Arn": queue("dead")}});
    let (bench, queues) = with_target(target.clone(), Vec::new()).await;
    let shown = bench
        .call("ListTargetsByRule", json!({"Rule": "r"}))
        .await
        .expect("targets");
    assert_eq!(shown["Targets"], json!([target]));
    delivered(&bench).await;
    assert_eq!(
        sent(&queues),
        [
            json!({"QueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/q.fifo", "MessageBody": "{\"n\":1}",
            "MessageGroupId": "g"})
        ]
    );
    let ctx = queues.done()[0].ctx.clone();
    assert_eq!(ctx.caller.to_string(), "events.amazonaws.com");
    assert_eq!(ctx.origin.source_arn.as_deref(), Some(RULE));
}

#[tokio::test]
async fn a_queue_target_with_a_role_is_called_as_the_role() {
    let (bench, queues) =
        with_target(json!({"Id": "t", "Arn": queue("q"), "RoleArn": ROLE}), Vec::new()).await;
    delivered(&bench).await;
    let ctx = queues.done()[0].ctx.clone();
    assert!(
        ctx.caller.to_string().contains("assumed-role/runner"),
        "{}",
        ctx.caller
    );
    assert_eq!(ctx.origin.source_arn, None);
}

#[tokio::test]
async fn what_is_denied_is_a_dead_letter_at_once() {
    let denied = ApiError::client("AccessDeniedException", "not this role");
    let dead = json!({"DeadLetterConfig": {"Arn": queue("dead")}});
    let (bench, queues) = with_target(target(ROLE, dead), vec![Err(denied)]).await;
    delivered(&bench).await;
    let letter = sent(&queues).remove(0);
    assert_eq!(
        letter["QueueUrl"],
        "https://sqs.us-east-1.amazonaws.com/000000000000/dead"
    );
    let event: Json =
        serde_json::from_str(letter["MessageBody"].as_str().expect("a body")).expect("the event");
    assert_eq!(
        (&event["source"], &event["detail"]),
        (&json!("shop"), &json!({"n": 1}))
    );
    let text = |text: &str| json!({"DataType": "String", "StringValue": text});
    assert_eq!(
        letter["MessageAttributes"],
        json!({"RULE_ARN": text(RULE), "TARGET_ARN": text("arn:aws:ecs:us-east-1:000000000000:cluster/c"),
            "ERROR_CODE": text("NO_PERMISSIONS"), "ERROR_MESSAGE": text("AccessDeniedException: not this role"),
            "RETRY_ATTEMPTS": {"DataType": "Number", "StringValue": "0"}})
    );
}

#[tokio::test]
async fn what_was_tried_too_often_says_so_also_after_a_restart_and_when_the_queue_is_slow() {
    let broken = || Err(ApiError::new("ServerException", 500, "not now"));
    let more =
        json!({"DeadLetterConfig": {"Arn": queue("dead")}, "RetryPolicy": {"MaximumRetryAttempts": 1}});
    let (bench, queues) = with_target(target(ROLE, more), vec![broken(), broken()]).await;
    publish(&bench).await;
    let running = bench.events.start();
    let failures = |bench: &Bench| {
        bench
            .events
            .owed
            .snapshot()
            .iter()
            .map(|entry| entry.value.failures)
            .max()
    };
    until("the first failure", || failures(&bench) == Some(1)).await;
    queues.refuse(ApiError::new("ServiceUnavailable", 503, "busy"));
    bench.clock.advance(60_000);
    until("a letter that waits", || {
        let owed = bench.events.owed.snapshot();
        owed.iter()
            .any(|entry| entry.value.dead.is_some() && entry.value.failures == 1)
    })
    .await;
    running.stop().await;
    let again = Bench::over(bench.store.clone(), START.plus_millis(120_000)).await;
    again.dispatcher.register(queues.clone());
    again.dispatcher.set_authority(one_role());
    let running = again.events.start();
    until("the letter", || !sent(&queues).is_empty()).await;
    until("the end", || again.events.owed.snapshot().is_empty()).await;
    assert!(again.events.counts.has(Metric::InvocationsSentToDlq));
    running.stop().await;
    let attributes = sent(&queues)[0]["MessageAttributes"].clone();
    let value = |name: &str| attributes[name]["StringValue"].clone();
    assert_eq!(value("ERROR_CODE"), "ERROR_FROM_TARGET");
    assert_eq!(value("EXHAUSTED_RETRY_CONDITION"), "MaximumRetryAttempts");
    assert_eq!(value("RETRY_ATTEMPTS"), "1");
    assert_eq!(sent(&queues).len(), 1);
}

#[tokio::test]
async fn a_letter_that_the_queue_does_not_take_is_counted_and_gone() {
    let gone = ApiError::client("AWS.SimpleQueueService.NonExistentQueue", "no such queue");
    let target = json!({"Id": "t", "Arn": queue("q"), "DeadLetterConfig": {"Arn": queue("dead")}});
    let (bench, queues) = with_target(target, Vec::new()).await;
    queues.refuse(gone.clone());
    queues.refuse(gone);
    publish(&bench).await;
    let running = bench.events.start();
    until("the count", || {
        bench.events.counts.has(Metric::InvocationsFailedToBeSentToDlq)
    })
    .await;
    until("the end", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    assert!(sent(&queues).is_empty());
}

#[tokio::test]
async fn whatever_the_kind_of_target_its_role_is_who_calls_it() {
    let stranger = "arn:aws:iam::000000000000:role/stranger";
    for arn in [
        "arn:aws:logs:us-east-1:000000000000:log-group:/g".to_owned(),
        "arn:aws:events:us-east-1:000000000000:event-bus/default".to_owned(),
        "arn:aws:sns:us-east-1:000000000000:t".to_owned(),
        queue("q"),
    ] {
        let target =
            json!({"Id": "t", "Arn": arn, "RoleArn": stranger, "DeadLetterConfig": {"Arn": queue("dead")}});
        let (bench, queues) = with_target(target, Vec::new()).await;
        publish(&bench).await;
        let running = bench.events.start();
        until("the letter", || !sent(&queues).is_empty()).await;
        running.stop().await;
        let letter = sent(&queues).remove(0);
        let code = &letter["MessageAttributes"]["ERROR_CODE"]["StringValue"];
        assert_eq!(code, "FAILED_TO_ASSUME_ROLE", "{arn}");
    }
}

#[tokio::test]
async fn a_queue_gets_what_the_transformer_makes_of_the_event() {
    let transformer = json!({"InputPathsMap": {"n": "$.detail.n", "from": "$.source"},
        "InputTemplate": "{\"from\": <from>, \"n\": <n>, \"rule\": <aws.events.rule-arn>}"});
    let target = json!({"Id": "t", "Arn": queue("q"), "InputTransformer": transformer});
    let (bench, queues) = with_target(target, Vec::new()).await;
    delivered(&bench).await;
    let sent = sent(&queues);
    assert_eq!(sent.len(), 1);
    let body: Json = serde_json::from_str(sent[0]["MessageBody"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body, json!({"from": "shop", "n": 1, "rule": RULE}));
}

/// What is told of a delivery's change comes after its letter was sent, and found it still owed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_event_is_one_letter() {
    let role = "arn:aws:iam::000000000000:role/stranger";
    let target =
        json!({"Id": "t", "Arn": queue("q"), "RoleArn": role, "DeadLetterConfig": {"Arn": queue("dead")}});
    let (bench, queues) = with_target(target, Vec::new()).await;
    let running = bench.events.start();
    for _ in 0..300 {
        publish(&bench).await;
    }
    until("the end", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    assert_eq!(sent(&queues).len(), 300);
}
