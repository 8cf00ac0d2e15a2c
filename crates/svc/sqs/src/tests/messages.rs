//! Messages of standard queues, from sending to deleting.

mod limits;

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};
use crate::sweep;

#[tokio::test]
async fn what_is_sent_comes_back_whole_with_its_sums() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    let attributes = json!({"city": {"DataType": "String", "StringValue": "Any City"},
        "population": {"DataType": "Number.int", "StringValue": "1250800"},
        "greeting": {"DataType": "Binary", "BinaryValue": "SGVsbG8="}});
    let trace = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}});
    let sent = bench
        .send(
            &url,
            "hello",
            json!({"MessageAttributes": attributes, "MessageSystemAttributes": trace}),
        )
        .await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    // Computed apart from this, by the developer guide's recipe.
    assert_eq!(sent["MD5OfMessageAttributes"], "d42ee5e0cea3756df1fb57b78a6ba2f4");
    assert_eq!(
        sent["MD5OfMessageSystemAttributes"],
        "62a56dd927315f2b2e12832b84617ea5"
    );
    bench.clock.advance(1500);
    let message = bench.receive(&url, json!({})).await.remove(0);
    assert_eq!(
        (&message["Body"], &message["MessageId"]),
        (&json!("hello"), &sent["MessageId"])
    );
    assert_eq!(
        (&message["MD5OfBody"], &message["MessageAttributes"]),
        (&sent["MD5OfMessageBody"], &attributes)
    );
    assert_eq!(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    assert_eq!(
        message["Attributes"],
        json!({"SenderId": "000000000000", "SentTimestamp": START.0.to_string(), "ApproximateReceiveCount": "1",
            "ApproximateFirstReceiveTimestamp": (START.0 + 1500).to_string(),
            "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793"})
    );
}

#[tokio::test]
async fn only_what_was_asked_for_is_shown() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    let one = json!({"DataType": "String", "StringValue": "x"});
    let attributes = json!({"a.b": one, "a.c": one, "d": one});
    for (asked, shown) in [
        (
            json!({"MessageAttributeNames": ["a.*"], "MessageSystemAttributeNames": []}),
            vec!["a.b", "a.c"],
        ),
        (
            json!({"MessageAttributeNames": ["d"], "AttributeNames": ["SentTimestamp"]}),
            vec!["d"],
        ),
        (
            json!({"MessageAttributeNames": [".*"], "AttributeNames": ["All"]}),
            vec!["a.b", "a.c", "d"],
        ),
        (json!({"MessageAttributeNames": []}), vec![]),
    ] {
        bench
            .send(&url, "m", json!({"MessageAttributes": attributes}))
            .await;
        let mut input = asked.clone();
        input["QueueUrl"] = json!(url);
        input["VisibilityTimeout"] = json!(43200);
        let answer = bench.call("ReceiveMessage", input).await.expect("received");
        let message = &answer["Messages"][0];
        let names: Vec<&str> = message["MessageAttributes"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, shown, "{asked}");
        let system = message["Attributes"].as_object().map_or(0, serde_json::Map::len);
        let wanted = match asked.get("AttributeNames") {
            None => 0,
            Some(names) if names[0] == "All" => 4,
            Some(_) => 1,
        };
        assert_eq!(system, wanted, "{asked}");
    }
}

#[tokio::test]
async fn a_message_is_hidden_while_somebody_has_it_and_gone_once_deleted() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({"VisibilityTimeout": "30"})).await;
    bench.send(&url, "a", json!({})).await;
    let first = bench.receive(&url, json!({})).await.remove(0);
    assert!(bench.bodies(&url).await.is_empty());
    assert_eq!(
        bench
            .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
            .await,
        "1"
    );
    bench.clock.advance(30_000);
    let second = bench.receive(&url, json!({})).await.remove(0);
    assert_ne!(first["ReceiptHandle"], second["ReceiptHandle"]);
    assert_eq!(second["Attributes"]["ApproximateReceiveCount"], "2");
    let delete =
        |handle: &Json| bench.call("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle}));
    delete(&first["ReceiptHandle"]).await.expect("answered");
    assert_eq!(
        bench
            .attribute(&url, "ApproximateNumberOfMessagesNotVisible")
            .await,
        "1",
        "an old receipt deletes nothing"
    );
    delete(&second["ReceiptHandle"]).await.expect("deleted");
    delete(&second["ReceiptHandle"]).await.expect("the same again");
    bench.clock.advance(60_000);
    assert!(bench.bodies(&url).await.is_empty());
    Bench::refused(delete(&json!("x")).await, "ReceiptHandleIsInvalid", "invalid");
    let other = bench.queue("other", json!({})).await;
    let elsewhere = json!({"QueueUrl": other, "ReceiptHandle": second["ReceiptHandle"]});
    Bench::refused(
        bench.call("DeleteMessage", elsewhere).await,
        "ReceiptHandleIsInvalid",
        "invalid",
    );
}

#[tokio::test]
async fn visibility_is_changed_by_who_has_the_message() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    bench.send(&url, "a", json!({})).await;
    let handle = bench
        .receive(&url, json!({"VisibilityTimeout": 10}))
        .await
        .remove(0)["ReceiptHandle"]
        .clone();
    let change = |timeout: i32| {
        bench.call(
            "ChangeMessageVisibility",
            json!({"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": timeout}),
        )
    };
    change(100).await.expect("longer");
    bench.clock.advance(99_000);
    assert!(bench.bodies(&url).await.is_empty());
    Bench::refused(change(43_200).await, "InvalidParameterValue", "beyond the limit");
    Bench::refused(
        change(43_201).await,
        "InvalidParameterValue",
        "between 0 and 43200",
    );
    change(0).await.expect("at once");
    Bench::refused(change(5).await, "MessageNotInflight", "in flight");
    assert_eq!(bench.bodies(&url).await, ["a"]);
    Bench::refused(
        change(5).await,
        "InvalidParameterValue",
        "does not exist or is not available",
    );
    let batch = json!({"QueueUrl": url, "Entries": [{"Id": "1", "ReceiptHandle": handle, "VisibilityTimeout": 1},
        {"Id": "2", "ReceiptHandle": "x", "VisibilityTimeout": 1}, {"Id": "3", "ReceiptHandle": handle}]});
    let answer = bench
        .call("ChangeMessageVisibilityBatch", batch)
        .await
        .expect("answered");
    let codes: Vec<&Json> = answer["Failed"]
        .as_array()
        .expect("failed")
        .iter()
        .map(|failed| &failed["Code"])
        .collect();
    assert_eq!(
        codes,
        [
            "InvalidParameterValue",
            "ReceiptHandleIsInvalid",
            "MissingParameter"
        ]
    );
    let handle = bench.receive(&url, json!({})).await;
    assert!(handle.is_empty());
}

#[tokio::test]
async fn batches_succeed_and_fail_entry_by_entry() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    let send = |entries: Json| bench.call("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries}));
    let entry = |id: &str, body: &str| json!({"Id": id, "MessageBody": body});
    let answer = send(json!([entry("1", "a"), entry("2", "\u{0}"), entry("3", "c")]))
        .await
        .expect("answered");
    let ids: Vec<&Json> = answer["Successful"]
        .as_array()
        .expect("sent")
        .iter()
        .map(|sent| &sent["Id"])
        .collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!(
        (
            &answer["Failed"][0]["Id"],
            &answer["Failed"][0]["Code"],
            &answer["Failed"][0]["SenderFault"]
        ),
        (&json!("2"), &json!("InvalidMessageContents"), &json!(true))
    );
    let eleven: Vec<Json> = (0..11).map(|number| entry(&number.to_string(), "x")).collect();
    let large = "x".repeat(600 * 1024);
    for (entries, code, words) in [
        (
            json!([]),
            "EmptyBatchRequest",
            "at least one SendMessageBatchRequestEntry",
        ),
        (json!(eleven), "TooManyEntriesInBatchRequest", "sent 11"),
        (
            json!([entry("1", "a"), entry("1", "b")]),
            "BatchEntryIdsNotDistinct",
            "Id 1 repeated",
        ),
        (
            json!([entry("a b", "a")]),
            "InvalidBatchEntryId",
            "batch entry id",
        ),
        (
            json!([entry("1", &large), entry("2", &large)]),
            "BatchRequestTooLong",
            "1048576",
        ),
    ] {
        Bench::refused(send(entries).await, code, words);
    }
    let mut entries: Vec<Json> = bench
        .receive(&url, json!({}))
        .await
        .iter()
        .enumerate()
        .map(|(number, message)| json!({"Id": number.to_string(), "ReceiptHandle": message["ReceiptHandle"]}))
        .collect();
    assert_eq!(entries.len(), 2);
    entries.push(json!({"Id": "bad", "ReceiptHandle": "x"}));
    let delete = json!({"QueueUrl": url, "Entries": entries});
    let answer = bench.call("DeleteMessageBatch", delete).await.expect("answered");
    assert_eq!(answer["Successful"], json!([{"Id": "0"}, {"Id": "1"}]));
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(bench.sqs.messages.count(), 0);
}

#[tokio::test]
async fn delays_of_queue_and_message_hold_messages_back() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({"DelaySeconds": "5"})).await;
    bench.send(&url, "late", json!({})).await;
    bench.send(&url, "later", json!({"DelaySeconds": 10})).await;
    bench.send(&url, "now", json!({"DelaySeconds": 0})).await;
    assert_eq!(
        bench.attribute(&url, "ApproximateNumberOfMessagesDelayed").await,
        "2"
    );
    assert_eq!(bench.bodies(&url).await, ["now"]);
    bench.clock.advance(5000);
    assert_eq!(bench.bodies(&url).await, ["late"]);
    bench.clock.advance(5000);
    assert_eq!(bench.bodies(&url).await, ["later"]);
}

#[tokio::test]
async fn whoever_waits_gets_what_arrives_and_nothing_after_their_time() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    let waiting = bench.receive(&url, json!({"WaitTimeSeconds": 20}));
    let sending = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        bench.send(&url, "a", json!({})).await;
    };
    let (received, ()) = tokio::join!(waiting, sending);
    assert_eq!(received[0]["Body"], "a");
    // The queue's own wait, and the clock runs on.
    let set = json!({"QueueUrl": url, "Attributes": {"ReceiveMessageWaitTimeSeconds": "20"}});
    bench.call("SetQueueAttributes", set).await.expect("set");
    let waiting = bench.receive(&url, json!({}));
    let passing = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        bench.clock.advance(20_000);
        bench.sqs.messages.wake_all();
    };
    let (received, ()) = tokio::join!(waiting, passing);
    assert!(received.is_empty());
    // A stop ends the wait.
    let running = bench.sqs.start();
    let (received, ()) = tokio::join!(bench.receive(&url, json!({})), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        running.stop().await;
    });
    assert!(received.is_empty());
}

#[tokio::test]
async fn everything_is_as_it_was_after_a_restart_and_sealed_on_disk() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    let plain = bench
        .queue("plain", json!({"SqsManagedSseEnabled": "false"}))
        .await;
    for body in ["secret-one", "secret-two"] {
        bench.send(&url, body, json!({})).await;
    }
    bench.send(&plain, "open-three", json!({})).await;
    let had = bench
        .receive(&url, json!({"MaxNumberOfMessages": 1}))
        .await
        .remove(0);
    let bench = bench.restarted().await;
    assert_eq!(
        bench.bodies(&url).await,
        ["secret-two"],
        "the other is still with somebody"
    );
    let delete = json!({"QueueUrl": url, "ReceiptHandle": had["ReceiptHandle"]});
    bench
        .call("DeleteMessage", delete)
        .await
        .expect("deleted by a handle from before");
    assert_eq!(bench.bodies(&plain).await, ["open-three"]);
    bench.clock.advance(30_000);
    let again = bench.receive(&url, json!({})).await.remove(0);
    assert_eq!(
        (&again["Body"], &again["Attributes"]["ApproximateReceiveCount"]),
        (&json!("secret-two"), &json!("2"))
    );
    let on_disk = |words: &str| {
        let files = walk(bench.folder());
        files.iter().any(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes
                .windows(words.len())
                .any(|window| window == words.as_bytes())
        })
    };
    assert!(on_disk("open-three") && !on_disk("secret-"));
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        match entry.path() {
            path if path.is_dir() => files.extend(walk(&path)),
            path => files.push(path),
        }
    }
    files
}

#[tokio::test]
async fn what_is_too_old_is_cleared_away() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({"MessageRetentionPeriod": "60"})).await;
    bench.send(&url, "old", json!({})).await;
    bench.clock.advance(60_000);
    bench.send(&url, "new", json!({})).await;
    sweep::once(&bench.sqs).await.expect("swept");
    assert_eq!(bench.sqs.messages.count(), 2, "not older than a minute yet");
    bench.clock.advance(1);
    sweep::once(&bench.sqs).await.expect("swept");
    assert_eq!(bench.bodies(&url).await, ["new"]);
    assert_eq!(bench.sqs.messages.count(), 1);
}
