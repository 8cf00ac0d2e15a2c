//! Resource policies: put, listed and deleted, of the account and of groups, and what the gate gets of them.

use std::sync::Arc;

use roadstead_base::{Caller, Ctx, User};
use roadstead_dispatch::Permissions;
use serde_json::{Value as Json, json};

use crate::LogsPermissions;
use crate::harness::{Bench, ctx};

fn document(action: &str) -> String {
    let statement = json!({"Sid": "a", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": action, "Resource": "arn:aws:logs:us-east-1:000000000000:log-group:*"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

async fn listed(bench: &Bench, input: Json) -> Vec<Json> {
    let answer = bench
        .call("DescribeResourcePolicies", input)
        .await
        .expect("policies");
    answer["resourcePolicies"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn policies_of_the_account_are_put_replaced_listed_and_deleted() {
    let bench = Bench::new().await;
    let put = |name: &str, action: &str| json!({"policyName": name, "policyDocument": document(action)});
    let made = bench
        .call("PutResourcePolicy", put("b", "logs:PutLogEvents"))
        .await
        .expect("put");
    let shown = json!({"policyName": "b", "policyDocument": document("logs:PutLogEvents"),
        "policyScope": "ACCOUNT", "lastUpdatedTime": 1_700_000_000_000_i64});
    assert_eq!(made, json!({ "resourcePolicy": shown }));
    bench.clock.advance(5_000);
    for name in ["b", "a", "c"] {
        bench
            .call("PutResourcePolicy", put(name, "logs:*"))
            .await
            .expect(name);
    }
    let bench = bench.restarted().await;
    let all = listed(&bench, json!({"policyScope": "ACCOUNT"})).await;
    let names: Vec<&Json> = all.iter().map(|policy| &policy["policyName"]).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(all[1]["policyDocument"], document("logs:*"));
    assert_eq!(all[1]["lastUpdatedTime"], 1_700_000_005_000_i64);
    let first = bench
        .call("DescribeResourcePolicies", json!({"limit": 2}))
        .await
        .expect("a page");
    assert_eq!(first["resourcePolicies"].as_array().map(Vec::len), Some(2));
    let token = &first["nextToken"];
    let rest = listed(&bench, json!({"limit": 2, "nextToken": token})).await;
    assert_eq!(rest, all[2..]);
    let carried = json!({"policyScope": "RESOURCE", "nextToken": token});
    let carried = bench.call("DescribeResourcePolicies", carried).await;
    Bench::refused(carried, "InvalidParameterException", "nextToken");
    bench
        .call("DeleteResourcePolicy", json!({"policyName": "b"}))
        .await
        .expect("deleted");
    let again = bench
        .call("DeleteResourcePolicy", json!({"policyName": "b"}))
        .await;
    Bench::refused(
        again,
        "ResourceNotFoundException",
        "resource policy does not exist",
    );
    assert_eq!(listed(&bench, json!({})).await.len(), 2);
}

#[tokio::test]
async fn an_account_has_ten_policies_of_5120_characters() {
    let bench = Bench::new().await;
    let long = |characters: usize| {
        let document = document("logs:*");
        let padding = " ".repeat(characters - document.chars().count());
        document + &padding
    };
    let put = |name: &str, characters: usize| json!({"policyName": name, "policyDocument": long(characters)});
    Bench::refused(
        bench.call("PutResourcePolicy", put("p", 5121)).await,
        "InvalidParameterException",
        "has at most 5120",
    );
    for index in 0..10 {
        let made = bench
            .call("PutResourcePolicy", put(&format!("p{index}"), 5120))
            .await;
        made.expect("put");
    }
    Bench::refused(
        bench.call("PutResourcePolicy", put("p", 500)).await,
        "LimitExceededException",
        "Resource limit exceeded.",
    );
    bench
        .call("PutResourcePolicy", put("p3", 500))
        .await
        .expect("replaced");
    // A group's is counted apart, and may be longer.
    bench.group("/g", &[]).await;
    let own = json!({"policyDocument": long(6000), "resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:/g"});
    bench.call("PutResourcePolicy", own).await.expect("a group's own");
}

#[tokio::test]
async fn a_group_has_one_policy_that_is_changed_by_its_revision_and_goes_with_it() {
    let bench = Bench::new().await;
    bench.group("/g", &[]).await;
    bench.group("/h", &[]).await;
    let arn = |group: &str| format!("arn:aws:logs:us-east-1:000000000000:log-group:{group}");
    let put = |revision: Json| {
        let mut input = json!({"policyName": "own", "policyDocument": document("logs:PutLogEvents"), "resourceArn": arn("/g")});
        if !revision.is_null() {
            input["expectedRevisionId"] = revision;
        }
        input
    };
    let made = bench
        .call("PutResourcePolicy", put(Json::Null))
        .await
        .expect("put");
    let revision = made["revisionId"].clone();
    let shown = json!({"policyName": "own", "policyDocument": document("logs:PutLogEvents"), "policyScope": "RESOURCE",
        "resourceArn": arn("/g"), "revisionId": revision, "lastUpdatedTime": 1_700_000_000_000_i64});
    assert_eq!(made, json!({"resourcePolicy": shown, "revisionId": revision}));
    for stale in [Json::Null, json!("stale")] {
        let refused = bench.call("PutResourcePolicy", put(stale)).await;
        Bench::refused(refused, "OperationAbortedException", "conflicting");
    }
    let made = bench
        .call("PutResourcePolicy", put(revision.clone()))
        .await
        .expect("put");
    let newer = made["revisionId"].clone();
    assert_ne!(newer, revision);
    let bench = bench.restarted().await;
    for input in [
        json!({"policyScope": "RESOURCE"}),
        json!({"policyScope": "RESOURCE", "resourceArn": format!("{}:*", arn("/g"))}),
    ] {
        let found = listed(&bench, input).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["revisionId"], newer);
    }
    let none = json!({"policyScope": "RESOURCE", "resourceArn": arn("/h")});
    assert_eq!(listed(&bench, none).await, Vec::<Json>::new());
    assert_eq!(listed(&bench, json!({})).await, Vec::<Json>::new());
    let delete = |revision: &Json| json!({"resourceArn": arn("/g"), "expectedRevisionId": revision});
    let stale = bench.call("DeleteResourcePolicy", delete(&revision)).await;
    Bench::refused(stale, "OperationAbortedException", "conflicting");
    let mut other = delete(&newer);
    other["policyName"] = json!("other");
    let other = bench.call("DeleteResourcePolicy", other).await;
    Bench::refused(other, "ResourceNotFoundException", "resource policy");
    bench
        .call("DeleteResourcePolicy", delete(&newer))
        .await
        .expect("deleted");
    let again = bench.call("DeleteResourcePolicy", delete(&newer)).await;
    Bench::refused(again, "ResourceNotFoundException", "resource policy");
    bench
        .call("PutResourcePolicy", put(Json::Null))
        .await
        .expect("put");
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/g"}))
        .await
        .expect("deleted");
    bench.group("/g", &[]).await;
    assert_eq!(
        listed(&bench, json!({"policyScope": "RESOURCE"})).await,
        Vec::<Json>::new()
    );
}

#[tokio::test]
async fn resource_policies_that_cannot_be_are_refused() {
    let bench = Bench::new().await;
    let good = document("logs:PutLogEvents");
    let nowhere = "arn:aws:logs:us-east-1:000000000000:log-group:/nowhere";
    for (operation, input, code, words) in [
        (
            "PutResourcePolicy",
            json!({"policyDocument": good}),
            "InvalidParameterException",
            "policyName",
        ),
        (
            "PutResourcePolicy",
            json!({"policyName": "p"}),
            "InvalidParameterException",
            "policyDocument",
        ),
        (
            "PutResourcePolicy",
            json!({"policyName": "p", "policyDocument": "{\n \"Statement\": 1}"}),
            "InvalidParameterException",
            "(line 2, column 15)",
        ),
        (
            "PutResourcePolicy",
            json!({"policyName": "p", "policyDocument": good, "expectedRevisionId": "r"}),
            "InvalidParameterException",
            "expectedRevisionId",
        ),
        (
            "PutResourcePolicy",
            json!({"policyDocument": good, "resourceArn": "/nowhere"}),
            "InvalidParameterException",
            "not the ARN of a log group",
        ),
        (
            "PutResourcePolicy",
            json!({"policyDocument": good, "resourceArn": nowhere}),
            "ResourceNotFoundException",
            "log group does not exist",
        ),
        (
            "DeleteResourcePolicy",
            json!({}),
            "InvalidParameterException",
            "policyName",
        ),
        (
            "DeleteResourcePolicy",
            json!({"policyName": "p", "expectedRevisionId": "r"}),
            "InvalidParameterException",
            "expectedRevisionId",
        ),
        (
            "DeleteResourcePolicy",
            json!({"policyName": "p", "resourceArn": nowhere}),
            "InvalidParameterException",
            "expectedRevisionId is required",
        ),
        (
            "DeleteResourcePolicy",
            json!({"policyName": "p"}),
            "ResourceNotFoundException",
            "resource policy",
        ),
        (
            "DescribeResourcePolicies",
            json!({"resourceArn": nowhere}),
            "InvalidParameterException",
            "policyScope RESOURCE",
        ),
        (
            "DescribeResourcePolicies",
            json!({"resourceArn": nowhere, "policyScope": "RESOURCE"}),
            "ResourceNotFoundException",
            "log group",
        ),
    ] {
        Bench::refused(bench.call(operation, input).await, code, words);
    }
}

#[tokio::test]
async fn the_gate_gets_the_policies_that_apply_for_services_alone() {
    let bench = Bench::new().await;
    for group in ["/g", "/h"] {
        bench.group(group, &[]).await;
    }
    let permissions = LogsPermissions::of(&bench.logs);
    let service = Ctx {
        caller: Caller::Service("events.amazonaws.com"),
        ..ctx()
    };
    let user = User {
        arn: "arn:aws:iam::000000000000:user/ann".into(),
        name: "ann".into(),
        id: "AIDAX".into(),
    };
    let user = Ctx {
        caller: Caller::User(Arc::new(user)),
        ..ctx()
    };
    let stream = |group: &str| format!("arn:aws:logs:us-east-1:000000000000:log-group:{group}:log-stream:s");
    assert_eq!(permissions.resource_policy(&service, &stream("/g")).await, None);
    let account = json!({"policyName": "p", "policyDocument": document("logs:CreateLogStream")});
    bench.call("PutResourcePolicy", account).await.expect("put");
    let own = json!({"policyDocument": document("logs:PutLogEvents"),
        "resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:/g"});
    bench.call("PutResourcePolicy", own).await.expect("put");
    let statements = async |ctx: &Ctx, group: &str| {
        let policy = permissions.resource_policy(ctx, &stream(group)).await?;
        let policy: Json = serde_json::from_str(&policy).expect("JSON");
        Some(policy["Statement"].as_array().expect("statements").len())
    };
    assert_eq!(statements(&service, "/g").await, Some(2));
    assert_eq!(statements(&service, "/h").await, Some(1));
    assert_eq!(statements(&user, "/g").await, None);
}

#[tokio::test]
async fn policies_are_put_together_once_for_each_change() {
    let bench = Bench::new().await;
    bench.group("/g", &[]).await;
    let joined = || bench.logs.policy_for_services(&ctx().partition(), "/g");
    assert_eq!(joined(), None);
    let account = json!({"policyName": "p", "policyDocument": document("logs:CreateLogStream")});
    let own = json!({"policyDocument": document("logs:PutLogEvents"),
        "resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:/g"});
    let mut before: Option<Arc<str>> = None;
    for input in [account, own] {
        bench.call("PutResourcePolicy", input).await.expect("put");
        let now = joined().expect("policies");
        assert!(joined().is_some_and(|again| Arc::ptr_eq(&now, &again)));
        assert!(before.is_none_or(|before| before != now));
        before = Some(now);
    }
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/g"}))
        .await
        .expect("deleted");
    bench.group("/g", &[]).await;
    let now = joined().expect("the account's");
    assert!(now.contains("CreateLogStream") && !now.contains("PutLogEvents"));
    bench
        .call("DeleteResourcePolicy", json!({"policyName": "p"}))
        .await
        .expect("deleted");
    assert_eq!(joined(), None);
}
