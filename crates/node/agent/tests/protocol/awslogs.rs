//! Lines on their way to a log group, over a service that denies, throttles, is gone, or answers nobody any more.

use std::time::Duration;

use roadstead_agent::node::Running;
use serde_json::{Value, json};

use crate::plane::agent::{Machine, ack, container, payload, task};
use crate::plane::{Connection, PATIENCE, Plane};

fn logging(options: Value) -> Value {
    let mut all = json!({"awslogs-group": "/g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"});
    for (name, value) in options.as_object().expect("options") {
        all[name] = value.clone();
    }
    let mut web = container("web");
    let host = json!({"LogConfig": {"Type": "awslogs", "Config": all}});
    web["dockerConfig"]["hostConfig"] = json!(host.to_string());
    web
}

fn with_role(mut task: Value) -> Value {
    task["executionRoleCredentials"] = json!({
        "credentialsId": "c", "roleArn": "arn:aws:iam::123456789012:role/r", "accessKeyId": "ASIAROLE",
        "secretAccessKey": "secret", "sessionToken": "token", "expiration": "2099-01-01T00:00:00Z",
    });
    task
}

async fn send(connection: &mut Connection, task: Value) {
    connection
        .send("PayloadMessage", payload("p", json!([task])))
        .await;
}

async fn kill(agent: Running) {
    let engine = agent.engine.clone();
    drop(agent);
    engine.shut_down().await;
}

/// Every message that arrived, and those that were answered with an error too.
fn sent(plane: &Plane) -> Vec<String> {
    let calls = plane.calls("PutLogEvents");
    let events = calls
        .iter()
        .flat_map(|call| call["logEvents"].as_array().cloned().unwrap_or_default());
    events
        .map(|event| event["message"].as_str().expect("a message").to_owned())
        .collect()
}

/// The one container, once it runs.
async fn runs(plane: &Plane, machine: &Machine) -> String {
    plane.until_status("t1", "RUNNING").await;
    machine.node.running().into_iter().next().expect("a container")
}

async fn stop(connection: &mut Connection, web: Value) {
    let mut stop = task("t1", json!([web]));
    stop["desiredStatus"] = json!("STOPPED");
    connection
        .send("PayloadMessage", payload("s", json!([stop])))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_sent_as_the_role_and_before_the_task_has_stopped() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let web = logging(json!({}));
    send(&mut connection, with_role(task("t1", json!([web.clone()])))).await;
    let id = runs(&plane, &machine).await;
    let made = plane.calls("CreateLogStream");
    assert_eq!(made, [json!({"logGroupName": "/g", "logStreamName": "p/web/t1"})]);
    assert_eq!(plane.calls("CreateLogGroup"), [] as [Value; 0]);
    machine.node.print(&id, "one");
    machine.node.print(&id, "two");
    stop(&mut connection, web).await;
    plane.until_status("t1", "STOPPED").await;
    assert_eq!(sent(&plane), ["one", "two"]);
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_where_it_is_missing_and_that_is_asked_for() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.fail("CreateLogStream", &[(400, "ResourceNotFoundException")]);
    // Somebody else was faster.
    plane.fail("CreateLogGroup", &[(400, "ResourceAlreadyExistsException")]);
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let web = logging(json!({"awslogs-create-group": "true"}));
    send(&mut connection, task("t1", json!([web]))).await;
    runs(&plane, &machine).await;
    assert_eq!(plane.calls("CreateLogGroup"), [json!({"logGroupName": "/g"})]);
    assert_eq!(plane.calls("CreateLogStream").len(), 2);
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_does_not_start_and_says_why() {
    let denied = (400, "AccessDeniedException");
    let ec2 = "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to \
               create Cloudwatch log stream: AccessDeniedException: as the test says";
    let fargate = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: \
                   failed to create Cloudwatch log stream: AccessDeniedException: as the test says : exit status 1";
    for (launch_type, reason) in [("EC2", ec2), ("FARGATE", fargate)] {
        let (plane, machine) = (Plane::start().await, Machine::new());
        plane.fail("CreateLogStream", &[denied]);
        let agent = machine.agent(&plane).await;
        let mut connection = plane.accept().await;
        let mut with = task("t1", json!([logging(json!({}))]));
        with["launchType"] = json!(launch_type);
        send(&mut connection, with).await;
        let stopped = plane.until_status("t1", "STOPPED").await;
        assert_eq!(stopped["containers"][0]["reason"], reason);
        let whole = Some(if launch_type == "FARGATE" { reason } else { "" });
        assert_eq!(stopped["reason"].as_str(), whole);
        assert_eq!(machine.node.count("start web"), 0);
        agent.detach().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_busy_or_away_is_asked_again() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.fail("CreateLogStream", &[(500, "ServiceUnavailableException"); 3]);
    let busy = [
        (400, "ThrottlingException"),
        (503, "ServiceUnavailableException"),
        (400, "AccessDeniedException"),
        (400, "ResourceNotFoundException"),
    ];
    plane.fail("PutLogEvents", &busy);
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    send(
        &mut connection,
        with_role(task("t1", json!([logging(json!({}))]))),
    )
    .await;
    let id = runs(&plane, &machine).await;
    machine.node.print(&id, "one");
    plane.until("PutLogEvents", |_| true).await;
    let patience = tokio::time::Instant::now() + PATIENCE;
    while plane.calls("PutLogEvents").len() < 5 {
        assert!(
            tokio::time::Instant::now() < patience,
            "{:?}",
            plane.calls("PutLogEvents")
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The stream that was gone was made again.
    assert_eq!(plane.calls("CreateLogStream").len(), 5);
    machine.node.print(&id, "two");
    machine.node.exit(&id, 0);
    plane.until_status("t1", "STOPPED").await;
    assert_eq!(sent(&plane), ["one", "one", "one", "one", "one", "two"]);
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_next_goes_on_where_lines_were_sent_to() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let with = with_role(task("t1", json!([logging(json!({}))])));
    send(&mut connection, with.clone()).await;
    let id = runs(&plane, &machine).await;
    machine.node.print(&id, "one");
    plane.until("PutLogEvents", |_| true).await;
    let patience = tokio::time::Instant::now() + PATIENCE;
    while machine.node.sent(&id) < 1 {
        assert!(tokio::time::Instant::now() < patience, "it is never noted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    machine.node.print(&id, "two");
    kill(agent).await;
    machine.node.print(&id, "three");
    machine.node.exit(&id, 0);

    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    // The keys come again, and are waited for.
    send(&mut connection, with).await;
    while connection.receive().await != ack("p") {}
    plane.until_status("t1", "STOPPED").await;
    assert_eq!(sent(&plane), ["one", "two", "three"]);
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_runs_again_goes_on_in_its_stream() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let mut web = logging(json!({}));
    web["restartPolicy"] = json!({"enabled": true, "ignoredExitCodes": [7]});
    send(&mut connection, task("t1", json!([web]))).await;
    let id = runs(&plane, &machine).await;
    for run in 1..=3 {
        machine.node.print(&id, &format!("run {run}"));
        machine.node.exit(&id, 1);
        let patience = tokio::time::Instant::now() + PATIENCE;
        while machine.node.count("start web") == run || !machine.node.running().contains(&id) {
            assert!(tokio::time::Instant::now() < patience, "it does not run again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    machine.node.print(&id, "last");
    machine.node.exit(&id, 7);
    let stopped = plane.until_status("t1", "STOPPED").await;
    assert_eq!(stopped["containers"][0]["exitCode"], 7);
    assert_eq!(sent(&plane), ["run 1", "run 2", "run 3", "last"]);
    let streams = plane.calls("CreateLogStream");
    assert!(
        streams.iter().all(|made| made["logStreamName"] == "p/web/t1"),
        "{streams:?}"
    );
    assert!(machine.node.leftovers().is_empty());
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_never_can_be_sent_do_not_keep_a_task() {
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.limits.log_flush = Duration::from_millis(300);
    plane.fail("PutLogEvents", &[(500, "ServiceUnavailableException"); 1_000]);
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    send(&mut connection, task("t1", json!([logging(json!({}))]))).await;
    let id = runs(&plane, &machine).await;
    machine.node.print(&id, "lost");
    machine.node.exit(&id, 0);
    plane.until_status("t1", "STOPPED").await;
    assert!(machine.node.leftovers().is_empty());
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_region_is_refused_by_name() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    send(
        &mut connection,
        task("t1", json!([logging(json!({"awslogs-region": "eu-west-1"}))])),
    )
    .await;
    let stopped = plane.until_status("t1", "STOPPED").await;
    let reason = stopped["containers"][0]["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("awslogs-region \"eu-west-1\" is not supported"),
        "{reason}"
    );
    assert!(plane.calls("CreateLogStream").is_empty());
    agent.detach().await;
}
