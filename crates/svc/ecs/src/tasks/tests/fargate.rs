//! Launch type FARGATE: the capacity behind it serves every cluster and is shown to nobody.

use roadstead_base::Caller;
use serde_json::{Value as Json, json};

use crate::harness::{
    GROUP_OTHER, MACHINE, SUBNET_B, SUBNET_OTHER, awsvpc, cloud, definition, registration, text,
};

fn sized(d: &mut Json) {
    d["requiresCompatibilities"] = json!(["FARGATE"]);
    d["cpu"] = json!("256");
    d["memory"] = json!("512");
}

#[tokio::test]
async fn fargate_tasks_run_on_capacity_that_is_not_shown() {
    let cloud = cloud().await;
    let capacity = cloud
        .register_in(Caller::Node, "AWSFargate", MACHINE, 2, "us-east-1a")
        .await;
    let mut agent = cloud.agent(&capacity).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", sized))
        .await
        .expect("registers");
    let input = json!({
        "taskDefinition": "web", "launchType": "FARGATE", "platformVersion": "LATEST",
        "networkConfiguration": awsvpc(&[SUBNET_OTHER], &[GROUP_OTHER]),
    });
    let task = cloud.run(input).await;
    let arn = text(&task["taskArn"]);
    assert_eq!(
        (&task["launchType"], &task["platformVersion"]),
        (&json!("FARGATE"), &json!("1.4.0"))
    );
    assert_eq!(
        (&task["platformFamily"], &task["cpu"], &task["memory"]),
        (&json!("Linux"), &json!("256"), &json!("512"))
    );
    assert_eq!(task["ephemeralStorage"]["sizeInGiB"], 20);
    assert_eq!(task["containerInstanceArn"], Json::Null);
    let (_, payload) = agent.payload().await;
    let sent = &payload.tasks[0];
    assert_eq!(
        (sent.launch_type.as_str(), sent.cpu, sent.memory),
        ("FARGATE", 0.25, 512)
    );
    assert_eq!(
        sent.task_cluster_arn,
        "arn:aws:ecs:us-east-1:000000000000:cluster/default"
    );
    assert_eq!(
        payload.cluster_arn,
        "arn:aws:ecs:us-east-1:000000000000:cluster/AWSFargate"
    );
    // The agent reports in the name of the cluster it is in; the task's ARN says which task it is.
    let report = json!({"cluster": "AWSFargate", "task": arn, "status": "RUNNING"});
    cloud
        .call_as(&cloud.ctx(Caller::Node), "SubmitTaskStateChange", report)
        .await
        .expect("is acknowledged");
    assert_eq!(cloud.task(&arn).await["lastStatus"], "RUNNING");
    let answer = cloud
        .call("ListTasks", json!({"launchType": "FARGATE"}))
        .await
        .expect("lists");
    assert_eq!(answer["taskArns"], json!([arn]));
    let by_instance = cloud
        .call("ListTasks", json!({"containerInstance": "0".repeat(32)}))
        .await
        .expect("lists");
    assert_eq!(by_instance["taskArns"], json!([]));
    let answer = cloud.call("DescribeClusters", json!({})).await.expect("answers");
    assert_eq!(answer["clusters"][0]["runningTasksCount"], 1);
    assert_eq!(answer["clusters"][0]["registeredContainerInstancesCount"], 0);
}

#[tokio::test]
async fn the_reserved_cluster_is_for_nodes_alone() {
    let cloud = cloud().await;
    let capacity = cloud
        .register_in(Caller::Node, "AWSFargate", MACHINE, 2, "us-east-1a")
        .await;
    let id = capacity.rsplit('/').next().expect("an id");
    for (operation, input) in [
        ("ListContainerInstances", json!({"cluster": "AWSFargate"})),
        (
            "DescribeContainerInstances",
            json!({"cluster": "AWSFargate", "containerInstances": [id]}),
        ),
        (
            "DeregisterContainerInstance",
            json!({"cluster": "AWSFargate", "containerInstance": id}),
        ),
        (
            "RegisterContainerInstance",
            registration("AWSFargate", MACHINE, 1, "us-east-1a"),
        ),
        ("ListTasks", json!({"cluster": "AWSFargate"})),
        ("RunTask", json!({"cluster": "AWSFargate", "taskDefinition": "x"})),
    ] {
        let error = cloud.call(operation, input).await.expect_err(operation);
        assert_eq!(error.code, "ClusterNotFoundException", "{operation}");
    }
    let node = cloud.ctx(Caller::Node);
    let listed = cloud
        .call_as(&node, "ListContainerInstances", json!({"cluster": "AWSFargate"}))
        .await;
    assert_eq!(listed.expect("lists")["containerInstanceArns"], json!([capacity]));
}

#[tokio::test]
async fn the_disk_of_a_fargate_task_is_as_large_as_its_definition_or_its_overrides_say() {
    let cloud = cloud().await;
    let large = |d: &mut Json| {
        sized(d);
        d["ephemeralStorage"] = json!({"sizeInGiB": 40});
    };
    let registered = cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", large))
        .await
        .expect("registers");
    assert_eq!(registered["taskDefinition"]["ephemeralStorage"]["sizeInGiB"], 40);
    let run = |overrides: Json| {
        json!({
            "taskDefinition": "web", "launchType": "FARGATE", "overrides": overrides,
            "networkConfiguration": awsvpc(&[SUBNET_OTHER], &[GROUP_OTHER]),
        })
    };
    let larger = json!({"ephemeralStorage": {"sizeInGiB": 200}});
    // Each machine has room for one.
    for (machine, overrides, gib) in [(MACHINE, json!({}), 40), ("i-0000000000000000b", larger, 200)] {
        let capacity = cloud
            .register_in(Caller::Node, "AWSFargate", machine, 1, "us-east-1a")
            .await;
        let mut agent = cloud.agent(&capacity).await;
        agent.manifest().await;
        let task = cloud.run(run(overrides)).await;
        assert_eq!(task["ephemeralStorage"]["sizeInGiB"], gib);
        assert_eq!(task["fargateEphemeralStorage"]["sizeInGiB"], gib);
        let (_, payload) = agent.payload().await;
        assert_eq!(payload.tasks[0].ephemeral_storage, gib);
    }
    for gib in [20, 201] {
        let overrides = json!({"ephemeralStorage": {"sizeInGiB": gib}});
        let error = cloud.call("RunTask", run(overrides)).await.expect_err("refused");
        assert_eq!(error.code, "InvalidParameterException");
        assert!(error.message.contains("21 to 200 GiB"), "{}", error.message);
    }
    // Without Fargate there is no such disk.
    let only = definition("host", "host", |d| {
        d["ephemeralStorage"] = json!({"sizeInGiB": 40})
    });
    let error = cloud
        .call("RegisterTaskDefinition", only)
        .await
        .expect_err("refused");
    assert_eq!(error.code, "ClientException");
    assert!(
        error
            .message
            .starts_with("ephemeralStorage is for tasks on Fargate"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn without_room_fargate_says_that_capacity_is_unavailable() {
    let cloud = cloud().await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", sized))
        .await
        .expect("registers");
    let input = json!({
        "taskDefinition": "web", "launchType": "FARGATE", "count": 2,
        "networkConfiguration": awsvpc(&[SUBNET_B], &[]),
    });
    let none = cloud.call("RunTask", input.clone()).await.expect("answers");
    assert_eq!(none["failures"].as_array().map(Vec::len), Some(2));
    assert_eq!(none["failures"][0]["reason"], "RESOURCE:FARGATE");
    assert!(text(&none["failures"][0]["detail"]).starts_with("Capacity is unavailable at this time."));
    let capacity = cloud
        .register_in(Caller::Node, "AWSFargate", MACHINE, 1, "us-east-1a")
        .await;
    let mut agent = cloud.agent(&capacity).await;
    agent.manifest().await;
    let one = cloud.call("RunTask", input).await.expect("answers");
    assert_eq!(
        (
            one["tasks"].as_array().map(Vec::len),
            one["failures"].as_array().map(Vec::len)
        ),
        (Some(1), Some(1))
    );
    assert_eq!(one["tasks"][0]["availabilityZone"], "us-east-1b", "the subnet's");
}
