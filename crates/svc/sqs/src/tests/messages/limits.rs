//! What no message can be, and how much of them there can be.

use serde_json::{Value as Json, json};

use crate::Options;
use crate::harness::Bench;

#[tokio::test]
async fn what_no_message_can_be_is_refused() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({"MaximumMessageSize": "1024"})).await;
    let attribute = |name: &str, value: Json| json!({"MessageAttributes": {name: value}});
    let many: serde_json::Map<String, Json> = (0..11)
        .map(|number| {
            (
                format!("n{number}"),
                json!({"DataType": "String", "StringValue": "x"}),
            )
        })
        .collect();
    for (more, code, words) in [
        (json!({"MessageBody": ""}), "MissingParameter", "MessageBody"),
        (
            json!({"MessageBody": "\u{b}"}),
            "InvalidMessageContents",
            "Invalid characters",
        ),
        (
            json!({"MessageBody": "x".repeat(1025)}),
            "InvalidParameterValue",
            "shorter than 1024 bytes",
        ),
        (
            json!({"MessageBody": "x".repeat(1020), "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x"}}}),
            "InvalidParameterValue",
            "shorter than 1024 bytes",
        ),
        (
            json!({"DelaySeconds": 901}),
            "InvalidParameterValue",
            "DelaySeconds",
        ),
        (
            json!({"MessageGroupId": "g"}),
            "InvalidParameterValue",
            "MessageGroupId",
        ),
        (
            json!({"MessageDeduplicationId": "d"}),
            "InvalidParameterValue",
            "MessageDeduplicationId",
        ),
        (
            json!({"MessageAttributes": many}),
            "InvalidParameterValue",
            "maximum [10]",
        ),
        (
            attribute("aws.x", json!({"DataType": "String", "StringValue": "x"})),
            "InvalidParameterValue",
            "reserved",
        ),
        (
            attribute(".x", json!({"DataType": "String", "StringValue": "x"})),
            "InvalidParameterValue",
            "Invalid attribute name",
        ),
        (
            attribute("x", json!({"DataType": "String"})),
            "InvalidParameterValue",
            "non-empty",
        ),
        (
            attribute("x", json!({"DataType": "Number", "StringValue": "x"})),
            "InvalidParameterValue",
            "no number",
        ),
        (
            attribute("x", json!({"DataType": "Text", "StringValue": "x"})),
            "InvalidParameterValue",
            "supported type prefixes",
        ),
        (
            attribute("x", json!({"DataType": "Binary", "BinaryValue": ""})),
            "InvalidParameterValue",
            "non-empty",
        ),
        (
            attribute(
                "x",
                json!({"DataType": "String", "StringValue": "x", "StringListValues": ["y"]}),
            ),
            "UnsupportedOperation",
            "list values",
        ),
        (
            attribute(
                "x",
                json!({"DataType": "String", "StringValue": "x", "BinaryListValues": ["eQ=="]}),
            ),
            "UnsupportedOperation",
            "list values",
        ),
        (
            json!({"MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "Number", "StringValue": "1"}}}),
            "InvalidParameterValue",
            "type String",
        ),
    ] {
        let mut input = json!({"QueueUrl": url, "MessageBody": "x"});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        Bench::refused(bench.call("SendMessage", input).await, code, words);
    }
    for (more, code, words) in [
        (
            json!({"MaxNumberOfMessages": 11}),
            "InvalidParameterValue",
            "MaxNumberOfMessages",
        ),
        (
            json!({"WaitTimeSeconds": 21}),
            "InvalidParameterValue",
            "WaitTimeSeconds",
        ),
        (
            json!({"VisibilityTimeout": -1}),
            "InvalidParameterValue",
            "VisibilityTimeout",
        ),
        (
            json!({"ReceiveRequestAttemptId": "a"}),
            "InvalidParameterValue",
            "ReceiveRequestAttemptId",
        ),
        (
            json!({"AttributeNames": ["QueueArn"]}),
            "InvalidAttributeName",
            "QueueArn",
        ),
    ] {
        let mut input = json!({"QueueUrl": url});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        Bench::refused(bench.call("ReceiveMessage", input).await, code, words);
    }
    assert_eq!(bench.sqs.messages.count(), 0);
}

#[tokio::test]
async fn there_is_an_end_to_what_is_taken_and_what_is_in_flight() {
    let options = Options {
        max_messages: 3,
        max_in_flight: 1,
        ..Options::default()
    };
    let bench = Bench::with(options).await;
    let url = bench.queue("q", json!({})).await;
    for body in ["a", "b", "c"] {
        bench.send(&url, body, json!({})).await;
    }
    let more = bench
        .call("SendMessage", json!({"QueueUrl": url, "MessageBody": "d"}))
        .await;
    Bench::refused(more, "OverLimit", "as many as this server takes");
    assert_eq!(bench.receive(&url, json!({})).await.len(), 1);
    let more = bench.call("ReceiveMessage", json!({"QueueUrl": url})).await;
    Bench::refused(more, "OverLimit", "in flight");
}
