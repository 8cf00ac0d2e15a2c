//! The same call twice is one call.

use std::sync::Arc;

use serde_json::json;

use crate::harness::{MACHINE, cloud, definition, text};

#[tokio::test]
async fn the_same_token_is_the_same_call_and_another_request_a_conflict() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 0).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let input = json!({"taskDefinition": "host", "clientToken": "once", "count": 2});
    let first = cloud.call("RunTask", input.clone()).await.expect("runs");
    let second = cloud.call("RunTask", input.clone()).await.expect("answers");
    let arns = |answer: &serde_json::Value| {
        answer["tasks"]
            .as_array()
            .expect("tasks")
            .iter()
            .map(|task| text(&task["taskArn"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(arns(&first), arns(&second));
    let listed = cloud.call("ListTasks", json!({})).await.expect("lists");
    assert_eq!(listed["taskArns"].as_array().map(Vec::len), Some(2));
    let mut other = input.clone();
    other["count"] = json!(1);
    let error = cloud
        .call("RunTask", other.clone())
        .await
        .expect_err("is a conflict");
    assert_eq!(error.code, "ConflictException");
    assert_eq!(error.members[0].0, "resourceIds");
    // A day later the token is free, also after a restart.
    let cloud = cloud.restart().await;
    cloud.clock.advance(24 * 3_600_000);
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let later = cloud.call("RunTask", other).await.expect("runs");
    assert!(!arns(&first).contains(&arns(&later)[0]));
}

#[tokio::test]
async fn the_same_call_made_at_once_runs_once() {
    let cloud = Arc::new(cloud().await);
    let instance = cloud.register("default", MACHINE, 0).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let cloud = cloud.clone();
        let input = json!({"taskDefinition": "host", "clientToken": "t"});
        calls.spawn(async move { cloud.call("RunTask", input).await.expect("answers") });
    }
    let mut arns = std::collections::BTreeSet::new();
    while let Some(answer) = calls.join_next().await {
        arns.insert(text(&answer.expect("no panic")["tasks"][0]["taskArn"]));
    }
    assert_eq!(arns.len(), 1);
}
