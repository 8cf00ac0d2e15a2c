//! Dead letters, and the tasks that take them back.

use serde_json::{Value as Json, json};

use crate::harness::Bench;
use crate::moves;

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn redrive(target: &str, most: u32) -> Json {
    json!({"RedrivePolicy": json!({"deadLetterTargetArn": arn(target), "maxReceiveCount": most}).to_string()})
}

/// A queue `q` whose dead letters go to `dead`.
async fn with_dead_letters(bench: &Bench) -> (String, String) {
    let dead = bench.queue("dead", json!({})).await;
    let url = bench.queue("q", redrive("dead", 2)).await;
    (url, dead)
}

/// Sends messages, and receives each so often that all are dead letters.
async fn die(bench: &Bench, url: &str, bodies: &[&str]) {
    for body in bodies {
        bench.send(url, body, json!({})).await;
    }
    for _ in 0..2 {
        assert_eq!(bench.bodies(url).await.len(), bodies.len());
        bench.clock.advance(30_000);
    }
    assert!(bench.bodies(url).await.is_empty());
}

#[tokio::test]
async fn what_is_received_too_often_goes_to_the_dead_letter_queue() {
    let bench = Bench::new().await;
    let (url, dead) = with_dead_letters(&bench).await;
    let sources = bench
        .call("ListDeadLetterSourceQueues", json!({"QueueUrl": dead}))
        .await
        .expect("sources");
    assert_eq!(sources, json!({"queueUrls": [url]}));
    let sent = bench.send(&url, "a", json!({})).await;
    for _ in 0..2 {
        assert_eq!(bench.bodies(&url).await, ["a"]);
        bench.clock.advance(30_000);
    }
    assert!(bench.bodies(&url).await.is_empty());
    let bench = bench.restarted().await;
    let message = bench.receive(&dead, json!({})).await.remove(0);
    assert_eq!(
        (&message["Body"], &message["MessageId"]),
        (&json!("a"), &sent["MessageId"])
    );
    let attributes = &message["Attributes"];
    assert_eq!(attributes["DeadLetterQueueSourceArn"], arn("q"));
    assert_eq!(attributes["ApproximateReceiveCount"], "1");
    assert_eq!(bench.sqs.messages.count(), 1);
}

#[tokio::test]
async fn without_the_dead_letter_queue_messages_stay() {
    let bench = Bench::new().await;
    let (url, dead) = with_dead_letters(&bench).await;
    bench
        .call("DeleteQueue", json!({"QueueUrl": dead}))
        .await
        .expect("deleted");
    bench.send(&url, "a", json!({})).await;
    for _ in 0..4 {
        assert_eq!(bench.bodies(&url).await, ["a"]);
        bench.clock.advance(30_000);
    }
    let off = json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": ""}});
    bench.call("SetQueueAttributes", off).await.expect("set");
    assert_eq!(bench.attribute(&url, "RedrivePolicy").await, "none");
}

#[tokio::test]
async fn a_task_takes_dead_letters_back_to_where_they_came_from() {
    let bench = Bench::new().await;
    let (url, dead) = with_dead_letters(&bench).await;
    die(&bench, &url, &["a", "b", "c"]).await;
    let start = json!({"SourceArn": arn("dead"), "MaxNumberOfMessagesPerSecond": 2});
    let started = bench
        .call("StartMessageMoveTask", start.clone())
        .await
        .expect("started");
    Bench::refused(
        bench.call("StartMessageMoveTask", start).await,
        "UnsupportedOperation",
        "already a task",
    );
    assert!(moves::round(&bench.sqs).await.expect("a lot"), "one is left");
    let list = json!({"SourceArn": arn("dead"), "MaxResults": 10});
    let shown = bench
        .call("ListMessageMoveTasks", list.clone())
        .await
        .expect("tasks")["Results"][0]
        .clone();
    assert_eq!(shown["TaskHandle"], started["TaskHandle"]);
    assert_eq!(
        (
            &shown["Status"],
            &shown["ApproximateNumberOfMessagesMoved"],
            &shown["ApproximateNumberOfMessagesToMove"]
        ),
        (&json!("RUNNING"), &json!(2), &json!(3))
    );
    let bench = bench.restarted().await;
    assert!(!moves::round(&bench.sqs).await.expect("the rest"));
    let shown = bench.call("ListMessageMoveTasks", list).await.expect("tasks")["Results"][0].clone();
    assert_eq!(
        (&shown["Status"], &shown["ApproximateNumberOfMessagesMoved"]),
        (&json!("COMPLETED"), &json!(3))
    );
    assert!(shown.get("TaskHandle").is_none());
    let mut back = bench.bodies(&url).await;
    back.sort();
    assert_eq!(back, ["a", "b", "c"]);
    assert_eq!(bench.attribute(&dead, "ApproximateNumberOfMessages").await, "0");
    let cancel = bench
        .call(
            "CancelMessageMoveTask",
            json!({"TaskHandle": started["TaskHandle"]}),
        )
        .await;
    Bench::refused(cancel, "UnsupportedOperation", "Only active tasks");
}

#[tokio::test]
async fn a_task_goes_to_another_queue_is_cancelled_or_fails_with_a_reason() {
    let bench = Bench::new().await;
    let (url, dead) = with_dead_letters(&bench).await;
    let other = bench.queue("other", json!({})).await;
    die(&bench, &url, &["a", "b"]).await;
    let start =
        json!({"SourceArn": arn("dead"), "DestinationArn": arn("other"), "MaxNumberOfMessagesPerSecond": 1});
    let task = bench.call("StartMessageMoveTask", start).await.expect("started")["TaskHandle"].clone();
    moves::round(&bench.sqs).await.expect("a lot");
    let cancelled = bench
        .call("CancelMessageMoveTask", json!({"TaskHandle": task}))
        .await
        .expect("cancelled");
    assert_eq!(cancelled["ApproximateNumberOfMessagesMoved"], 1);
    assert!(!moves::round(&bench.sqs).await.expect("nothing"));
    assert_eq!(bench.bodies(&other).await.len(), 1);
    assert_eq!(bench.attribute(&dead, "ApproximateNumberOfMessages").await, "1");
    bench.clock.advance(1);
    // What was sent there by hand came from nowhere.
    bench.send(&dead, "stray", json!({})).await;
    bench
        .call("StartMessageMoveTask", json!({"SourceArn": arn("dead")}))
        .await
        .expect("started");
    moves::round(&bench.sqs).await.expect("a lot");
    let shown = bench
        .call("ListMessageMoveTasks", json!({"SourceArn": arn("dead")}))
        .await
        .expect("tasks");
    assert_eq!(shown["Results"][0]["Status"], "FAILED");
    assert_eq!(
        shown["Results"][0]["FailureReason"],
        "CouldNotDetermineMessageSource"
    );
    assert_eq!(bench.bodies(&dead).await, ["stray"]);
    for (operation, input, code, words) in [
        (
            "StartMessageMoveTask",
            json!({"SourceArn": arn("q")}),
            "InvalidParameterValue",
            "Dead Letter Queue",
        ),
        (
            "StartMessageMoveTask",
            json!({"SourceArn": arn("x")}),
            "ResourceNotFoundException",
            "SourceArn",
        ),
        (
            "StartMessageMoveTask",
            json!({"SourceArn": arn("dead"), "DestinationArn": arn("dead")}),
            "InvalidParameterValue",
            "same",
        ),
        (
            "StartMessageMoveTask",
            json!({"SourceArn": arn("dead"), "MaxNumberOfMessagesPerSecond": 501}),
            "InvalidParameterValue",
            "500",
        ),
        (
            "ListMessageMoveTasks",
            json!({"SourceArn": arn("dead"), "MaxResults": 11}),
            "InvalidParameterValue",
            "10",
        ),
        (
            "CancelMessageMoveTask",
            json!({"TaskHandle": "x"}),
            "InvalidParameterValue",
            "TaskHandle",
        ),
    ] {
        Bench::refused(bench.call(operation, input).await, code, words);
    }
}

#[tokio::test]
async fn dead_letters_of_a_group_keep_their_order() {
    let bench = Bench::new().await;
    let fifo = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    let dead = bench.queue("dead.fifo", fifo.clone()).await;
    let mut attributes = fifo;
    attributes["RedrivePolicy"] = redrive("dead.fifo", 1)["RedrivePolicy"].clone();
    let url = bench.queue("q.fifo", attributes).await;
    for body in ["a", "b", "c"] {
        bench.send(&url, body, json!({"MessageGroupId": "g"})).await;
    }
    assert_eq!(bench.bodies(&url).await, ["a", "b", "c"]);
    bench.clock.advance(30_000);
    assert!(bench.bodies(&url).await.is_empty());
    assert_eq!(bench.bodies(&dead).await, ["a", "b", "c"]);
}
