//! Topics and subscriptions: made, shown, set, listed, tagged, deleted.

use serde_json::{Value as Json, json};

use super::{Bench, arn, refused};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

#[tokio::test]
async fn create_topic_once_set_it_show_it_and_delete_it() {
    let bench = Bench::new().await;
    let make =
        json!({"Name": "t", "Attributes": {"DisplayName": "Orders"}, "Tags": [{"Key": "a", "Value": "1"}]});
    assert_eq!(
        bench.call("CreateTopic", make.clone()).await.expect("made")["TopicArn"],
        TOPIC
    );
    bench.call("CreateTopic", make).await.expect("the same again");
    bench
        .call("CreateTopic", json!({"Name": "t"}))
        .await
        .expect("as it is");
    let other = json!({"Name": "t", "Attributes": {"DisplayName": "Other"}});
    refused(
        bench.call("CreateTopic", other).await,
        "InvalidParameter",
        "different attributes",
    );
    let tags = json!({"Name": "t", "Tags": [{"Key": "a", "Value": "2"}]});
    refused(
        bench.call("CreateTopic", tags).await,
        "InvalidParameter",
        "different tags",
    );
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish", "Resource": TOPIC}]})
    .to_string();
    let set = json!({"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": policy});
    bench.call("SetTopicAttributes", set).await.expect("set");
    let bench = bench.restarted(0).await;
    let shown = bench
        .call("GetTopicAttributes", json!({"TopicArn": TOPIC}))
        .await
        .expect("shown");
    assert_eq!(
        shown["Attributes"],
        json!({"TopicArn": TOPIC, "Owner": "000000000000", "DisplayName": "Orders", "Policy": policy,
            "SubscriptionsConfirmed": "0", "SubscriptionsPending": "0", "SubscriptionsDeleted": "0"})
    );
    let resource = json!({"ResourceArn": TOPIC});
    let tag = json!({"ResourceArn": TOPIC, "Tags": [{"Key": "b", "Value": "2"}]});
    bench.call("TagResource", tag).await.expect("tagged");
    bench
        .call("UntagResource", json!({"ResourceArn": TOPIC, "TagKeys": ["a"]}))
        .await
        .expect("untagged");
    let tags = bench
        .call("ListTagsForResource", resource.clone())
        .await
        .expect("tags");
    assert_eq!(tags["Tags"], json!([{"Key": "b", "Value": "2"}]));
    bench
        .call("DeleteTopic", json!({"TopicArn": TOPIC}))
        .await
        .expect("deleted");
    bench
        .call("DeleteTopic", json!({"TopicArn": TOPIC}))
        .await
        .expect("the same again");
    refused(
        bench.call("GetTopicAttributes", json!({"TopicArn": TOPIC})).await,
        "NotFound",
        "does not exist",
    );
    refused(
        bench.call("ListTagsForResource", resource).await,
        "ResourceNotFound",
        "does not exist",
    );
}

#[tokio::test]
async fn what_no_topic_or_subscription_can_be_is_refused() {
    let bench = Bench::new().await;
    bench.topic().await;
    let subscribe = |protocol: &str, endpoint: &str, attributes: Json| {
        (
            "Subscribe",
            json!({"TopicArn": TOPIC, "Protocol": protocol, "Endpoint": endpoint, "Attributes": attributes}),
        )
    };
    for ((operation, input), code, words) in [
        (
            ("CreateTopic", json!({"Name": "a b"})),
            "InvalidParameter",
            "Topic Name",
        ),
        (
            ("CreateTopic", json!({"Name": "t.fifo"})),
            "InvalidParameter",
            "FIFO topic",
        ),
        (
            ("CreateTopic", json!({"Name": "x", "DataProtectionPolicy": "{}"})),
            "InvalidParameter",
            "DataProtectionPolicy",
        ),
        (
            (
                "CreateTopic",
                json!({"Name": "x", "Attributes": {"KmsMasterKeyId": "k"}}),
            ),
            "InvalidParameter",
            "KmsMasterKeyId",
        ),
        (
            (
                "CreateTopic",
                json!({"Name": "x", "Attributes": {"SQSSuccessFeedbackRoleArn": "k"}}),
            ),
            "InvalidParameter",
            "FeedbackRoleArn",
        ),
        (
            ("CreateTopic", json!({"Name": "x", "Attributes": {"Policy": "{"}})),
            "InvalidParameter",
            "Policy",
        ),
        (
            (
                "CreateTopic",
                json!({"Name": "x", "Attributes": {"Colour": "red"}}),
            ),
            "InvalidParameter",
            "AttributeName",
        ),
        (
            ("GetTopicAttributes", json!({"TopicArn": "t"})),
            "InvalidParameter",
            "TopicArn Reason: An ARN must have at least 6 elements, not 1",
        ),
        (
            (
                "GetTopicAttributes",
                json!({"TopicArn": "arn:aws:sns:eu-west-1:000000000000:t"}),
            ),
            "InvalidParameter",
            "another account or region",
        ),
        (
            subscribe("email", "a@b", json!({})),
            "InvalidParameter",
            "Protocol email",
        ),
        (
            subscribe("sqs", "q", json!({})),
            "InvalidParameter",
            "SQS endpoint",
        ),
        (
            subscribe("sqs", &arn("q.fifo"), json!({})),
            "InvalidParameter",
            "FIFO SQS Queues",
        ),
        (
            subscribe("sqs", &arn("q"), json!({"RawMessageDelivery": "yes"})),
            "InvalidParameter",
            "RawMessageDelivery",
        ),
        (
            subscribe("sqs", &arn("q"), json!({"FilterPolicy": "{\"a\": {\"b\": [1]}}"})),
            "InvalidParameter",
            "nested",
        ),
        (
            subscribe("sqs", &arn("q"), json!({"FilterPolicy": "{\"a\": 1}"})),
            "InvalidParameter",
            "FilterPolicy",
        ),
        (
            subscribe("sqs", &arn("q"), json!({"FilterPolicyScope": "All"})),
            "InvalidParameter",
            "FilterPolicyScope",
        ),
        (
            subscribe("sqs", &arn("q"), json!({"RedrivePolicy": "{}"})),
            "InvalidParameter",
            "deadLetterTargetArn",
        ),
        (
            subscribe(
                "sqs",
                &arn("q"),
                json!({"RedrivePolicy": "{\"deadLetterTargetArn\": \"x\"}"}),
            ),
            "InvalidParameter",
            "RedrivePolicy: deadLetterTargetArn is an invalid arn",
        ),
        (
            subscribe("sqs", &arn("q"), json!({"DeliveryPolicy": "{}"})),
            "InvalidParameter",
            "DeliveryPolicy",
        ),
        (
            (
                "Subscribe",
                json!({"TopicArn": "arn:aws:sns:us-east-1:000000000000:x", "Protocol": "sqs"}),
            ),
            "NotFound",
            "Topic does not exist",
        ),
        (
            (
                "GetSubscriptionAttributes",
                json!({"SubscriptionArn": format!("{TOPIC}:x")}),
            ),
            "NotFound",
            "Subscription does not exist",
        ),
        (
            ("ListTopics", json!({"NextToken": "forged"})),
            "InvalidParameter",
            "NextToken",
        ),
    ] {
        refused(bench.call(operation, input).await, code, words);
    }
}

#[tokio::test]
async fn subscriptions_are_set_shown_listed_in_pages_and_taken_away() {
    let bench = Bench::new().await;
    let one = bench.subscribe("q", json!({"RawMessageDelivery": "true"})).await;
    assert_eq!(
        bench.subscribe("q", json!({"RawMessageDelivery": "true"})).await,
        one,
        "the same again"
    );
    let other = json!({"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": arn("q"), "Attributes": {"RawMessageDelivery": "false"}});
    refused(
        bench.call("Subscribe", other).await,
        "InvalidParameter",
        "different attributes",
    );
    let redrive = json!({"deadLetterTargetArn": arn("dead")}).to_string();
    for (name, value) in [
        ("FilterPolicyScope", "MessageBody"),
        ("FilterPolicy", "{\"a\":[1]}"),
        ("RedrivePolicy", &redrive),
    ] {
        let set = json!({"SubscriptionArn": one, "AttributeName": name, "AttributeValue": value});
        bench.call("SetSubscriptionAttributes", set).await.expect(name);
    }
    let bench = bench.restarted(0).await;
    let shown = bench
        .call("GetSubscriptionAttributes", json!({"SubscriptionArn": one}))
        .await
        .expect("shown");
    assert_eq!(
        shown["Attributes"],
        json!({"SubscriptionArn": one, "TopicArn": TOPIC, "Owner": "000000000000", "Protocol": "sqs", "Endpoint": arn("q"),
            "PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true", "RawMessageDelivery": "true",
            "FilterPolicy": "{\"a\":[1]}", "FilterPolicyScope": "MessageBody", "RedrivePolicy": redrive})
    );
    for number in 0..110 {
        bench.subscribe(&format!("q{number}"), json!({})).await;
    }
    for (operation, scope) in [
        ("ListSubscriptions", json!({})),
        ("ListSubscriptionsByTopic", json!({"TopicArn": TOPIC})),
    ] {
        let first = bench.call(operation, scope.clone()).await.expect("a page");
        let mut rest = scope;
        rest["NextToken"] = first["NextToken"].clone();
        let rest = bench.call(operation, rest).await.expect("a page");
        let count = |page: &Json| page["Subscriptions"].as_array().map(Vec::len);
        assert_eq!(
            (count(&first), count(&rest)),
            (Some(100), Some(11)),
            "{operation}"
        );
    }
    bench
        .call("Unsubscribe", json!({"SubscriptionArn": one}))
        .await
        .expect("gone");
    bench
        .call("Unsubscribe", json!({"SubscriptionArn": one}))
        .await
        .expect("the same again");
    let shown = bench
        .call("GetTopicAttributes", json!({"TopicArn": TOPIC}))
        .await
        .expect("shown");
    assert_eq!(shown["Attributes"]["SubscriptionsDeleted"], "1");
    bench
        .call("DeleteTopic", json!({"TopicArn": TOPIC}))
        .await
        .expect("deleted");
    let none = bench.call("ListSubscriptions", json!({})).await.expect("none");
    assert_eq!(none["Subscriptions"], json!([]));
}

#[tokio::test]
async fn permissions_are_statements_of_the_policy() {
    let bench = Bench::new().await;
    bench.topic().await;
    let add = |label: &str, accounts: Json, actions: Json| {
        let input =
            json!({"TopicArn": TOPIC, "Label": label, "AWSAccountId": accounts, "ActionName": actions});
        bench.call("AddPermission", input)
    };
    let policy = || async {
        let shown = bench
            .call("GetTopicAttributes", json!({"TopicArn": TOPIC}))
            .await
            .expect("shown");
        let text = shown["Attributes"]["Policy"].as_str().expect("a policy");
        serde_json::from_str::<Json>(text).expect("JSON")
    };
    let fresh = policy().await;
    assert_eq!(fresh["Id"], "__default_policy_ID");
    assert_eq!(
        fresh["Statement"][0]["Condition"],
        json!({"StringEquals": {"AWS:SourceOwner": "000000000000"}})
    );
    let (one, two) = ("111111111111", "222222222222");
    add("one", json!([one]), json!(["Publish"])).await.expect("added");
    add("two", json!([one, two]), json!(["Publish", "Subscribe"]))
        .await
        .expect("added");
    let root = |id: &str| format!("arn:aws:iam::{id}:root");
    let statements = json!([fresh["Statement"][0],
        {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": root(one)}, "Action": "SNS:Publish", "Resource": TOPIC},
        {"Sid": "two", "Effect": "Allow", "Principal": {"AWS": [root(one), root(two)]},
            "Action": ["SNS:Publish", "SNS:Subscribe"], "Resource": TOPIC}]);
    assert_eq!(policy().await["Statement"], statements);
    for (label, accounts, actions, words) in [
        (
            "one",
            json!([one]),
            json!(["Publish"]),
            "Statement already exists",
        ),
        ("x", json!([one]), json!(["Fly"]), "action out of service scope!"),
        ("x", json!(["1"]), json!(["Publish"]), "AWSAccountId"),
        ("x", json!([]), json!(["Publish"]), "AWSAccountId"),
        ("x", json!([one]), json!([]), "ActionName"),
        ("", json!([one]), json!(["Publish"]), "Label"),
    ] {
        refused(add(label, accounts, actions).await, "InvalidParameter", words);
    }
    for label in ["one", "one", "none"] {
        let input = json!({"TopicArn": TOPIC, "Label": label});
        bench.call("RemovePermission", input).await.expect("gone");
    }
    assert_eq!(policy().await["Statement"], json!([statements[0], statements[2]]));
    let bench = bench.restarted(0).await;
    let shown = bench
        .call("GetTopicAttributes", json!({"TopicArn": TOPIC}))
        .await
        .expect("shown");
    let text = shown["Attributes"]["Policy"].as_str().expect("a policy");
    assert!(text.contains("\"two\"") && !text.contains("\"one\""), "{text}");
    for operation in ["AddPermission", "RemovePermission"] {
        let input = json!({"TopicArn": format!("{TOPIC}x"), "Label": "l", "AWSAccountId": [one], "ActionName": ["Publish"]});
        let input = match operation {
            "AddPermission" => input,
            _ => json!({"TopicArn": input["TopicArn"], "Label": "l"}),
        };
        refused(
            bench.call(operation, input).await,
            "NotFound",
            "Topic does not exist",
        );
    }
}
