//! What is published, and who gets it.

use roadstead_protocol::ApiError;
use roadstead_testing::{Asked, until};
use serde_json::{Value as Json, json};

use super::{Bench, arn, refused};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

#[tokio::test]
async fn each_queue_gets_what_its_filter_lets_through_in_the_form_it_asked_for() {
    let bench = Bench::new().await;
    bench.subscribe("all", json!({})).await;
    bench
        .subscribe("raw", json!({"RawMessageDelivery": "true"}))
        .await;
    bench
        .subscribe(
            "red",
            json!({"RawMessageDelivery": "true", "FilterPolicy": "{\"colour\":[\"red\"]}"}),
        )
        .await;
    bench
        .subscribe(
            "many",
            json!({"RawMessageDelivery": "true", "FilterPolicy": "{\"count\":[{\"numeric\":[\">\",10]}]}"}),
        )
        .await;
    let of_body = json!({"RawMessageDelivery": "true", "FilterPolicyScope": "MessageBody", "FilterPolicy": "{\"a\":{\"b\":[1]}}"});
    bench.subscribe("body", of_body).await;
    let attributes = json!({"colour": {"DataType": "String", "StringValue": "blue"}, "count": {"DataType": "Number", "StringValue": "11"},
        "bytes": {"DataType": "Binary", "BinaryValue": "AP8="}});
    let message = json!({"TopicArn": TOPIC, "Message": "{\"a\":{\"b\":1}}", "Subject": "news", "MessageAttributes": attributes});
    let id = bench.call("Publish", message).await.expect("published")["MessageId"].clone();
    let delivered = bench.delivered(4).await;
    let queues: Vec<&str> = delivered.iter().map(|(queue, _)| queue.as_str()).collect();
    assert_eq!(queues, ["all", "body", "many", "raw"]);
    let whole: Json = serde_json::from_str(&delivered[0].1).expect("JSON");
    assert_eq!(
        whole,
        json!({"Type": "Notification", "MessageId": id, "TopicArn": TOPIC, "Subject": "news", "Message": "{\"a\":{\"b\":1}}",
            "Timestamp": "2023-11-14T22:13:20.000Z", "MessageAttributes": {"colour": {"Type": "String", "Value": "blue"},
                "count": {"Type": "Number", "Value": "11"}, "bytes": {"Type": "Binary", "Value": "AP8="}}})
    );
    assert_eq!(delivered[3].1, "{\"a\":{\"b\":1}}");
    let done = bench.queues.done();
    let to_raw = |asked: &&Asked| {
        asked.input["QueueUrl"]
            .as_str()
            .is_some_and(|url| url.ends_with("/raw"))
    };
    let Asked {
        ctx,
        operation,
        input,
    } = done.iter().find(to_raw).expect("sent");
    assert_eq!(
        (*operation, &input["MessageAttributes"]),
        ("SendMessage", &attributes)
    );
    assert_eq!(ctx.caller.to_string(), "sns.amazonaws.com");
    assert_eq!(ctx.origin.source_arn.as_deref(), Some(TOPIC));
}

#[tokio::test]
async fn a_message_may_have_a_text_for_queues() {
    let bench = Bench::new().await;
    bench.subscribe("q", json!({"RawMessageDelivery": "true"})).await;
    let publish = |message: &str| {
        bench.call(
            "Publish",
            json!({"TargetArn": TOPIC, "MessageStructure": "json", "Message": message}),
        )
    };
    publish(r#"{"default": "d", "sqs": "s"}"#)
        .await
        .expect("published");
    publish(r#"{"default": "d", "email": "e"}"#)
        .await
        .expect("published");
    refused(
        publish(r#"{"sqs": "s"}"#).await,
        "InvalidParameter",
        "No default entry",
    );
    refused(publish("{").await, "InvalidParameter", "failed to parse");
    let bodies: Vec<String> = bench
        .delivered(2)
        .await
        .into_iter()
        .map(|(_, body)| body)
        .collect();
    assert_eq!(bodies, ["d", "s"]);
}

#[tokio::test]
async fn batches_succeed_and_fail_entry_by_entry() {
    let bench = Bench::new().await;
    bench.subscribe("q", json!({"RawMessageDelivery": "true"})).await;
    let publish = |entries: Json| {
        bench.call(
            "PublishBatch",
            json!({"TopicArn": TOPIC, "PublishBatchRequestEntries": entries}),
        )
    };
    let full = json!({"Id": "1", "Message": "{\"default\": \"one\"}", "MessageStructure": "json", "Subject": "s",
        "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}});
    let answer = publish(
        json!([full, {"Id": "2", "Message": ""}, {"Id": "3", "Message": "x", "MessageGroupId": "g"},
        {"Id": "4", "Message": "x", "MessageDeduplicationId": "d"}]),
    )
    .await
    .expect("answered");
    assert_eq!(answer["Successful"][0]["Id"], "1");
    let failed: Vec<&Json> = answer["Failed"]
        .as_array()
        .expect("failed")
        .iter()
        .map(|failed| &failed["Code"])
        .collect();
    assert_eq!(failed, ["InvalidParameter"; 3]);
    assert_eq!(bench.delivered(1).await, [("q".to_owned(), "one".to_owned())]);
    let entry = |id: &str, size: usize| json!({"Id": id, "Message": "x".repeat(size)});
    let eleven: Vec<Json> = (0..11).map(|number| entry(&number.to_string(), 1)).collect();
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(eleven), "TooManyEntriesInBatchRequest"),
        (json!([entry("1", 1), entry("1", 1)]), "BatchEntryIdsNotDistinct"),
        (json!([entry("a b", 1)]), "InvalidBatchEntryId"),
        (
            json!([entry("1", 200_000), entry("2", 200_000)]),
            "BatchRequestTooLong",
        ),
    ] {
        refused(publish(entries).await, code, "");
    }
}

#[tokio::test]
async fn what_no_message_can_be_is_refused() {
    let bench = Bench::new().await;
    bench.topic().await;
    let attribute =
        |value: Json| json!({"TopicArn": TOPIC, "Message": "x", "MessageAttributes": {"a": value}});
    for (input, code, words) in [
        (
            json!({"Message": "x"}),
            "InvalidParameter",
            "no value for required parameter",
        ),
        (
            json!({"Message": "x", "TopicArn": TOPIC, "TargetArn": TOPIC}),
            "InvalidParameter",
            "exactly one",
        ),
        (
            json!({"Message": "x", "PhoneNumber": "+1"}),
            "InvalidParameter",
            "PhoneNumber",
        ),
        (
            json!({"TopicArn": "arn:aws:sns:us-east-1:000000000000:x", "Message": "x"}),
            "NotFound",
            "does not exist",
        ),
        (
            json!({"TopicArn": TOPIC, "Message": ""}),
            "InvalidParameter",
            "Empty message",
        ),
        (
            json!({"TopicArn": TOPIC, "Message": "x", "Subject": "a\nb"}),
            "InvalidParameter",
            "Subject",
        ),
        (
            json!({"TopicArn": TOPIC, "Message": "x".repeat(262_145)}),
            "InvalidParameter",
            "too long",
        ),
        (
            json!({"TopicArn": TOPIC, "Message": "x", "MessageStructure": "xml"}),
            "InvalidParameter",
            "MessageStructure",
        ),
        (
            json!({"TopicArn": TOPIC, "Message": "x", "MessageGroupId": "g"}),
            "InvalidParameter",
            "MessageGroupId",
        ),
        (
            json!({"TopicArn": TOPIC, "Message": "x", "MessageDeduplicationId": "g"}),
            "InvalidParameter",
            "MessageDeduplicationId",
        ),
        (
            attribute(json!({"DataType": "String"})),
            "ParameterValueInvalid",
            "The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'.",
        ),
        (
            attribute(json!({"DataType": "Binary", "BinaryValue": ""})),
            "ParameterValueInvalid",
            "type 'Binary'",
        ),
        (
            attribute(json!({"DataType": "String", "StringValue": "x", "BinaryValue": "AP8="})),
            "ParameterValueInvalid",
            "not two",
        ),
        (
            attribute(json!({"DataType": "Text", "StringValue": "x"})),
            "ParameterValueInvalid",
            "supported type prefixes is Binary, Number, and String",
        ),
        (
            attribute(json!({"DataType": "Number", "StringValue": "x"})),
            "ParameterValueInvalid",
            "Could not cast message attribute 'a' value to number.",
        ),
        (
            attribute(json!({"DataType": "String.Array", "StringValue": "x"})),
            "ParameterValueInvalid",
            "no JSON array",
        ),
    ] {
        refused(bench.call("Publish", input).await, code, words);
    }
}

#[tokio::test]
async fn what_fails_for_now_is_tried_again_after_a_restart_and_what_is_denied_is_a_dead_letter() {
    let bench = Bench::new().await;
    let dead = json!({"deadLetterTargetArn": arn("dead")}).to_string();
    bench
        .subscribe("q", json!({"RawMessageDelivery": "true", "RedrivePolicy": dead}))
        .await;
    bench
        .queues
        .refuse(ApiError::new("ServiceUnavailable", 503, "busy"));
    bench
        .call("Publish", json!({"TopicArn": TOPIC, "Message": "one"}))
        .await
        .expect("published");
    let running = bench.sns.start();
    until("the first failure", || {
        let owed = bench.sns.owed.snapshot();
        owed.iter().any(|entry| entry.value.failures == 1)
    })
    .await;
    running.stop().await;
    let bench = bench.restarted(60_000).await;
    assert_eq!(bench.delivered(1).await, [("q".to_owned(), "one".to_owned())]);
    bench
        .queues
        .refuse(ApiError::client("AccessDeniedException", "no"));
    bench
        .call("Publish", json!({"TopicArn": TOPIC, "Message": "two"}))
        .await
        .expect("published");
    let delivered = bench.delivered(2).await;
    assert_eq!(delivered[0], ("dead".to_owned(), "two".to_owned()));
}

/// What is told of a delivery's change comes after its letter was sent, and found it still owed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_message_is_one_letter() {
    let bench = Bench::new().await;
    let dead = json!({"deadLetterTargetArn": arn("dead")}).to_string();
    bench.subscribe("q", json!({"RedrivePolicy": dead})).await;
    let running = bench.sns.start();
    for number in 0..100 {
        bench
            .queues
            .refuse(ApiError::client("AccessDeniedException", "no"));
        let message = json!({"TopicArn": TOPIC, "Message": "one"});
        bench.call("Publish", message).await.expect("published");
        until("the letter", || bench.queues.done().len() > number).await;
        until("the end", || bench.sns.owed.snapshot().is_empty()).await;
    }
    running.stop().await;
    assert_eq!(bench.queues.done().len(), 100);
}
