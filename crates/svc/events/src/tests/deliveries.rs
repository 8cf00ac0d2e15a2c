//! What becomes of what is owed: to another bus, to a cluster as a role, tried again, given up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_base::{AccountId, Caller, Ctx, RoleSession, Timestamp};
use roadstead_dispatch::{
    Asked, Authority, Denial, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys,
};
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, json as codec};
use serde_json::{Value as Json, json};

use crate::harness::{Bench, START};

const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/c";
const ROLE: &str = "arn:aws:iam::000000000000:role/runner";

/// Lets the service act as one role, and everybody do everything.
pub(super) struct OneRole;

impl Authority for OneRole {
    fn find(&self, _access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        Ok(None)
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, _asked: Asked<'_>) -> Result<(), Denial> {
        Ok(())
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        if assumes.role_arn != ROLE || assumes.service != "events.amazonaws.com" {
            return Err(RoleError::NoSuchRole(assumes.role_arn.into()));
        }
        Ok(Arc::new(RoleSession {
            role_arn: ROLE.into(),
            role_id: "AROAX".into(),
            name: assumes.session_name.into(),
            issued: START,
            expires: Timestamp(i64::MAX),
            policies: Vec::new(),
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: assumes.source_arn.map(Into::into),
            chained: false,
        }))
    }

    fn issue(&self, _caller: &Caller, _account: &AccountId, _expires: Timestamp) -> SessionKeys {
        unreachable!("no keys are handed out here")
    }
}

/// Answers RunTask from a script, then always well, and remembers what was asked.
#[derive(Default)]
pub(super) struct Cluster {
    script: Mutex<Vec<Result<Json, ApiError>>>,
    asked: Mutex<Vec<(String, Json)>>,
}

impl Handler for Cluster {
    fn model(&self) -> &'static ServiceModel {
        &roadstead_api_ecs::MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        let model = self.model();
        let shape = operation.input.expect("an input");
        let asked = (ctx.caller.to_string(), codec::to_json(model, shape, input));
        self.asked.lock().expect("no panic").push(asked);
        let mut script = self.script.lock().expect("no panic");
        let answer = if script.is_empty() {
            Ok(json!({"tasks": [], "failures": []}))
        } else {
            script.remove(0)
        };
        let output = operation.output.expect("an output");
        Box::pin(async move {
            answer.map(|answer| codec::from_json(model, output, answer, "").expect("fits the model"))
        })
    }
}

pub(super) async fn with_cluster(script: Vec<Result<Json, ApiError>>) -> (Bench, Arc<Cluster>) {
    let bench = Bench::new().await;
    let cluster = Arc::new(Cluster {
        script: Mutex::new(script),
        ..Cluster::default()
    });
    bench.dispatcher.register(cluster.clone());
    bench.dispatcher.set_authority(Arc::new(OneRole));
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

pub(super) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain for {what}");
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
    let asked = cluster.asked.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 1);
    let (caller, request) = &asked[0];
    let token = request["clientToken"].as_str().expect("a token");
    assert_eq!(
        caller,
        &format!("arn:aws:sts::000000000000:assumed-role/runner/{token}")
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
    again.dispatcher.set_authority(Arc::new(OneRole));
    let running = again.events.start();
    until("the second failure", || failures(&again) == Some(2)).await;
    again.clock.advance(60_000);
    until("the delivery", || again.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let asked = cluster.asked.lock().expect("no panic").clone();
    let tokens: Vec<_> = asked
        .iter()
        .map(|(_, request)| request["clientToken"].clone())
        .collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert!(
        asked[0].1.get("overrides").is_none(),
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
    assert_eq!(
        cluster.asked.lock().expect("no panic").len(),
        1,
        "the others never came so far"
    );
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
    until("the task", || !cluster.asked.lock().expect("no panic").is_empty()).await;
    until("the end", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let asked = cluster.asked.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1["startedBy"], "events-rule/s");
}
