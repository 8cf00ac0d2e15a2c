//! Tags of rules and buses.

use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};

#[tokio::test]
async fn tags_of_rules_and_buses_are_added_replaced_listed_and_taken_away() {
    let bench = Bench::new().await;
    bench
        .call(
            "PutRule",
            json!({"Name": "r", "EventPattern": r#"{"source": ["shop"]}"#}),
        )
        .await
        .expect("a rule");
    bench
        .call("CreateEventBus", json!({"Name": "orders"}))
        .await
        .expect("a bus");
    for arn in [
        "arn:aws:events:us-east-1:000000000000:rule/r",
        "arn:aws:events:us-east-1:000000000000:event-bus/orders",
        "arn:aws:events:us-east-1:000000000000:event-bus/default",
    ] {
        let tag = |tags: Json| json!({"ResourceARN": arn, "Tags": tags});
        let first = tag(json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]));
        bench.call("TagResource", first).await.expect("tagged");
        bench
            .call("TagResource", tag(json!([{"Key": "a", "Value": "3"}])))
            .await
            .expect("again");
        bench
            .call(
                "UntagResource",
                json!({"ResourceARN": arn, "TagKeys": ["b", "c"]}),
            )
            .await
            .expect("untagged");
        let again = Bench::over(bench.store.clone(), START).await;
        let tags = again
            .call("ListTagsForResource", json!({"ResourceARN": arn}))
            .await
            .expect("tags");
        assert_eq!(tags, json!({"Tags": [{"Key": "a", "Value": "3"}]}), "{arn}");
        let many: Vec<Json> = (0..50)
            .map(|index| json!({"Key": format!("k{index}"), "Value": ""}))
            .collect();
        Bench::refused(
            bench.call("TagResource", tag(json!(many))).await,
            "LimitExceededException",
            "at most 50 tags",
        );
        let reserved = tag(json!([{"Key": "AWS:x", "Value": ""}]));
        Bench::refused(
            bench.call("TagResource", reserved).await,
            "ValidationException",
            "reserved",
        );
    }
}

#[tokio::test]
async fn what_is_not_there_has_no_tags() {
    let bench = Bench::new().await;
    for (arn, code) in [
        (
            "arn:aws:events:us-east-1:000000000000:rule/x",
            "ResourceNotFoundException",
        ),
        (
            "arn:aws:events:us-east-1:000000000000:event-bus/x",
            "ResourceNotFoundException",
        ),
        (
            "arn:aws:events:us-east-1:111111111111:rule/x",
            "ResourceNotFoundException",
        ),
        ("x", "ValidationException"),
    ] {
        let list = bench
            .call("ListTagsForResource", json!({"ResourceARN": arn}))
            .await;
        Bench::refused(list, code, "");
        let tags = json!([{"Key": "a", "Value": "1"}]);
        let tag = bench
            .call("TagResource", json!({"ResourceARN": arn, "Tags": tags}))
            .await;
        Bench::refused(tag, code, "");
        let untag = bench
            .call("UntagResource", json!({"ResourceARN": arn, "TagKeys": ["a"]}))
            .await;
        Bench::refused(untag, code, "");
    }
}
