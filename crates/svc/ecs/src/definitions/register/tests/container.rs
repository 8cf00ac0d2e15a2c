//! Containers: what each needs, what they share, what none may ask for.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{CLIENT, INVALID, container_shows, containers_refused, put, register, request};
use crate::tests::{ecs, refused};

#[tokio::test]
async fn containers_need_names_images_and_one_that_is_essential() {
    let web = json!({"name": "web", "image": "nginx", "memory": 8});
    let eleven: Vec<Json> = (0..11)
        .map(|i| put(web.clone(), json!({"name": format!("c{i}")})))
        .collect();
    let long = "n".repeat(256);
    let cases = [
        (
            json!({}),
            json!({"containerDefinitions": []}),
            "Container list cannot be empty.",
        ),
        (
            json!({}),
            json!({"containerDefinitions": eleven}),
            "Too many containers.",
        ),
        (
            json!({"name": null}),
            json!({}),
            "Container.name should not be null or empty.",
        ),
        (
            json!({"name": ""}),
            json!({}),
            "Container.name should not be null or empty.",
        ),
        (
            json!({"name": "a b"}),
            json!({}),
            "Container.name contains invalid characters.",
        ),
        (
            json!({"name": long}),
            json!({}),
            "Container.name contains invalid characters.",
        ),
        (
            json!({"image": null}),
            json!({}),
            "Container.image should not be null or empty.",
        ),
        (
            json!({"image": "a b"}),
            json!({}),
            "Container.image contains invalid characters.",
        ),
        (
            json!({"image": "a@sha256:abc"}),
            json!({}),
            "Container.image contains invalid characters.",
        ),
        (
            json!({}),
            json!({"containerDefinitions": [web, web]}),
            "must be unique",
        ),
        (json!({"essential": false}), json!({}), "must be essential"),
    ];
    containers_refused(CLIENT, &cases).await;
    let digest = format!("registry:5000/a/b@sha256:{}", "a".repeat(64));
    container_shows(
        json!({"image": digest}),
        json!({}),
        json!({"image": digest, "essential": true}),
    )
    .await;
}

#[tokio::test]
async fn cpu_and_memory_of_containers_fit_together_and_into_the_task() {
    let sized = json!({"cpu": "256", "memory": "512"});
    let both = |a: Json, b: Json| {
        let one = put(json!({"name": "a", "image": "a"}), a);
        put(
            sized.clone(),
            json!({"containerDefinitions": [one, put(json!({"name": "b", "image": "b"}), b)]}),
        )
    };
    let cases = [
        (
            json!({"cpu": -1}),
            json!({}),
            "Invalid 'cpu' setting for container 'web'.",
        ),
        (
            json!({"memory": 5}),
            json!({}),
            "Invalid 'memory' setting for container 'web'.",
        ),
        (
            json!({"memoryReservation": 0}),
            json!({}),
            "Invalid 'memoryReservation' setting",
        ),
        (
            json!({"memory": 64, "memoryReservation": 65}),
            json!({}),
            "cannot be greater than 'memory'",
        ),
        (
            json!({"memory": null}),
            json!({}),
            "At least one of 'memory' or 'memoryReservation' must be specified.",
        ),
        (
            json!({"memory": 513}),
            sized.clone(),
            "The 'memory' setting for container 'web' is greater than for the task.",
        ),
        (
            json!({}),
            both(json!({"cpu": 200}), json!({"cpu": 57})),
            "The sum of all container 'cpu' values",
        ),
        (
            json!({}),
            both(json!({"memory": 256}), json!({"memoryReservation": 257})),
            "The sum of all container memory",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    container_shows(json!({"memory": null}), sized.clone(), json!({"cpu": 0})).await;
    let soft = json!({"memory": 64, "memoryReservation": 64});
    container_shows(soft.clone(), sized.clone(), soft).await;
    let whole = both(
        json!({"memory": 512, "memoryReservation": 128, "cpu": 128}),
        json!({"memory": 384, "cpu": 128}),
    );
    register(&Arc::new(ecs()), request(json!({}), whole))
        .await
        .expect("what is reserved fits exactly");
}

/// Two containers, `a` as given and `b` not essential.
fn pair(a: Json, b: Json) -> Json {
    let a = put(json!({"name": "a", "image": "a", "memory": 8}), a);
    let b = put(
        json!({"name": "b", "image": "b", "memory": 8, "essential": false}),
        b,
    );
    request(json!({}), json!({"containerDefinitions": [a, b]}))
}

#[tokio::test]
async fn dependencies_can_be_met_and_form_no_circle() {
    let on =
        |name: &str, condition: &str| json!({"dependsOn": [{"containerName": name, "condition": condition}]});
    let ecs = Arc::new(ecs());
    for condition in ["START", "COMPLETE", "SUCCESS"] {
        let answer = register(&ecs, pair(on("b", condition), json!({})))
            .await
            .expect(condition);
        assert_eq!(
            answer["containerDefinitions"][0]["dependsOn"],
            on("b", condition)["dependsOn"]
        );
        let ordering = json!({"name": "ecs.capability.container-ordering"});
        assert!(
            answer["requiresAttributes"]
                .as_array()
                .expect("attributes")
                .contains(&ordering)
        );
    }
    let checked = json!({"healthCheck": {"command": ["CMD", "true"]}});
    let answer = register(&ecs, pair(on("b", "HEALTHY"), checked))
        .await
        .expect("HEALTHY");
    let health = json!({"name": "ecs.capability.container-health-check"});
    assert!(
        answer["requiresAttributes"]
            .as_array()
            .expect("attributes")
            .contains(&health)
    );
    let from = |name: &str| json!({"volumesFrom": [{"sourceContainer": name, "readOnly": true}]});
    let answer = register(&ecs, pair(from("b"), json!({})))
        .await
        .expect("volumes of another container");
    assert_eq!(
        answer["containerDefinitions"][0]["volumesFrom"],
        from("b")["volumesFrom"]
    );
    let double = json!({"dependsOn": [
        {"containerName": "b", "condition": "START"}, {"containerName": "b", "condition": "SUCCESS"}
    ]});
    let essential = || json!({"essential": true});
    let cases = [
        (on("c", "START"), json!({}), "which is not in the task definition"),
        (on("a", "START"), json!({}), "itself"),
        (double, json!({}), "more than once"),
        (on("b", "START"), on("a", "START"), "circle"),
        (on("b", "START"), from("a"), "circle"),
        (from("b"), from("a"), "circle"),
        (
            on("b", "COMPLETE"),
            essential(),
            "cannot be an essential container",
        ),
        (
            on("b", "SUCCESS"),
            essential(),
            "cannot be an essential container",
        ),
        (on("b", "HEALTHY"), json!({}), "must have a health check"),
        (
            on("b", "HEALTHY"),
            json!({"healthCheck": {"command": ["NONE"]}}),
            "must have a health check",
        ),
    ];
    for (a, b, words) in cases {
        refused(register(&ecs, pair(a, b)).await, CLIENT, words);
    }
}

#[tokio::test]
async fn what_nodes_cannot_do_yet_is_refused_by_name() {
    for (member, value) in [
        ("credentialSpecs", json!(["credentialspec:x"])),
        (
            "environmentFiles",
            json!([{"type": "s3", "value": "arn:aws:s3:::a/b.env"}]),
        ),
        ("firelensConfiguration", json!({"type": "fluentbit"})),
    ] {
        let words = format!("containerDefinitions[0].{member} is not supported by Roadstead yet.");
        containers_refused(INVALID, &[(json!({member: value}), json!({}), &words)]).await;
    }
    for (member, value) in [
        ("enableFaultInjection", json!(true)),
        (
            "inferenceAccelerators",
            json!([{"deviceName": "a", "deviceType": "b"}]),
        ),
        ("proxyConfiguration", json!({"containerName": "web"})),
    ] {
        let words = format!("{member} is not supported by Roadstead yet.");
        containers_refused(INVALID, &[(json!({}), json!({member: value}), &words)]).await;
    }
}

#[tokio::test]
async fn what_asks_for_nothing_is_accepted() {
    let container = json!({
        "interactive": false, "privileged": false, "pseudoTerminal": false, "disableNetworking": false, "links": [],
        "secrets": [], "systemControls": [], "environmentFiles": [], "resourceRequirements": [],
        "dockerSecurityOptions": [], "credentialSpecs": [], "extraHosts": [], "dnsServers": [], "dnsSearchDomains": []
    });
    let task = json!({"enableFaultInjection": false, "inferenceAccelerators": [], "placementConstraints": [],
        "requiresCompatibilities": [], "volumes": []});
    container_shows(container, task, json!({"privileged": false})).await;
}
