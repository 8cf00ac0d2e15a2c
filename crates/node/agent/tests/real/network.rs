//! awsvpc tasks: interface, link, metadata, names.

use serde_json::{Value, json};

use crate::bench::{Bench, announce, interface, nsenter, script};
use crate::plane::agent::{ack, arn, task};

const ONE: (&str, &str, &str) = ("eni-0000000000000001", "0a:00:00:00:00:01", "10.77.1.10");
const TWO: (&str, &str, &str) = ("eni-0000000000000002", "0a:00:00:00:00:02", "10.77.1.11");

fn awsvpc(id: &str, eni: (&str, &str, &str), containers: Value) -> Value {
    let mut task = task(id, containers);
    task["networkMode"] = json!("awsvpc");
    task["elasticNetworkInterfaces"] = json!([interface(eni)]);
    task
}

const LOOK: &str = "trap 'exit 0' TERM; ip addr; ip route; cat /etc/resolv.conf /etc/hosts; hostname; env; echo done; \
    while :; do sleep 0.1; done";

/// What a program inside the task's network gets from a URL.
async fn fetch(bench: &Bench, task: &str, url: &str) -> String {
    curl(bench, task, &[url]).await
}

/// The same from a server that may not listen yet, and does not between two connections.
async fn fetch_at_last(bench: &Bench, task: &str, url: &str) -> String {
    let again = ["--retry", "60", "--retry-all-errors", "--retry-delay", "1", url];
    curl(bench, task, &again).await
}

async fn curl(bench: &Bench, task: &str, args: &[&str]) -> String {
    let id = format!("{task}-pause").parse().expect("an id");
    let pause = bench
        .agent()
        .runtime()
        .status(&id)
        .await
        .expect("looks")
        .expect("is there");
    let netns = format!("/proc/{}/ns/net", pause.pid);
    let args = [&["curl", "-sS", "--max-time", "30"], args].concat();
    tokio::task::block_in_place(|| nsenter(&netns, &args))
}

fn uri(log: &str) -> String {
    let line = log
        .lines()
        .find_map(|line| line.strip_prefix("ECS_CONTAINER_METADATA_URI_V4="));
    line.expect("is in the environment").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_has_an_address_of_its_own_and_knows_itself() {
    let mut bench = Bench::new().await;
    let t1 = awsvpc("t1", ONE, json!([script("web", LOOK)]));
    let connection = bench.connection.as_mut().expect("a connection");
    connection
        .send(
            "AttachTaskNetworkInterfacesMessage",
            announce(&arn("t1"), &interface(ONE)),
        )
        .await;
    assert_eq!(
        connection.receive().await,
        ack("attach"),
        "at once, before any map"
    );
    bench.run(json!([t1])).await;
    bench.map(&[ONE]).await;
    let attached = bench
        .plane
        .until("SubmitTaskStateChange", |body| body["attachments"].is_array())
        .await;
    assert_eq!(attached["attachments"][0]["status"], "ATTACHED");
    bench.plane.until_status("t1", "RUNNING").await;
    let log = bench.log_with("t1", "web", "done").await;
    println!("{log}");
    for wanted in [
        "inet 10.77.1.10/24",
        "0a:00:00:00:00:01",
        "default via 10.77.1.1 dev eth0",
        "169.254.170.2 via 169.254.172.1 dev ecs-eth0",
        "nameserver 10.77.0.2",
        "search ec2.internal",
        "10.77.1.10 ip-10-77-1-10.ec2.internal",
        "AWS_EXECUTION_ENV=AWS_ECS_EC2",
        "AWS_ENDPOINT_URL=http://169.254.170.2:4566",
    ] {
        assert!(log.contains(wanted), "{wanted:?} is missing");
    }
    let document: Value =
        serde_json::from_str(&fetch(&bench, "t1", &format!("{}/task", uri(&log))).await).expect("JSON");
    assert_eq!(document["TaskARN"], json!(arn("t1")));
    assert_eq!(
        document["Containers"][0]["Networks"][0]["IPv4Addresses"],
        json!(["10.77.1.10"])
    );
    let stats: Value =
        serde_json::from_str(&fetch(&bench, "t1", &format!("{}/stats", uri(&log))).await).expect("JSON");
    assert!(
        stats["memory_stats"]["usage"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0),
        "{stats}"
    );
    let pids: Vec<i32> = bench
        .agent()
        .runtime()
        .list()
        .await
        .expect("lists")
        .iter()
        .map(|it| it.pid)
        .collect();
    assert_eq!(pids.len(), 2, "web and pause");
    let links: Vec<String> = pids
        .iter()
        .map(|pid| nsenter(&format!("/proc/{pid}/ns/net"), &["ip", "-br", "link"]))
        .collect();
    assert_eq!(links[0], links[1], "one namespace");
    assert_eq!(
        links[0].lines().count(),
        3,
        "lo, the link, the interface: {}",
        links[0]
    );
    bench.stop(&t1).await;
    assert_eq!(bench.agent().network().attached().await.expect("lists").len(), 0);
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_share_a_port_and_no_secret() {
    let mut bench = Bench::new().await;
    bench.map(&[ONE, TWO]).await;
    let serve = "trap 'exit 0' TERM; env; while :; do echo -e 'HTTP/1.0 200 OK\\r\\n\\r\\nhi' | nc -l -p 80 & wait; done";
    let t1 = awsvpc("t1", ONE, json!([script("web", serve)]));
    let t2 = awsvpc("t2", TWO, json!([script("web", serve)]));
    bench.run(json!([t1, t2])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    bench.plane.until_status("t2", "RUNNING").await;
    let uri = uri(&bench.log_with("t1", "web", "ECS_AGENT_URI").await);
    assert_eq!(
        // What came before the one that succeeded goes to the same output.
        fetch_at_last(&bench, "t2", "http://10.77.1.10/")
            .await
            .trim()
            .lines()
            .last(),
        Some("hi"),
        "tcp/80 is open between them"
    );
    let leaked = fetch(&bench, "t2", &format!("{uri}/task")).await;
    assert!(
        leaked.contains("unable to find") && !leaked.contains("TaskARN"),
        "{leaked}"
    );
    let own = fetch(&bench, "t2", "http://169.254.170.2/v2/metadata").await;
    assert!(own.contains("task/default/t2"), "{own}");
    bench.stop(&t2).await;
    bench.stop(&t1).await;
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_survives_the_agent_and_a_lost_task_does_not() {
    let mut bench = Bench::new().await;
    bench.map(&[ONE, TWO]).await;
    let t1 = awsvpc("t1", ONE, json!([script("web", LOOK)]));
    let t2 = awsvpc("t2", TWO, json!([script("web", LOOK)]));
    bench.run(json!([t1, t2])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    bench.plane.until_status("t2", "RUNNING").await;
    bench.kill().await;
    std::fs::remove_file(bench.options.data.join("agent/tasks/t2.json")).expect("forgets");
    bench.start().await;
    assert_eq!(
        bench.agent().runtime().list().await.expect("lists").len(),
        2,
        "web and pause of t1 alone"
    );
    let attached = bench.agent().network().attached().await.expect("lists");
    assert_eq!(
        attached
            .iter()
            .map(|eni| eni.interface_id.as_str())
            .collect::<Vec<_>>(),
        [ONE.0]
    );
    let told = bench.stop(&t1).await;
    assert_eq!(told["containers"][0]["exitCode"], 0);
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridged_container_is_published_and_known_again() {
    let mut bench = Bench::new().await;
    bench.in_host(&["ip", "link", "set", "lo", "up"]);
    let serve = "trap 'exit 0' TERM; env; while :; do echo -e 'HTTP/1.0 200 OK\\r\\n\\r\\nhi' | nc -l -p 80 & wait; done";
    let mut web = script("web", serve);
    web["portMappings"] = json!([{ "containerPort": 80, "hostPort": 0, "protocol": "tcp" }]);
    let t1 = task("t1", json!([web]));
    bench.run(json!([t1])).await;
    let told = bench.plane.until_status("t1", "RUNNING").await;
    let binding = &told["containers"][0]["networkBindings"][0];
    assert_eq!(
        (&binding["containerPort"], &binding["bindIP"]),
        (&json!(80), &json!("0.0.0.0"))
    );
    let port = binding["hostPort"].as_u64().expect("a port");
    let url = format!("http://127.0.0.1:{port}/");
    let ask = |bench: &Bench| {
        // The container may need a moment to listen.
        let curl = [
            "curl",
            "-sS",
            "--retry",
            "60",
            "--retry-all-errors",
            "--retry-delay",
            "1",
            "--max-time",
            "30",
        ];
        let args: Vec<&str> = curl.into_iter().chain([url.as_str()]).collect();
        tokio::task::block_in_place(|| bench.in_host(&args))
    };
    assert!(ask(&bench).contains("hi"));
    let uri = uri(&bench.log_with("t1", "web", "ECS_AGENT_URI").await);
    assert!(uri.starts_with("http://169.254.170.2/v4/"), "{uri}");
    bench.kill().await;
    assert!(ask(&bench).contains("hi"), "without an agent");
    bench.start().await;
    assert!(ask(&bench).contains("hi"));
    let told = bench.stop(&t1).await;
    assert_eq!(
        told["containers"][0]["networkBindings"][0]["hostPort"],
        json!(port)
    );
    let refused = tokio::task::block_in_place(|| bench.in_host(&["curl", "-sS", "--max-time", "5", &url]));
    assert!(
        refused.contains("refused") || refused.contains("connect"),
        "{refused}"
    );
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}
