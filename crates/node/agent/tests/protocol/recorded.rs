//! What the vendor's agent answered in recorded conversations, ours has to answer too: frame for frame, but for
//! role credentials, which do not exist yet, and health checks, which are refused.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::plane::agent::Machine;
use crate::plane::{Connection, Plane};
use serde_json::{Value, json};

const EC2_MODE: &str = include_str!("recordings/ec2-mode.jsonl");
const EXTERNAL_MODE: &str = include_str!("recordings/external-mode-awsvpc-and-manifest.jsonl");
const REDELIVERY: &str = include_str!("recordings/redelivery-and-restart.jsonl");

fn lines(recording: &str) -> Vec<Value> {
    recording
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// The payload without what is refused: health checks and waiting for them.
fn without_health_checks(mut frame: Value) -> Value {
    if let Some(tasks) = frame["message"]["tasks"].as_array_mut() {
        for task in tasks {
            for container in task["containers"].as_array_mut().into_iter().flatten() {
                let container = container.as_object_mut().expect("a container");
                container.remove("healthCheckType");
                container["dockerConfig"]["config"] = json!("{}");
                for on in container
                    .get_mut("dependsOn")
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                {
                    on["condition"] = json!("START");
                }
            }
        }
    }
    frame
}

/// Plays the control plane's part and compares what the agent says on the channel, whatever the order of
/// frames that belong to one message.
async fn replay(recording: &str, plane: &Plane, connection: &mut Connection) {
    let mut open: Vec<Value> = Vec::new();
    for line in &lines(recording) {
        if line["operation"] == "SubmitTaskStateChange" && line["body"]["status"] == "RUNNING" {
            // What comes next was said to a node where this task ran.
            plane
                .until_status(line["body"]["task"].as_str().expect("a task"), "RUNNING")
                .await;
        }
        if line["channel"] != "acs" {
            continue;
        }
        let frame = &line["frame"];
        if line["direction"] == "server->agent" {
            connection.send_frame(&without_health_checks(frame.clone())).await;
        } else {
            let position = open.iter().position(|got| got == frame);
            match position {
                Some(position) => {
                    open.remove(position);
                }
                None => loop {
                    let got = connection.receive().await;
                    if got == *frame {
                        break;
                    }
                    open.push(got);
                    assert!(open.len() < 10, "{frame} did not come, but {open:#?}");
                },
            }
        }
    }
    assert!(open.is_empty(), "the vendor's agent does not say {open:#?}");
}

/// (task, status, containers) of everything told, as a set: the vendor's batching is by chance.
fn told(bodies: &[Value]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for body in bodies {
        let task = body["task"].as_str().expect("a task");
        all.insert(format!("{task} {}", body["status"].as_str().unwrap_or("-")));
        for container in body["containers"].as_array().into_iter().flatten() {
            all.insert(format!(
                "{task} {} {}",
                container["containerName"], container["status"]
            ));
        }
    }
    all
}

fn recorded_submissions(recording: &str) -> Vec<Value> {
    let lines = lines(recording);
    let submitted = lines
        .iter()
        .filter(|line| line["operation"] == "SubmitTaskStateChange");
    submitted.map(|line| line["body"].clone()).collect()
}

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccc";
const D: &str = "dddddddddddddddddddddddddddddddd";
const E: &str = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";

#[tokio::test(flavor = "multi_thread")]
async fn answers_as_recorded_in_ec2_mode() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| {
        knobs
            .exits
            .insert("sidecar".into(), (Duration::from_millis(300), 7));
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    replay(EC2_MODE, &plane, &mut connection).await;
    plane.until_status(A, "STOPPED").await;
    plane.until_status(B, "STOPPED").await;
    let ours = told(&plane.calls("SubmitTaskStateChange"));
    for line in told(&recorded_submissions(EC2_MODE)) {
        assert!(
            ours.contains(&line),
            "the vendor's agent told {line}, ours only {ours:#?}"
        );
    }
    assert!(
        machine.node.leftovers().is_empty(),
        "{:?}",
        machine.node.leftovers()
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_as_recorded_in_external_mode() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| {
        knobs
            .exits
            .insert("sidecar".into(), (Duration::from_millis(300), 7));
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    replay(EXTERNAL_MODE, &plane, &mut connection).await;
    plane.until_status(A, "STOPPED").await;
    plane.until_status(B, "STOPPED").await;
    let ours = told(&plane.calls("SubmitTaskStateChange"));
    for line in told(&recorded_submissions(EXTERNAL_MODE)) {
        assert!(
            ours.contains(&line),
            "the vendor's agent told {line}, ours only {ours:#?}"
        );
    }
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_as_recorded_on_redelivery_and_bad_tasks() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| {
        knobs
            .pull_fails
            .insert("nosuch.invalid/img:1".into(), "no route".into());
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    replay(REDELIVERY, &plane, &mut connection).await;
    plane.until_status(C, "RUNNING").await;
    let unknown = plane.until_status(D, "STOPPED").await;
    let reason = unknown["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("UnrecogniedTaskError: Error loading task - "),
        "{reason}"
    );
    assert!(reason.contains("overrides"), "{reason}");
    let failed = plane.until_status(E, "STOPPED").await;
    let reason = failed["containers"][0]["reason"].as_str().expect("a reason");
    assert_eq!(reason, "CannotPullContainerError: no route");
    assert!(
        failed["pullStartedAt"].is_number() && failed["executionStoppedAt"].is_number(),
        "{failed}"
    );
    assert_eq!(
        machine.node.count("start web"),
        1,
        "delivered twice, started once"
    );
    agent.detach().await;
}

/// The recorded payload as it is: one container waits for the other's health check.
#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_waits_for_health_holds_its_task_back() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let payload = lines(EC2_MODE)
        .into_iter()
        .find(|line| line["frame"]["message"]["messageId"] == "pl-1");
    connection
        .send_frame(&payload.expect("is recorded")["frame"])
        .await;
    let told = plane.until_status(A, "RUNNING").await;
    let names = |told: &Value| told["containers"].as_array().map(Vec::len);
    assert_eq!(names(&told), Some(2), "{told}");
    let calls = machine.node.calls();
    let at = |call: &str| calls.iter().position(|made| made == call).expect(call);
    assert!(
        at("start web") < at("check web") && at("check web") < at("create sidecar"),
        "{calls:?}"
    );
    agent.detach().await;
}

/// The handshake and the registration have what the recorded ones have.
#[tokio::test(flavor = "multi_thread")]
async fn introduces_itself_as_recorded() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let connection = plane.accept().await;
    let recorded = lines(EC2_MODE)
        .into_iter()
        .find(|line| line["operation"] == "RegisterContainerInstance");
    let recorded = recorded.expect("is recorded")["body"].clone();
    let ours = plane.calls("RegisterContainerInstance").remove(0);
    for resource in recorded["totalResources"].as_array().expect("resources") {
        let named = |all: &Value| {
            let all = all["totalResources"].as_array().expect("resources").clone();
            all.into_iter()
                .find(|other| other["name"] == resource["name"])
                .expect("is there")
        };
        assert_eq!(named(&ours)["type"], resource["type"]);
    }
    for name in [
        "ecs.vpc-id",
        "ecs.subnet-id",
        "ecs.os-type",
        "ecs.os-family",
        "ecs.capability.task-eni",
    ] {
        let all = ours["attributes"].as_array().expect("attributes");
        assert!(all.iter().any(|attribute| attribute["name"] == name), "{name}");
    }
    for part in [
        "agentVersion=",
        "clusterArn=default",
        "containerInstanceArn=arn%3A",
        "protocolVersion=2",
        "seqNum=1",
    ] {
        assert!(connection.uri.contains(part), "{} lacks {part}", connection.uri);
    }
    assert!(
        connection
            .authorization
            .contains("/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date")
    );
    agent.detach().await;
}
