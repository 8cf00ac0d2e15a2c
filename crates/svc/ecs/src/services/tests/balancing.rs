//! A zone that would be better and has no room: nothing else waits for it.

use roadstead_base::Caller;
use serde_json::json;

use super::{idle, plane};
use crate::harness::definition;

#[tokio::test]
async fn what_a_service_lacks_does_not_wait_for_a_zone_without_room() {
    let plane = plane().await;
    let cloud = &plane.cloud;
    for (family, units) in [("big", 300), ("full", 1000)] {
        let sized = definition(family, "bridge", |it| {
            it["containerDefinitions"][0]["cpu"] = json!(units)
        });
        cloud
            .call("RegisterTaskDefinition", sized)
            .await
            .expect("registers");
    }
    let there = cloud
        .register_in(Caller::Root, "default", "i-0000000000000000b", 4, "us-east-1b")
        .await;
    let _agent = idle(cloud, &there).await;
    let taken = json!({"taskDefinition": "full", "containerInstances": [there]});
    cloud.call("StartTask", taken).await.expect("starts");
    plane.create(json!({"taskDefinition": "big"})).await;
    plane.all_run(2).await;
    plane.service_that_says("was unable to place a task").await;
    // The clock stands still: neither this nor what it holds back is ever tried again by itself.
    plane.update(json!({"desiredCount": 3})).await;
    plane.all_run(3).await;
}
