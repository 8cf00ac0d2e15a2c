//! What task sets and their services cannot be.

use serde_json::{Value as Json, json};

use super::super::plane;
use super::{INVALID, call, external, id_of, sets};
use crate::harness::{SUBNET_A, awsvpc};
use crate::tests::refused;

#[tokio::test]
async fn an_external_service_leaves_the_rest_to_its_task_sets() {
    let plane = plane().await;
    let network = awsvpc(&[SUBNET_A], &[]);
    let create = |change: Json| {
        let mut request = json!({"serviceName": "web", "deploymentController": {"type": "EXTERNAL"}});
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        plane.cloud.call("CreateService", request)
    };
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": false}});
    let alarms = json!({"alarms": {"alarmNames": ["a"], "enable": true, "rollback": false}});
    for (change, words) in [
        (json!({"taskDefinition": "web"}), "TaskDefinition must be blank."),
        (json!({"launchType": "EC2"}), "LaunchType must be blank."),
        (
            json!({"networkConfiguration": network}),
            "NetworkConfiguration must be blank.",
        ),
        (
            json!({"platformVersion": "LATEST"}),
            "PlatformVersion must be blank.",
        ),
        (
            json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}),
            "CapacityProviderStrategy must be blank.",
        ),
        (
            json!({"schedulingStrategy": "DAEMON"}),
            "daemon scheduling strategy",
        ),
        (
            json!({"deploymentConfiguration": breaker}),
            "deploymentCircuitBreaker can only",
        ),
        (json!({"deploymentConfiguration": alarms}), "alarms can only"),
        (
            json!({"deploymentController": {"type": "CODE_DEPLOY"}}),
            "deploymentController CODE_DEPLOY",
        ),
        (
            json!({"placementConstraints": [{"type": "memberOf", "expression": "=="}]}),
            "placementConstraints",
        ),
        (json!({"desiredCount": -1}), "desiredCount must be between"),
    ] {
        refused(create(change).await, INVALID, words);
    }
    // Its name is enough.
    let made = create(json!({})).await.expect("creates")["service"].clone();
    assert_eq!(made["desiredCount"], 0);
    let update = |change: Json| {
        let mut request = json!({"service": "web"});
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        plane.cloud.call("UpdateService", request)
    };
    let of = |member: &str| {
        format!("Unable to update {member} on services with an EXTERNAL deployment controller.")
    };
    for (change, words) in [
        (json!({"taskDefinition": "web"}), of("task definition")),
        (
            json!({"networkConfiguration": network}),
            of("network configuration"),
        ),
        (json!({"platformVersion": "LATEST"}), of("platform version")),
        (
            json!({"capacityProviderStrategy": []}),
            of("capacity provider strategy"),
        ),
        (
            json!({"deploymentConfiguration": {"maximumPercent": 150}}),
            of("deployment configuration"),
        ),
        (
            json!({"availabilityZoneRebalancing": "DISABLED"}),
            of("Availability Zone rebalancing"),
        ),
        (json!({"forceNewDeployment": true}), of("deployment")),
        (
            json!({"deploymentController": {"type": "ECS"}}),
            "deploymentController ECS".to_owned(),
        ),
        (
            json!({"placementConstraints": [{"type": "memberOf", "expression": "=="}]}),
            "placementConstraints".to_owned(),
        ),
    ] {
        refused(update(change).await, INVALID, &words);
    }
    let constraint = json!([{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]);
    let service = plane
        .update(json!({
            "desiredCount": 2, "healthCheckGracePeriodSeconds": 5, "enableECSManagedTags": true,
            "propagateTags": "SERVICE", "placementConstraints": constraint,
            "deploymentController": {"type": "EXTERNAL"}, "forceNewDeployment": false,
        }))
        .await;
    assert_eq!(
        (&service["desiredCount"], &service["placementConstraints"]),
        (&json!(2), &constraint)
    );
}

#[tokio::test]
async fn task_sets_that_cannot_be_are_refused() {
    let plane = external(1).await;
    let with = |change: Json| {
        let mut request = json!({"taskDefinition": "web"});
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        call(&plane, "CreateTaskSet", request)
    };
    let not_yet = "is not supported by Roadstead yet.";
    let own = crate::harness::definition("own", "awsvpc", |_| {});
    plane
        .cloud
        .call("RegisterTaskDefinition", own)
        .await
        .expect("registers");
    for (change, code, words) in [
        (
            json!({"taskDefinition": "own", "networkConfiguration": crate::harness::public()}),
            INVALID,
            "assignPublicIp ENABLED is not supported by Roadstead yet",
        ),
        (
            json!({"service": "none"}),
            "ServiceNotFoundException",
            "Service not found.",
        ),
        (
            json!({"cluster": "none"}),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            json!({"taskDefinition": "none"}),
            "ClientException",
            "TaskDefinition not found.",
        ),
        (
            json!({"scale": {"value": 100.1}}),
            INVALID,
            "scale.value must be between 0 and 100.",
        ),
        (
            json!({"scale": {"value": -1}}),
            INVALID,
            "scale.value must be between 0 and 100.",
        ),
        (json!({"clientToken": "a b"}), INVALID, "clientToken"),
        (json!({"launchType": "EXTERNAL"}), INVALID, not_yet),
        (
            json!({"launchType": "FARGATE"}),
            INVALID,
            "does not support launch_type FARGATE",
        ),
        (
            json!({"platformVersion": "1.4.0"}),
            INVALID,
            "platform version must be null",
        ),
        (
            json!({"loadBalancers": [{"containerName": "app"}]}),
            INVALID,
            "loadBalancers is not",
        ),
        (
            json!({"serviceRegistries": [{"port": 1}]}),
            INVALID,
            "serviceRegistries is not",
        ),
        (
            json!({"networkConfiguration": awsvpc(&[SUBNET_A], &[])}),
            INVALID,
            "etwork",
        ),
        (
            json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}),
            INVALID,
            "not associated with the cluster",
        ),
        (
            json!({"tags": [{"key": "aws:a", "value": "b"}]}),
            INVALID,
            "reserved",
        ),
    ] {
        refused(with(change).await, code, words);
    }
    for _ in 0..5 {
        with(json!({})).await.expect("creates");
    }
    refused(
        with(json!({})).await,
        INVALID,
        "5 deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit.",
    );
    let set = id_of(&sets(&plane).await[0]);
    for (named, code, words) in [
        ("", INVALID, "TaskSet can not be blank."),
        ("7", INVALID, "neither a task set's id nor its ARN"),
        ("ecs-svc/7", "TaskSetNotFoundException", "TaskSet not found."),
        (
            &format!("arn:aws:ecs:us-east-1:000000000000:task-set/default/other/{set}"),
            INVALID,
            "Identifier is for service default/other",
        ),
        (
            "arn:aws:ecs:us-east-1:000000000000:cluster/default",
            INVALID,
            "Unsupported resource type: cluster",
        ),
    ] {
        let wanted = json!({"taskSet": named, "scale": {"value": 1}});
        refused(call(&plane, "UpdateTaskSet", wanted).await, code, words);
        refused(
            call(&plane, "DeleteTaskSet", json!({"taskSet": named})).await,
            code,
            words,
        );
    }
}

#[tokio::test]
async fn other_services_have_no_task_sets() {
    let plane = plane().await;
    plane.create(json!({})).await;
    let id = "ecs-svc/1234567890123456789";
    for (operation, request) in [
        ("CreateTaskSet", json!({"taskDefinition": "web"})),
        ("UpdateTaskSet", json!({"taskSet": id, "scale": {"value": 1}})),
        ("DeleteTaskSet", json!({"taskSet": id})),
        ("DescribeTaskSets", json!({})),
        ("UpdateServicePrimaryTaskSet", json!({"primaryTaskSet": id})),
    ] {
        refused(
            call(&plane, operation, request).await,
            INVALID,
            "Amazon ECS only supports task set management on services configured to use external deployment controllers.",
        );
    }
}
