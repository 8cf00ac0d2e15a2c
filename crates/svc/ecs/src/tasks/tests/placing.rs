//! Where tasks go, and that nothing is sold twice.

use std::sync::Arc;

use roadstead_base::Caller;
use serde_json::{Value as Json, json};

use crate::harness::{
    Agent, Cloud, GROUP, MACHINE, SUBNET_A, SUBNET_B, SUBNET_OTHER, awsvpc, cloud, definition, text,
};

const MACHINE_B: &str = "i-0000000000000000b";

async fn connected(cloud: &Cloud, machine: &str, slots: u32) -> (String, Agent) {
    let instance = cloud.register("default", machine, slots).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    (instance, agent)
}

pub(super) fn reasons(answer: &Json) -> Vec<String> {
    answer["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|failure| text(&failure["reason"]))
        .collect()
}

pub(super) fn count(answer: &Json) -> usize {
    answer["tasks"].as_array().expect("tasks").len()
}

#[tokio::test]
async fn failures_name_each_instance_and_its_reason() {
    let cloud = cloud().await;
    let away = cloud.register("default", MACHINE_B, 0).await;
    let (instance, _agent) = connected(&cloud, MACHINE, 1).await;
    let of = |family: &str, mode: &str, change: &dyn Fn(&mut Json)| definition(family, mode, |d| change(d));
    for text in [
        of("cpu", "host", &|d| {
            d["containerDefinitions"][0]["cpu"] = json!(2000)
        }),
        of("memory", "host", &|d| {
            d["containerDefinitions"][0]["memory"] = json!(2000)
        }),
        of("port", "host", &|d| {
            d["containerDefinitions"][0]["portMappings"] = json!([{"containerPort": 22}])
        }),
        of("udp", "host", &|d| {
            d["containerDefinitions"][0]["portMappings"] = json!([{"containerPort": 22, "protocol": "udp"}]);
        }),
        of("arm", "host", &|d| {
            d["runtimePlatform"] = json!({"cpuArchitecture": "ARM64"})
        }),
        of("vpc", "awsvpc", &|_| {}),
        of("syslog", "host", &|d| {
            d["containerDefinitions"][0]["logConfiguration"] = json!({"logDriver": "syslog"})
        }),
        of("fluentd", "host", &|d| {
            d["containerDefinitions"][0]["logConfiguration"] = json!({"logDriver": "fluentd"})
        }),
    ] {
        cloud
            .call("RegisterTaskDefinition", text)
            .await
            .expect("registers");
    }
    let check = |family: &'static str, network: Json, wanted: &'static str| {
        let (cloud, instance, away) = (&cloud, instance.clone(), away.clone());
        async move {
            let input = json!({"taskDefinition": family, "networkConfiguration": network});
            let answer = cloud.call("RunTask", input).await.expect("answers");
            if wanted.is_empty() {
                assert_eq!((count(&answer), reasons(&answer).len()), (1, 0), "{answer:#}");
                return;
            }
            assert_eq!(count(&answer), 0, "{answer:#}");
            for failure in answer["failures"].as_array().expect("failures") {
                let reason = if failure["arn"] == *away { "AGENT" } else { wanted };
                assert!(failure["arn"] == *away || failure["arn"] == *instance);
                assert_eq!(failure["reason"], reason, "{family}");
            }
            assert_eq!(reasons(&answer).len(), 2);
        }
    };
    check("cpu", Json::Null, "RESOURCE:CPU").await;
    check("memory", Json::Null, "RESOURCE:MEMORY").await;
    check("port", Json::Null, "RESOURCE:PORTS").await;
    check("arm", Json::Null, "ATTRIBUTE").await;
    check("vpc", awsvpc(&[SUBNET_B], &[]), "LOCATION").await;
    check("vpc", awsvpc(&[SUBNET_OTHER], &[]), "LOCATION").await;
    check("vpc", awsvpc(&[SUBNET_A], &[]), "").await;
    check("vpc", awsvpc(&[SUBNET_A], &[]), "RESOURCE:ENI").await;
    check("udp", Json::Null, "").await;
    check("udp", Json::Null, "RESOURCE:PORTS").await;
    // The instance says that it has this driver, and not that one.
    check("fluentd", Json::Null, "ATTRIBUTE").await;
    check("syslog", Json::Null, "").await;
    assert_eq!(cloud.remaining(&instance, "PORTS_UDP").await, json!(["22"]));
}

#[tokio::test]
async fn ports_of_a_bridge_are_reserved_when_they_are_asked_for_by_number() {
    let cloud = cloud().await;
    let (instance, mut agent) = connected(&cloud, MACHINE, 0).await;
    let mapped = |family: &str, mappings: Json| {
        let mut text = definition(family, "bridge", |d| {
            d["containerDefinitions"][0]["portMappings"] = mappings;
            d["containerDefinitions"][0]["memory"] = json!(20);
            d["containerDefinitions"][0]["cpu"] = json!(1);
        });
        // An omitted mode is bridge.
        text.as_object_mut().expect("an object").remove("networkMode");
        text
    };
    for text in [
        mapped("static", json!([{"containerPort": 80, "hostPort": 8080}])),
        mapped(
            "dynamic",
            json!([{"containerPort": 80}, {"containerPort": 53, "protocol": "udp"}]),
        ),
    ] {
        cloud
            .call("RegisterTaskDefinition", text)
            .await
            .expect("registers");
    }
    let task = cloud.run(json!({"taskDefinition": "static"})).await;
    let answer = cloud
        .call("RunTask", json!({"taskDefinition": "static"}))
        .await
        .expect("answers");
    assert_eq!(reasons(&answer), ["RESOURCE:PORTS"]);
    assert_eq!(cloud.remaining(&instance, "PORTS").await, json!(["22", "8080"]));
    for _ in 0..2 {
        cloud.run(json!({"taskDefinition": "dynamic"})).await;
    }
    assert_eq!(cloud.remaining(&instance, "PORTS").await, json!(["22", "8080"]));

    // What the agent binds is shown as it says it.
    let (_, payload) = agent.payload().await;
    assert_eq!(payload.tasks[0].network_mode, "bridge");
    assert_eq!(payload.tasks[0].containers[0].port_mappings[0].host_port, 8080);
    let bindings = json!([
        {"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 8080, "protocol": "tcp"},
        {"bindIP": "0.0.0.0", "containerPortRange": "100-101", "hostPortRange": "40000-40001", "protocol": "udp"}
    ]);
    let arn = text(&task["taskArn"]);
    let report = json!({
        "task": arn, "status": "RUNNING",
        "containers": [{"containerName": "app", "status": "RUNNING", "networkBindings": bindings}]
    });
    cloud
        .call("SubmitTaskStateChange", report)
        .await
        .expect("is taken");
    let shown = cloud.task_when(&arn, "RUNNING").await;
    assert_eq!(shown["containers"][0]["networkBindings"], bindings);
    assert_eq!(shown["containers"][0]["networkInterfaces"], json!([]));
    let stop = json!({"task": arn, "status": "STOPPED", "containers": []});
    cloud.call("SubmitTaskStateChange", stop).await.expect("is taken");
    cloud.task_when(&arn, "STOPPED").await;
    cloud.run(json!({"taskDefinition": "static"})).await;
}

#[tokio::test]
async fn what_an_instance_lacks_is_named() {
    let cloud = cloud().await;
    let (instance, _agent) = connected(&cloud, MACHINE, 0).await;
    let privileged = definition("privileged", "host", |d| {
        d["containerDefinitions"][0]["privileged"] = json!(true);
    });
    cloud
        .call("RegisterTaskDefinition", privileged)
        .await
        .expect("registers");
    let words =
        "The container instance lacks the attribute com.amazonaws.ecs.capability.privileged-container.";
    let named = json!({"taskDefinition": "privileged", "containerInstances": [instance]});
    for (operation, input) in [
        ("RunTask", json!({"taskDefinition": "privileged"})),
        ("StartTask", named),
    ] {
        let answer = cloud.call(operation, input).await.expect("answers");
        assert_eq!(reasons(&answer), ["ATTRIBUTE"], "{operation}");
        assert_eq!(answer["failures"][0]["detail"], words, "{operation}");
    }
    let mut again = crate::harness::registration("default", MACHINE, 0, "us-east-1a");
    again["containerInstanceArn"] = json!(instance);
    let attribute = json!({"name": "com.amazonaws.ecs.capability.privileged-container"});
    again["attributes"]
        .as_array_mut()
        .expect("a list")
        .push(attribute);
    cloud
        .call("RegisterContainerInstance", again)
        .await
        .expect("its operator allowed it");
    cloud.run(json!({"taskDefinition": "privileged"})).await;
}

#[tokio::test]
async fn copies_are_placed_up_to_the_count_and_distinct_instance_keeps_them_apart() {
    let cloud = cloud().await;
    let (_, _a) = connected(&cloud, MACHINE, 0).await;
    let (_, _b) = connected(&cloud, MACHINE_B, 0).await;
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let distinct = json!([{"type": "distinctInstance"}]);
    let input = json!({"taskDefinition": "host", "count": 3, "placementConstraints": distinct});
    let answer = cloud.call("RunTask", input.clone()).await.expect("answers");
    assert_eq!((count(&answer), reasons(&answer).len()), (2, 2));
    assert!(reasons(&answer)[0].contains("distinctInstance"));
    let hosts: Vec<String> = answer["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .map(|task| text(&task["containerInstanceArn"]))
        .collect();
    assert_ne!(hosts[0], hosts[1]);
    // Of another group they stand beside them.
    let mut other = input;
    other["group"] = json!("mine");
    other["count"] = json!(2);
    let answer = cloud.call("RunTask", other).await.expect("answers");
    assert_eq!(count(&answer), 2);
    assert_eq!(answer["tasks"][0]["group"], "mine");
    let five = cloud
        .call("RunTask", json!({"taskDefinition": "host", "count": 5}))
        .await
        .expect("answers");
    assert_eq!(count(&five), 5);
}

#[tokio::test]
async fn one_machine_is_sold_once_whichever_instance_it_is_sold_through() {
    let cloud = cloud().await;
    cloud
        .call("CreateCluster", json!({"clusterName": "second"}))
        .await
        .expect("a cluster");
    let (first, _a) = connected(&cloud, MACHINE, 2).await;
    let second = cloud.register("second", MACHINE, 2).await;
    let mut agent = cloud.agent(&second).await;
    agent.manifest().await;
    let capacity = cloud
        .register_in(Caller::Node, "AWSFargate", MACHINE, 2, "us-east-1a")
        .await;
    let mut fargate = cloud.agent(&capacity).await;
    fargate.manifest().await;
    let big = definition("big", "awsvpc", |d| {
        d["requiresCompatibilities"] = json!(["EC2", "FARGATE"]);
        d["cpu"] = json!("512");
        d["memory"] = json!("1024");
        d["containerDefinitions"][0]["memory"] = json!(100);
    });
    cloud
        .call("RegisterTaskDefinition", big)
        .await
        .expect("registers");
    let small = json!({"overrides": {"cpu": "512", "memory": "400"}});
    let run = |cluster: &str, launch: &str, extra: Json| {
        let mut input = json!({
            "cluster": cluster, "taskDefinition": "big", "launchType": launch,
            "networkConfiguration": awsvpc(&[SUBNET_A], &[]),
        });
        input
            .as_object_mut()
            .expect("an object")
            .extend(extra.as_object().expect("an object").clone());
        cloud.call("RunTask", input)
    };
    // 1000 MiB: FARGATE cannot have 1024 of them.
    let answer = run("default", "FARGATE", json!({})).await.expect("answers");
    assert_eq!(reasons(&answer), ["RESOURCE:FARGATE"]);
    assert_eq!(
        count(&run("default", "EC2", small.clone()).await.expect("answers")),
        1
    );
    assert_eq!(
        count(&run("second", "EC2", small.clone()).await.expect("answers")),
        1
    );
    let answer = run("default", "EC2", small.clone()).await.expect("answers");
    assert_eq!(reasons(&answer), ["RESOURCE:CPU"]);
    assert_eq!(cloud.remaining(&first, "CPU").await, 0);
    assert_eq!(cloud.remaining(&first, "MEMORY").await, 200);
}

#[tokio::test]
async fn calls_made_at_once_sell_nothing_twice() {
    let cloud = Arc::new(cloud().await);
    let (instance, _agent) = connected(&cloud, MACHINE, 0).await;
    let port = definition("port", "host", |d| {
        d["containerDefinitions"][0]["portMappings"] = json!([{"containerPort": 8080}]);
    });
    cloud
        .call("RegisterTaskDefinition", port)
        .await
        .expect("registers");
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let mut calls = tokio::task::JoinSet::new();
    for i in 0..24 {
        let cloud = cloud.clone();
        let family = if i % 2 == 0 { "port" } else { "host" };
        calls.spawn(async move {
            cloud
                .call("RunTask", json!({"taskDefinition": family}))
                .await
                .expect("answers")
        });
    }
    let mut placed: Vec<String> = Vec::new();
    while let Some(answer) = calls.join_next().await {
        let answer = answer.expect("no panic");
        placed.extend(
            answer["tasks"]
                .as_array()
                .expect("tasks")
                .iter()
                .map(|task| text(&task["taskDefinitionArn"])),
        );
    }
    // None, if the five that need no port were all faster.
    let on_port = placed.iter().filter(|arn| arn.contains("/port:")).count();
    assert!(on_port <= 1, "{on_port} tasks on one host port");
    // 1000 MiB at 200 each.
    assert_eq!(placed.len(), 5);
    assert_eq!(cloud.remaining(&instance, "MEMORY").await, 0);
    let answer = cloud.call("DescribeClusters", json!({})).await.expect("answers");
    assert_eq!(answer["clusters"][0]["pendingTasksCount"], 5);
}

#[tokio::test]
async fn start_task_goes_where_it_is_told_or_says_why_not() {
    let cloud = cloud().await;
    let (instance, mut agent) = connected(&cloud, MACHINE, 0).await;
    let away = cloud.register("default", MACHINE_B, 0).await;
    let gone = cloud.register("default", "i-0000000000000000c", 0).await;
    cloud
        .call("DeregisterContainerInstance", json!({"containerInstance": gone}))
        .await
        .expect("goes");
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let missing =
        "arn:aws:ecs:us-east-1:000000000000:container-instance/default/00000000000000000000000000000000";
    let input = json!({
        "taskDefinition": "host", "startedBy": "me", "group": "g", "enableECSManagedTags": true,
        "tags": [{"key": "a", "value": "b"}],
        "containerInstances": [instance, away, gone, missing],
        "overrides": {"containerOverrides": [{"name": "app", "command": ["run"]}]},
    });
    let answer = cloud.call("StartTask", input).await.expect("answers");
    assert_eq!(reasons(&answer), ["AGENT", "INACTIVE", "MISSING"]);
    let task = &answer["tasks"][0];
    assert_eq!(
        (count(&answer), &task["containerInstanceArn"]),
        (1, &json!(instance))
    );
    assert_eq!(
        (&task["startedBy"], &task["group"], &task["lastStatus"]),
        (&json!("me"), &json!("g"), &json!("PENDING"))
    );
    let tags = json!([{"key": "a", "value": "b"}, {"key": "aws:ecs:clusterName", "value": "default"}]);
    assert_eq!(task["tags"], tags);
    assert_eq!(
        task["overrides"]["containerOverrides"][0]["command"],
        json!(["run"])
    );
    let (before, payload) = agent.payload().await;
    assert!(before.is_empty(), "no interface, no map: {before:?}");
    assert_eq!(
        payload.tasks[0].containers[0].command.as_deref(),
        Some(&["run".to_owned()][..])
    );
    // Named twice it takes two copies, of which 200 MiB each must fit.
    let twice = json!({"taskDefinition": "host", "containerInstances": vec![instance; 5]});
    let answer = cloud.call("StartTask", twice).await.expect("answers");
    assert_eq!(
        (count(&answer), reasons(&answer)),
        (4, vec!["RESOURCE:MEMORY".to_owned()])
    );
}

#[tokio::test]
async fn start_task_puts_on_the_definitions_tags_and_an_interface() {
    let cloud = cloud().await;
    cloud
        .call("CreateCluster", json!({"clusterName": "second"}))
        .await
        .expect("a cluster");
    let instance = cloud.register("second", MACHINE, 1).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let web = definition("web", "awsvpc", |d| {
        d["tags"] = json!([{"key": "from", "value": "definition"}])
    });
    cloud
        .call("RegisterTaskDefinition", web)
        .await
        .expect("registers");
    let input = json!({
        "cluster": "second", "taskDefinition": "web", "containerInstances": [instance, instance],
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [SUBNET_A], "securityGroups": [GROUP]}},
    });
    let answer = cloud.call("StartTask", input.clone()).await.expect("answers");
    assert_eq!(reasons(&answer), ["RESOURCE:ENI"]);
    assert_eq!(
        answer["tasks"][0]["tags"],
        json!([{"key": "from", "value": "definition"}])
    );
    assert_eq!(
        answer["tasks"][0]["clusterArn"],
        "arn:aws:ecs:us-east-1:000000000000:cluster/second"
    );
    let (_, payload) = agent.payload().await;
    assert_eq!(payload.tasks[0].elastic_network_interfaces.len(), 1);
    let interface = &cloud.network.interfaces()[0];
    let groups = interface.groups.iter().flatten();
    let groups: Vec<_> = groups.filter_map(|group| group.group_id.as_deref()).collect();
    assert_eq!(
        (interface.subnet_id.as_deref(), groups),
        (Some(SUBNET_A), vec![GROUP])
    );
    let mut elsewhere = input;
    elsewhere["networkConfiguration"] = awsvpc(&[SUBNET_B], &[]);
    let answer = cloud.call("StartTask", elsewhere).await.expect("answers");
    assert_eq!(reasons(&answer), ["LOCATION", "LOCATION"]);
}

#[tokio::test]
async fn gpus_are_asked_of_instances_and_none_has_them() {
    let cloud = cloud().await;
    let (instance, _agent) = connected(&cloud, MACHINE, 1).await;
    let gpu = || json!([{"type": "GPU", "value": "1"}]);
    for text in [
        definition("gpu", "host", |d| {
            d["containerDefinitions"][0]["resourceRequirements"] = gpu();
        }),
        definition("plain", "host", |_| {}),
    ] {
        cloud
            .call("RegisterTaskDefinition", text)
            .await
            .expect("registers");
    }
    let over = json!({"containerOverrides": [{"name": "app", "resourceRequirements": gpu()}]});
    for input in [
        json!({"taskDefinition": "gpu"}),
        json!({"taskDefinition": "plain", "overrides": over}),
    ] {
        let answer = cloud.call("RunTask", input).await.expect("answers");
        let failures = json!([{"arn": instance, "reason": "RESOURCE:GPU"}]);
        assert_eq!((count(&answer), &answer["failures"]), (0, &failures));
    }
    let over = json!({"containerOverrides": [{"name": "app", "resourceRequirements": []}]});
    for input in [
        json!({"taskDefinition": "plain"}),
        json!({"taskDefinition": "gpu", "overrides": over}),
    ] {
        cloud.run(input).await;
    }
}
