//! What goes wrong with one task set of several.

use serde_json::{Value as Json, json};

use super::super::bus::told;
use super::super::{Plane, messages};
use super::{call, create, external, id_of, is_stable, scale, set_when, sets};
use crate::harness::{SUBNET_A, awsvpc, definition, text};

/// The one event of that name, once it was told.
async fn event(plane: &Plane, name: &str) -> Json {
    for _ in 0..500 {
        let events = told(plane).await;
        let mut named = events.into_iter().filter(|it| it.detail["eventName"] == name);
        if let Some(event) = named.next() {
            assert!(named.next().is_none(), "{name} is told once");
            return event.detail;
        }
        plane.cloud.ecs.wake_services();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited in vain for {name}");
}

#[tokio::test]
async fn a_task_set_without_a_place_keeps_no_other_waiting() {
    let plane = external(1).await;
    let big = definition("big", "bridge", |it| {
        it["containerDefinitions"][0]["cpu"] = json!(4096)
    });
    plane
        .cloud
        .call("RegisterTaskDefinition", big)
        .await
        .expect("registers");
    let wanted = json!({"taskDefinition": "big", "scale": {"value": 100}});
    let stuck = call(&plane, "CreateTaskSet", wanted).await.expect("creates");
    plane.service_that_says("was unable to place a task").await;
    let good = id_of(&create(&plane, 100.0).await);
    plane.all_run(1).await;
    set_when(&plane, &good, "stable", is_stable).await;
    let service = plane.service().await;
    let complaint = format!(
        "(service web, taskSet {}) was unable to place a task",
        id_of(&stuck)
    );
    assert!(
        messages(&service).iter().any(|it| it.starts_with(&complaint)),
        "{service:#}"
    );
    assert_eq!(sets(&plane).await[0]["stabilityStatus"], "STABILIZING");
    let told = event(&plane, "SERVICE_TASK_PLACEMENT_FAILURE").await;
    assert_eq!(told["taskSetArns"], json!([stuck["taskSetArn"]]));
}

#[tokio::test]
async fn a_task_set_whose_tasks_fail_is_named() {
    let plane = external(1).await;
    let good = id_of(&create(&plane, 100.0).await);
    let well = plane.all_run(1).await;
    set_when(&plane, &good, "stable", is_stable).await;
    let bad = create(&plane, 100.0).await;
    for nth in 0..4 {
        let tasks = plane.tasks("RUNNING", 2).await;
        let failing = tasks.iter().find(|task| !well.contains(task)).expect("another");
        plane.report(failing, "STOPPED").await;
        plane.tasks("STOPPED", nth + 1).await;
        if nth < 3 {
            plane.cloud.clock.advance(1_000 << nth);
        }
    }
    let told = event(&plane, "SERVICE_TASK_START_IMPAIRED").await;
    assert_eq!(
        (&told["eventType"], &told["taskSetArns"]),
        (&json!("WARN"), &json!([bad["taskSetArn"]]))
    );
}

#[tokio::test]
async fn a_task_set_that_cannot_be_started_as_it_is_configured_is_named() {
    let plane = external(1).await;
    let own = definition("own", "awsvpc", |_| {});
    let registered = plane.cloud.call("RegisterTaskDefinition", own).await;
    registered.expect("registers");
    let wanted = json!({"taskDefinition": "own", "scale": {"value": 0}, "networkConfiguration": awsvpc(&[SUBNET_A], &[])});
    let set = call(&plane, "CreateTaskSet", wanted).await.expect("creates");
    // The subnet is not there any more when a task is to be started in it.
    let gone = roadstead_protocol::ApiError::client("InvalidSubnetID.NotFound", "The subnet does not exist");
    plane.cloud.network.fail_next("DescribeSubnets", gone);
    scale(&plane, &text(&set["id"]), 100.0).await;
    let told = event(&plane, "SERVICE_TASK_CONFIGURATION_FAILURE").await;
    assert_eq!(
        (&told["eventType"], &told["taskSetArns"]),
        (&json!("ERROR"), &json!([set["taskSetArn"]]))
    );
}
