//! The three tag operations together, for each kind of resource.

use std::sync::Arc;

use roadstead_api_ecs::Tag;
use serde_json::{Value as Json, json};

use crate::Ecs;
use crate::definitions::testing::{arn, register};
use crate::tags::Tags;
use crate::tests::{call, ecs, memory, over, refused};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/c";

async fn tags(ecs: &Arc<Ecs>, resource: &str) -> Json {
    call(ecs, "ListTagsForResource", json!({"resourceArn": resource}))
        .await
        .expect(resource)["tags"]
        .clone()
}

fn pair(key: &str, value: &str) -> Json {
    json!({"key": key, "value": value})
}

#[tokio::test]
async fn tags_are_added_replaced_listed_and_taken_away() {
    let store = memory();
    let ecs = Arc::new(over(&store));
    call(&ecs, "CreateCluster", json!({"clusterName": "c"}))
        .await
        .expect("a cluster");
    register(&ecs, "web").await;
    for resource in [CLUSTER, &arn("web:1")] {
        assert_eq!(tags(&ecs, resource).await, json!([]));
        let add = json!({"resourceArn": resource, "tags": [pair("b", "1"), pair("a", "1")]});
        for _ in 0..2 {
            call(&ecs, "TagResource", add.clone()).await.expect("tagged");
        }
        let more = json!({"resourceArn": resource, "tags": [pair("b", "2")]});
        call(&ecs, "TagResource", more).await.expect("tagged");
        let restarted = Arc::new(over(&store));
        assert_eq!(
            tags(&restarted, resource).await,
            json!([pair("a", "1"), pair("b", "2")])
        );
        let less = json!({"resourceArn": resource, "tagKeys": ["b", "never"]});
        for _ in 0..2 {
            call(&ecs, "UntagResource", less.clone()).await.expect("untagged");
        }
        assert_eq!(tags(&ecs, resource).await, json!([pair("a", "1")]));
    }
}

#[tokio::test]
async fn the_limit_counts_what_is_there_already() {
    let ecs = Arc::new(ecs());
    call(&ecs, "CreateCluster", json!({"clusterName": "c"}))
        .await
        .expect("a cluster");
    let fifty: Vec<Json> = (0..50).map(|i| pair(&format!("k{i}"), "")).collect();
    call(
        &ecs,
        "TagResource",
        json!({"resourceArn": CLUSTER, "tags": fifty}),
    )
    .await
    .expect("fifty");
    let again = json!({"resourceArn": CLUSTER, "tags": [pair("k0", "new")]});
    call(&ecs, "TagResource", again)
        .await
        .expect("replacing adds none");
    let one_more = json!({"resourceArn": CLUSTER, "tags": [pair("k50", "")]});
    refused(
        call(&ecs, "TagResource", one_more).await,
        "InvalidParameterException",
        "50",
    );
}

#[tokio::test]
async fn reserved_keys_belong_to_the_platform() {
    let ecs = Arc::new(ecs());
    call(&ecs, "CreateCluster", json!({"clusterName": "c"}))
        .await
        .expect("a cluster");
    let add = json!({"resourceArn": CLUSTER, "tags": [pair("aws:x", "")]});
    refused(
        call(&ecs, "TagResource", add).await,
        "InvalidParameterException",
        "reserved",
    );
    let less = json!({"resourceArn": CLUSTER, "tagKeys": ["AWS:x"]});
    refused(
        call(&ecs, "UntagResource", less).await,
        "InvalidParameterException",
        "reserved",
    );
    let mut tags = Tags::default();
    (0..60).for_each(|i| tags.set_managed(&format!("aws:k{i}"), ""));
    let own = Tags::of(Some(vec![Tag {
        key: Some("a".into()),
        value: None,
    }]))
    .expect("a tag");
    tags.merge(own).expect("reserved keys do not count");
}

#[tokio::test]
async fn what_is_not_there_has_no_tags() {
    let ecs = Arc::new(ecs());
    call(&ecs, "CreateCluster", json!({"clusterName": "c"}))
        .await
        .expect("a cluster");
    call(&ecs, "CreateCluster", json!({"clusterName": "gone"}))
        .await
        .expect("a cluster");
    call(&ecs, "DeleteCluster", json!({"cluster": "gone"}))
        .await
        .expect("deleted");
    let id = "0".repeat(32);
    let own = |resource: &str| format!("arn:aws:ecs:us-east-1:000000000000:{resource}");
    let cases = [
        (
            own("cluster/none"),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            own("cluster/gone"),
            "InvalidParameterException",
            "The specified cluster is inactive.",
        ),
        (
            own("task-definition/web:1"),
            "ResourceNotFoundException",
            "task definition could not be found",
        ),
        (
            own("task-definition/web"),
            "InvalidParameterException",
            "with its revision",
        ),
        (
            own(&format!("task/c/{id}")),
            "ResourceNotFoundException",
            "task could not be found",
        ),
        (
            own(&format!("task/none/{id}")),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (own("task/c/short"), "InvalidParameterException", "length"),
        (
            own(&format!("container-instance/c/{id}")),
            "ResourceNotFoundException",
            "container instance",
        ),
        (
            own("service/c/s"),
            "ResourceNotFoundException",
            "The specified service could not be found",
        ),
        (
            own("attachment/c"),
            "InvalidParameterException",
            "Unsupported resource type: attachment",
        ),
        (
            "c".to_owned(),
            "InvalidParameterException",
            "Invalid resource ARN",
        ),
        (
            "arn:aws:ecs:us-east-1:111111111111:cluster/c".to_owned(),
            "InvalidParameterException",
            "Your account",
        ),
    ];
    for (resource, code, words) in cases {
        let add = json!({"resourceArn": resource, "tags": [pair("a", "1")]});
        refused(call(&ecs, "TagResource", add).await, code, words);
        let less = json!({"resourceArn": resource, "tagKeys": ["a"]});
        refused(call(&ecs, "UntagResource", less).await, code, words);
        let listing = call(&ecs, "ListTagsForResource", json!({"resourceArn": resource})).await;
        let code = if code == "ResourceNotFoundException" {
            "InvalidParameterException"
        } else {
            code
        };
        refused(listing, code, words);
    }
}
