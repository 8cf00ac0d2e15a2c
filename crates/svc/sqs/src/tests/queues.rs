//! Queues themselves: made, found, set, shown, tagged, purged, deleted.

use serde_json::{Value as Json, json};

use crate::harness::Bench;

#[tokio::test]
async fn create_queue_once_find_it_set_it_and_show_it() {
    let bench = Bench::new().await;
    let attributes = json!({"DelaySeconds": "5", "VisibilityTimeout": "60", "MaximumMessageSize": "2048",
        "MessageRetentionPeriod": "3600", "ReceiveMessageWaitTimeSeconds": "2", "SqsManagedSseEnabled": "false"});
    let url = bench.queue("q", attributes.clone()).await;
    assert_eq!(url, "http://127.0.0.1:4566/000000000000/q");
    assert_eq!(bench.queue("q", attributes.clone()).await, url, "the same again");
    let other = json!({"QueueName": "q", "Attributes": {"DelaySeconds": "6"}});
    Bench::refused(
        bench.call("CreateQueue", other).await,
        "QueueAlreadyExists",
        "attribute DelaySeconds",
    );
    let tagged = json!({"QueueName": "q", "tags": {"a": "b"}});
    Bench::refused(
        bench.call("CreateQueue", tagged).await,
        "QueueAlreadyExists",
        "tags",
    );
    let found = bench
        .call(
            "GetQueueUrl",
            json!({"QueueName": "q", "QueueOwnerAWSAccountId": "000000000000"}),
        )
        .await;
    assert_eq!(found.expect("found")["QueueUrl"], url);
    let asked = json!({"QueueUrl": url, "AttributeNames": ["All"]});
    let shown = bench
        .call("GetQueueAttributes", asked.clone())
        .await
        .expect("shown")["Attributes"]
        .clone();
    for (name, value) in attributes.as_object().expect("attributes") {
        assert_eq!(&shown[name], value);
    }
    assert_eq!(shown["QueueArn"], "arn:aws:sqs:us-east-1:000000000000:q");
    assert_eq!(shown["CreatedTimestamp"], "1700000000");
    assert_eq!(shown["ApproximateNumberOfMessages"], "0");
    assert!(shown.get("FifoQueue").is_none() && shown.get("Policy").is_none());
    bench.clock.advance(5000);
    let set = json!({"QueueUrl": url, "Attributes": {"DelaySeconds": "0", "SqsManagedSseEnabled": "true"}});
    bench.call("SetQueueAttributes", set).await.expect("set");
    let bench = bench.restarted().await;
    let shown = bench.call("GetQueueAttributes", asked).await.expect("shown")["Attributes"].clone();
    assert_eq!(
        (&shown["DelaySeconds"], &shown["VisibilityTimeout"]),
        (&json!("0"), &json!("60"))
    );
    assert_eq!(shown["SqsManagedSseEnabled"], "true");
    assert_eq!(shown["LastModifiedTimestamp"], "1700000005");
    let none = bench
        .call("GetQueueAttributes", json!({"QueueUrl": url}))
        .await
        .expect("nothing asked for");
    assert_eq!(none, json!({}));
}

#[tokio::test]
async fn what_no_queue_can_be_is_refused() {
    let bench = Bench::new().await;
    bench.queue("q", json!({})).await;
    bench.queue("dead.fifo", json!({"FifoQueue": "true"})).await;
    bench
        .queue(
            "shy",
            json!({"RedriveAllowPolicy": json!({"redrivePermission": "denyAll"}).to_string()}),
        )
        .await;
    let redrive = |target: &str, count: Json| {
        let arn = format!("arn:aws:sqs:us-east-1:000000000000:{target}");
        json!({"RedrivePolicy": json!({"deadLetterTargetArn": arn, "maxReceiveCount": count}).to_string()})
    };
    for (name, attributes, code, words) in [
        ("a b", json!({}), "InvalidParameterValue", "Can only include"),
        ("x.fifo", json!({}), "InvalidParameterValue", "Can only include"),
        (
            "x",
            json!({"FifoQueue": "true"}),
            "InvalidParameterValue",
            ".fifo suffix",
        ),
        (
            "x",
            json!({"FifoQueue": "false"}),
            "InvalidAttributeName",
            "FifoQueue",
        ),
        (
            "x.fifo",
            json!({"FifoQueue": "no"}),
            "InvalidAttributeValue",
            "FifoQueue",
        ),
        (
            "x",
            json!({"ContentBasedDeduplication": "true"}),
            "InvalidAttributeName",
            "ContentBased",
        ),
        (
            "x",
            json!({"DelaySeconds": "901"}),
            "InvalidAttributeValue",
            "DelaySeconds",
        ),
        (
            "x",
            json!({"DelaySeconds": "x"}),
            "InvalidAttributeValue",
            "DelaySeconds",
        ),
        (
            "x",
            json!({"MaximumMessageSize": "1023"}),
            "InvalidAttributeValue",
            "MaximumMessageSize",
        ),
        (
            "x",
            json!({"MessageRetentionPeriod": "59"}),
            "InvalidAttributeValue",
            "MessageRetentionPeriod",
        ),
        (
            "x",
            json!({"ReceiveMessageWaitTimeSeconds": "21"}),
            "InvalidAttributeValue",
            "ReceiveMessageWait",
        ),
        (
            "x",
            json!({"VisibilityTimeout": "43201"}),
            "InvalidAttributeValue",
            "VisibilityTimeout",
        ),
        ("x", json!({"Policy": "{"}), "InvalidParameterValue", "Policy"),
        ("x", json!({"QueueArn": "a"}), "InvalidAttributeName", "QueueArn"),
        (
            "x",
            json!({"SentTimestamp": "a"}),
            "InvalidAttributeName",
            "SentTimestamp",
        ),
        (
            "x",
            json!({"KmsMasterKeyId": "alias/aws/sqs"}),
            "UnsupportedOperation",
            "KmsMasterKeyId",
        ),
        (
            "x",
            json!({"KmsDataKeyReusePeriodSeconds": "300"}),
            "UnsupportedOperation",
            "KmsDataKeyReuse",
        ),
        (
            "x",
            redrive("nowhere", json!(1)),
            "InvalidParameterValue",
            r#"Value {"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:nowhere","maxReceiveCount":1} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist."#,
        ),
        (
            "x",
            redrive("x", json!(1)),
            "InvalidParameterValue",
            "cannot be the same",
        ),
        (
            "x",
            redrive("dead.fifo", json!(1)),
            "InvalidParameterValue",
            "same type",
        ),
        (
            "x",
            redrive("shy", json!(1)),
            "InvalidParameterValue",
            "does not allow",
        ),
        (
            "x",
            redrive("q", json!(0)),
            "InvalidParameterValue",
            "Reason: Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            "x",
            redrive("q", json!("1001")),
            "InvalidParameterValue",
            "maxReceiveCount",
        ),
        (
            "x",
            json!({"RedrivePolicy": "{}"}),
            "InvalidParameterValue",
            "mandatory",
        ),
        (
            "x",
            json!({"RedrivePolicy": "[]"}),
            "InvalidParameterValue",
            "JSON map",
        ),
        (
            "x",
            json!({"RedriveAllowPolicy": "{\"redrivePermission\": \"byQueue\"}"}),
            "InvalidParameterValue",
            "sourceQueueArns",
        ),
        (
            "x.fifo",
            json!({"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}),
            "InvalidParameterValue",
            "messageGroup",
        ),
        (
            "x.fifo",
            json!({"FifoQueue": "true", "DeduplicationScope": "all"}),
            "InvalidAttributeValue",
            "DeduplicationScope",
        ),
    ] {
        let refused = bench
            .call(
                "CreateQueue",
                json!({"QueueName": name, "Attributes": attributes}),
            )
            .await;
        Bench::refused(refused, code, words);
    }
    for (operation, input, code, words) in [
        (
            "GetQueueUrl",
            json!({"QueueName": "x"}),
            "NonExistentQueue",
            "does not exist",
        ),
        (
            "GetQueueUrl",
            json!({"QueueName": "q", "QueueOwnerAWSAccountId": "111111111111"}),
            "UnsupportedOperation",
            "another account",
        ),
        (
            "DeleteQueue",
            json!({"QueueUrl": "http://h/000000000000/x"}),
            "NonExistentQueue",
            "does not exist",
        ),
        ("DeleteQueue", json!({"QueueUrl": "q"}), "InvalidAddress", "q"),
        (
            "DeleteQueue",
            json!({"QueueUrl": "http://h/111111111111/q"}),
            "UnsupportedOperation",
            "another account",
        ),
        (
            "GetQueueAttributes",
            json!({"QueueUrl": "http://h/000000000000/q", "AttributeNames": ["SenderId"]}),
            "InvalidAttributeName",
            "SenderId",
        ),
        (
            "SetQueueAttributes",
            json!({"QueueUrl": "http://h/000000000000/dead.fifo", "Attributes": {"FifoQueue": "true"}}),
            "InvalidAttributeName",
            "FifoQueue",
        ),
        (
            "ListQueues",
            json!({"MaxResults": 0}),
            "InvalidParameterValue",
            "MaxResults",
        ),
        (
            "ListQueues",
            json!({"MaxResults": 1, "NextToken": "forged"}),
            "InvalidParameterValue",
            "token",
        ),
    ] {
        Bench::refused(bench.call(operation, input).await, code, words);
    }
}

#[tokio::test]
async fn queues_are_listed_in_pages_and_by_prefix() {
    let bench = Bench::new().await;
    for name in ["b-2", "a", "b-1", "b-3"] {
        bench.queue(name, json!({})).await;
    }
    let first = bench
        .call("ListQueues", json!({"QueueNamePrefix": "b-", "MaxResults": 2}))
        .await
        .expect("a page");
    let rest = json!({"QueueNamePrefix": "b-", "MaxResults": 2, "NextToken": first["NextToken"]});
    let rest = bench.call("ListQueues", rest).await.expect("a page");
    let url = |name: &str| json!(format!("http://127.0.0.1:4566/000000000000/{name}"));
    assert_eq!(first["QueueUrls"], json!([url("b-1"), url("b-2")]));
    assert_eq!(rest, json!({"QueueUrls": [url("b-3")]}));
    let all = bench.call("ListQueues", json!({})).await.expect("all");
    assert_eq!(all["QueueUrls"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn a_deleted_queue_takes_its_messages_along_and_its_name_rests() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    bench.send(&url, "one", json!({})).await;
    bench
        .call("DeleteQueue", json!({"QueueUrl": url}))
        .await
        .expect("deleted");
    let send = bench
        .call("SendMessage", json!({"QueueUrl": url, "MessageBody": "x"}))
        .await;
    Bench::refused(send, "NonExistentQueue", "does not exist");
    let again = json!({"QueueName": "q"});
    let soon = bench.call("CreateQueue", again.clone()).await;
    Bench::refused(soon, "QueueDeletedRecently", "60 seconds");
    bench.clock.advance(60_000);
    bench.call("CreateQueue", again).await.expect("made anew");
    assert!(bench.bodies(&url).await.is_empty());
    assert_eq!(bench.sqs.messages.count(), 0);
    let bench = bench.restarted().await;
    assert_eq!(bench.sqs.messages.count(), 0);
}

#[tokio::test]
async fn a_purge_deletes_what_is_there_and_not_twice_a_minute() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    for body in ["a", "b", "c"] {
        bench.send(&url, body, json!({})).await;
    }
    bench.receive(&url, json!({"MaxNumberOfMessages": 1})).await;
    bench
        .call("PurgeQueue", json!({"QueueUrl": url}))
        .await
        .expect("purged");
    for name in [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ] {
        assert_eq!(bench.attribute(&url, name).await, "0");
    }
    let again = bench.call("PurgeQueue", json!({"QueueUrl": url})).await;
    Bench::refused(again, "PurgeQueueInProgress", "60 seconds");
    bench.clock.advance(60_000);
    bench
        .call("PurgeQueue", json!({"QueueUrl": url}))
        .await
        .expect("purged");
}

#[tokio::test]
async fn tags_are_added_replaced_and_taken_away() {
    let bench = Bench::new().await;
    let made = json!({"QueueName": "q", "tags": {"a": "1", "b": "2"}});
    let url = bench.call("CreateQueue", made).await.expect("made")["QueueUrl"].clone();
    let tag = |tags: Json| bench.call("TagQueue", json!({"QueueUrl": url, "Tags": tags}));
    tag(json!({"b": "3", "c": ""})).await.expect("tagged");
    bench
        .call("UntagQueue", json!({"QueueUrl": url, "TagKeys": ["a", "x"]}))
        .await
        .expect("untagged");
    let shown = bench
        .call("ListQueueTags", json!({"QueueUrl": url}))
        .await
        .expect("tags");
    assert_eq!(shown, json!({"Tags": {"b": "3", "c": ""}}));
    Bench::refused(tag(json!({"aws:x": "1"})).await, "InvalidParameterValue", "aws:");
    let many: serde_json::Map<String, Json> = (0..49).map(|n| (format!("k{n}"), json!("v"))).collect();
    Bench::refused(
        tag(Json::Object(many)).await,
        "InvalidParameterValue",
        "at most 50",
    );
}

#[tokio::test]
async fn permissions_are_statements_of_the_policy() {
    let bench = Bench::new().await;
    let url = bench.queue("q", json!({})).await;
    let add = |label: &str, action: &str, account: &str| {
        bench.call(
            "AddPermission",
            json!({"QueueUrl": url, "Label": label, "AWSAccountIds": [account], "Actions": [action]}),
        )
    };
    add("a", "SendMessage", "111122223333").await.expect("added");
    add("b", "*", "444455556666").await.expect("added");
    let policy: Json = serde_json::from_str(&bench.attribute(&url, "Policy").await).expect("a policy");
    assert_eq!(
        policy["Statement"][0],
        json!({"Sid": "a", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]},
            "Action": ["SQS:SendMessage"], "Resource": "arn:aws:sqs:us-east-1:000000000000:q"})
    );
    Bench::refused(
        add("a", "*", "111122223333").await,
        "InvalidParameterValue",
        "Already exists",
    );
    Bench::refused(
        add("c", "CreateQueue", "111122223333").await,
        "InvalidParameterValue",
        "ActionName",
    );
    Bench::refused(add("c", "*", "ann").await, "InvalidParameterValue", "verify");
    Bench::refused(
        add("c d", "*", "111122223333").await,
        "InvalidParameterValue",
        "Label",
    );
    let remove = |label: &str| bench.call("RemovePermission", json!({"QueueUrl": url, "Label": label}));
    remove("a").await.expect("removed");
    Bench::refused(remove("a").await, "InvalidParameterValue", "can't find label");
    remove("b").await.expect("removed");
    assert_eq!(bench.attribute(&url, "Policy").await, "none");
}
