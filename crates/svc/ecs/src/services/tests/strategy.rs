//! Services whose tasks count for capacity providers.

use std::collections::BTreeMap;

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_base::Caller;
use serde_json::{Value as Json, json};

use super::{Plane, idle, is_steady, plane};
use crate::harness::{SUBNET_A, awsvpc, definition};

const INVALID: &str = "InvalidParameterException";

/// With Fargate's capacity on ten machines, and both providers in the cluster `default`.
async fn ready() -> (Plane, Vec<String>) {
    let plane = plane().await;
    let small = definition("small", "awsvpc", |it| {
        it["requiresCompatibilities"] = json!(["EC2", "FARGATE"]);
        it["cpu"] = json!("256");
        it["memory"] = json!("512");
    });
    let made = plane.cloud.call("RegisterTaskDefinition", small).await;
    made.expect("registers");
    let mut capacity = Vec::new();
    // Each has room for one.
    for n in 0..10 {
        let machine = format!("i-00000000000000f{n:02}");
        let instance = plane
            .cloud
            .register_in(Caller::Node, FARGATE_CLUSTER, &machine, 8, "us-east-1a")
            .await;
        idle(&plane.cloud, &instance).await;
        capacity.push(instance);
    }
    put(&plane, json!(["FARGATE", "FARGATE_SPOT"]), json!([]))
        .await
        .expect("has both");
    (plane, capacity)
}

async fn put(plane: &Plane, providers: Json, strategy: Json) -> Result<Json, roadstead_protocol::ApiError> {
    let input = json!({
        "cluster": "default", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy,
    });
    plane.cloud.call("PutClusterCapacityProviders", input).await
}

fn item(provider: &str, weight: i32, base: i32) -> Json {
    json!({"capacityProvider": provider, "weight": weight, "base": base})
}

fn small(change: Json) -> Json {
    let mut request = json!({"taskDefinition": "small", "networkConfiguration": awsvpc(&[SUBNET_A], &[])});
    let members = request.as_object_mut().expect("an object");
    members.extend(change.as_object().expect("an object").clone());
    request
}

async fn shares(plane: &Plane, count: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for task in plane.all_run(count).await {
        let provider = plane.cloud.task(&task).await["capacityProviderName"].clone();
        *shares
            .entry(provider.as_str().unwrap_or("none").to_owned())
            .or_default() += 1;
    }
    shares
}

fn parts(fargate: usize, spot: usize) -> BTreeMap<String, usize> {
    let parts = [("FARGATE".to_owned(), fargate), ("FARGATE_SPOT".to_owned(), spot)];
    parts.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn a_services_tasks_are_shared_by_its_strategy_however_many_there_are() {
    let (plane, capacity) = ready().await;
    let strategy = json!([item("FARGATE", 1, 0), item("FARGATE_SPOT", 1, 0)]);
    let made = plane
        .create(small(
            json!({"desiredCount": 4, "capacityProviderStrategy": strategy}),
        ))
        .await;
    assert_eq!(made["capacityProviderStrategy"], strategy, "{made:#}");
    assert_eq!(made["deployments"][0]["capacityProviderStrategy"], strategy);
    assert_eq!(
        (&made["launchType"], &made["platformFamily"]),
        (&Json::Null, &json!("Linux"))
    );
    assert_eq!(shares(&plane, 4).await, parts(2, 2));
    plane.service_when("steady", is_steady).await;
    plane.update(json!({"desiredCount": 7})).await;
    assert_eq!(shares(&plane, 7).await, parts(4, 3));
    plane.service_when("steady", is_steady).await;
    let plane = plane.restart().await;
    for instance in &capacity {
        idle(&plane.cloud, instance).await;
    }
    plane.update(json!({"desiredCount": 2})).await;
    assert_eq!(shares(&plane, 2).await, parts(1, 1));
    plane.update(json!({"desiredCount": 3})).await;
    assert_eq!(shares(&plane, 3).await, parts(2, 1));
    // Its launch type is what it runs on.
    let listed = plane
        .cloud
        .call("ListServices", json!({"launchType": "FARGATE"}))
        .await;
    assert_eq!(
        listed.expect("lists")["serviceArns"].as_array().map(Vec::len),
        Some(1)
    );
    let revision = made["currentServiceRevisions"][0]["arn"].clone();
    let shown = plane
        .cloud
        .call(
            "DescribeServiceRevisions",
            json!({"serviceRevisionArns": [revision]}),
        )
        .await
        .expect("describes");
    assert_eq!(
        shown["serviceRevisions"][0]["capacityProviderStrategy"], strategy,
        "{shown:#}"
    );
}

#[tokio::test]
async fn a_strategy_is_changed_by_a_deployment_alone() {
    let (plane, _) = ready().await;
    let made = plane
        .create(small(json!({"launchType": "EC2", "desiredCount": 1})))
        .await;
    assert_eq!(
        (&made["launchType"], &made["capacityProviderStrategy"]),
        (&json!("EC2"), &Json::Null)
    );
    plane.all_run(1).await;
    plane.service_when("steady", is_steady).await;
    let spot = json!([item("FARGATE_SPOT", 1, 0)]);
    let without = json!({"service": "web", "capacityProviderStrategy": spot});
    let error = plane
        .cloud
        .call("UpdateService", without)
        .await
        .expect_err("is not forced");
    assert_eq!(error.code, INVALID);
    assert!(
        error.message.contains("you must force a new deployment"),
        "{error}"
    );
    let change = json!({"capacityProviderStrategy": spot, "forceNewDeployment": true});
    let changed = plane.update(change).await;
    assert_eq!(
        (&changed["launchType"], &changed["capacityProviderStrategy"]),
        (&Json::Null, &spot)
    );
    plane.all_run(2).await;
    assert_eq!(shares(&plane, 1).await, parts(0, 1));
    plane.service_when("steady", is_steady).await;
    // The same again is no change, so that nothing need be forced.
    let same = plane.update(json!({"capacityProviderStrategy": spot})).await;
    assert_eq!(same["deployments"][0]["id"], changed["deployments"][0]["id"]);
    // Without one it is again what it was made for.
    let back = json!({"capacityProviderStrategy": [], "forceNewDeployment": true});
    let back = plane.update(back).await;
    assert_eq!(
        (&back["launchType"], &back["capacityProviderStrategy"]),
        (&json!("EC2"), &Json::Null)
    );
}

#[tokio::test]
async fn a_clusters_strategy_is_a_services_where_nothing_is_said() {
    let (plane, _) = ready().await;
    let spot = json!([item("FARGATE_SPOT", 1, 0)]);
    put(&plane, json!(["FARGATE", "FARGATE_SPOT"]), spot.clone())
        .await
        .expect("is the default");
    let made = plane.create(small(json!({}))).await;
    assert_eq!(made["capacityProviderStrategy"], spot);
    // What the cluster says later is of later services.
    put(&plane, json!(["FARGATE", "FARGATE_SPOT"]), json!([]))
        .await
        .expect("is no default");
    assert_eq!(plane.service().await["capacityProviderStrategy"], spot);
    assert_eq!(shares(&plane, 2).await, parts(0, 2));
    let told = plane
        .create(small(json!({"serviceName": "told", "launchType": "EC2"})))
        .await;
    assert_eq!(
        (&told["launchType"], &told["capacityProviderStrategy"]),
        (&json!("EC2"), &Json::Null)
    );
}

#[tokio::test]
async fn a_provider_that_a_service_uses_stays_with_the_cluster() {
    let (plane, _) = ready().await;
    let strategy = json!([item("FARGATE", 1, 0), item("FARGATE_SPOT", 1, 0)]);
    plane
        .create(small(
            json!({"desiredCount": 0, "capacityProviderStrategy": strategy}),
        ))
        .await;
    // It has no task.
    let error = put(&plane, json!(["FARGATE"]), json!([]))
        .await
        .expect_err("is in use");
    assert_eq!(error.code, "ResourceInUseException");
    let plane = plane.restart().await;
    let error = put(&plane, json!([]), json!([])).await.expect_err("is in use");
    assert_eq!(error.code, "ResourceInUseException");
    plane
        .cloud
        .call("DeleteService", json!({"service": "web"}))
        .await
        .expect("deletes");
    plane
        .service_when("gone", |service| service["status"] == "INACTIVE")
        .await;
    put(&plane, json!([]), json!([])).await.expect("is free");
}

#[tokio::test]
async fn strategies_that_cannot_be_are_refused() {
    let (plane, _) = ready().await;
    put(&plane, json!(["FARGATE"]), json!([]))
        .await
        .expect("one is enough");
    plane.create(small(json!({"launchType": "FARGATE"}))).await;
    let daemon = json!({"serviceName": "d", "schedulingStrategy": "DAEMON", "desiredCount": null});
    let daemon = |more: Json| {
        let mut request = small(daemon.clone());
        let members = request.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        request
    };
    let replica = |strategy: Json| {
        small(json!({"serviceName": "r", "desiredCount": 1, "capacityProviderStrategy": strategy}))
    };
    let mut both = replica(json!([item("FARGATE", 1, 0)]));
    both["launchType"] = json!("FARGATE");
    for (operation, request, words) in [
        (
            "CreateService",
            both,
            "both a launch type and capacity provider strategy",
        ),
        (
            "CreateService",
            replica(json!([item("FARGATE_SPOT", 1, 0)])),
            "not associated with the cluster",
        ),
        (
            "CreateService",
            replica(json!([item("none", 1, 0)])),
            "capacity provider",
        ),
        (
            "CreateService",
            replica(json!([item("FARGATE", 1, 0), item("FARGATE", 1, 0)])),
            "more than once",
        ),
        (
            "CreateService",
            daemon(json!({"launchType": "FARGATE"})),
            "daemon scheduling strategy does not support",
        ),
        (
            "CreateService",
            daemon(json!({"capacityProviderStrategy": [item("FARGATE", 1, 0)]})),
            "daemon scheduling",
        ),
        (
            "CreateService",
            small(json!({"serviceName": "r", "desiredCount": 1, "role": "r"})),
            "load balancer",
        ),
        (
            "UpdateService",
            json!({"service": "web", "forceNewDeployment": true,
                                 "capacityProviderStrategy": [item("FARGATE_SPOT", 1, 0)]}),
            "not associated",
        ),
    ] {
        let error = plane.cloud.call(operation, request.clone()).await;
        let error = error
            .map(|it| panic!("{request} made {it:#}"))
            .expect_err("refused");
        assert!(
            error.code == INVALID && error.message.contains(words),
            "{request}: {error}"
        );
    }
    let listed = plane.cloud.call("ListServices", json!({})).await.expect("lists");
    assert_eq!(listed["serviceArns"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn task_sets_are_shared_over_capacity_providers() {
    let (plane, _capacity) = ready().await;
    let external =
        json!({"taskDefinition": null, "desiredCount": 4, "deploymentController": {"type": "EXTERNAL"}});
    plane.create(external).await;
    let set = |change: Json| {
        let mut request = small(json!({"cluster": "default", "service": "web", "scale": {"value": 100}}));
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        plane.cloud.call("CreateTaskSet", request)
    };
    let strategy = json!([item("FARGATE", 1, 1), item("FARGATE_SPOT", 2, 0)]);
    let made = set(json!({"capacityProviderStrategy": strategy}))
        .await
        .expect("creates")["taskSet"]
        .clone();
    assert_eq!(
        (&made["capacityProviderStrategy"], &made["launchType"]),
        (&strategy, &Json::Null)
    );
    // One for the base; of the other three a third and two thirds.
    assert_eq!(shares(&plane, 4).await, parts(2, 2));
    let error = put(&plane, json!(["FARGATE"]), json!([]))
        .await
        .expect_err("is in use");
    assert_eq!(error.code, "ResourceInUseException");
    let gone = json!({"cluster": "default", "service": "web", "taskSet": made["id"], "force": true});
    plane.cloud.call("DeleteTaskSet", gone).await.expect("deletes");
    let made = set(json!({"launchType": "FARGATE", "platformVersion": "1.4.0"})).await;
    let made = made.expect("creates")["taskSet"].clone();
    assert_eq!(
        (
            &made["launchType"],
            &made["platformVersion"],
            &made["platformFamily"]
        ),
        (&json!("FARGATE"), &json!("1.4.0"), &json!("Linux"))
    );
}
