//! The metadata endpoint over a simulated node whose links are loopback addresses: a test asks from the address
//! of the one task or the other.

use std::net::Ipv4Addr;
use std::time::Duration;

use roadstead_agent::metadata::{Place, serve};
use roadstead_agent::node::Running;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::plane::agent::{Machine, arn, container, interface, payload, task};
use crate::plane::{CLUSTER, PATIENCE, Plane};

struct Bench {
    plane: Plane,
    machine: Machine,
    agent: Running,
    port: u16,
    server: tokio::task::JoinHandle<()>,
}

impl Bench {
    /// Tasks `t1` at 127.0.0.2 and `t2` at 127.0.0.3.
    async fn new() -> Self {
        let (plane, machine) = (Plane::start().await, Machine::new());
        machine
            .node
            .set(|knobs| knobs.link_base = Some(Ipv4Addr::LOCALHOST));
        let agent = machine.agent(&plane).await;
        let mut connection = plane.accept().await;
        for (id, eni) in [("t1", "eni-1"), ("t2", "eni-2")] {
            let mut one = task(id, json!([container("web")]));
            one["containers"][0]["restartPolicy"] = json!({"enabled": id == "t2"});
            one["networkMode"] = json!("awsvpc");
            if id == "t2" {
                one["roleCredentials"] = json!({
                    "credentialsId": "c", "roleArn": "arn:aws:iam::123456789012:role/r", "accessKeyId": "ASIAROLE",
                    "secretAccessKey": "secret", "sessionToken": "token", "expiration": "2099-01-01T00:00:00Z",
                });
            }
            one["cpu"] = json!(0.25);
            one["memory"] = json!(64);
            one["elasticNetworkInterfaces"] = json!([interface(eni)]);
            connection.send("PayloadMessage", payload(id, json!([one]))).await;
            plane.until_status(id, "RUNNING").await;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("an address").port();
        let place = Place {
            availability_zone: "us-east-1a".into(),
            vpc_id: "vpc-1".into(),
        };
        let server = tokio::spawn(serve(
            listener,
            agent.engine.clone(),
            place,
            agent.samples.clone(),
        ));
        Self {
            plane,
            machine,
            agent,
            port,
            server,
        }
    }

    fn id(&self, task: &str) -> String {
        self.agent.tasks()[&arn(task)].machine.task.containers[0]
            .metadata_id
            .clone()
    }

    async fn ask(&self, from: [u8; 4], request: &str) -> (u16, Value) {
        self.ask_with(from, request, "").await
    }

    async fn ask_with(&self, from: [u8; 4], request: &str, body: &str) -> (u16, Value) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::from(from), 0).into()).expect("binds");
        let mut stream = socket
            .connect((Ipv4Addr::LOCALHOST, self.port).into())
            .await
            .expect("connects");
        let length = body.len();
        let request = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .expect("in time")
            .expect("reads");
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        (status, serde_json::from_str(body).expect("JSON"))
    }

    async fn end(self) {
        self.server.abort();
        self.agent.stop_all().await.expect("stops");
        assert!(self.machine.node.leftovers().is_empty());
        drop(self.plane);
    }
}

const T1: [u8; 4] = [127, 0, 0, 2];
const T2: [u8; 4] = [127, 0, 0, 3];

#[tokio::test(flavor = "multi_thread")]
async fn a_task_protects_itself_with_the_keys_of_its_role() {
    let bench = Bench::new().await;
    let path = |task: &str| format!("/api/{}/task-protection/v1/state", bench.id(task));
    let (get, put) = (format!("GET {}", path("t2")), format!("PUT {}", path("t2")));
    let protection = |enabled: bool, until: Value| json!({"protection": {"ExpirationDate": until, "ProtectionEnabled": enabled, "TaskArn": arn("t2")}});
    assert_eq!(bench.ask(T2, &get).await, (200, protection(false, Value::Null)));
    let yes = r#"{"ProtectionEnabled":true,"ExpiresInMinutes":60}"#;
    let until = json!("2023-12-20T21:57:44.837Z");
    assert_eq!(
        bench.ask_with(T2, &put, yes).await,
        (200, protection(true, until))
    );
    let asked = json!({"cluster": CLUSTER, "tasks": [arn("t2")]});
    assert_eq!(bench.plane.calls("GetTaskProtection"), [asked]);
    let asked =
        json!({"cluster": CLUSTER, "tasks": [arn("t2")], "protectionEnabled": true, "expiresInMinutes": 60});
    assert_eq!(bench.plane.calls("UpdateTaskProtection"), [asked]);

    let error = |arn: Option<String>, code: &str, message: &str| {
        let mut error = json!({"Code": code, "Message": message});
        if let Some(arn) = arn {
            error["Arn"] = json!(arn);
        }
        json!({ "error": error })
    };
    // Without a role nobody could allow it.
    let none = "Invalid Request: no task IAM role credentials available for task";
    let none = error(Some(arn("t1")), "AccessDeniedException", none);
    assert_eq!(
        bench.ask(T1, &format!("GET {}", path("t1"))).await,
        (403, none.clone())
    );
    assert_eq!(
        bench.ask_with(T1, &format!("PUT {}", path("t1")), yes).await,
        (403, none)
    );
    let unread = error(
        None,
        "InvalidParameterException",
        "UpdateTaskProtection: failed to decode request",
    );
    for body in [
        "",
        "{",
        r#"{"ProtectionEnabled":1}"#,
        r#"{"ProtectionEnabled":true,"Tasks":[]}"#,
    ] {
        assert_eq!(
            bench.ask_with(T2, &put, body).await,
            (400, unread.clone()),
            "{body}"
        );
    }
    let absent = "Invalid request: does not contain 'ProtectionEnabled' field";
    let absent = error(Some(arn("t2")), "InvalidParameterException", absent);
    assert_eq!(
        bench.ask_with(T2, &put, r#"{"ExpiresInMinutes":60}"#).await,
        (400, absent)
    );
    let unknown = error(
        None,
        "ResourceNotFoundException",
        "Failed to find a task for the request",
    );
    assert_eq!(bench.ask_with(T1, &put, yes).await, (404, unknown));
    assert_eq!(
        bench.ask_with(T2, &format!("POST {}", path("t2")), yes).await.0,
        405
    );
    assert_eq!(bench.ask_with(T2, &put, &" ".repeat(20_000)).await.0, 413);

    for (status, code) in [(400, "AccessDeniedException"), (500, "ServerException")] {
        bench.plane.fail("GetTaskProtection", &[(status, code)]);
        let mut refused = error(Some(arn("t2")), code, "as the test says");
        refused["requestID"] = json!("the-request");
        assert_eq!(bench.ask(T2, &get).await, (status, refused));
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_are_counted_where_there_is_a_policy() {
    let bench = Bench::new().await;
    let (one, two) = (bench.id("t1"), bench.id("t2"));
    let (_, web) = bench.ask(T1, &format!("GET /v4/{one}")).await;
    assert_eq!(web.get("RestartCount"), None);
    let (_, first) = bench.ask(T2, &format!("GET /v4/{two}")).await;
    assert_eq!(first["RestartCount"], 0);
    let runtime_id = first["DockerId"].as_str().expect("an id");
    bench.machine.node.exit(runtime_id, 3);
    until(|| bench.machine.node.count("start web") == 3).await;
    until(|| bench.machine.node.running().contains(runtime_id)).await;
    let (_, second) = bench.ask(T2, &format!("GET /v4/{two}")).await;
    assert_eq!(
        (
            &second["RestartCount"],
            &second["KnownStatus"],
            second.get("ExitCode")
        ),
        (&json!(1), &json!("RUNNING"), None)
    );
    for same in ["DockerId", "CreatedAt", "StartedAt"] {
        assert_eq!(second[same], first[same], "{same}");
    }
    assert_eq!(
        bench.plane.told("t2").len(),
        1,
        "the control plane hears nothing of it"
    );
    bench.end().await;
}

/// Waits for a condition.
async fn until(is_so: impl Fn() -> bool) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(tokio::time::Instant::now() < patience, "it never is so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_learns_of_itself_and_of_no_other() {
    let bench = Bench::new().await;
    let (one, two) = (bench.id("t1"), bench.id("t2"));
    let (status, own) = bench.ask(T1, &format!("GET /v4/{one}/task")).await;
    assert_eq!((status, &own["TaskARN"]), (200, &json!(arn("t1"))));
    assert_eq!(
        (&own["LaunchType"], &own["AvailabilityZone"]),
        (&json!("EC2"), &json!("us-east-1a"))
    );
    assert_eq!(
        (&own["Limits"]["CPU"], &own["Limits"]["Memory"]),
        (&json!(0.25), &json!(64))
    );
    assert_eq!(
        (&own["KnownStatus"], &own["DesiredStatus"]),
        (&json!("RUNNING"), &json!("RUNNING"))
    );
    let web = &own["Containers"][0];
    assert_eq!(
        (&web["Name"], &web["KnownStatus"]),
        (&json!("web"), &json!("RUNNING"))
    );
    let network = &web["Networks"][0];
    assert_eq!(network["IPv4Addresses"], json!(["10.77.1.10"]));
    assert_eq!(network["IPv4SubnetCIDRBlock"], "10.77.1.0/24");
    assert_eq!(network["IPv6Addresses"], json!(["fd00:0:0:1::a"]));
    assert_eq!(network["IPv6SubnetCIDRBlock"], "fd00:0:0:1::/64");
    let (_, alone) = bench.ask(T1, &format!("GET /v4/{one}")).await;
    assert_eq!(&alone, web);
    assert_eq!(web["Labels"]["com.amazonaws.ecs.task-arn"], json!(arn("t1")));

    for (from, request, wanted) in [
        (T1, format!("GET /v4/{two}/task"), 404),
        (T2, format!("GET /v4/{one}"), 404),
        ([127, 0, 0, 1], format!("GET /v4/{one}"), 404),
        (T1, "GET /v4/".to_owned(), 404),
        (T1, "GET /".to_owned(), 404),
        (T1, format!("GET /v4/{one}/secrets"), 404),
        (T1, format!("POST /v4/{one}"), 405),
        (T1, format!("PUT /api/{one}/fault/v1/network-latency/start"), 501),
        (T1, format!("PUT /api/{two}/fault/v1/network-latency/start"), 404),
        (T1, format!("GET /api/{two}/task-protection/v1/state"), 404),
    ] {
        let (status, body) = bench.ask(from, &request).await;
        assert_eq!(status, wanted, "{request}: {body}");
    }
    let (_, v2) = bench.ask(T2, "GET /v2/metadata").await;
    assert_eq!(v2["TaskARN"], json!(arn("t2")), "known by its address alone");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_credentials_and_it_says_so() {
    let bench = Bench::new().await;
    for (path, code) in [
        ("/v2/credentials/abc", "InvalidIdInRequest"),
        ("/v2/credentials/", "NoIdInRequest"),
        ("/v2/credentials", "NoIdInRequest"),
        ("/v1/credentials?id=abc", "InvalidIdInRequest"),
        ("/v1/credentials", "NoIdInRequest"),
    ] {
        let (status, body) = bench.ask(T1, &format!("GET {path}")).await;
        assert_eq!(
            (status, &body["code"], &body["HTTPErrorCode"]),
            (400, &json!(code), &json!(400)),
            "{path}"
        );
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_bounds() {
    let bench = Bench::new().await;
    let one = bench.id("t1");
    bench.plane.tag("team", "harbour");
    let (_, tagged) = bench.ask(T1, &format!("GET /v4/{one}/taskWithTags")).await;
    assert_eq!(tagged["TaskTags"], json!({ "team": "harbour" }));
    bench
        .plane
        .fail("ListTagsForResource", &[(400, "AccessDeniedException")]);
    let (status, tagged) = bench.ask(T1, &format!("GET /v4/{one}/taskWithTags")).await;
    assert_eq!(
        (status, &tagged["Errors"][0]["ErrorField"]),
        (200, &json!("TaskTags"))
    );
    // So many at once that they use up what is given anew meanwhile, however slowly they are answered.
    let mut crowd = 120;
    while !futures_util::future::join_all((0..crowd).map(|_| bench.ask(T2, "GET /v2/metadata")))
        .await
        .iter()
        .any(|(status, _)| *status == 429)
    {
        crowd *= 2;
        assert!(crowd < 2_000, "a loop is slowed down");
    }
    assert_eq!(
        bench.ask(T1, "GET /v2/metadata").await.0,
        200,
        "and nobody else is"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_have_dockers_form() {
    let bench = Bench::new().await;
    bench.machine.node.set(|knobs| knobs.memory_mib = 3);
    let one = bench.id("t1");
    let runtime_id = bench.agent.tasks()[&arn("t1")].machine.task.containers[0]
        .runtime_id
        .clone();
    let mut stats = Value::Null;
    // Until there was a regular sample to compare with.
    for _ in 0..4_000 {
        let (status, found) = bench.ask(T1, &format!("GET /v4/{one}/stats")).await;
        if status == 200 && found["precpu_stats"]["cpu_usage"]["total_usage"].as_u64() > Some(0) {
            stats = found;
            break;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let total = |stats: &Value| stats["cpu_usage"]["total_usage"].as_u64().expect("a number");
    assert!(
        total(&stats["cpu_stats"]) > total(&stats["precpu_stats"]),
        "{stats}"
    );
    assert!(
        stats["cpu_stats"]["system_cpu_usage"].as_u64() >= stats["precpu_stats"]["system_cpu_usage"].as_u64()
    );
    assert!(stats["cpu_stats"]["online_cpus"].as_u64() > Some(0));
    assert_eq!(stats["memory_stats"]["usage"], 3 << 20);
    assert_eq!(stats["memory_stats"]["limit"], 64 << 20);
    assert_eq!(
        (&stats["name"], &stats["id"]),
        (&json!("/ecs-fam-1-web"), &json!(runtime_id))
    );
    assert!(
        stats["networks"]["eth0"]["rx_bytes"].as_u64() > Some(0),
        "{stats}"
    );
    assert!(
        stats["network_rate_stats"]["rx_bytes_per_sec"].is_number(),
        "{stats}"
    );
    for (path, rates) in [
        (format!("/v3/{one}/task/stats"), false),
        (format!("/v4/{one}/task/stats"), true),
        ("/v2/stats".to_owned(), false),
    ] {
        let (status, all) = bench.ask(T1, &format!("GET {path}")).await;
        assert_eq!(
            (status, all.as_object().map(serde_json::Map::len)),
            (200, Some(1)),
            "{path}"
        );
        let of = &all[&runtime_id];
        assert!(total(&of["cpu_stats"]) > 0);
        assert_eq!(of["network_rate_stats"].is_object(), rates, "{path}");
    }
    let (status, alone) = bench.ask(T1, &format!("GET /v2/stats/{runtime_id}")).await;
    assert_eq!((status, &alone["id"]), (200, &json!(runtime_id)));
    let (status, alone) = bench.ask(T1, &format!("GET /v2/metadata/{runtime_id}")).await;
    assert_eq!((status, &alone["DockerId"]), (200, &json!(runtime_id)));
    let (status, _) = bench.ask(T2, &format!("GET /v2/stats/{runtime_id}")).await;
    assert_eq!(status, 404, "another task's");
    bench.end().await;
}
