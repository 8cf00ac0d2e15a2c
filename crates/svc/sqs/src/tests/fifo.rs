//! FIFO queues: order within groups, and each message once.

use serde_json::{Value as Json, json};

use crate::harness::Bench;

async fn fifo(bench: &Bench, more: Json) -> String {
    let mut attributes = json!({"FifoQueue": "true", "ContentBasedDeduplication": "true"});
    for (name, value) in more.as_object().into_iter().flatten() {
        attributes[name] = value.clone();
    }
    bench.queue("q.fifo", attributes).await
}

fn in_group(group: &str) -> Json {
    json!({"MessageGroupId": group})
}

#[tokio::test]
async fn a_group_is_received_in_order_and_by_one_at_a_time() {
    let bench = Bench::new().await;
    let url = fifo(&bench, json!({})).await;
    let first = bench.send(&url, "a1", in_group("a")).await;
    for (body, group) in [("b1", "b"), ("a2", "a"), ("a3", "a")] {
        bench.send(&url, body, in_group(group)).await;
    }
    let one = bench.receive(&url, json!({"MaxNumberOfMessages": 2})).await;
    let bodies: Vec<&Json> = one.iter().map(|message| &message["Body"]).collect();
    assert_eq!(bodies, ["a1", "a2"]);
    assert_eq!(one[0]["Attributes"]["SequenceNumber"], first["SequenceNumber"]);
    assert_eq!(one[0]["Attributes"]["MessageGroupId"], "a");
    assert!(
        one[0]["Attributes"]["MessageDeduplicationId"]
            .as_str()
            .expect("an id")
            .len()
            == 64
    );
    let bench = bench.restarted().await;
    assert_eq!(
        bench.bodies(&url).await,
        ["b1"],
        "the group waits, also over a restart"
    );
    for message in &one {
        let delete = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
        bench.call("DeleteMessage", delete).await.expect("deleted");
    }
    assert_eq!(bench.bodies(&url).await, ["a3"]);
    bench.clock.advance(30_000);
    let late = json!({"QueueUrl": url, "ReceiptHandle": one[0]["ReceiptHandle"]});
    bench.call("DeleteMessage", late).await.expect("gone already");
    assert_eq!(bench.bodies(&url).await, ["b1", "a3"]);
}

#[tokio::test]
async fn a_receipt_whose_time_is_over_deletes_nothing() {
    let bench = Bench::new().await;
    let url = fifo(&bench, json!({})).await;
    bench.send(&url, "a", in_group("a")).await;
    let had = bench.receive(&url, json!({})).await.remove(0);
    bench.clock.advance(30_000);
    let delete = json!({"QueueUrl": url, "ReceiptHandle": had["ReceiptHandle"]});
    Bench::refused(
        bench.call("DeleteMessage", delete).await,
        "InvalidParameterValue",
        "expired",
    );
}

#[tokio::test]
async fn the_same_message_is_sent_once_in_five_minutes() {
    let bench = Bench::new().await;
    let url = fifo(&bench, json!({})).await;
    let first = bench.send(&url, "a", in_group("g")).await;
    let by_id = json!({"MessageGroupId": "other", "MessageDeduplicationId": "d"});
    let second = bench.send(&url, "b", by_id.clone()).await;
    let bench = bench.restarted().await;
    let again = bench.send(&url, "a", in_group("other")).await;
    assert_eq!(
        (&again["MessageId"], &again["SequenceNumber"]),
        (&first["MessageId"], &first["SequenceNumber"])
    );
    assert_eq!(
        bench.send(&url, "c", by_id.clone()).await["MessageId"],
        second["MessageId"]
    );
    let batch = json!({"QueueUrl": url, "Entries": [
        {"Id": "1", "MessageBody": "x", "MessageGroupId": "g"}, {"Id": "2", "MessageBody": "x", "MessageGroupId": "g"}]});
    let sent = bench.call("SendMessageBatch", batch).await.expect("sent")["Successful"].clone();
    assert_eq!(sent[0]["MessageId"], sent[1]["MessageId"], "also within a batch");
    assert_eq!(bench.sqs.messages.count(), 3);
    bench.clock.advance(300_000);
    crate::sweep::once(&bench.sqs).await.expect("swept");
    assert_ne!(
        bench.send(&url, "c", by_id).await["MessageId"],
        second["MessageId"]
    );
    assert_eq!(bench.sqs.messages.count(), 4);
}

#[tokio::test]
async fn duplicates_are_looked_for_where_the_queue_says() {
    let bench = Bench::new().await;
    let more = json!({"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"});
    let url = fifo(&bench, more).await;
    let ids: Vec<Json> = [
        bench.send(&url, "a", in_group("g")).await,
        bench.send(&url, "a", in_group("h")).await,
        bench.send(&url, "a", in_group("g")).await,
    ]
    .iter()
    .map(|sent| sent["MessageId"].clone())
    .collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    assert_eq!(
        bench.attribute(&url, "FifoThroughputLimit").await,
        "perMessageGroupId"
    );
}

#[tokio::test]
async fn what_a_fifo_queue_needs_and_does_not_take() {
    let bench = Bench::new().await;
    let url = fifo(&bench, json!({"ContentBasedDeduplication": "false"})).await;
    let long = "x".repeat(129);
    for (more, code, words) in [
        (json!({}), "MissingParameter", "MessageGroupId"),
        (
            json!({"MessageGroupId": "g"}),
            "InvalidParameterValue",
            "MessageDeduplicationId provided explicitly",
        ),
        (
            json!({"MessageGroupId": "a b", "MessageDeduplicationId": "d"}),
            "InvalidParameterValue",
            "MessageGroupId",
        ),
        (
            json!({"MessageGroupId": "g", "MessageDeduplicationId": long}),
            "InvalidParameterValue",
            "MessageDeduplicationId",
        ),
        (
            json!({"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1}),
            "InvalidParameterValue",
            "DelaySeconds",
        ),
    ] {
        let mut input = json!({"QueueUrl": url, "MessageBody": "x"});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        Bench::refused(bench.call("SendMessage", input).await, code, words);
    }
}

#[tokio::test]
async fn an_attempt_to_receive_can_be_made_again() {
    let bench = Bench::new().await;
    let url = fifo(&bench, json!({})).await;
    for body in ["a", "b"] {
        bench.send(&url, body, in_group("g")).await;
    }
    let attempt = json!({"ReceiveRequestAttemptId": "once", "MaxNumberOfMessages": 1});
    let first = bench.receive(&url, attempt.clone()).await;
    bench.clock.advance(20_000);
    let again = bench.receive(&url, attempt.clone()).await;
    assert_eq!(first[0]["ReceiptHandle"], again[0]["ReceiptHandle"]);
    bench.clock.advance(20_000);
    assert!(bench.bodies(&url).await.is_empty(), "the timeout began anew");
    let delete = json!({"QueueUrl": url, "ReceiptHandle": again[0]["ReceiptHandle"]});
    bench.call("DeleteMessage", delete).await.expect("deleted");
    assert_eq!(
        bench.receive(&url, attempt).await[0]["Body"],
        "b",
        "what it got is gone, so it gets others"
    );
}
