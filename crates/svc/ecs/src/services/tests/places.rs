//! Where a service's tasks run.

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_base::Caller;
use serde_json::{Value as Json, json};

use super::{idle, is_steady, plane};
use crate::harness::{GROUP, SUBNET_A, SUBNET_B, awsvpc, definition};

#[tokio::test]
async fn tasks_are_balanced_over_zones_when_there_is_another() {
    let plane = plane().await;
    let own = definition("own", "awsvpc", |_| {});
    plane
        .cloud
        .call("RegisterTaskDefinition", own)
        .await
        .expect("registers");
    let mut network = awsvpc(&[SUBNET_A, SUBNET_B], &[GROUP]);
    network["awsvpcConfiguration"]["assignPublicIp"] = json!("DISABLED");
    let service = plane
        .create(json!({"taskDefinition": "own", "networkConfiguration": network.clone()}))
        .await;
    assert_eq!(service["networkConfiguration"], network);
    let shown = &service["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(shown["securityGroups"], json!([GROUP]));
    assert_eq!(service["availabilityZoneRebalancing"], "ENABLED");
    plane.all_run(2).await;
    plane.service_when("steady", is_steady).await;
    let zones = async || {
        let mut zones = Vec::new();
        for task in plane.tasks("RUNNING", 2).await {
            zones.push(plane.cloud.task(&task).await["availabilityZone"].clone());
        }
        zones.sort_by_key(Json::to_string);
        zones
    };
    assert_eq!(zones().await, ["us-east-1a", "us-east-1a"]);
    let cloud = &plane.cloud;
    let there = cloud
        .register_in(Caller::Root, "default", "i-0000000000000000b", 4, "us-east-1b")
        .await;
    let _agent = idle(cloud, &there).await;
    // One more there, and one fewer here as soon as it runs.
    plane.all_run(3).await;
    assert_eq!(zones().await, ["us-east-1a", "us-east-1b"]);
    let said = "(service web) is not AZ balanced with 2 tasks in us-east-1a, 0 tasks in us-east-1b. AZ Rebalancing in progress.";
    let service = plane.service_that_says("AZ balanced").await;
    assert_eq!(
        super::messages(&service)
            .iter()
            .filter(|message| *message == said)
            .count(),
        1
    );
    let service = plane
        .update(json!({"availabilityZoneRebalancing": "DISABLED"}))
        .await;
    assert_eq!(service["availabilityZoneRebalancing"], "DISABLED");
    assert_eq!(service["deployments"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_a_network_configuration_leaves_out_is_shown() {
    let plane = plane().await;
    let own = definition("own", "awsvpc", |_| {});
    let registered = plane.cloud.call("RegisterTaskDefinition", own).await;
    registered.expect("registers");
    let bare = json!({"awsvpcConfiguration": {"subnets": [SUBNET_A]}});
    let made = json!({"taskDefinition": "own", "desiredCount": 0, "networkConfiguration": bare});
    let service = plane.create(made.clone()).await;
    let whole = json!({"awsvpcConfiguration": {
        "subnets": [SUBNET_A], "securityGroups": [], "assignPublicIp": "DISABLED",
    }});
    assert_eq!(service["networkConfiguration"], whole);
    assert_eq!(service["deployments"][0]["networkConfiguration"], whole);
    let revision = json!({"serviceRevisionArns": [service["currentServiceRevisions"][0]["arn"]]});
    let revision = plane.cloud.call("DescribeServiceRevisions", revision).await;
    let revision = revision.expect("describes")["serviceRevisions"][0].clone();
    assert_eq!(revision["networkConfiguration"], whole);
    // The same request is still the same.
    let again = plane.create(made).await;
    assert_eq!(again["deployments"][0]["id"], service["deployments"][0]["id"]);
}

#[tokio::test]
async fn tasks_without_subnets_are_balanced_over_the_zones_of_their_instances() {
    let plane = plane().await;
    let service = plane.create(json!({})).await;
    assert_eq!(service["availabilityZoneRebalancing"], "ENABLED");
    plane.all_run(2).await;
    plane.service_when("steady", is_steady).await;
    let zones = async || {
        let mut zones = Vec::new();
        for task in plane.tasks("RUNNING", 2).await {
            zones.push(plane.cloud.task(&task).await["availabilityZone"].clone());
        }
        zones.sort_by_key(Json::to_string);
        zones
    };
    assert_eq!(zones().await, ["us-east-1a", "us-east-1a"]);
    let cloud = &plane.cloud;
    let there = cloud
        .register_in(Caller::Root, "default", "i-0000000000000000b", 4, "us-east-1b")
        .await;
    let _agent = idle(cloud, &there).await;
    plane.all_run(3).await;
    assert_eq!(zones().await, ["us-east-1a", "us-east-1b"]);
    plane
        .service_that_says("is not AZ balanced with 2 tasks in us-east-1a, 0 tasks in us-east-1b.")
        .await;
    let service = plane.service_when("steady", is_steady).await;
    assert_eq!(service["runningCount"], 2);
}

#[tokio::test]
async fn a_zone_whose_instances_do_not_suit_is_none_to_balance_over() {
    let plane = plane().await;
    let cloud = &plane.cloud;
    let there = cloud
        .register_in(Caller::Root, "default", "i-0000000000000000b", 4, "us-east-1b")
        .await;
    let _agent = idle(cloud, &there).await;
    let here = json!({"name": "disk", "value": "fast", "targetId": plane.instance});
    cloud
        .call("PutAttributes", json!({"attributes": [here]}))
        .await
        .expect("puts");
    let constraint = json!([{"type": "memberOf", "expression": "attribute:disk == fast"}]);
    let service = plane.create(json!({"placementConstraints": constraint})).await;
    assert_eq!(service["availabilityZoneRebalancing"], "ENABLED");
    plane.all_run(2).await;
    let service = plane.service_when("steady", is_steady).await;
    // It was not even tried.
    let about_zones = ["AZ balanced", "unable to place a task"];
    for message in super::messages(&service) {
        assert!(
            !about_zones.iter().any(|words| message.contains(words)),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_zone_without_room_leaves_a_service_steady() {
    let plane = plane().await;
    let big = definition("big", "bridge", |it| {
        it["containerDefinitions"][0]["cpu"] = json!(300)
    });
    plane
        .cloud
        .call("RegisterTaskDefinition", big)
        .await
        .expect("registers");
    let cloud = &plane.cloud;
    let there = cloud
        .register_in(Caller::Root, "default", "i-0000000000000000b", 4, "us-east-1b")
        .await;
    let _agent = idle(cloud, &there).await;
    // Somebody else has that zone's machine: of its 1024 units nothing is left that would do.
    let full = definition("full", "bridge", |it| {
        it["containerDefinitions"][0]["cpu"] = json!(1000)
    });
    cloud
        .call("RegisterTaskDefinition", full)
        .await
        .expect("registers");
    let taken = json!({"taskDefinition": "full", "containerInstances": [there]});
    cloud.call("StartTask", taken).await.expect("starts");
    plane.create(json!({"taskDefinition": "big"})).await;
    plane.all_run(2).await;
    plane.service_that_says("was unable to place a task").await;
    let told = |service: &Json| {
        let messages = super::messages(service);
        let steady = messages
            .iter()
            .filter(|it| it.ends_with("has reached a steady state."));
        steady.count()
    };
    let service = plane
        .service_when("steady all the same", |service| told(service) > 0)
        .await;
    assert_eq!((&service["runningCount"], told(&service)), (&json!(2), 1));
}

#[tokio::test]
async fn a_service_is_balanced_over_zones_unless_it_cannot_be() {
    let spread = |field: &str| json!({"type": "spread", "field": field});
    let zone = "attribute:ecs.availability-zone";
    let percent = json!({"maximumPercent": 100, "minimumHealthyPercent": 50});
    let plane = plane().await;
    for (number, (change, balanced)) in [
        (json!({}), "ENABLED"),
        (json!({"placementStrategy": [spread(zone), spread("instanceId")]}), "ENABLED"),
        (json!({"placementStrategy": [spread("instanceId"), spread(zone)]}), "DISABLED"),
        (json!({"placementStrategy": [{"type": "binpack", "field": "memory"}]}), "DISABLED"),
        (json!({"deploymentConfiguration": percent}), "DISABLED"),
        (json!({"availabilityZoneRebalancing": "DISABLED"}), "DISABLED"),
        (json!({"placementConstraints": [{"type": "memberOf", "expression": format!("{zone} == us-east-1a")}]}),
         "DISABLED"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut request = change.clone();
        request["desiredCount"] = json!(0);
        request["serviceName"] = json!(format!("s{number}"));
        let service = plane.create(request).await;
        assert_eq!(service["availabilityZoneRebalancing"], balanced, "{change}");
    }
    // An update that says nothing of it leaves it as it is, and ends it where it is not possible any more.
    plane.create(json!({"desiredCount": 0})).await;
    let same = plane.update(json!({"desiredCount": 0})).await;
    assert_eq!(same["availabilityZoneRebalancing"], "ENABLED");
    let other = plane
        .update(json!({"placementStrategy": [{"type": "random"}]}))
        .await;
    assert_eq!(other["availabilityZoneRebalancing"], "DISABLED");
    let back = plane.update(json!({"placementStrategy": []})).await;
    assert_eq!(back["availabilityZoneRebalancing"], "DISABLED");
    let again = plane
        .update(json!({"availabilityZoneRebalancing": "ENABLED"}))
        .await;
    assert_eq!(again["availabilityZoneRebalancing"], "ENABLED");
}

#[tokio::test]
async fn services_run_on_fargate() {
    let plane = plane().await;
    let node = plane.cloud.ctx(Caller::Node);
    let made = plane
        .cloud
        .call_as(&node, "CreateCluster", json!({"clusterName": FARGATE_CLUSTER}))
        .await;
    made.expect("a node may");
    let small = definition("small", "awsvpc", |it| {
        it["requiresCompatibilities"] = json!(["FARGATE"]);
        it["cpu"] = json!("256");
        it["memory"] = json!("512");
    });
    plane
        .cloud
        .call("RegisterTaskDefinition", small)
        .await
        .expect("registers");
    let request = json!({
        "taskDefinition": "small", "launchType": "FARGATE", "desiredCount": 1,
        "networkConfiguration": awsvpc(&[SUBNET_A], &[]),
    });
    let service = plane.create(request).await;
    assert_eq!(
        (&service["launchType"], &service["platformVersion"]),
        (&json!("FARGATE"), &json!("LATEST"))
    );
    assert_eq!(service["deployments"][0]["platformVersion"], "1.4.0");
    plane
        .service_that_says("was unable to place a task. Reason: Capacity is unavailable at this time.")
        .await;
    let cloud = &plane.cloud;
    let machine = "i-0000000000000000b";
    let capacity = cloud
        .register_in(Caller::Node, FARGATE_CLUSTER, machine, 4, "us-east-1a")
        .await;
    let _agent = idle(cloud, &capacity).await;
    let task = plane.all_run(1).await;
    assert_eq!(plane.cloud.task(&task[0]).await["launchType"], "FARGATE");
    let service = plane.update(json!({"platformVersion": "1.4.0"})).await;
    assert_eq!(service["platformVersion"], "1.4.0");
    assert_eq!(
        service["deployments"].as_array().map(Vec::len),
        Some(2),
        "a platform is a deployment"
    );
    let error = plane
        .cloud
        .call(
            "UpdateService",
            json!({"service": "web", "platformVersion": "0.1"}),
        )
        .await;
    assert_eq!(error.expect_err("is unknown").code, "PlatformUnknownException");
}

#[tokio::test]
async fn constraints_and_strategies_are_kept_to() {
    let plane = plane().await;
    let elsewhere =
        json!([{"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1z"}]);
    let strategy = json!([{"type": "binpack", "field": "memory"}]);
    let service = plane
        .create(json!({"placementConstraints": elsewhere, "placementStrategy": strategy, "desiredCount": 1}))
        .await;
    assert_eq!(
        (&service["placementConstraints"], &service["placementStrategy"]),
        (&elsewhere, &strategy)
    );
    plane
        .service_that_says("is missing an attribute required by your task.")
        .await;
    let service = plane
        .update(json!({"placementConstraints": [], "placementStrategy": []}))
        .await;
    assert_eq!(
        (&service["placementConstraints"], &service["placementStrategy"]),
        (&json!([]), &json!([]))
    );
    plane.all_run(1).await;
    plane.service_when("steady", is_steady).await;
}

#[tokio::test]
async fn tasks_leave_a_draining_instance_after_their_replacements_run() {
    let plane = plane().await;
    plane.create(json!({"desiredCount": 1})).await;
    let old = plane.all_run(1).await;
    plane.service_when("steady", is_steady).await;
    let second = plane.cloud.register("default", "i-0000000000000000b", 2).await;
    let _agent = idle(&plane.cloud, &second).await;
    plane.drain().await;
    let both = plane.tasks("RUNNING", 2).await;
    let new = both.iter().find(|task| !old.contains(task)).expect("a new one");
    plane.report(new, "RUNNING").await;
    assert_eq!(&plane.tasks("RUNNING", 1).await[0], new);
}
