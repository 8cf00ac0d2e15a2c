//! Requests as clients write them, and what becomes of each: what is filled in, what is refused and in which
//! words.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::Ecs;
use crate::tests::{START, call, ecs, memory, over, refused};

/// A request that is accepted, with members of its container and of the task put over it; null takes one away.
fn request(container: Json, task: Json) -> Json {
    let base = json!({"name": "web", "image": "nginx:latest", "memory": 128});
    let mut request = json!({"family": "web", "networkMode": "awsvpc", "containerDefinitions": []});
    request["containerDefinitions"] = json!([put(base, container)]);
    put(request, task)
}

fn put(mut base: Json, over: Json) -> Json {
    let members = base.as_object_mut().expect("an object");
    for (name, value) in over.as_object().cloned().unwrap_or_else(Map::new) {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    base
}

async fn register(ecs: &Arc<Ecs>, request: Json) -> Result<Json, roadstead_protocol::ApiError> {
    call(ecs, "RegisterTaskDefinition", request)
        .await
        .map(|answer| answer["taskDefinition"].clone())
}

/// The container is accepted, and shown with these members.
async fn container_shows(container: Json, task: Json, wanted: Json) {
    let ecs = Arc::new(ecs());
    let definition = register(&ecs, request(container, task))
        .await
        .expect("is accepted");
    for (name, value) in wanted.as_object().expect("members") {
        assert_eq!(
            &definition["containerDefinitions"][0][name], value,
            "{name} in {definition:#}"
        );
    }
}

/// Each container is refused with the code and words.
async fn containers_refused(code: &str, cases: &[(Json, Json, &str)]) {
    let ecs = Arc::new(ecs());
    for (container, task, words) in cases {
        let result = register(&ecs, request(container.clone(), task.clone())).await;
        assert!(result.is_err(), "{container} {task} was accepted, {words}");
        refused(result, code, words);
    }
}

const CLIENT: &str = "ClientException";
const INVALID: &str = "InvalidParameterException";

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
        "registeredAt": START.as_seconds(), "registeredBy": "arn:aws:iam::000000000000:root"
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

#[tokio::test]
async fn port_mappings_follow_the_network_mode() {
    let mapped = |mapping: Json| json!({"portMappings": [mapping]});
    let host = json!({"networkMode": "host"});
    let twice = json!({"portMappings": [{"containerPort": 80}, {"containerPort": 80}]});
    let cases = [
        (
            mapped(json!({})),
            json!({}),
            "Invalid 'containerPort' setting for container 'web'.",
        ),
        (
            mapped(json!({"containerPort": 0})),
            json!({}),
            "Invalid 'containerPort' setting",
        ),
        (
            mapped(json!({"containerPort": 65_536})),
            json!({}),
            "Invalid 'containerPort' setting",
        ),
        (
            mapped(json!({"containerPort": 80, "hostPort": -1})),
            json!({}),
            "Invalid 'hostPort' setting",
        ),
        (
            mapped(json!({"containerPort": 80, "hostPort": 8080})),
            json!({}),
            "When networkMode=awsvpc, the host ports",
        ),
        (
            mapped(json!({"containerPort": 80, "hostPort": 8080})),
            host.clone(),
            "When networkMode=host, the host ports",
        ),
        (
            mapped(json!({"containerPort": 80})),
            json!({"networkMode": "none"}),
            "networkMode=none",
        ),
        (twice.clone(), json!({}), "mapped more than once"),
        (twice.clone(), host.clone(), "mapped more than once"),
        (
            mapped(json!({"containerPort": 80, "name": "-x"})),
            json!({}),
            "name of a port mapping",
        ),
        (
            json!({"portMappings": [{"containerPort": 80, "name": "x"}, {"containerPort": 81, "name": "x"}]}),
            json!({}),
            "not unique",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let unsupported = [
        (
            mapped(json!({"containerPortRange": "80-90"})),
            json!({}),
            "portMappings[0].containerPortRange is not",
        ),
        (
            mapped(json!({"containerPort": 80, "appProtocol": "http"})),
            json!({}),
            "portMappings[0].appProtocol",
        ),
    ];
    containers_refused(INVALID, &unsupported).await;
    let shown = |host_port: i32| json!({"portMappings": [{"containerPort": 80, "hostPort": host_port, "protocol": "tcp"}]});
    container_shows(mapped(json!({"containerPort": 80})), json!({}), shown(80)).await;
    container_shows(
        mapped(json!({"containerPort": 80, "hostPort": 80})),
        json!({}),
        shown(80),
    )
    .await;
    container_shows(mapped(json!({"containerPort": 80})), host, shown(80)).await;
    let bridge = json!({"networkMode": "bridge"});
    container_shows(mapped(json!({"containerPort": 80})), bridge.clone(), shown(0)).await;
    container_shows(
        mapped(json!({"containerPort": 80, "hostPort": 8080})),
        bridge.clone(),
        shown(8080),
    )
    .await;
    container_shows(twice, bridge, json!({})).await;
    let both = json!({"portMappings": [
        {"containerPort": 53, "hostPort": 53, "protocol": "tcp", "name": "dns"},
        {"containerPort": 53, "hostPort": 53, "protocol": "udp"}
    ]});
    container_shows(both.clone(), json!({}), both).await;
}

#[tokio::test]
async fn names_around_a_container_depend_on_the_network_mode() {
    let awsvpc = [
        (
            json!({"links": ["a"]}),
            json!({}),
            "Links are not supported when networkMode=awsvpc.",
        ),
        (
            json!({"hostname": "h"}),
            json!({}),
            "hostname is not supported on container when networkMode=awsvpc.",
        ),
        (
            json!({"extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}]}),
            json!({}),
            "extraHosts is not supported",
        ),
        (
            json!({"dnsServers": ["10.0.0.2"]}),
            json!({}),
            "dnsServers is not supported",
        ),
        (
            json!({"dnsSearchDomains": ["a.b"]}),
            json!({}),
            "dnsSearchDomains is not supported",
        ),
    ];
    containers_refused(CLIENT, &awsvpc).await;
    let bridge = || json!({"networkMode": null});
    let accepted = json!({
        "hostname": "h-1", "extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}],
        "dnsServers": ["10.0.0.2", "fd00::2"], "dnsSearchDomains": ["a.b"]
    });
    container_shows(accepted.clone(), bridge(), accepted).await;
    let bad = [
        (json!({"hostname": "-h"}), bridge(), "Invalid 'hostname' setting"),
        (
            json!({"extraHosts": [{"hostname": "h", "ipAddress": "x"}]}),
            bridge(),
            "Invalid 'extraHosts' setting",
        ),
        (
            json!({"dnsServers": ["x"]}),
            bridge(),
            "Invalid 'dnsServers' setting",
        ),
        (
            json!({"dnsSearchDomains": [""]}),
            bridge(),
            "Invalid 'dnsSearchDomains' setting",
        ),
    ];
    containers_refused(CLIENT, &bad).await;
    containers_refused(
        INVALID,
        &[(
            json!({"links": ["a"]}),
            bridge(),
            "containerDefinitions[0].links is not",
        )],
    )
    .await;
}

#[tokio::test]
async fn environment_and_labels_are_checked() {
    let pairs = json!([{"name": "A", "value": "1"}, {"name": "B", "value": ""}]);
    container_shows(
        json!({"environment": [{"name": "A", "value": "1"}, {"name": "B"}], "dockerLabels": {"a": "b"}}),
        json!({}),
        json!({"environment": pairs, "dockerLabels": {"a": "b"}}),
    )
    .await;
    let cases = [
        (
            json!({"environment": [{"value": "1"}]}),
            json!({}),
            "Invalid 'environment' setting",
        ),
        (
            json!({"environment": [{"name": "A=B", "value": "1"}]}),
            json!({}),
            "Invalid 'environment' setting",
        ),
        (
            json!({"environment": [{"name": "A"}, {"name": "A"}]}),
            json!({}),
            "set more than once",
        ),
        (
            json!({"dockerLabels": {"": "b"}}),
            json!({}),
            "Invalid 'dockerLabels' setting",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
}

#[tokio::test]
async fn volumes_and_mounts_name_each_other() {
    let task =
        || json!({"volumes": [{"name": "own"}, {"name": "host", "host": {"sourcePath": "/srv/data"}}]});
    let mounts = json!([
        {"sourceVolume": "own", "containerPath": "/a"},
        {"sourceVolume": "host", "containerPath": "/b", "readOnly": true}
    ]);
    container_shows(
        json!({"mountPoints": mounts}),
        task(),
        json!({"mountPoints": mounts}),
    )
    .await;
    let ecs = Arc::new(ecs());
    let answer = register(&ecs, request(json!({}), task()))
        .await
        .expect("is accepted");
    assert_eq!(
        answer["volumes"],
        json!([{"name": "own", "host": {}}, {"name": "host", "host": {"sourcePath": "/srv/data"}}])
    );
    let volume = |volume: Json| json!({"volumes": [volume]});
    let mount = |mount: Json| json!({"mountPoints": [mount]});
    let cases = [
        (
            json!({}),
            volume(json!({})),
            "Volume.name should not be null or empty.",
        ),
        (
            json!({}),
            volume(json!({"name": "a/b"})),
            "Volume.name contains invalid characters.",
        ),
        (
            json!({}),
            volume(json!({"name": "v", "host": {"sourcePath": ""}})),
            "host.sourcePath should not be blank.",
        ),
        (
            json!({}),
            volume(json!({"name": "v", "host": {"sourcePath": "a"}})),
            "absolute path",
        ),
        (
            json!({}),
            volume(json!({"name": "v", "host": {"sourcePath": "/a/../b"}})),
            "absolute path",
        ),
        (
            json!({}),
            json!({"volumes": [{"name": "v"}, {"name": "v"}]}),
            "not unique",
        ),
        (
            mount(json!({"containerPath": "/a"})),
            task(),
            "Unknown volume ''.",
        ),
        (
            mount(json!({"sourceVolume": "x", "containerPath": "/a"})),
            task(),
            "Unknown volume 'x'.",
        ),
        (mount(json!({"sourceVolume": "own"})), task(), "containerPath"),
        (
            mount(json!({"sourceVolume": "own", "containerPath": "a"})),
            task(),
            "containerPath",
        ),
        (
            mount(json!({"sourceVolume": "own", "containerPath": "/"})),
            task(),
            "containerPath",
        ),
        (
            json!({"mountPoints": [
                {"sourceVolume": "own", "containerPath": "/a"}, {"sourceVolume": "own", "containerPath": "/a/"}
            ]}),
            task(),
            "mounted more than once",
        ),
        (
            json!({"volumesFrom": [{"sourceContainer": "web"}]}),
            json!({}),
            "Invalid 'volumesFrom' setting",
        ),
        (
            json!({"volumesFrom": [{"sourceContainer": "x"}]}),
            json!({}),
            "Invalid 'volumesFrom' setting",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let unsupported = [
        ("configuredAtLaunch", json!(true)),
        ("dockerVolumeConfiguration", json!({"driver": "local"})),
        ("efsVolumeConfiguration", json!({"fileSystemId": "fs-1"})),
        (
            "fsxWindowsFileServerVolumeConfiguration",
            json!({
                "fileSystemId": "fs-1", "rootDirectory": "/",
                "authorizationConfig": {"credentialsParameter": "p", "domain": "d"}
            }),
        ),
        (
            "s3filesVolumeConfiguration",
            json!({"fileSystemArn": "arn:aws:s3files:::x"}),
        ),
    ];
    for (member, value) in unsupported {
        let words = format!("volumes[0].{member} is not supported by Roadstead yet.");
        let task = volume(json!({"name": "v", member: value}));
        containers_refused(INVALID, &[(json!({}), task, &words)]).await;
    }
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
    ];
    for (a, b, words) in cases {
        refused(register(&ecs, pair(a, b)).await, CLIENT, words);
    }
}

#[tokio::test]
async fn health_checks_and_restart_policies_are_validated_then_refused() {
    let check = |over: Json| json!({"healthCheck": put(json!({"command": ["CMD", "true"]}), over)});
    let policy = |over: Json| json!({"restartPolicy": put(json!({"enabled": true}), over)});
    let codes: Vec<i32> = (0..51).collect();
    let cases = [
        (
            check(json!({"command": []})),
            json!({}),
            "Invalid 'healthCheck' setting",
        ),
        (
            check(json!({"command": ["true"]})),
            json!({}),
            "must begin with CMD",
        ),
        (check(json!({"command": ["CMD"]})), json!({}), "name what to run"),
        (check(json!({"interval": 4})), json!({}), "interval"),
        (check(json!({"timeout": 1})), json!({}), "timeout"),
        (check(json!({"retries": 11})), json!({}), "retries"),
        (check(json!({"startPeriod": 301})), json!({}), "startPeriod"),
        (
            policy(json!({"ignoredExitCodes": codes})),
            json!({}),
            "50 exit codes",
        ),
        (
            policy(json!({"restartAttemptPeriod": 59})),
            json!({}),
            "60 to 1800",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let unsupported = [
        (
            check(json!({})),
            json!({}),
            "containerDefinitions[0].healthCheck is not supported by Roadstead yet.",
        ),
        (
            policy(json!({})),
            json!({}),
            "containerDefinitions[0].restartPolicy is not supported by Roadstead yet.",
        ),
    ];
    containers_refused(INVALID, &unsupported).await;
    container_shows(
        policy(json!({"enabled": false})),
        json!({}),
        json!({"restartPolicy": null}),
    )
    .await;
}

#[tokio::test]
async fn timeouts_user_and_directory_are_kept_or_refused() {
    let accepted = json!({
        "startTimeout": 2, "stopTimeout": 300, "user": "1000:www", "workingDirectory": "/srv",
        "readonlyRootFilesystem": true, "entryPoint": ["sh", "-c"], "command": ["sleep 1"],
        "versionConsistency": "disabled"
    });
    container_shows(accepted.clone(), json!({}), accepted).await;
    let cases = [
        (
            json!({"startTimeout": -1}),
            json!({}),
            "Invalid 'startTimeout' setting",
        ),
        (
            json!({"stopTimeout": 86_401}),
            json!({}),
            "Invalid 'stopTimeout' setting",
        ),
        (json!({"user": ""}), json!({}), "Invalid 'user' setting"),
        (json!({"user": "a b"}), json!({}), "Invalid 'user' setting"),
        (
            json!({"workingDirectory": "srv"}),
            json!({}),
            "Invalid 'workingDirectory' setting",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
}

#[tokio::test]
async fn linux_parameters_and_ulimits_are_kept_or_refused() {
    let accepted = json!({
        "linuxParameters": {
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "tmpfs": [{"containerPath": "/t", "size": 16, "mountOptions": ["noexec", "mode=1777"]}]
        },
        "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}]
    });
    container_shows(accepted.clone(), json!({}), accepted).await;
    let linux = |parameters: Json| json!({"linuxParameters": parameters});
    let tmpfs = |over: Json| json!({"linuxParameters": {"tmpfs": [put(json!({"containerPath": "/t", "size": 1}), over)]}});
    let limit = |soft: i32, hard: i32| json!({"name": "core", "softLimit": soft, "hardLimit": hard});
    let cases = [
        (
            linux(json!({"capabilities": {"add": ["FLY"]}})),
            json!({}),
            "'FLY' is not a capability.",
        ),
        (
            linux(json!({"capabilities": {"drop": ["CAP_KILL"]}})),
            json!({}),
            "is not a capability.",
        ),
        (tmpfs(json!({"size": 0})), json!({}), "at least 1 MiB"),
        (
            tmpfs(json!({"containerPath": "t"})),
            json!({}),
            "Invalid 'tmpfs' setting",
        ),
        (
            tmpfs(json!({"mountOptions": ["shared"]})),
            json!({}),
            "not a mount option",
        ),
        (
            tmpfs(json!({"mountOptions": ["mode=1,size=1g"]})),
            json!({}),
            "not a mount option",
        ),
        (
            linux(json!({"swappiness": 101})),
            json!({}),
            "Invalid 'swappiness' setting",
        ),
        (
            linux(json!({"maxSwap": -1})),
            json!({}),
            "Invalid 'maxSwap' setting",
        ),
        (
            linux(json!({"sharedMemorySize": -1})),
            json!({}),
            "Invalid 'sharedMemorySize' setting",
        ),
        (json!({"ulimits": [limit(2, 1)]}), json!({}), "must not exceed"),
        (json!({"ulimits": [limit(-1, 1)]}), json!({}), "must not exceed"),
        (
            json!({"ulimits": [limit(1, 1), limit(1, 1)]}),
            json!({}),
            "set more than once",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    for (member, value) in [
        ("devices", json!([{"hostPath": "/dev/null"}])),
        ("initProcessEnabled", json!(true)),
        ("maxSwap", json!(0)),
        ("sharedMemorySize", json!(64)),
        ("swappiness", json!(60)),
    ] {
        let words = format!("linuxParameters.{member} is not supported by Roadstead yet.");
        containers_refused(INVALID, &[(linux(json!({member: value})), json!({}), &words)]).await;
    }
    container_shows(
        linux(json!({"initProcessEnabled": false, "devices": []})),
        json!({}),
        json!({}),
    )
    .await;
}

#[tokio::test]
async fn logs_go_to_bounded_files_or_are_refused() {
    let logs = |over: Json| json!({"logConfiguration": put(json!({"logDriver": "json-file"}), over)});
    let options = |name: &str, value: &str| logs(json!({"options": {name: value}}));
    let accepted = logs(json!({"options": {"max-size": "10m", "max-file": "3"}}));
    container_shows(accepted.clone(), json!({}), accepted).await;
    for value in ["", "10", "m", "0k", "63k", "2048g", "1.5m", "+1m"] {
        containers_refused(CLIENT, &[(options("max-size", value), json!({}), "max-size")]).await;
    }
    for value in ["", "0", "101", "x"] {
        containers_refused(CLIENT, &[(options("max-file", value), json!({}), "max-file")]).await;
    }
    let secret = json!({"secretOptions": [{"name": "a", "valueFrom": "b"}]});
    let mut cases = vec![
        (
            options("labels", "x"),
            json!({}),
            "logConfiguration.options.labels is not",
        ),
        (logs(secret), json!({}), "logConfiguration.secretOptions is not"),
    ];
    for driver in [
        "syslog",
        "journald",
        "gelf",
        "fluentd",
        "awslogs",
        "splunk",
        "awsfirelens",
    ] {
        cases.push((
            logs(json!({"logDriver": driver})),
            json!({}),
            "logConfiguration.logDriver =",
        ));
    }
    containers_refused(INVALID, &cases).await;
}

#[tokio::test]
async fn what_nodes_cannot_do_yet_is_refused_by_name() {
    for (member, value) in [
        ("credentialSpecs", json!(["credentialspec:x"])),
        ("disableNetworking", json!(true)),
        ("dockerSecurityOptions", json!(["no-new-privileges"])),
        (
            "environmentFiles",
            json!([{"type": "s3", "value": "arn:aws:s3:::a/b.env"}]),
        ),
        ("firelensConfiguration", json!({"type": "fluentbit"})),
        ("interactive", json!(true)),
        ("privileged", json!(true)),
        ("pseudoTerminal", json!(true)),
        ("repositoryCredentials", json!({"credentialsParameter": "p"})),
        ("resourceRequirements", json!([{"type": "GPU", "value": "1"}])),
        ("secrets", json!([{"name": "A", "valueFrom": "b"}])),
        (
            "systemControls",
            json!([{"namespace": "net.core.somaxconn", "value": "1"}]),
        ),
    ] {
        let words = format!("containerDefinitions[0].{member} is not supported by Roadstead yet.");
        containers_refused(INVALID, &[(json!({member: value}), json!({}), &words)]).await;
    }
    let enabled = (
        json!({"versionConsistency": "enabled"}),
        json!({}),
        "containerDefinitions[0].versionConsistency",
    );
    containers_refused(INVALID, &[enabled]).await;
    for (member, value) in [
        ("enableFaultInjection", json!(true)),
        ("ephemeralStorage", json!({"sizeInGiB": 21})),
        ("executionRoleArn", json!("arn:aws:iam::000000000000:role/x")),
        (
            "inferenceAccelerators",
            json!([{"deviceName": "a", "deviceType": "b"}]),
        ),
        ("ipcMode", json!("task")),
        ("pidMode", json!("task")),
        (
            "placementConstraints",
            json!([{"type": "memberOf", "expression": "attribute:a == b"}]),
        ),
        ("proxyConfiguration", json!({"containerName": "web"})),
        ("taskRoleArn", json!("arn:aws:iam::000000000000:role/x")),
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

#[tokio::test]
async fn wrong_values_of_the_task_are_refused() {
    let many: Vec<Json> = (0..11)
        .map(|_| json!({"type": "memberOf", "expression": "e"}))
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
    let windows = (
        json!({}),
        platform("WINDOWS_SERVER_2022_CORE"),
        "runtimePlatform.operatingSystemFamily",
    );
    containers_refused(INVALID, &[windows]).await;
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
        "memoryReservation": 8, "logConfiguration": {"logDriver": "json-file"},
        "linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 1}]}
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
            "com.amazonaws.ecs.capability.docker-remote-api.1.22",
            "com.amazonaws.ecs.capability.logging-driver.json-file",
        ]
    );
}
