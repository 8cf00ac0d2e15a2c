//! What goes wrong on a task's way ends it with a reason, and leaves nothing behind.

use roadstead_protocol::ApiError;
use serde_json::{Value as Json, json};

use crate::harness::{Agent, Cloud, MACHINE, SUBNET_A, SUBNET_TINY, awsvpc, cloud, definition, text};

async fn ready() -> (Cloud, String, Agent) {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 4).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    (cloud, instance, agent)
}

fn run_in(subnet: &str) -> Json {
    json!({"taskDefinition": "web", "networkConfiguration": awsvpc(&[subnet], &[])})
}

#[tokio::test]
async fn a_subnet_without_room_ends_the_task_with_the_networks_words() {
    let (cloud, instance, mut agent) = ready().await;
    let first = text(&cloud.run(run_in(SUBNET_TINY)).await["taskArn"]);
    agent.payload().await;
    let second = text(&cloud.run(run_in(SUBNET_TINY)).await["taskArn"]);
    let stopped = cloud.task_when(&second, "STOPPED").await;
    assert_eq!(stopped["stopCode"], "TaskFailedToStart");
    let reason = text(&stopped["stoppedReason"]);
    assert!(
        reason.contains(SUBNET_TINY) && reason.contains("InsufficientFreeAddressesInSubnet"),
        "{reason}"
    );
    assert_eq!(stopped["attachments"][0]["status"], "DELETED");
    assert_eq!(
        cloud.remaining(&instance, "CPU").await,
        924,
        "only the first task's is taken"
    );
    cloud.task_when(&first, "PENDING").await;
    assert_eq!(cloud.network.interfaces().len(), 1);
}

#[tokio::test]
async fn a_network_service_that_fails_for_a_while_is_asked_again() {
    let (cloud, _, mut agent) = ready().await;
    let later = || ApiError::new("ServiceUnavailable", 503, "later");
    cloud.network.fail_next("CreateNetworkInterface", later());
    cloud.network.fail_next("AttachNetworkInterface", later());
    let arn = text(&cloud.run(run_in(SUBNET_A)).await["taskArn"]);
    agent.payload().await;
    cloud.task_when(&arn, "PENDING").await;
    assert_eq!(
        cloud.network.interfaces().len(),
        1,
        "the second try found the first one's interface"
    );
    assert_eq!(cloud.network.calls("CreateNetworkInterface"), 3);
}

#[tokio::test]
async fn a_task_stopped_before_any_agent_heard_of_it_leaves_no_interface() {
    let (cloud, instance, _agent) = ready().await;
    let later = || ApiError::new("ServiceUnavailable", 503, "later");
    cloud.network.fail_next("AttachNetworkInterface", later());
    let arn = text(&cloud.run(run_in(SUBNET_A)).await["taskArn"]);
    cloud
        .until(
            || cloud.network.calls("AttachNetworkInterface") == 1,
            "the failed try",
        )
        .await;
    assert_eq!(cloud.network.interfaces().len(), 1, "made, and not written down");
    cloud.call("StopTask", json!({"task": arn})).await.expect("stops");
    let stopped = cloud.task_when(&arn, "STOPPED").await;
    assert_eq!(stopped["stopCode"], "UserInitiated");
    assert!(cloud.network.interfaces().is_empty());
    assert_eq!(cloud.remaining(&instance, "CPU").await, 1024);
}

#[tokio::test]
async fn an_agent_that_cannot_read_a_task_settles_it() {
    let (cloud, instance, mut agent) = ready().await;
    let arn = text(&cloud.run(run_in(SUBNET_A)).await["taskArn"]);
    agent.payload_unacknowledged().await;
    let reason = "UnrecogniedTaskError: Error loading task - no";
    let report = json!({"cluster": "default", "task": arn, "status": "STOPPED", "reason": reason});
    cloud
        .call("SubmitTaskStateChange", report)
        .await
        .expect("is acknowledged");
    let stopped = cloud.task_when(&arn, "STOPPED").await;
    assert_eq!(
        (&stopped["stopCode"], &stopped["stoppedReason"]),
        (&json!("TaskFailedToStart"), &json!(reason))
    );
    assert!(cloud.network.interfaces().is_empty());
    assert_eq!(cloud.remaining(&instance, "CPU").await, 1024);
}

#[tokio::test]
async fn forced_deregistration_orphans_tasks_and_frees_what_they_had() {
    let (cloud, instance, mut agent) = ready().await;
    let arn = text(&cloud.run(run_in(SUBNET_A)).await["taskArn"]);
    agent.payload().await;
    let error = cloud
        .call(
            "DeregisterContainerInstance",
            json!({"containerInstance": instance}),
        )
        .await;
    let error = error.expect_err("tasks are there");
    assert_eq!(
        (error.code.as_ref(), error.message.as_str()),
        (
            "InvalidParameterException",
            "Found running tasks on the instance."
        )
    );
    let input = json!({"containerInstance": instance, "force": true, "cluster": "default"});
    let gone = cloud
        .call("DeregisterContainerInstance", input)
        .await
        .expect("goes");
    assert_eq!(gone["containerInstance"]["status"], "INACTIVE");
    let stopped = cloud.task_when(&arn, "STOPPED").await;
    assert!(text(&stopped["stoppedReason"]).contains("deregistration forced by user"));
    assert!(cloud.network.interfaces().is_empty());
    while agent.hear().await.is_some() {}
    let refused = Agent::connect(&cloud, &instance).await.expect_err("is refused");
    assert!(
        refused.0 == 400 && refused.1.contains("InactiveInstanceException"),
        "{refused:?}"
    );
    let error = cloud
        .call("RunTask", run_in(SUBNET_A))
        .await
        .expect_err("no instance is left");
    assert_eq!(
        error.message,
        "No Container Instances were found in your cluster."
    );
}

#[tokio::test]
async fn an_agent_that_registers_anew_has_lost_its_tasks() {
    let (cloud, old, mut agent) = ready().await;
    let arn = text(&cloud.run(run_in(SUBNET_A)).await["taskArn"]);
    agent.payload().await;
    let new = cloud.register("default", MACHINE, 4).await;
    assert_ne!(old, new);
    let stopped = cloud.task_when(&arn, "STOPPED").await;
    assert!(text(&stopped["stoppedReason"]).contains("registered anew"));
    let listed = cloud
        .call("ListContainerInstances", json!({}))
        .await
        .expect("lists");
    assert_eq!(listed["containerInstanceArns"], json!([new]));
}
