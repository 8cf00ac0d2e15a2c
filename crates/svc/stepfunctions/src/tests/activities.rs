//! Activities: made, shown, listed, tagged, deleted.

use roadstead_testing::refused;
use serde_json::{Value as Json, json};

use super::workers::ARN;
use super::{Bench, list_clusters};

#[tokio::test]
async fn activities_are_made_once_shown_listed_tagged_and_deleted() {
    let bench = Bench::new().await;
    let input = json!({"name": "a", "tags": [{"key": "k", "value": "v"}], "encryptionConfiguration": {"type": "AWS_OWNED_KEY"}});
    let made = bench.call("CreateActivity", input).await.expect("made");
    assert_eq!(made, json!({"activityArn": ARN, "creationDate": 1_700_000_000}));
    bench.clock.advance(1_000);
    let again = json!({"name": "a", "tags": [{"key": "k", "value": "other"}]});
    assert_eq!(bench.call("CreateActivity", again).await.expect("the same"), made);
    let bench = bench.restarted(0).await;
    let shown = bench
        .call("DescribeActivity", json!({"activityArn": ARN}))
        .await
        .expect("shown");
    assert_eq!(
        shown,
        json!({"activityArn": ARN, "name": "a", "creationDate": 1_700_000_000, "encryptionConfiguration": {"type": "AWS_OWNED_KEY"}})
    );
    let tags = async || {
        let listed = bench
            .call("ListTagsForResource", json!({"resourceArn": ARN}))
            .await;
        listed.expect("tags")["tags"].clone()
    };
    assert_eq!(tags().await, json!([{"key": "k", "value": "v"}]));
    let more = json!({"resourceArn": ARN, "tags": [{"key": "l", "value": "w"}]});
    bench.call("TagResource", more).await.expect("tagged");
    let fewer = json!({"resourceArn": ARN, "tagKeys": ["k"]});
    bench.call("UntagResource", fewer).await.expect("untagged");
    assert_eq!(tags().await, json!([{"key": "l", "value": "w"}]));
    for name in ["c", "b"] {
        bench.activity(name).await;
    }
    let mut names = Vec::new();
    let mut page = json!({"maxResults": 2});
    loop {
        let listed = bench.call("ListActivities", page).await.expect("a page");
        let items = listed["activities"].as_array().expect("activities");
        names.extend(items.iter().map(|one| one["name"].as_str().map(str::to_owned)));
        if listed["nextToken"].is_null() {
            break;
        }
        page = json!({"maxResults": 2, "nextToken": listed["nextToken"]});
    }
    assert_eq!(names, ["a", "b", "c"].map(|name| Some(name.to_owned())));
    for _ in 0..2 {
        let gone = bench.call("DeleteActivity", json!({"activityArn": ARN})).await;
        gone.expect("deleted");
    }
    for operation in ["DescribeActivity", "GetActivityTask"] {
        refused(
            bench.call(operation, json!({"activityArn": ARN})).await,
            "ActivityDoesNotExist",
            ARN,
        );
    }
    refused(
        bench
            .call("ListTagsForResource", json!({"resourceArn": ARN}))
            .await,
        "ResourceNotFound",
        ARN,
    );
}

#[tokio::test]
async fn what_no_activity_can_be_is_refused() {
    let bench = Bench::new()
        .await
        .limited(|options| options.max_activities = 2)
        .await;
    let key = json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"});
    let own = |name: &str, key: &Json| json!({"name": name, "encryptionConfiguration": key});
    for (input, code, words) in [
        (json!({"name": "a b"}), "InvalidName", "a b"),
        (json!({"name": "a/b"}), "InvalidName", "a/b"),
        (
            own("a", &key),
            "InvalidEncryptionConfiguration",
            "CUSTOMER_MANAGED_KMS_KEY, kmsKeyId",
        ),
        (
            own(
                "a",
                &json!({"type": "AWS_OWNED_KEY", "kmsDataKeyReusePeriodSeconds": 60}),
            ),
            "InvalidEncryptionConfiguration",
            "kmsDataKeyReusePeriodSeconds",
        ),
        (
            json!({"name": "a", "tags": [{"key": "aws:x", "value": ""}]}),
            "ValidationException",
            "aws:x",
        ),
        (
            json!({"name": "a", "tags": (0..51).map(|n| json!({"key": n.to_string()})).collect::<Vec<_>>()}),
            "TooManyTags",
            "50",
        ),
    ] {
        refused(bench.call("CreateActivity", input).await, code, words);
    }
    bench.activity("a").await;
    refused(
        bench.call("CreateActivity", own("a", &key)).await,
        "ActivityAlreadyExists",
        ARN,
    );
    bench.activity("b").await;
    refused(
        bench.call("CreateActivity", json!({"name": "c"})).await,
        "ActivityLimitExceeded",
        ": 2",
    );
    bench.activity("a").await;
    for (arn, words) in [
        ("x", "Invalid Arn: 'Invalid ARN prefix: x'"),
        ("arn:aws:states:us-east-1:111111111111:activity:a", ":activity:a'"),
        ("arn:aws:states:us-west-2:000000000000:activity:a", "us-west-2"),
        (
            "arn:aws:states:us-east-1:000000000000:stateMachine:a",
            "'Resource type not valid in this context: stateMachine'",
        ),
        (
            "arn:aws:states:us-east-1:000000000000:activity:a:b",
            ":activity:a:b'",
        ),
    ] {
        for operation in ["DescribeActivity", "GetActivityTask", "DeleteActivity"] {
            let call = bench.call(operation, json!({"activityArn": arn}));
            refused(call.await, "InvalidArn", words);
        }
    }
}

#[tokio::test]
async fn what_a_missing_activity_ends_beside_it_is_called_by_a_redrive_alone() {
    let mut bench = Bench::started().await;
    let branch = |name: &str, task: &Json| json!({"StartAt": name, "States": {name: task}});
    let missing = json!({"Type": "Task", "Resource": ARN, "End": true});
    let called = list_clusters()["States"]["T"].clone();
    let both = json!({"StartAt": "B", "States": {"B": {"Type": "Parallel", "End": true,
        "Branches": [branch("M", &missing), branch("T", &called)]}}});
    let machine = bench.create("m", &both).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    assert_eq!(bench.ended(&execution).await["error"], "States.Runtime");
    assert!(bench.ecs.asked().is_empty());
    bench.activity("a").await;
    bench
        .call("RedriveExecution", json!({"executionArn": execution}))
        .await
        .expect("redriven");
    let task = bench.call("GetActivityTask", json!({"activityArn": ARN})).await;
    let done = json!({"taskToken": task.expect("a task")["taskToken"], "output": "1"});
    bench.call("SendTaskSuccess", done).await.expect("taken");
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    assert_eq!(
        bench.ecs.asked().len(),
        1,
        "what was cancelled is not called besides"
    );
    bench.stop().await;
}
