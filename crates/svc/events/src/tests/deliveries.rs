//! What becomes of what is owed: to another bus, to a cluster as a role, tried again, given up.

use std::sync::Arc;

use roadstead_protocol::ApiError;
use roadstead_testing::Fake;
use serde_json::{Value as Json, json};

pub(super) use roadstead_testing::until;

use crate::harness::{Bench, START};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/c";
const ROLE: &str = "arn:aws:iam::000000000000:role/runner";

/// Lets the service act as one role, and everybody do everything.
pub(super) fn one_role() -> Arc<roadstead_testing::Trusting> {
    Arc::new(roadstead_testing::Trusting::role(ROLE, "events.amazonaws.com"))
}

/// A rule, and a cluster that answers RunTask from a script, then always well.
pub(super) async fn with_cluster(script: Vec<Result<Json, ApiError>>) -> (Bench, Arc<Fake>) {
    let bench = Bench::new().await;
    let cluster = Fake::answering(&roadstead_api_ecs::MODEL, json!({"tasks": [], "failures": []}));
    for answer in script {
        cluster.then(answer);
    }
    bench.dispatcher.register(cluster.clone());
    bench.dispatcher.set_authority(one_role());
    bench
        .call(
            "PutRule",
            json!({"Name": "r", "EventPattern": r#"{"source": ["shop"]}"#}),
        )
        .await
        .expect("a rule");
    (bench, cluster)
}

pub(super) fn target(role: &str, more: Json) -> Json {
    let mut target = json!({"Id": "t", "Arn": CLUSTER, "RoleArn": role,
        "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/x:1",
            "TaskCount": 2, "LaunchType": "FARGATE", "Tags": [{"Key": "k", "Value": "v"}],
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}},
            "PlacementConstraints": [{"type": "distinctInstance"}]}});
    for (name, value) in more.as_object().expect("members") {
        target[name] = value.clone();
    }
    target
}

pub(super) async fn publish(bench: &Bench) {
    let entry = json!({"Source": "shop", "DetailType": "Order", "Detail": "{\"n\": 1}"});
    let answer = bench
        .call("PutEvents", json!({"Entries": [entry]}))
        .await
        .expect("taken");
    assert_eq!(answer["FailedEntryCount"], 0);
}

#[tokio::test]
async fn a_cluster_runs_a_task_as_the_targets_role() {
    let (bench, cluster) = with_cluster(Vec::new()).await;
    let overrides = json!({"containerOverrides": [{"name": "app", "command": ["x"]}]}).to_string();
    let targets = json!({"Rule": "r", "Targets": [target(ROLE, json!({"Input": overrides}))]});
    bench.call("PutTargets", targets).await.expect("taken");
    let running = bench.events.start();
    publish(&bench).await;
    until("the delivery", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let asked = cluster.asked();
    assert_eq!(asked.len(), 1);
    let (caller, request) = (asked[0].ctx.caller.to_string(), &asked[0].input);
    let token = request["clientToken"].as_str().expect("a token");
    assert_eq!(
        caller,
        format!("arn:aws:sts::000000000000:assumed-role/runner/{token}")
    );
    assert_eq!(
        request,
        &json!({"cluster": CLUSTER, "taskDefinition": "arn:aws:ecs:us-east-1:000000000000:task-definition/x:1",
            "count": 2, "launchType": "FARGATE", "clientToken": token, "startedBy": "events-rule/r",
            "tags": [{"key": "k", "value": "v"}], "placementConstraints": [{"type": "distinctInstance"}],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED"}},
            "overrides": {"containerOverrides": [{"name": "app", "command": ["x"]}]}})
    );
}

#[tokio::test]
async fn what_fails_for_now_is_tried_again_under_the_same_token_also_after_a_restart() {
    let full = json!({"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY", "arn": "arn:x"}]});
    let broken = ApiError::new("ServerException", 500, "not now");
    let (bench, cluster) = with_cluster(vec![Ok(full), Err(broken)]).await;
    let targets = json!({"Rule": "r", "Targets": [target(ROLE, json!({}))]});
    bench.call("PutTargets", targets).await.expect("taken");
    publish(&bench).await;
    let running = bench.events.start();
    let failures = |bench: &Bench| {
        bench
            .events
            .owed
            .snapshot()
            .iter()
            .map(|entry| entry.value.failures)
            .max()
    };
    until("the first failure", || failures(&bench) == Some(1)).await;
    running.stop().await;
    let again = Bench::over(bench.store.clone(), START.plus_millis(60_000)).await;
    again.dispatcher.register(cluster.clone());
    again.dispatcher.set_authority(one_role());
    let running = again.events.start();
    until("the second failure", || failures(&again) == Some(2)).await;
    again.clock.advance(60_000);
    until("the delivery", || again.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let asked = cluster.asked();
    let tokens: Vec<_> = asked
        .iter()
        .map(|asked| asked.input["clientToken"].clone())
        .collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert!(
        asked[0].input.get("overrides").is_none(),
        "the event itself overrides nothing"
    );
}

#[tokio::test]
async fn what_fails_for_good_is_given_up() {
    let denied = ApiError::client("AccessDeniedException", "no");
    let (bench, cluster) = with_cluster(vec![Err(denied)]).await;
    let other = "arn:aws:iam::000000000000:role/stranger";
    let mut wrong = target(ROLE, json!({"Input": "{\"unknown\": 1}"}));
    wrong["Id"] = json!("wrong");
    let mut untrusted = target(other, json!({}));
    untrusted["Id"] = json!("untrusted");
    let targets = json!({"Rule": "r", "Targets": [target(ROLE, json!({})), wrong, untrusted]});
    bench.call("PutTargets", targets).await.expect("taken");
    publish(&bench).await;
    until("what is owed", || bench.events.owed.snapshot().len() == 3).await;
    let running = bench.events.start();
    until("the end", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    assert_eq!(cluster.asked().len(), 1, "the others never came so far");
}

#[tokio::test]
async fn a_bus_hands_on_to_another_bus_and_each_event_once() {
    let (bench, cluster) = with_cluster(Vec::new()).await;
    bench
        .call("CreateEventBus", json!({"Name": "orders"}))
        .await
        .expect("a bus");
    let other = "arn:aws:events:us-east-1:000000000000:event-bus/orders";
    bench
        .call(
            "PutTargets",
            json!({"Rule": "r", "Targets": [{"Id": "b", "Arn": other}]}),
        )
        .await
        .expect("taken");
    let rule = json!({"Name": "s", "EventBusName": "orders", "EventPattern": r#"{"detail": {"n": [1]}}"#});
    bench.call("PutRule", rule).await.expect("a rule");
    let targets = json!({"Rule": "s", "EventBusName": "orders", "Targets": [target(ROLE, json!({}))]});
    bench.call("PutTargets", targets).await.expect("taken");
    let running = bench.events.start();
    publish(&bench).await;
    until("the task", || !cluster.asked().is_empty()).await;
    until("the end", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let asked = cluster.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].input["startedBy"], "events-rule/s");
}

#[tokio::test]
async fn a_state_machine_is_started_as_the_targets_role_once_for_each_event() {
    const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";
    let bench = Bench::new().await;
    let started = json!({"executionArn": "arn:x", "startDate": 1});
    let machines = Fake::answering(&roadstead_api_stepfunctions::MODEL, started);
    machines.refuse(ApiError::new("ThrottlingException", 400, "Rate exceeded"));
    machines.refuse(ApiError::client("ExecutionAlreadyExists", "by the first attempt"));
    bench.dispatcher.register(machines.clone());
    bench.dispatcher.set_authority(one_role());
    let rule = json!({"Name": "r", "EventPattern": r#"{"source": ["shop"]}"#});
    bench.call("PutRule", rule).await.expect("a rule");
    let put = |arn: &str, role: Option<&str>| {
        let mut target = json!({"Id": "t", "Arn": arn, "InputPath": "$.detail"});
        if let Some(role) = role {
            target["RoleArn"] = json!(role);
        }
        bench.call("PutTargets", json!({"Rule": "r", "Targets": [target]}))
    };
    let code = |answer: Result<Json, ApiError>| match answer {
        Ok(answer) => answer["FailedEntries"][0]["ErrorCode"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        Err(error) => error.code.to_string(),
    };
    assert_ne!(code(put(MACHINE, None).await), "", "it needs a role");
    assert_ne!(
        code(put("arn:aws:states:us-east-1:000000000000:activity:a", Some(ROLE)).await),
        ""
    );
    assert_eq!(code(put(MACHINE, Some(ROLE)).await), "");
    publish(&bench).await;
    let running = bench.events.start();
    until("the failure to be written", || {
        let owed = bench.events.owed.snapshot();
        owed.iter().next().is_some_and(|entry| entry.value.failures == 1)
    })
    .await;
    running.stop().await;
    let id = bench
        .events
        .owed
        .snapshot()
        .iter()
        .next()
        .expect("a delivery")
        .value
        .id
        .clone();
    let again = Bench::over(bench.store.clone(), START.plus_millis(60_000)).await;
    again.dispatcher.register(machines.clone());
    again.dispatcher.set_authority(one_role());
    let running = again.events.start();
    until("the delivery", || again.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let asked = machines.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].input, asked[1].input, "one name, so one execution");
    let expected = json!({"stateMachineArn": MACHINE, "name": id, "input": r#"{"n":1}"#});
    assert_eq!(asked[0].input, expected);
    assert!(
        matches!(&asked[0].ctx.caller, roadstead_base::Caller::Role(session) if &*session.role_arn == ROLE)
    );
}

#[tokio::test]
async fn a_function_is_invoked_by_the_service_for_the_rule() {
    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
    let bench = Bench::new().await;
    let functions = Fake::answering(&roadstead_api_lambda::MODEL, json!({"StatusCode": 202}));
    functions.refuse(ApiError::new("TooManyRequestsException", 429, "Rate exceeded"));
    bench.dispatcher.register(functions.clone());
    bench.dispatcher.set_authority(one_role());
    let rule = json!({"Name": "r", "EventPattern": r#"{"source": ["shop"]}"#});
    bench.call("PutRule", rule).await.expect("a rule");
    let targets = json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": FUNCTION, "InputPath": "$.detail"}]});
    bench.call("PutTargets", targets).await.expect("taken");
    publish(&bench).await;
    let running = bench.events.start();
    until("the failure to be written", || {
        let owed = bench.events.owed.snapshot();
        owed.iter().next().is_some_and(|entry| entry.value.failures == 1)
    })
    .await;
    bench.clock.advance(60_000);
    until("the delivery", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let done = functions.done();
    assert_eq!(done.len(), 1);
    let (asked, ctx) = (&done[0].input, &done[0].ctx);
    assert_eq!(
        (&asked["FunctionName"], &asked["InvocationType"]),
        (&json!(FUNCTION), &json!("Event"))
    );
    assert_eq!(asked["Payload"], "eyJuIjoxfQ==", "base64 of the input");
    assert_eq!(ctx.caller.to_string(), "events.amazonaws.com");
    assert_eq!(
        ctx.origin.source_arn.as_deref(),
        Some("arn:aws:events:us-east-1:000000000000:rule/r")
    );
}

#[tokio::test]
async fn a_task_is_run_with_all_that_the_target_says() {
    let (bench, cluster) = with_cluster(Vec::new()).await;
    let mut target = target(ROLE, json!({}));
    target["EcsParameters"] = json!({"TaskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/x:1",
        "CapacityProviderStrategy": [{"capacityProvider": "p", "weight": 2, "base": 1}],
        "EnableECSManagedTags": true, "EnableExecuteCommand": true, "Group": "g", "PlatformVersion": "1.4.0",
        "PropagateTags": "TASK_DEFINITION", "ReferenceId": "ticket",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"]}},
        "PlacementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}],
        "PlacementStrategy": [{"type": "binpack", "field": "cpu"}]});
    let targets = json!({"Rule": "r", "Targets": [target]});
    bench.call("PutTargets", targets).await.expect("taken");
    let running = bench.events.start();
    publish(&bench).await;
    until("the delivery", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let asked = cluster.asked();
    let request = &asked[0].input;
    for (member, value) in [
        (
            "capacityProviderStrategy",
            json!([{"capacityProvider": "p", "weight": 2, "base": 1}]),
        ),
        ("enableECSManagedTags", json!(true)),
        ("enableExecuteCommand", json!(true)),
        ("group", json!("g")),
        ("platformVersion", json!("1.4.0")),
        ("propagateTags", json!("TASK_DEFINITION")),
        ("referenceId", json!("ticket")),
        (
            "networkConfiguration",
            json!({"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}),
        ),
        (
            "placementConstraints",
            json!([{"type": "memberOf", "expression": "attribute:a == b"}]),
        ),
        ("placementStrategy", json!([{"type": "binpack", "field": "cpu"}])),
    ] {
        assert_eq!(request[member], value, "{member}");
    }
}
