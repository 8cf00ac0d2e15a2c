//! Container health checks: who is replaced for them, and when.

use serde_json::json;

use super::{Plane, is_steady, messages, plane};
use crate::harness::{Reporter, definition};

/// A service of one task whose essential container has a health check.
async fn checked(change: serde_json::Value) -> (Plane, Reporter, String) {
    let plane = plane().await;
    let web = definition("web", "bridge", |web| {
        web["containerDefinitions"][0]["healthCheck"] = json!({"command": ["CMD-SHELL", "true"]});
    });
    plane
        .cloud
        .call("RegisterTaskDefinition", web)
        .await
        .expect("registers");
    plane.create(change).await;
    let reporter = reporter(&plane).await;
    let task = plane.all_run(1).await.remove(0);
    (plane, reporter, task)
}

async fn reporter(plane: &Plane) -> Reporter {
    Reporter::connect(&plane.cloud, "default", &plane.instance)
        .await
        .expect("connects")
}

async fn say(plane: &Plane, reporter: &mut Reporter, task: &str, status: &str) {
    let seconds = plane.cloud.ecs.clock.now().0 as f64 / 1000.0;
    let described = plane.cloud.task(task).await;
    let container = &described["containers"][0]["name"];
    let frame = json!({"type": "PublishHealthRequest", "message": {
        "metadata": {"cluster": "default", "containerInstance": plane.instance, "messageId": "h", "fin": true},
        "tasks": [{"taskArn": task, "taskDefinitionFamily": "web", "taskDefinitionVersion": "2",
            "containers": [{"containerName": container, "healthStatus": status, "statusSince": seconds}]}],
        "timestamp": seconds,
    }});
    reporter.say(&plane.cloud, &frame).await;
    assert_eq!(reporter.acknowledged().await, "h");
}

#[tokio::test]
async fn an_unhealthy_task_is_replaced_after_the_grace_period() {
    let (plane, mut reporter, task) =
        checked(json!({"desiredCount": 1, "healthCheckGracePeriodSeconds": 300})).await;
    say(&plane, &mut reporter, &task, "UNHEALTHY").await;
    plane.cloud.ecs.wake_services();
    // What is overlooked for now is not replaced, though it is known.
    plane.cloud.clock.advance(200_000);
    plane.cloud.ecs.wake_services();
    assert_eq!(plane.cloud.task(&task).await["healthStatus"], "UNHEALTHY");
    plane.cloud.ecs.look_at_services().await;
    assert_eq!(plane.tasks("RUNNING", 1).await, *std::slice::from_ref(&task));
    plane.cloud.clock.advance(101_000);
    assert_eq!(plane.tasks("STOPPED", 1).await, *std::slice::from_ref(&task));
    let new = plane.all_run(1).await.remove(0);
    assert_ne!(new, task);
    say(&plane, &mut reporter, &new, "HEALTHY").await;
    let service = plane.service_that_says("failed container health checks.").await;
    let id = task.rsplit('/').next().expect("an id");
    let words = format!("(service web) (task {id}) failed container health checks.");
    assert!(messages(&service).contains(&words), "{service:#}");
    let stopped = plane.cloud.task(&task).await;
    assert_eq!(
        (&stopped["stopCode"], &stopped["stoppedReason"]),
        (
            &json!("ServiceSchedulerInitiated"),
            &json!("Task failed container health checks")
        )
    );
    plane.service_when("steady", is_steady).await;
}

#[tokio::test]
async fn a_deployment_is_complete_when_its_tasks_say_that_they_are_healthy() {
    let (plane, mut reporter, task) = checked(json!({"desiredCount": 1})).await;
    let service = plane.service_when("one runs", |it| it["runningCount"] == 1).await;
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    say(&plane, &mut reporter, &task, "HEALTHY").await;
    plane.service_when("steady", is_steady).await;
}

#[tokio::test]
async fn what_was_healthy_stays_so_for_a_new_daemon() {
    let (plane, mut reporter, old) = checked(json!({"desiredCount": 1})).await;
    say(&plane, &mut reporter, &old, "HEALTHY").await;
    plane.service_when("steady", is_steady).await;
    drop(reporter);
    let plane = plane.restart().await;
    // Nobody has said anything yet, or nothing but that nothing is known.
    let mut reporter = self::reporter(&plane).await;
    say(&plane, &mut reporter, &old, "UNKNOWN").await;
    plane.update(json!({"forceNewDeployment": true})).await;
    let both = plane.tasks("RUNNING", 2).await;
    assert!(both.contains(&old), "the old one serves until the new one does");
    let new = both.iter().find(|it| **it != old).expect("another");
    plane.report(new, "RUNNING").await;
    say(&plane, &mut reporter, new, "HEALTHY").await;
    assert_eq!(plane.tasks("RUNNING", 1).await, *std::slice::from_ref(new));
    plane.service_when("steady", is_steady).await;
}

#[tokio::test]
async fn tasks_that_fail_their_checks_open_the_circuit_breaker() {
    let (plane, mut reporter, first) = checked(json!({"desiredCount": 1, "deploymentConfiguration": {
        "deploymentCircuitBreaker": {"enable": true, "rollback": false},
        "minimumHealthyPercent": 0, "maximumPercent": 100,
    }}))
    .await;
    let mut task = first;
    for nth in 1..=3 {
        say(&plane, &mut reporter, &task, "UNHEALTHY").await;
        plane.tasks("STOPPED", nth).await;
        if nth == 3 {
            break;
        }
        plane.report(&task, "STOPPED").await;
        plane.cloud.clock.advance(10_000);
        task = plane.all_run(1).await.remove(0);
    }
    plane.service_that_says("deployment failed: tasks failed").await;
}
