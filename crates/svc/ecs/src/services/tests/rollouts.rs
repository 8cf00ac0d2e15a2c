//! Deployments: one after the other, given up, rolled back, without a place.

use serde_json::{Value as Json, json};

use super::{idle, is_steady, messages, plane};
use crate::harness::{GROUP, SUBNET_A, SUBNET_B, awsvpc, definition, text};

#[tokio::test]
async fn a_new_revision_replaces_the_old_one_by_one() {
    let plane = plane().await;
    plane.create(json!({})).await;
    let old = plane.all_run(2).await;
    plane.service_when("steady", is_steady).await;
    let revision = plane.revise().await;
    let service = plane.update(json!({"taskDefinition": "web"})).await;
    assert_eq!(
        (
            &service["taskDefinition"],
            service["deployments"].as_array().map(Vec::len)
        ),
        (&json!(revision), Some(2))
    );
    assert_eq!(service["deployments"][1]["status"], "ACTIVE");
    let all = plane.tasks("RUNNING", 4).await;
    let new: Vec<&String> = all.iter().filter(|task| !old.contains(task)).collect();
    // As each of the new ones runs, one of the old ones goes, and not before.
    plane.report(new[0], "RUNNING").await;
    let left = plane.tasks("RUNNING", 3).await;
    assert!(new.iter().all(|task| left.contains(task)));
    let plane = plane.restart().await;
    assert_eq!(plane.tasks("RUNNING", 3).await, left);
    plane.report(new[1], "RUNNING").await;
    plane.tasks("RUNNING", 2).await;
    let service = plane.service_when("steady", is_steady).await;
    assert_eq!(service["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(service["deployments"][0]["taskDefinition"], revision);
    // The same again is no deployment; forced, it is.
    let same = plane.update(json!({"taskDefinition": "web"})).await;
    assert_eq!(same["deployments"][0]["id"], service["deployments"][0]["id"]);
    let forced = plane.update(json!({"forceNewDeployment": true})).await;
    assert_ne!(forced["deployments"][0]["id"], service["deployments"][0]["id"]);
    assert_eq!(forced["taskDefinition"], revision);
}

#[tokio::test]
async fn bounds_make_old_ones_go_first() {
    let plane = plane().await;
    plane
        .create(json!({"deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 100}}))
        .await;
    let old = plane.all_run(2).await;
    plane.service_when("steady", is_steady).await;
    plane.revise().await;
    plane.update(json!({"taskDefinition": "web"})).await;
    plane.tasks("STOPPED", 1).await;
    let mixed = plane.tasks("RUNNING", 2).await;
    assert_eq!(mixed.iter().filter(|task| old.contains(task)).count(), 1);
    plane.all_run(2).await;
    plane.tasks("STOPPED", 2).await;
    plane.all_run(2).await;
    plane.service_when("steady", is_steady).await;
}

fn breaker(rollback: bool) -> Json {
    json!({"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}})
}

/// Lets `count` tasks that are not among `spared` fail to start, one after the other, each as soon as it may start.
async fn fail(plane: &super::Plane, spared: &[String], count: u32) {
    for nth in 0..count {
        let task = a_new_one(plane, spared).await;
        plane.report(&task, "STOPPED").await;
        plane.tasks("STOPPED", nth as usize + 1).await;
        if nth + 1 < count {
            plane.cloud.clock.advance(1_000 << nth);
        }
    }
}

async fn a_new_one(plane: &super::Plane, spared: &[String]) -> String {
    for _ in 0..12_000 {
        let answer = plane
            .cloud
            .call("ListTasks", json!({"serviceName": "web"}))
            .await
            .expect("lists");
        let tasks: Vec<String> = answer["taskArns"]
            .as_array()
            .expect("a list")
            .iter()
            .map(text)
            .collect();
        if let Some(task) = tasks.into_iter().find(|task| !spared.contains(task)) {
            return task;
        }
        plane.cloud.ecs.wake_services();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("none was started: {:#}", plane.service().await);
}

#[tokio::test]
async fn the_circuit_breaker_rolls_back() {
    let plane = plane().await;
    plane
        .create(json!({"desiredCount": 1, "deploymentConfiguration": breaker(true)}))
        .await;
    let old = plane.all_run(1).await;
    let first = plane.service_when("steady", is_steady).await;
    plane.revise().await;
    let broken = plane.update(json!({"taskDefinition": "web"})).await;
    fail(&plane, &old, 3).await;
    let service = plane.service_that_says("rolling back to deployment").await;
    let said = messages(&service);
    let (bad, good) = (
        text(&broken["deployments"][0]["id"]),
        text(&first["deployments"][0]["id"]),
    );
    assert!(said.contains(&format!(
        "(service web) (deployment {bad}) deployment failed: tasks failed to start."
    )));
    assert!(said.contains(&format!("(service web) rolling back to deployment {good}.")));
    let service = plane.service_when("steady", is_steady).await;
    let primary = &service["deployments"][0];
    assert_eq!(
        (&primary["id"], &primary["rolloutState"]),
        (&json!(good), &json!("COMPLETED"))
    );
    assert_eq!(service["taskDefinition"], first["taskDefinition"]);
    assert_eq!(plane.tasks("RUNNING", 1).await, old, "what ran runs on");
}

#[tokio::test]
async fn the_circuit_breaker_gives_up_without_a_way_back() {
    let plane = plane().await;
    plane
        .create(json!({"desiredCount": 1, "deploymentConfiguration": breaker(true)}))
        .await;
    fail(&plane, &[], 3).await;
    let failed = |service: &Json| service["deployments"][0]["rolloutState"] == "FAILED";
    let service = plane.service_when("failed", failed).await;
    assert_eq!(service["deployments"][0]["failedTasks"], 3);
    plane.cloud.clock.advance(3_600_000);
    let plane = plane.restart().await;
    plane.tasks("RUNNING", 0).await;
    // Another deployment is another try.
    plane.update(json!({"forceNewDeployment": true})).await;
    plane.all_run(1).await;
    plane.service_when("steady", is_steady).await;
}

#[tokio::test]
async fn a_task_that_fails_is_replaced_after_a_wait() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    fail(&plane, &[], 4).await;
    let service = plane
        .service_that_says("is unable to consistently start tasks successfully.")
        .await;
    assert_eq!(service["deployments"][0]["failedTasks"], 4);
    assert_eq!(plane.tasks("RUNNING", 0).await, Vec::<String>::new());
    plane.cloud.clock.advance(8_000);
    plane.cloud.ecs.wake_services();
    plane.all_run(1).await;
    let service = plane.service_when("steady", is_steady).await;
    assert_eq!(service["deployments"][0]["failedTasks"], 0);
}

#[tokio::test]
async fn what_finds_no_place_is_told_and_tried_again() {
    let plane = plane().await;
    let big = definition("big", "bridge", |it| {
        it["containerDefinitions"][0]["memory"] = json!(600)
    });
    plane
        .cloud
        .call("RegisterTaskDefinition", big)
        .await
        .expect("registers");
    plane.create(json!({"taskDefinition": "big"})).await;
    let first = plane.all_run(1).await;
    let service = plane.service_that_says("was unable to place a task").await;
    let id = plane.instance.rsplit('/').next().expect("an id");
    let words = format!(
        "(service web) was unable to place a task because no container instance met all of its requirements. The \
         closest matching (container-instance {id}) has insufficient memory available."
    );
    assert!(
        messages(&service)[0].starts_with(&words),
        "{:?}",
        messages(&service)
    );
    // Room is made: the first machine is not enough, a second is.
    let second = plane.cloud.register("default", "i-0000000000000000b", 2).await;
    let _agent = idle(&plane.cloud, &second).await;
    let both = plane.all_run(2).await;
    assert!(both.contains(&first[0]));
    plane.service_when("steady", is_steady).await;
}

#[tokio::test]
async fn a_cluster_without_instances_is_said_to_be_so() {
    let plane = plane().await;
    plane
        .cloud
        .call("CreateCluster", json!({"clusterName": "empty"}))
        .await
        .expect("a cluster");
    plane.create(json!({"cluster": "empty"})).await;
    for _ in 0..12_000 {
        let request = json!({"services": ["web"], "cluster": "empty"});
        let answer = plane
            .cloud
            .call("DescribeServices", request)
            .await
            .expect("describes");
        let said = messages(&answer["services"][0]);
        if said
            .iter()
            .any(|it| it.contains("Reason: No Container Instances were found in your cluster."))
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing was said");
}

#[tokio::test]
async fn a_task_counts_after_it_has_run_for_a_while() {
    let mut plane = plane().await;
    plane.cloud = plane
        .cloud
        .restart_with(|options| options.settle_millis = 40_000)
        .await;
    plane.agent = idle(&plane.cloud, &plane.instance).await;
    plane.create(json!({"desiredCount": 1})).await;
    plane.all_run(1).await;
    let running = |service: &Json| service["runningCount"] == 1;
    let service = plane.service_when("running", running).await;
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    plane.cloud.clock.advance(40_000);
    plane.cloud.ecs.wake_services();
    plane.service_when("steady", is_steady).await;
}

#[tokio::test]
async fn an_update_takes_each_of_its_members() {
    let plane = plane().await;
    let own = definition("own", "awsvpc", |_| {});
    plane
        .cloud
        .call("RegisterTaskDefinition", own)
        .await
        .expect("registers");
    plane
        .create(json!({
            "taskDefinition": "own", "desiredCount": 0, "healthCheckGracePeriodSeconds": 7,
            "networkConfiguration": awsvpc(&[SUBNET_A], &[]),
        }))
        .await;
    let mut network = awsvpc(&[SUBNET_A, SUBNET_B], &[GROUP]);
    network["awsvpcConfiguration"]["assignPublicIp"] = json!("DISABLED");
    let public = json!({"service": "web", "networkConfiguration": crate::harness::public()});
    let error = plane
        .cloud
        .call("UpdateService", public)
        .await
        .expect_err("there is none");
    assert!(error.message.contains("assignPublicIp ENABLED"), "{error}");
    let asked = json!({
        "cluster": "default",
        "networkConfiguration": network,
        "healthCheckGracePeriodSeconds": 8,
        "enableExecuteCommand": false,
        "serviceConnectConfiguration": {"enabled": false},
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": {
            "minimumHealthyPercent": 10, "maximumPercent": 150, "strategy": "ROLLING",
            "deploymentCircuitBreaker": {"enable": true, "rollback": true},
        },
    });
    let before = plane.service_when("steady", is_steady).await;
    assert_eq!(before["healthCheckGracePeriodSeconds"], 7);
    let after = plane.update(asked.clone()).await;
    assert_eq!(after["healthCheckGracePeriodSeconds"], 8);
    assert_eq!(after["networkConfiguration"], asked["networkConfiguration"]);
    let shown = &after["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(
        (&shown["subnets"], &shown["securityGroups"]),
        (&json!([SUBNET_A, SUBNET_B]), &json!([GROUP]))
    );
    assert_eq!(after["deploymentConfiguration"], asked["deploymentConfiguration"]);
    assert_ne!(
        after["deployments"][0]["id"], before["deployments"][0]["id"],
        "a network is a deployment"
    );
    // What is not named stays as it is.
    let same = plane.update(json!({"desiredCount": 0})).await;
    for member in [
        "deploymentConfiguration",
        "networkConfiguration",
        "healthCheckGracePeriodSeconds",
    ] {
        assert_eq!(same[member], after[member]);
    }
    let not_yet = "is not supported by Roadstead yet.";
    for (change, words) in [
        (
            json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}),
            "not associated with the cluster",
        ),
        (json!({"deploymentController": {"type": "EXTERNAL"}}), not_yet),
        (json!({"enableExecuteCommand": true}), not_yet),
        (json!({"loadBalancers": [{"containerName": "app"}]}), not_yet),
        (
            json!({"deploymentConfiguration": {"maximumPercent": 99}}),
            "maximumPercent",
        ),
        (json!({"desiredCount": -1}), "desiredCount"),
        (json!({"taskDefinition": "none"}), "TaskDefinition not found."),
    ] {
        let mut request = change.clone();
        request["service"] = json!("web");
        let error = plane
            .cloud
            .call("UpdateService", request)
            .await
            .expect_err("is refused");
        assert!(error.message.contains(words), "{change}: {error}");
    }
}
