//! The agent's manners on the channel and towards the API: retries, reconnections, stale maps, queues.

use std::time::{Duration, Instant};

use crate::plane::agent::{Machine, ack, container, interface, payload, task};
use crate::plane::{CLUSTER, INSTANCE, Plane};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_cluster_is_created() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.fail("RegisterContainerInstance", &[(400, "ClusterNotFoundException")]);
    let agent = machine.agent(&plane).await;
    agent.connected(crate::plane::PATIENCE).await.expect("connects");
    assert_eq!(
        plane.calls("CreateCluster"),
        [json!({ "clusterName": "default" })]
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_is_tried_again_or_given_up() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.fail(
        "RegisterContainerInstance",
        &[
            (400, "ThrottlingException"),
            (500, "ServerException"),
            (400, "LimitExceededException"),
        ],
    );
    let agent = machine.agent(&plane).await;
    agent.connected(crate::plane::PATIENCE).await.expect("connects");
    assert_eq!(plane.calls("RegisterContainerInstance").len(), 4);
    agent.detach().await;

    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.fail("RegisterContainerInstance", &[(400, "InvalidParameterException")]);
    let agent = machine.agent(&plane).await;
    let why = agent
        .connected(crate::plane::PATIENCE)
        .await
        .expect_err("is refused")
        .to_string();
    assert!(
        why.contains("cluster default") && why.contains("InvalidParameterException"),
        "{why}"
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_back_as_the_close_code_says() {
    // Longer than anybody waits here for a connection: one that comes all the same came at once.
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.timing.reconnect.first = 10 * crate::plane::PATIENCE;
    machine.timing.reconnect.most = 10 * crate::plane::PATIENCE;
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    assert!(connection.uri.contains("sendCredentials=true"));
    for code in [1000, 1001, 1011] {
        connection.close(code).await;
        connection = plane.accept().await;
        assert!(
            connection.uri.contains("sendCredentials=false"),
            "only the first time"
        );
    }
    agent.detach().await;

    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.timing.reconnect.first = Duration::from_millis(400);
    machine.timing.reconnect.most = Duration::from_millis(400);
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let begun = Instant::now();
    connection.close(1008).await;
    connection = plane.accept().await;
    assert!(connection.uri.contains("sendCredentials=false"));
    // Part of the wait is by chance.
    assert!(
        begun.elapsed() >= Duration::from_millis(350),
        "{:?}",
        begun.elapsed()
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_instance_registers_anew_and_an_inactive_one_rests() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.refuse(&["InvalidInstanceException"]);
    let agent = machine.agent(&plane).await;
    agent.connected(crate::plane::PATIENCE).await.expect("connects");
    let calls = plane.calls("RegisterContainerInstance");
    assert_eq!((calls.len(), calls[1].get("containerInstanceArn")), (2, None));
    agent.detach().await;

    let (plane, machine) = (Plane::start().await, Machine::new());
    plane.refuse(&["InactiveInstanceException"]);
    let agent = machine.agent(&plane).await;
    plane.until("RegisterContainerInstance", |_| true).await;
    assert!(agent.connected(Duration::from_millis(500)).await.is_err());
    assert_eq!(
        plane.calls("RegisterContainerInstance").len(),
        1,
        "it does not register again by itself"
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_closes_the_channel_and_frames_keep_it() {
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    // Far more than a busy machine makes of the tenth of a second between two beats.
    machine.timing.inactivity = Duration::from_secs(6);
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    for beat in 0..70 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        connection
            .send(
                "HeartbeatMessage",
                json!({ "messageId": format!("h{beat}"), "healthy": true }),
            )
            .await;
        let wanted = json!({ "type": "HeartbeatAckRequest", "message": { "messageId": format!("h{beat}") } });
        assert_eq!(connection.receive().await, wanted);
    }
    let _second = plane.accept().await;
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_frames_are_dropped_and_readable_tasks_saved() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    connection.send_frame(&json!("no frame")).await;
    connection.send("Nonsense", json!({ "a": 1 })).await;
    connection
        .send("HeartbeatMessage", json!({ "messageId": 7 }))
        .await;
    let broken =
        json!({ "arn": crate::plane::agent::arn("bad"), "taskClusterArn": CLUSTER, "containers": 7 });
    let good = task("good", json!([container("web")]));
    connection
        .send("PayloadMessage", payload("p", json!([broken, good])))
        .await;
    let told = plane.until_status("bad", "STOPPED").await;
    assert!(
        told["reason"]
            .as_str()
            .is_some_and(|reason| reason.starts_with("UnrecogniedTaskError: ")),
        "{told}"
    );
    plane.until_status("good", "RUNNING").await;
    connection.silent(Duration::from_millis(100)).await;
    let mut stranger = payload("q", json!([task("stranger", json!([container("web")]))]));
    stranger["containerInstanceArn"] = json!("arn:another");
    connection.send("PayloadMessage", stranger).await;
    connection
        .send("HeartbeatMessage", json!({ "messageId": "h", "healthy": true }))
        .await;
    assert_eq!(connection.receive().await["type"], "HeartbeatAckRequest");
    assert!(agent.tasks().keys().all(|arn| !arn.ends_with("stranger")));
    agent.detach().await;
}

fn map(message: &str, generation: u64) -> Value {
    let vpc = json!({
        "vpcId": "vpc-1", "generation": generation, "region": "us-east-1", "cidrs": ["10.77.0.0/16"], "subnets": [],
        "groups": [], "interfaces": [{
            "interfaceId": "eni-1", "mac": "02:ec:5e:00:00:01", "privateIps": ["10.77.1.10"], "subnetId": "subnet-1",
            "groups": [], "instanceId": null, "sourceDestCheck": true,
        }],
    });
    json!({ "messageId": message, "generation": generation, "vpcs": [vpc] })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_map_changes_nothing_and_a_task_waits_for_its_own() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| knobs.needs_map = true);
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let mut t1 = task("t1", json!([container("web")]));
    t1["networkMode"] = json!("awsvpc");
    t1["elasticNetworkInterfaces"] = json!([interface("eni-1")]);
    let beside = task("t0", json!([container("beside")]));
    connection
        .send("PayloadMessage", payload("p", json!([t1, beside])))
        .await;
    assert_eq!(connection.receive().await, ack("p"));
    // One that waits for nothing goes all the way meanwhile.
    plane.until_status("t0", "RUNNING").await;
    assert_eq!(
        machine.node.count("create web"),
        0,
        "nothing can be created before its namespace is there"
    );
    connection.send("RoadsteadNetworkMapMessage", map("n7", 7)).await;
    assert_eq!(connection.receive().await["type"], "AckRequest");
    plane.until_status("t1", "RUNNING").await;
    connection.send("RoadsteadNetworkMapMessage", map("n6", 6)).await;
    let nack = connection.receive().await;
    assert_eq!(
        (&nack["type"], &nack["message"]["messageId"]),
        (&json!("NackRequest"), &json!("n6"))
    );
    assert!(
        nack["message"]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("older")),
        "{nack}"
    );
    connection.send("RoadsteadNetworkMapMessage", map("n7b", 7)).await;
    assert_eq!(
        connection.receive().await["type"],
        "AckRequest",
        "the same again is fine"
    );
    let calls = machine.node.calls();
    let place = |wanted: &str| calls.iter().position(|call| call == wanted).expect(wanted);
    assert!(
        place("chain t1") < place("start web"),
        "no start before the network is complete: {calls:?}"
    );
    agent.stop_all().await.expect("stops");
    assert!(machine.node.leftovers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_do_not_fit_wait_in_order() {
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.memory = 100;
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let tasks: Vec<Value> = (0..3)
        .map(|n| task(&format!("t{n}"), json!([container(&format!("c{n}"))])))
        .collect();
    connection
        .send("PayloadMessage", payload("p", json!(tasks)))
        .await;
    plane.until_status("t0", "RUNNING").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(plane.told("t1").is_empty(), "64 MiB twice do not fit into 100");
    let id = machine.node.running().into_iter().next().expect("one");
    machine.node.exit(&id, 0);
    plane.until_status("t1", "RUNNING").await;
    assert!(plane.told("t2").is_empty());
    agent.stop_all().await.expect("stops");
    plane.until_status("t2", "STOPPED").await;
    assert_eq!(machine.node.count("start c2"), 0, "it never started");
}

/// More tasks wait than can be told to stop in one go; what the first give back must not start the last.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_starts_nothing_more() {
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.memory = 100;
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    for n in 0..300 {
        let one = task(&format!("t{n:03}"), json!([container("web")]));
        connection
            .send("PayloadMessage", payload(&format!("p{n}"), json!([one])))
            .await;
        assert_eq!(connection.receive().await, ack(&format!("p{n}")));
    }
    plane.until_status("t000", "RUNNING").await;
    agent.stop_all().await.expect("stops");
    assert_eq!(machine.node.count("start web"), 1);
    assert!(machine.node.leftovers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_as_the_service_words_them() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| {
        knobs.create_fails.insert("c1".into(), "no such user".into());
        knobs
            .start_fails
            .insert("c2".into(), "exec: \"/nope\": no such file or directory".into());
        knobs
            .runs_out_of_memory
            .insert("c3".into(), Duration::from_millis(10));
        knobs.stubborn.insert("c4".into());
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let mut tasks: Vec<Value> = (1..=4)
        .map(|n| task(&format!("t{n}"), json!([container(&format!("c{n}"))])))
        .collect();
    tasks[3]["containers"][0]["stopTimeout"] = json!(1);
    connection
        .send("PayloadMessage", payload("p", json!(tasks)))
        .await;
    for (task, reason, code) in [
        ("t1", "CannotCreateContainerError: no such user", json!(null)),
        (
            "t2",
            "CannotStartContainerError: exec: \"/nope\": no such file or directory",
            json!(null),
        ),
        (
            "t3",
            "OutOfMemoryError: Container killed due to memory usage",
            json!(137),
        ),
    ] {
        let told = plane.until_status(task, "STOPPED").await;
        let container = &told["containers"][0];
        assert_eq!(
            (&container["reason"], &container["exitCode"]),
            (&json!(reason), &code),
            "{told}"
        );
    }
    plane.until_status("t4", "RUNNING").await;
    let mut stop = tasks[3].clone();
    stop["desiredStatus"] = json!("STOPPED");
    let begun = Instant::now();
    connection
        .send("PayloadMessage", payload("s", json!([stop])))
        .await;
    let told = plane.until_status("t4", "STOPPED").await;
    assert_eq!(
        told["containers"][0]["exitCode"], 137,
        "it paid no heed to SIGTERM"
    );
    assert!(
        begun.elapsed() >= Duration::from_millis(900),
        "{:?}",
        begun.elapsed()
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_hanging_pull() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| {
        knobs.pull_hangs.insert("busybox".into());
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let mut t1 = task("t1", json!([container("web")]));
    connection
        .send("PayloadMessage", payload("p", json!([t1.clone()])))
        .await;
    assert_eq!(connection.receive().await, ack("p"));
    t1["desiredStatus"] = json!("STOPPED");
    connection
        .send("PayloadMessage", payload("s", json!([t1.clone()])))
        .await;
    assert_eq!(connection.receive().await, ack("s"));
    plane.until_status("t1", "STOPPED").await;
    let mut unknown = t1;
    unknown["arn"] = json!(crate::plane::agent::arn("never"));
    connection
        .send("PayloadMessage", payload("u", json!([unknown])))
        .await;
    plane.until_status("never", "STOPPED").await;
    assert_eq!(
        connection.receive().await,
        ack("u"),
        "a stop of what is not here is settled"
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_network_is_torn_down_and_told() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| {
        knobs.network_fails = Some("no bridge".into());
        knobs.tear_down_fails = 1;
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    let mut t1 = task("t1", json!([container("web")]));
    t1["networkMode"] = json!("awsvpc");
    t1["elasticNetworkInterfaces"] = json!([interface("eni-1")]);
    connection.send("PayloadMessage", payload("p", json!([t1]))).await;
    let told = plane.until_status("t1", "STOPPED").await;
    assert_eq!(
        told["reason"],
        "ResourceInitializationError: unable to set up the task's network: no bridge"
    );
    assert_eq!(machine.node.count("start web"), 0);
    assert!(
        machine.node.leftovers().is_empty(),
        "{:?}",
        machine.node.leftovers()
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_clusters_share_one_engine_and_one_identity() {
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.clusters = vec![
        "default".to_owned(),
        "other".to_owned(),
        roadstead_acs::FARGATE_CLUSTER.to_owned(),
    ];
    let agent = machine.agent(&plane).await;
    agent.connected(crate::plane::PATIENCE).await.expect("connects");
    let calls = plane.calls("RegisterContainerInstance");
    let document = |call: &Value| {
        call["instanceIdentityDocument"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| document(call) == document(&calls[0])));
    assert!(document(&calls[0]).contains(&agent.node.instance_id));
    assert_eq!(
        agent.sessions()["other"].container_instance_arn.as_deref(),
        Some(INSTANCE)
    );
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_agent_says_goodbye() {
    let (plane, machine) = (Plane::start().await, Machine::new());
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    // The control plane sees the handshake done a moment before the agent does; until then no goodbye is due.
    agent.connected(crate::plane::PATIENCE).await.expect("connects");
    let (code, ()) = tokio::join!(connection.closed(), agent.detach());
    assert_eq!(code, Some(1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_a_restart_finds_stopped_the_one_that_ended_first_is_forgotten() {
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.node.set(|knobs| {
        knobs.exits.insert("web".into(), (Duration::ZERO, 0));
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    // The journal lists them by name: the other way round than they ended.
    for id in ["t2", "t1"] {
        let one = task(id, json!([container("web")]));
        connection.send("PayloadMessage", payload(id, json!([one]))).await;
        plane.until_status(id, "STOPPED").await;
        let over = || {
            agent
                .tasks()
                .values()
                .any(|view| view.machine.task.id == id && view.machine.is_over())
        };
        while !over() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    agent.detach().await;
    machine.limits.retained = 1;
    let agent = machine.agent(&plane).await;
    let forgotten = async {
        while machine.node.count("forget t2") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::plane::PATIENCE, forgotten)
        .await
        .expect("the older one goes");
    assert_eq!(machine.node.count("forget t1"), 0);
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_tasks_are_forgotten_by_age_and_by_number() {
    let (plane, mut machine) = (Plane::start().await, Machine::new());
    machine.limits.retained = 1;
    machine.node.set(|knobs| {
        knobs.exits.insert("web".into(), (Duration::ZERO, 0));
    });
    let agent = machine.agent(&plane).await;
    let mut connection = plane.accept().await;
    for id in ["t1", "t2"] {
        let one = task(id, json!([container("web")]));
        connection.send("PayloadMessage", payload(id, json!([one]))).await;
        plane.until_status(id, "STOPPED").await;
    }
    let forgotten = |id: &'static str| {
        let node = machine.node.clone();
        async move {
            while node.count(&format!("forget {id}")) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    tokio::time::timeout(crate::plane::PATIENCE, forgotten("t1"))
        .await
        .expect("the older one goes");
    assert_eq!(machine.node.count("forget t2"), 0);
    agent.detach().await;
    machine.limits.retention = Duration::from_millis(50);
    let agent = machine.agent(&plane).await;
    tokio::time::timeout(crate::plane::PATIENCE, forgotten("t2"))
        .await
        .expect("its time is over");
    let empty = async {
        while !agent.tasks().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::plane::PATIENCE, empty)
        .await
        .expect("none is left");
    agent.detach().await;
}
