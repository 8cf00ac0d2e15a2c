//! What the vendor's agent was recorded to say, said to this control plane: its registration, its frames and its
//! reports, with only the names of tasks, instance and account exchanged.

use serde_json::{Value as Json, json};

use crate::harness::{Agent, Cloud, SUBNET_A, awsvpc, cloud, definition, text};

const EC2_MODE: &str = include_str!("../../../../../node/agent/tests/protocol/recordings/ec2-mode.jsonl");
const RESTART: &str =
    include_str!("../../../../../node/agent/tests/protocol/recordings/redelivery-and-restart.jsonl");
const INSTANCE: &str =
    "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123456789abcdef0123456789abcdef";

fn task(letter: char) -> String {
    let id: String = std::iter::repeat_n(letter, 32).collect();
    format!("arn:aws:ecs:us-east-1:123456789012:task/default/{id}")
}

/// What the agent said, in order, after exchanging names.
fn said(recording: &str, names: &[(String, String)]) -> Vec<Json> {
    let mut text = recording.to_owned();
    for (from, to) in names {
        text = text.replace(from, to);
    }
    text = text.replace("123456789012", "000000000000");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).expect("a line of JSON"));
    lines
        .filter(|line| line["direction"] == "agent->server")
        .collect()
}

/// Registers as recorded, but with slots for interfaces, as an operator would give the instance by an attribute.
async fn register(cloud: &Cloud, recording: &str) -> (String, Agent) {
    let lines = said(recording, &[("vpc-0abc".into(), "vpc-0000000000000000a".into())]);
    let line = lines
        .iter()
        .find(|line| line["operation"] == "RegisterContainerInstance")
        .expect("a registration");
    let mut body = line["body"].clone();
    let sent = body["attributes"].as_array().expect("attributes").clone();
    let object = body.as_object_mut().expect("an object");
    object.remove("containerInstanceArn");
    let attributes = object["attributes"].as_array_mut().expect("attributes");
    attributes.push(json!({"name": roadstead_acs::ATTRIBUTE_ENI_SLOTS, "value": "2"}));
    let answer = cloud
        .call("RegisterContainerInstance", body)
        .await
        .expect("registers");
    let instance = &answer["containerInstance"];
    let echoed = instance["attributes"].as_array().expect("attributes");
    let missing = sent.iter().find(|attribute| {
        !echoed
            .iter()
            .any(|it| it["name"] == attribute["name"] && it["value"] == attribute["value"])
    });
    assert_eq!(
        missing, None,
        "the agent gives up when an attribute does not come back"
    );
    let arn = text(&instance["containerInstanceArn"]);
    let mut agent = cloud.agent(&arn).await;
    agent.manifest().await;
    (arn, agent)
}

/// Says it all: reports as calls, frames on the channel.
async fn replay(cloud: &Cloud, agent: &mut Agent, lines: &[Json]) {
    for line in lines {
        match (line["channel"].as_str(), line["operation"].as_str()) {
            (Some("api"), Some("SubmitTaskStateChange")) => {
                let answer = cloud
                    .call("SubmitTaskStateChange", line["body"].clone())
                    .await
                    .expect("is acknowledged");
                assert_eq!(answer["acknowledgment"], "ACK");
            }
            (Some("acs"), _) if line["frame"].is_object() => agent.say_text(&line["frame"].to_string()).await,
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_recorded_agent_runs_its_tasks_to_their_end() {
    let cloud = cloud().await;
    let (instance, mut agent) = register(&cloud, EC2_MODE).await;
    let two = definition("fama", "host", |d| {
        let container = |name: &str, essential: bool| json!({"name": name, "image": "busybox:test", "cpu": 64, "memory": 64, "essential": essential});
        d["containerDefinitions"] = json!([container("web", true), container("sidecar", false)]);
    });
    let one = definition("famb", "awsvpc", |d| {
        d["containerDefinitions"][0]["memory"] = json!(64)
    });
    cloud
        .call("RegisterTaskDefinition", two)
        .await
        .expect("registers");
    cloud
        .call("RegisterTaskDefinition", one)
        .await
        .expect("registers");
    let a = text(&cloud.run(json!({"taskDefinition": "fama"})).await["taskArn"]);
    agent.payload().await;
    let network = awsvpc(&[SUBNET_A], &[]);
    let b = text(
        &cloud
            .run(json!({"taskDefinition": "famb", "networkConfiguration": network}))
            .await["taskArn"],
    );
    agent.payload().await;
    let names = [
        (task('a'), a.clone()),
        (task('b'), b.clone()),
        (INSTANCE.to_owned(), instance.clone()),
    ];
    let lines = said(EC2_MODE, &names);
    // Until the stops: both run, and the sidecar has ended.
    let stops = lines
        .iter()
        .position(|line| line["frame"]["type"] == "TaskStopVerificationMessage")
        .expect("stops");
    replay(&cloud, &mut agent, &lines[..stops]).await;
    for arn in [&a, &b] {
        assert_eq!(cloud.task(arn).await["lastStatus"], "RUNNING");
    }
    let sidecar = cloud.task(&a).await["containers"][1].clone();
    assert_eq!(
        (&sidecar["lastStatus"], &sidecar["exitCode"]),
        (&json!("STOPPED"), &json!(7))
    );
    assert_eq!(
        cloud.task(&a).await["containers"][0]["networkBindings"][0]["hostPort"],
        32768
    );
    cloud.call("StopTask", json!({"task": a})).await.expect("stops");
    replay(&cloud, &mut agent, &lines[stops..]).await;
    let (a, b) = (
        cloud.task_when(&a, "STOPPED").await,
        cloud.task_when(&b, "STOPPED").await,
    );
    assert_eq!(
        (&a["stopCode"], &a["containers"][0]["exitCode"]),
        (&json!("UserInitiated"), &json!(137))
    );
    assert_eq!(
        (&b["stopCode"], &b["containers"][0]["exitCode"]),
        (&json!("EssentialContainerExited"), &json!(137))
    );
    assert!(cloud.network.interfaces().is_empty());
    assert_eq!(cloud.remaining(&instance, "CPU").await, 2048);
    assert!(
        cloud.ecs.agents.is_connected(&instance),
        "nothing it said ended the connection"
    );
}

/// Newer ones say what an image is before they have it, in a report of its own (ecs-agent-protocol, section 2); the
/// other tasks of the service are then told of by digest.
#[tokio::test]
async fn the_recorded_agent_says_what_the_images_of_a_service_are() {
    let cloud = cloud().await;
    let (_, mut agent) = register(&cloud, EC2_MODE).await;
    let web = definition("web", "host", |_| {});
    cloud
        .call("RegisterTaskDefinition", web)
        .await
        .expect("registers");
    let service = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2});
    cloud.call("CreateService", service).await.expect("creates");
    let first = agent.payload().await.1.tasks.remove(0);
    let image = &first.containers[0].image;
    let digest = format!("sha256:{}", "1".repeat(64));
    let report = json!({
        "cluster": "default", "task": first.arn, "status": "PENDING", "reason": "",
        "containers": [{"containerName": first.containers[0].name, "status": "PENDING", "imageDigest": digest}],
    });
    cloud
        .call("SubmitTaskStateChange", report)
        .await
        .expect("is acknowledged");
    assert_eq!(cloud.task(&first.arn).await["lastStatus"], "PENDING");
    let second = agent.payload().await.1.tasks.remove(0);
    assert_eq!(second.containers[0].image, format!("{image}@{digest}"));
}

#[tokio::test]
async fn the_recorded_failures_have_their_reasons() {
    let cloud = cloud().await;
    let (instance, mut agent) = register(&cloud, RESTART).await;
    for (family, name) in [("famc", "web"), ("famd", "x"), ("fame", "x")] {
        let one = definition(family, "host", |d| {
            d["containerDefinitions"][0]["name"] = json!(name)
        });
        cloud
            .call("RegisterTaskDefinition", one)
            .await
            .expect("registers");
    }
    let mut arns = Vec::new();
    for family in ["famc", "famd", "fame"] {
        arns.push(text(
            &cloud.run(json!({"taskDefinition": family})).await["taskArn"],
        ));
        agent.payload_unacknowledged().await;
    }
    let mut names: Vec<_> = ['c', 'd', 'e'].map(task).into_iter().zip(arns.clone()).collect();
    names.push((INSTANCE.to_owned(), instance));
    replay(&cloud, &mut agent, &said(RESTART, &names)).await;
    assert_eq!(cloud.task(&arns[0]).await["lastStatus"], "RUNNING");
    let undecodable = cloud.task_when(&arns[1], "STOPPED").await;
    assert_eq!(undecodable["stopCode"], "TaskFailedToStart");
    assert!(text(&undecodable["stoppedReason"]).starts_with("UnrecogniedTaskError: Error loading task"));
    let unpulled = cloud.task_when(&arns[2], "STOPPED").await;
    assert_eq!(unpulled["stopCode"], "TaskFailedToStart");
    assert!(text(&unpulled["stoppedReason"]).starts_with("CannotPullImageManifestError: "));
    assert!(unpulled["pullStartedAt"].is_number() && unpulled["executionStoppedAt"].is_number());
}
