//! Members of the task, and the number it gets.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{CLIENT, INVALID, containers_refused, register, request};
use crate::tests::{START, call, ecs, memory, over};

#[tokio::test]
async fn the_walkthrough_s_definition_is_filled_in() {
    let ecs = Arc::new(ecs());
    let container = json!({
        "name": "nginx", "image": "nginx:latest", "cpu": 100, "memory": 512, "essential": true,
        "portMappings": [{"containerPort": 80, "protocol": "tcp"}]
    });
    let answer = register(&ecs, request(container, json!({"family": "nginx-awsvpc"})))
        .await
        .expect("is accepted");
    let wanted = json!({
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/nginx-awsvpc:1",
        "containerDefinitions": [{
            "name": "nginx", "image": "nginx:latest", "cpu": 100, "memory": 512, "essential": true,
            "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
            "environment": [], "mountPoints": [], "volumesFrom": [], "systemControls": []
        }],
        "family": "nginx-awsvpc", "networkMode": "awsvpc", "revision": 1, "volumes": [], "status": "ACTIVE",
        "requiresAttributes": [
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"},
            {"name": "ecs.capability.task-eni"}
        ],
        "placementConstraints": [], "compatibilities": ["EC2"],
        "registeredAt": START.0 / 1000, "registeredBy": "arn:aws:iam::000000000000:root"
    });
    assert_eq!(answer, wanted);
}

#[tokio::test]
async fn family_is_named_or_refused() {
    let long = "f".repeat(256);
    let cases = [
        (
            json!({}),
            json!({"family": ""}),
            "Family should not be null or empty.",
        ),
        (
            json!({}),
            json!({"family": "a b"}),
            "Family contains invalid characters.",
        ),
        (
            json!({}),
            json!({"family": "a:1"}),
            "Family contains invalid characters.",
        ),
        (
            json!({}),
            json!({"family": long}),
            "Family contains invalid characters.",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
}

#[tokio::test]
async fn revisions_count_per_family_and_are_never_given_twice() {
    let store = memory();
    let ecs = Arc::new(over(&store));
    for (family, revision) in [("a", 1), ("a", 2), ("b", 1), ("a", 3)] {
        let answer = register(&ecs, request(json!({}), json!({"family": family})))
            .await
            .expect(family);
        assert_eq!(
            (&answer["revision"], &answer["family"]),
            (&json!(revision), &json!(family))
        );
    }
    call(&ecs, "DeregisterTaskDefinition", json!({"taskDefinition": "a:3"}))
        .await
        .expect("deregistered");
    let restarted = Arc::new(over(&store));
    let answer = register(&restarted, request(json!({}), json!({"family": "a"})))
        .await
        .expect("again");
    assert_eq!(answer["revision"], json!(4));
}

#[tokio::test]
async fn many_at_once_get_a_number_each() {
    let ecs = Arc::new(ecs());
    let calls = (0..24).map(|_| register(&ecs, request(json!({}), json!({}))));
    let answers = futures_util::future::join_all(calls).await;
    let mut revisions: Vec<i64> = answers
        .into_iter()
        .map(|answer| {
            answer.expect("registered")["revision"]
                .as_i64()
                .expect("a number")
        })
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=24).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_definition_too_long_is_refused() {
    let value = "x".repeat(70_000);
    let cases = [(
        json!({"environment": [{"name": "A", "value": value}]}),
        json!({}),
        "Max allowed length is '65536' bytes.",
    )];
    containers_refused(CLIENT, &cases).await;
}

#[tokio::test]
async fn tags_are_kept_and_shown() {
    let ecs = Arc::new(ecs());
    let tags = json!([{"key": "a", "value": "1"}]);
    let answer = call(
        &ecs,
        "RegisterTaskDefinition",
        request(json!({}), json!({"tags": tags})),
    )
    .await
    .expect("accepted");
    assert_eq!(answer["tags"], tags);
    containers_refused(
        INVALID,
        &[(
            json!({}),
            json!({"tags": [{"key": "aws:a", "value": "1"}]}),
            "reserved",
        )],
    )
    .await;
}

#[tokio::test]
async fn task_size_is_read_in_its_string_forms() {
    let ecs = Arc::new(ecs());
    let cases = [("256", "512"), (".25 vCPU", "0.5 GB"), (".25 vCPU", "512")];
    for (cpu, memory) in cases {
        let answer = register(&ecs, request(json!({}), json!({"cpu": cpu, "memory": memory})))
            .await
            .expect(cpu);
        assert_eq!(
            (&answer["cpu"], &answer["memory"]),
            (&json!("256"), &json!("512")),
            "{cpu} {memory}"
        );
        assert_eq!(answer["compatibilities"], json!(["EC2", "FARGATE"]));
    }
    let bad = [
        (
            json!({}),
            json!({"cpu": "much"}),
            "Invalid 'cpu' setting for task.",
        ),
        (json!({}), json!({"cpu": ""}), "Invalid 'cpu' setting for task."),
        (
            json!({}),
            json!({"memory": "1TB"}),
            "Invalid 'memory' setting for task.",
        ),
    ];
    containers_refused(CLIENT, &bad).await;
}

#[tokio::test]
async fn requires_compatibilities_are_validated() {
    // Null stays in, for `request` to take the member away.
    let fargate = |over: Json| {
        let mut task = json!({"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"});
        let members = task.as_object_mut().expect("an object");
        members.extend(over.as_object().cloned().unwrap_or_default());
        task
    };
    let host = json!([{"name": "v", "host": {"sourcePath": "/v"}}]);
    let cases = [
        (
            json!({}),
            fargate(json!({"networkMode": "bridge"})),
            "Fargate only supports network mode ‘awsvpc’.",
        ),
        (
            json!({}),
            fargate(json!({"networkMode": null})),
            "Fargate only supports network mode ‘awsvpc’.",
        ),
        (
            json!({}),
            fargate(json!({"cpu": null})),
            "Fargate requires that 'cpu' be defined at the task level.",
        ),
        (
            json!({}),
            fargate(json!({"memory": null})),
            "Fargate requires that 'memory' be defined at the task level.",
        ),
        (
            json!({}),
            fargate(json!({"cpu": "1 vCPU", "memory": "1 GB"})),
            "No Fargate configuration exists for given values: 1024 CPU, 1024 memory.",
        ),
        (
            json!({}),
            fargate(json!({"volumes": host})),
            "do not support sourcePath",
        ),
        (
            json!({"stopTimeout": 121}),
            fargate(json!({})),
            "2 to 120 seconds",
        ),
        (json!({"startTimeout": 1}), fargate(json!({})), "2 to 120 seconds"),
        (
            json!({"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}}),
            fargate(json!({})),
            "SYS_PTRACE",
        ),
        (
            json!({"logConfiguration": {"logDriver": "json-file"}}),
            fargate(json!({})),
            "log drivers",
        ),
        (json!({"privileged": true}), fargate(json!({})), "privileged"),
        (
            json!({}),
            fargate(json!({"ipcMode": "task"})),
            "do not support ipcMode",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    for other in ["EXTERNAL", "MANAGED_INSTANCES"] {
        let case = (
            json!({}),
            json!({"requiresCompatibilities": [other]}),
            "requiresCompatibilities",
        );
        containers_refused(INVALID, &[case]).await;
    }
    let ecs = Arc::new(ecs());
    let answer = register(&ecs, request(json!({"memory": null}), fargate(json!({}))))
        .await
        .expect("is accepted");
    assert_eq!(answer["requiresCompatibilities"], json!(["FARGATE"]));
    assert_eq!(answer["compatibilities"], json!(["EC2", "FARGATE"]));
    let answer = register(
        &ecs,
        request(json!({}), json!({"requiresCompatibilities": ["EC2"]})),
    )
    .await
    .expect("accepted");
    assert_eq!(answer["compatibilities"], json!(["EC2"]));
}

#[tokio::test]
async fn wrong_values_of_the_task_are_refused() {
    let many: Vec<Json> = (0..11)
        .map(|_| json!({"type": "memberOf", "expression": "attribute:e exists"}))
        .collect();
    let cases = [
        (
            json!({}),
            json!({"ephemeralStorage": {"sizeInGiB": 20}}),
            "21 to 200 GiB",
        ),
        (
            json!({}),
            json!({"ephemeralStorage": {"sizeInGiB": 201}}),
            "21 to 200 GiB",
        ),
        (json!({}), json!({"placementConstraints": many}), "at most 10"),
        (
            json!({}),
            json!({"placementConstraints": [{}]}),
            "needs a type and an expression",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let wrong = json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:a = b"}]});
    containers_refused(INVALID, &[(json!({}), wrong, "column 13: expected an operator")]).await;
}

#[tokio::test]
async fn the_platform_becomes_required_attributes() {
    let ecs = Arc::new(ecs());
    let platform = |system: &str| json!({"runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": system}});
    let answer = register(&ecs, request(json!({}), platform("LINUX")))
        .await
        .expect("is accepted");
    assert_eq!(answer["runtimePlatform"], platform("LINUX")["runtimePlatform"]);
    let attributes = answer["requiresAttributes"].as_array().expect("attributes");
    assert!(attributes.contains(&json!({"name": "ecs.cpu-architecture", "value": "x86_64"})));
    assert!(attributes.contains(&json!({"name": "ecs.os-type", "value": "linux"})));
    let answer = register(&ecs, request(json!({}), platform("WINDOWS_SERVER_2022_CORE")))
        .await
        .expect("is accepted");
    let attributes = answer["requiresAttributes"].as_array().expect("attributes");
    assert!(attributes.contains(&json!({"name": "ecs.os-type", "value": "windows"})));
    assert!(attributes.contains(&json!({"name": "ecs.os-family", "value": "WINDOWS_SERVER_2022_CORE"})));
    let mut arm = platform("WINDOWS_SERVER_2022_CORE");
    arm["runtimePlatform"]["cpuArchitecture"] = json!("ARM64");
    containers_refused(CLIENT, &[(json!({}), arm, "ARM64")]).await;
    let mut fargate = platform("WINDOWS_SERVER_2022_CORE");
    for (member, value) in [
        ("cpu", json!("256")),
        ("memory", json!("512")),
        ("networkMode", json!("awsvpc")),
    ] {
        fargate[member] = value;
    }
    let answer = register(&ecs, request(json!({"memory": null}), fargate.clone()))
        .await
        .expect("is accepted");
    assert_eq!(answer["compatibilities"], json!(["EC2"]));
    fargate["requiresCompatibilities"] = json!(["FARGATE"]);
    containers_refused(CLIENT, &[(json!({"memory": null}), fargate, "runs Linux")]).await;
}

#[tokio::test]
async fn required_attributes_follow_what_is_used() {
    let ecs = Arc::new(ecs());
    let bare = register(&ecs, request(json!({}), json!({"networkMode": null})))
        .await
        .expect("is accepted");
    assert_eq!(
        (&bare["requiresAttributes"], &bare["networkMode"]),
        (&json!([]), &Json::Null)
    );
    let container = json!({
        "memoryReservation": 8, "logConfiguration": {"logDriver": "json-file"}
    });
    let answer = register(&ecs, request(container, json!({"networkMode": "host"})))
        .await
        .expect("is accepted");
    let names: Vec<&str> = answer["requiresAttributes"]
        .as_array()
        .expect("attributes")
        .iter()
        .filter_map(|attribute| attribute["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "com.amazonaws.ecs.capability.docker-remote-api.1.18",
            "com.amazonaws.ecs.capability.docker-remote-api.1.21",
            "com.amazonaws.ecs.capability.logging-driver.json-file",
        ]
    );
}
