//! What services tell on the bus.

use roadstead_outbox::Event;
use serde_json::{Value as Json, json};

use super::{Plane, is_steady, plane};
use crate::harness::text;

/// What was told of the service, by kind and name, in order.
pub(super) async fn told(plane: &Plane) -> Vec<Event> {
    let store = plane.cloud.ecs.store.clone();
    let table = roadstead_outbox::table(&store);
    let below = table.within(&crate::tests::ctx().partition());
    let (events, _) = table.all(&below).await.expect("reads");
    let events = events.into_iter().map(|entry| entry.value);
    events
        .filter(|event| event.subject.ends_with(":service/default/web"))
        .collect()
}

#[tokio::test]
async fn deployments_and_steady_states_are_told_on_the_bus() {
    let plane = plane().await;
    let service = plane.create(json!({"desiredCount": 1})).await;
    let deployment = text(&service["deployments"][0]["id"]);
    plane.all_run(1).await;
    plane.service_when("steady", is_steady).await;
    let events = told(&plane).await;
    let names: Vec<(&str, &Json, &Json)> = events
        .iter()
        .map(|event| {
            (
                event.detail_type.as_str(),
                &event.detail["eventType"],
                &event.detail["eventName"],
            )
        })
        .collect();
    let (info, state, action) = (json!("INFO"), "ECS Deployment State Change", "ECS Service Action");
    let wanted = [
        (state, json!("SERVICE_DEPLOYMENT_IN_PROGRESS")),
        (state, json!("SERVICE_DEPLOYMENT_COMPLETED")),
        (action, json!("SERVICE_STEADY_STATE")),
    ];
    let wanted: Vec<(&str, &Json, &Json)> = wanted.iter().map(|(kind, name)| (*kind, &info, name)).collect();
    assert_eq!(names, wanted);
    assert_eq!(events[1].detail["deploymentId"], deployment.as_str());
    assert_eq!(
        events[1].detail["reason"],
        format!("ECS deployment {deployment} completed.")
    );
    assert_eq!(events[1].detail["updatedAt"], "2023-11-14T22:13:20.000Z");
    assert_eq!(
        events[2].detail["clusterArn"],
        "arn:aws:ecs:us-east-1:000000000000:cluster/default"
    );
    assert_eq!(events[2].detail["createdAt"], "2023-11-14T22:13:20.000Z");
    assert!(events.windows(2).all(|pair| pair[0].number < pair[1].number));
}

#[tokio::test]
async fn a_placement_that_fails_is_told_once() {
    let plane = plane().await;
    let nowhere = json!([{"type": "memberOf", "expression": "attribute:color == green"}]);
    plane
        .create(json!({"placementConstraints": nowhere, "desiredCount": 1}))
        .await;
    plane.service_that_says("was unable to place a task").await;
    let tried = async || {
        let key = plane
            .cloud
            .ecs
            .services()
            .within(&crate::tests::ctx().partition());
        let (services, _) = plane.cloud.ecs.services().all(&key).await.expect("reads");
        services[0].value.unplaced.as_ref().map(|unplaced| unplaced.tried)
    };
    let before = tried().await;
    plane.cloud.clock.advance(6_000);
    for _ in 0..12_000 {
        if tried().await > before {
            break;
        }
        plane.cloud.ecs.wake_services();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(tried().await > before, "it was tried again");
    let service = plane.service().await;
    assert_eq!(
        super::messages(&service).len(),
        1,
        "the same complaint is not made again soon"
    );
    let failures: Vec<Event> = told(&plane)
        .await
        .into_iter()
        .filter(|event| event.detail["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE")
        .collect();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].detail["eventType"], "ERROR");
    assert!(text(&failures[0].detail["reason"]).contains("is missing an attribute required by your task."));
}
