//! An agent killed with -9 and another one in its place: nothing stops, nothing is started or told twice, and
//! what happened meanwhile is told.

use std::time::Duration;

use crate::plane::agent::{Machine, ack, arn, container, interface, payload, task};
use crate::plane::{CLUSTER, INSTANCE, Plane};
use roadstead_agent::journal::Journal;
use serde_json::json;

/// Dropping is what a kill looks like: nothing gets to say goodbye.
async fn kill(agent: roadstead_agent::node::Running) {
    let engine = agent.engine.clone();
    drop(agent);
    // A killed process is gone when the next one comes; a dropped task may still be about to end.
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_live_on_and_nothing_is_told_twice() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    connection
        .send(
            "PayloadMessage",
            payload("p", json!([task("t1", json!([container("web")]))])),
        )
        .await;
    assert_eq!(connection.receive().await, ack("p"));
    plane.until_status("t1", "RUNNING").await;
    // A kill before it is written down that the news were taken has them told again, which is right.
    let taken = async {
        let waits = || {
            let tasks = agent.tasks();
            tasks.values().any(|view| !view.machine.state.outbox.is_empty())
        };
        while waits() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::plane::PATIENCE, taken)
        .await
        .expect("the news are taken");
    let before = machine.node.running();
    kill(agent).await;

    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let again = plane.calls("RegisterContainerInstance");
    assert_eq!(again.last().expect("a call")["containerInstanceArn"], INSTANCE);
    assert!(
        connection.uri.contains("sendCredentials=true"),
        "a new process asks for all credentials"
    );
    connection
        .send(
            "PayloadMessage",
            payload("p", json!([task("t1", json!([container("web")]))])),
        )
        .await;
    assert_eq!(connection.receive().await, ack("p"));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(machine.node.running(), before);
    assert_eq!(
        (machine.node.count("start web"), machine.node.count("SIGTERM web")),
        (1, 0)
    );
    assert_eq!(plane.told("t1").len(), 1, "RUNNING once");

    let mut stop = task("t1", json!([container("web")]));
    stop["desiredStatus"] = json!("STOPPED");
    connection
        .send("PayloadMessage", payload("s", json!([stop])))
        .await;
    assert_eq!(connection.receive().await, ack("s"));
    let stopped = plane.until_status("t1", "STOPPED").await;
    assert_eq!(stopped["containers"][0]["exitCode"], 143);
    assert!(machine.node.leftovers().is_empty());
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_while_nobody_looked_is_told() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    connection
        .send(
            "PayloadMessage",
            payload("p", json!([task("t1", json!([container("web")]))])),
        )
        .await;
    plane.until_status("t1", "RUNNING").await;
    kill(agent).await;
    let id = machine.node.running().into_iter().next().expect("one");
    machine.node.exit(&id, 3);
    let agent = machine.agent(&plane).await;
    let stopped = plane.until_status("t1", "STOPPED").await;
    assert_eq!(stopped["containers"][0]["exitCode"], 3);
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_that_were_not_told_are_told_by_the_next_agent() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.fail("SubmitTaskStateChange", &[(500, "ServerException"); 3]);
    machine.node.set(|knobs| {
        knobs.exits.insert("web".into(), (Duration::ZERO, 0));
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    connection
        .send(
            "PayloadMessage",
            payload("p", json!([task("t1", json!([container("web")]))])),
        )
        .await;
    while plane.told("t1").len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    kill(agent).await;
    let agent = machine.agent(&plane).await;
    plane.until_status("t1", "STOPPED").await;
    let told = plane.told("t1");
    let first_stop = told
        .iter()
        .position(|body| body["status"] == "STOPPED")
        .expect("is there");
    assert!(
        told[..first_stop].iter().any(|body| body["status"] == "RUNNING"),
        "in order: {told:#?}"
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_of_a_launch_ends_well() {
    // The sixth of a step and its multiples fall into every phase of pull, network, create and start.
    for moment in (0..240).step_by(12) {
        let (plane, machine) = (Plane::start().await, Machine::new());
        machine.node.set(|knobs| knobs.step = Duration::from_millis(20));
        let agent = machine.agent(&plane).await;
        let mut connection = plane.accept().await;
        let mut t1 = task("t1", json!([container("web")]));
        t1["networkMode"] = json!("awsvpc");
        t1["elasticNetworkInterfaces"] = json!([interface("eni-1")]);
        connection.send("PayloadMessage", payload("p", json!([t1]))).await;
        assert_eq!(connection.receive().await, ack("p"), "durable from here on");
        tokio::time::sleep(Duration::from_millis(moment)).await;
        kill(agent).await;
        let agent = machine.agent(&plane).await;
        plane.until_status("t1", "RUNNING").await;
        assert_eq!(machine.node.running().len(), 2, "web and pause, at {moment} ms");
        agent.stop_all().await.expect("stops");
        assert_eq!(machine.node.leftovers(), [] as [&str; 0], "at {moment} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_remembered_and_old_ones_dropped() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let manifest = |id: &str, timeline: i64| json!({ "messageId": id, "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE, "timeline": timeline, "tasks": [] });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    connection
        .send("TaskManifestMessage", manifest("m1", 1_000))
        .await;
    assert_eq!(connection.receive().await, ack("m1"));
    connection
        .send("TaskManifestMessage", manifest("m2", 1_000))
        .await;
    connection.silent(Duration::from_millis(100)).await;
    kill(agent).await;
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    connection.send("TaskManifestMessage", manifest("m3", 999)).await;
    connection.silent(Duration::from_millis(100)).await;
    connection
        .send("TaskManifestMessage", manifest("m4", 1_001))
        .await;
    assert_eq!(connection.receive().await, ack("m4"));
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_no_task_is_removed_at_the_start() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    connection
        .send(
            "PayloadMessage",
            payload("p", json!([task("t1", json!([container("web")]))])),
        )
        .await;
    plane.until_status("t1", "RUNNING").await;
    kill(agent).await;
    machine.disk.remove("tasks/t1").await.expect("forgets");
    assert_eq!(machine.node.running().len(), 1);
    let agent = machine.agent(&plane).await;
    assert!(machine.node.leftovers().is_empty(), "nobody knows its task");
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_record_stops_the_start() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine
        .disk
        .put("tasks/t1", br#"{"format":9,"record":{}}"#.to_vec())
        .await
        .expect("writes");
    let error = machine
        .try_agent(&plane)
        .await
        .err()
        .expect("is refused")
        .to_string();
    assert!(error.contains("newer agent (format 9"), "{error}");
    assert!(plane.calls("RegisterContainerInstance").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_is_told_by_whichever_agent_sees_it() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| knobs.needs_map = true);
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let announcement = json!({
        "messageId": "a", "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE, "taskArn": arn("t1"),
        "taskClusterArn": CLUSTER, "waitTimeoutMs": 60_000, "elasticNetworkInterfaces": [interface("eni-1")],
    });
    connection
        .send("AttachTaskNetworkInterfacesMessage", announcement)
        .await;
    assert_eq!(
        connection.receive().await,
        ack("a"),
        "at once, though no map has it"
    );
    kill(agent).await;
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    assert!(plane.told("t1").is_empty());
    connection
        .send("RoadsteadNetworkMapMessage", map("n", 5, &["eni-1"]))
        .await;
    assert_eq!(connection.receive().await, ack_own("n"));
    let told = plane
        .until("SubmitTaskStateChange", |body| body["attachments"].is_array())
        .await;
    assert_eq!(told["attachments"][0]["status"], "ATTACHED");
    assert_eq!(
        (&told["status"], &told["cluster"]),
        (&json!(null), &json!(CLUSTER))
    );
    agent.detach().await;
}

fn map(message: &str, generation: u64, interfaces: &[&str]) -> serde_json::Value {
    let interface = |id: &&str| {
        json!({
            "interfaceId": id, "mac": "02:ec:5e:00:00:01", "privateIps": ["10.77.1.10"], "subnetId": "subnet-1",
            "groups": [], "instanceId": null, "sourceDestCheck": true,
        })
    };
    let interfaces: Vec<_> = interfaces.iter().map(interface).collect();
    let vpc = json!({
        "vpcId": "vpc-1", "generation": generation, "region": "us-east-1", "cidrs": ["10.77.0.0/16"], "subnets": [],
        "interfaces": interfaces, "groups": [],
    });
    json!({ "messageId": message, "generation": generation, "vpcs": [vpc] })
}

/// A map is of the instance, so the agent names its own registration.
fn ack_own(message: &str) -> serde_json::Value {
    json!({ "type": "AckRequest", "message": { "cluster": "default", "containerInstance": INSTANCE, "messageId": message } })
}

/// The agent died between putting a container on the bridge and writing that down.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_on_the_bridge_is_asked_for_again() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let mut web = container("web");
    web["portMappings"] = json!([{ "containerPort": 80, "hostPort": 0, "protocol": "tcp" }]);
    let task = task("t1", json!([web]));
    connection
        .send("PayloadMessage", payload("p", json!([task])))
        .await;
    let told = plane.until_status("t1", "RUNNING").await;
    let bindings = told["containers"][0]["networkBindings"].clone();
    assert_eq!(bindings[0]["containerPort"], 80);
    kill(agent).await;
    for (name, text) in machine.disk.all("tasks").await.expect("records") {
        let mut record: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let web = &mut record["record"]["state"]["containers"]["web"];
        assert!(web["connection"].is_object(), "{web}");
        web["connection"] = serde_json::Value::Null;
        let text = serde_json::to_vec(&record).expect("JSON");
        machine
            .disk
            .put(&format!("tasks/{name}"), text)
            .await
            .expect("is kept");
    }
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let mut stop = task;
    stop["desiredStatus"] = json!("STOPPED");
    connection
        .send("PayloadMessage", payload("s", json!([stop])))
        .await;
    let stopped = plane.until_status("t1", "STOPPED").await;
    assert_eq!(stopped["containers"][0]["networkBindings"], bindings);
    agent.detach().await;
}
