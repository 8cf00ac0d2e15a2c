//! Tags of groups.

use serde_json::{Value as Json, json};

use crate::harness::Bench;

#[tokio::test]
async fn tags_of_a_group_by_its_arn_and_by_its_name() {
    let bench = Bench::new().await;
    let made = json!({"logGroupName": "/a", "tags": {"a": "1"}});
    bench.call("CreateLogGroup", made).await.expect("made");
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/a";
    let tags = json!({"resourceArn": arn, "tags": {"a": "2", "b": "3"}});
    bench.call("TagResource", tags).await.expect("tagged");
    let tags = json!({"logGroupName": "/a", "tags": {"c": "4"}});
    bench.call("TagLogGroup", tags).await.expect("tagged");
    let bench = bench.restarted().await;
    let all = json!({"tags": {"a": "2", "b": "3", "c": "4"}});
    let by_arn = bench
        .call("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    assert_eq!(by_arn.expect("tags"), all);
    let by_name = bench
        .call("ListTagsLogGroup", json!({"logGroupName": "/a"}))
        .await;
    assert_eq!(by_name.expect("tags"), all);
    bench
        .call(
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": ["a", "x"]}),
        )
        .await
        .expect("untagged");
    bench
        .call("UntagLogGroup", json!({"logGroupName": "/a", "tags": ["b"]}))
        .await
        .expect("untagged");
    let left = bench
        .call("ListTagsLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("tags");
    assert_eq!(left, json!({"tags": {"c": "4"}}));
    let many: serde_json::Map<String, Json> =
        (0..50).map(|index| (format!("k{index}"), json!("v"))).collect();
    let request = json!({"resourceArn": arn, "tags": many});
    let refused = bench
        .call("TagResource", request)
        .await
        .expect_err("one too many");
    assert_eq!(refused.code, "TooManyTagsException");
    let name = refused.members.iter().find(|(name, _)| name == "resourceName");
    assert_eq!(
        name.map(|(_, value)| value.clone()),
        Some(roadstead_protocol::Value::Str(arn.into()))
    );
    // The older form has no such error.
    let request = json!({"logGroupName": "/a", "tags": many});
    Bench::refused(
        bench.call("TagLogGroup", request).await,
        "InvalidParameterException",
        "at most 50 tags",
    );
}

#[tokio::test]
async fn what_is_not_there_has_no_tags() {
    let bench = Bench::new().await;
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/x";
    for (operation, input, code) in [
        (
            "TagResource",
            json!({"resourceArn": arn, "tags": {"a": "1"}}),
            "ResourceNotFoundException",
        ),
        (
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": ["a"]}),
            "ResourceNotFoundException",
        ),
        (
            "ListTagsForResource",
            json!({"resourceArn": arn}),
            "ResourceNotFoundException",
        ),
        (
            "TagLogGroup",
            json!({"logGroupName": "/x", "tags": {"a": "1"}}),
            "ResourceNotFoundException",
        ),
        (
            "UntagLogGroup",
            json!({"logGroupName": "/x", "tags": ["a"]}),
            "ResourceNotFoundException",
        ),
        (
            "ListTagsLogGroup",
            json!({"logGroupName": "/x"}),
            "ResourceNotFoundException",
        ),
        (
            "ListTagsForResource",
            json!({"resourceArn": "/x"}),
            "InvalidParameterException",
        ),
    ] {
        Bench::refused(bench.call(operation, input).await, code, "");
    }
}
