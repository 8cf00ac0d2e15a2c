//! What reports make of a task, whatever their order.

use std::sync::Arc;

use roadstead_base::Timestamp;
use serde_json::{Value as Json, json};

use crate::harness::{Cloud, MACHINE, SUBNET_A, awsvpc, cloud, definition, text};
use crate::tasks::TaskRecord;
use crate::tasks::report::{ContainerReport, Report, Said, apply};
use crate::tasks::{ContainerStatus, LastStatus};

async fn with_task_of(mode: &str) -> (Cloud, String, Arc<TaskRecord>) {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let two = definition("two", mode, |d| {
        let sidecar = json!({"name": "sidecar", "image": "s", "memory": 10, "essential": false});
        d["containerDefinitions"]
            .as_array_mut()
            .expect("a list")
            .push(sidecar);
    });
    cloud
        .call("RegisterTaskDefinition", two)
        .await
        .expect("registers");
    let network = if mode == "awsvpc" {
        awsvpc(&[SUBNET_A], &[])
    } else {
        Json::Null
    };
    let task = cloud
        .run(json!({"taskDefinition": "two", "networkConfiguration": network}))
        .await;
    let arn = text(&task["taskArn"]);
    cloud.task_when(&arn, "PENDING").await;
    let key = crate::tasks::key_of_arn(&arn).expect("a key");
    let record = cloud
        .ecs
        .tasks()
        .get(&key)
        .await
        .expect("reads")
        .expect("is there")
        .value;
    (cloud, arn, Arc::new(record))
}

fn container(name: &str, status: ContainerStatus, exit: Option<i32>, reason: &str) -> ContainerReport {
    ContainerReport {
        name: name.into(),
        status: Some(status),
        exit_code: exit,
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        ..ContainerReport::default()
    }
}

#[tokio::test]
async fn stop_codes_and_reasons_are_the_services_own() {
    let (_cloud, _, pending) = with_task_of("host").await;
    let now = Timestamp(1_700_000_100_000);
    let running = apply(
        &pending,
        &Report {
            said: Said::Running,
            ..Report::default()
        },
        now,
    )
    .expect("a change");
    assert_eq!(
        (running.last, running.times.started),
        (LastStatus::Running, Some(now))
    );
    let check = |task: &TaskRecord, container: ContainerReport, reason: &str, code: &str, wanted: &str| {
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        let report = Report {
            said: Said::Stopped,
            reason,
            containers: vec![container],
            ..Report::default()
        };
        let after = apply(task, &report, now).expect("a change");
        let stop = after.stop.clone().expect("a reason");
        assert_eq!(
            (format!("{:?}", stop.code).as_str(), stop.reason.as_str()),
            (code, wanted)
        );
        assert_eq!(
            (after.last, after.times.stopped),
            (LastStatus::Stopped, Some(now))
        );
        assert!(
            after
                .containers
                .iter()
                .all(|container| container.status == ContainerStatus::Stopped)
        );
        assert_eq!(apply(&after, &report, now), None, "the end is final");
    };
    let app = |exit, reason: &str| container("app", ContainerStatus::Stopped, exit, reason);
    let pull = "CannotPullContainerError: no such image";
    check(
        &running,
        app(Some(1), ""),
        "",
        "EssentialContainerExited",
        "Essential container in task exited",
    );
    let oom = "OutOfMemoryError: Container killed due to memory usage";
    check(
        &running,
        app(Some(137), oom),
        "",
        "EssentialContainerExited",
        "Essential container in task exited",
    );
    check(&pending, app(None, pull), "", "TaskFailedToStart", pull);
    let start = "CannotStartContainerError: no such file";
    check(&pending, app(Some(127), start), "", "TaskFailedToStart", start);
    check(
        &pending,
        app(Some(0), ""),
        "",
        "EssentialContainerExited",
        "Essential container in task exited",
    );
    check(
        &pending,
        app(None, ""),
        "",
        "TaskFailedToStart",
        "Task failed to start",
    );
    let odd = "UnrecogniedTaskError: Error loading task";
    check(&pending, app(None, ""), odd, "TaskFailedToStart", odd);
}

#[tokio::test]
async fn late_and_double_reports_change_nothing() {
    let (_cloud, _, pending) = with_task_of("host").await;
    let now = Timestamp(1_700_000_100_000);
    let up = Report {
        said: Said::Running,
        containers: vec![container("app", ContainerStatus::Running, None, "")],
        ..Report::default()
    };
    let running = apply(&pending, &up, now).expect("a change");
    assert_eq!(apply(&running, &up, Timestamp(now.0 + 1)), None);
    assert_eq!(running.version, pending.version + 1);
    // A sidecar's exit comes with the task's present status, and an older report of it afterwards.
    let down = |status| Report {
        said: Said::Running,
        containers: vec![status],
        ..Report::default()
    };
    let exited = container("sidecar", ContainerStatus::Stopped, Some(7), "");
    let with_exit = apply(&running, &down(exited), now).expect("a change");
    assert_eq!(with_exit.containers[1].exit_code, Some(7));
    let older = down(container("sidecar", ContainerStatus::Running, None, ""));
    assert_eq!(apply(&with_exit, &older, now), None);
    // A task that is being stopped does not run again.
    let mut stopping = running.clone();
    stopping.last = LastStatus::Stopping;
    assert_eq!(apply(&stopping, &up, now), None);
    let unknown = Report {
        containers: vec![container("nobody", ContainerStatus::Stopped, None, "")],
        ..Report::default()
    };
    assert_eq!(apply(&running, &unknown, now), None);
}

#[tokio::test]
async fn attachments_are_reported_with_a_task_or_apart() {
    for operation in ["SubmitTaskStateChange", "SubmitAttachmentStateChanges"] {
        let (cloud, arn, record) = with_task_of("awsvpc").await;
        let id = record.attachment.as_ref().expect("an attachment").id.clone();
        assert_eq!(cloud.task(&arn).await["attachments"][0]["status"], "ATTACHING");
        let change = json!([{
            "attachmentArn": format!("arn:aws:ecs:us-east-1:000000000000:attachment/{id}"), "status": "ATTACHED",
        }]);
        let mut input = json!({"attachments": change, "cluster": "default"});
        if operation == "SubmitTaskStateChange" {
            input["task"] = json!(arn);
        }
        for _ in 0..2 {
            let answer = cloud
                .call(operation, input.clone())
                .await
                .expect("is acknowledged");
            assert_eq!(answer["acknowledgment"], "ACK");
        }
        let task = cloud.task(&arn).await;
        assert_eq!(
            (&task["attachments"][0]["status"], &task["lastStatus"]),
            (&json!("ATTACHED"), &json!("PENDING"))
        );
    }
}

#[tokio::test]
async fn reports_about_nothing_known_are_acknowledged_and_malformed_ones_refused() {
    let (cloud, arn, _) = with_task_of("host").await;
    let unknown = "arn:aws:ecs:us-east-1:000000000000:task/default/00000000000000000000000000000000";
    cloud
        .call(
            "SubmitTaskStateChange",
            json!({"task": unknown, "status": "STOPPED"}),
        )
        .await
        .expect("is acknowledged");
    let odd = json!({"attachments": [{"attachmentArn": "arn:aws:ecs:us-east-1:000000000000:attachment/x", "status": "ATTACHED"}]});
    cloud
        .call("SubmitAttachmentStateChanges", odd)
        .await
        .expect("is acknowledged");
    for input in [
        json!({}),
        json!({"task": "arn:aws:ecs:us-east-1:000000000000:cluster/default"}),
        json!({"task": arn, "attachments": [{"attachmentArn": "x", "status": "ATTACHED"}]}),
    ] {
        let error = cloud
            .call("SubmitTaskStateChange", input.clone())
            .await
            .expect_err("is refused");
        assert_eq!(error.code, "InvalidParameterException", "{input}");
    }
    let agents =
        json!([{"containerName": "app", "managedAgentName": "ExecuteCommandAgent", "status": "RUNNING"}]);
    let error = cloud
        .call(
            "SubmitTaskStateChange",
            json!({"task": arn, "managedAgents": agents}),
        )
        .await;
    assert!(error.expect_err("is refused").message.contains("managedAgents"));
}

#[tokio::test]
async fn one_container_can_be_reported_by_itself_or_with_its_task() {
    let bindings = json!([
        {"containerPort": 80, "hostPort": 8080, "protocol": "tcp", "bindIP": "0.0.0.0"},
        {"containerPortRange": "90-91", "hostPortRange": "9090-9091", "protocol": "udp", "bindIP": "127.0.0.1"},
    ]);
    let apart = json!({
        "cluster": "default", "containerName": "sidecar", "status": "STOPPED", "exitCode": 3,
        "reason": "over", "runtimeId": "r1", "networkBindings": bindings,
    });
    let mut with_task = apart.clone();
    let object = with_task.as_object_mut().expect("an object");
    object.remove("cluster");
    object.insert("imageDigest".into(), json!("sha256:1"));
    let with_task = json!({"status": "RUNNING", "containers": [with_task]});
    for (operation, mut input) in [
        ("SubmitContainerStateChange", apart),
        ("SubmitTaskStateChange", with_task),
    ] {
        let (cloud, arn, _) = with_task_of("host").await;
        input["task"] = json!(arn);
        cloud.call(operation, input).await.expect("is acknowledged");
        let container = cloud.task(&arn).await["containers"][1].clone();
        assert_eq!(
            (&container["lastStatus"], &container["exitCode"]),
            (&json!("STOPPED"), &json!(3))
        );
        assert_eq!(
            (&container["reason"], &container["runtimeId"]),
            (&json!("over"), &json!("r1"))
        );
        assert_eq!(container["networkBindings"], bindings);
        let digest = if operation == "SubmitTaskStateChange" {
            json!("sha256:1")
        } else {
            Json::Null
        };
        assert_eq!(container["imageDigest"], digest);
    }
    let (cloud, arn, _) = with_task_of("host").await;
    let error = cloud
        .call("SubmitContainerStateChange", json!({"task": arn}))
        .await
        .expect_err("is refused");
    assert!(error.message.contains("containerName"), "{error}");
}
