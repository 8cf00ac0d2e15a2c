//! What the agent measures, told over a telemetry channel that a test holds the other end of.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use roadstead_acs::telemetry::{PublishMetrics, split_signed};
use roadstead_acs::{FromTelemetry, telemetry};
use roadstead_base::{Clock as _, SystemClock};
use roadstead_protocol::sigv4::{Authorization, Request, verify};
use serde_json::json;

use crate::plane::agent::{Machine, arn, container, payload, task};
use crate::plane::{Connection, INSTANCE, Plane};

fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.node.set(|knobs| knobs.memory_mib = 5);
    machine.timing.telemetry.sample = Duration::from_millis(5);
    machine.timing.telemetry.report = Duration::from_millis(100);
    machine.timing.telemetry.reconnect = machine.timing.reconnect;
    machine
}

/// The next frame, whose signature holds.
async fn frame(connection: &mut Connection) -> FromTelemetry {
    let text = connection.receive_text().await;
    let (head, body) = split_signed(&text).expect("header lines and JSON");
    let mut headers = HeaderMap::new();
    for line in head.lines() {
        let (name, value) = line.split_once(": ").expect("a header");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
    }
    let uri: Uri = connection.uri.parse().expect("a URI");
    let request = Request {
        method: &Method::GET,
        uri: &uri,
        headers: &headers,
        body: body.as_bytes(),
    };
    let authorization = Authorization::parse(&headers).expect("an authorization");
    assert_eq!(
        (authorization.access_key.as_str(), authorization.service.as_str()),
        ("AKIATEST", "ecs")
    );
    verify(&authorization, request, "secret", SystemClock.now())
        .expect("is signed over the handshake's address");
    FromTelemetry::from_text(body).expect("a message")
}

/// The next report of metrics that satisfies `wanted`.
async fn metrics(connection: &mut Connection, wanted: impl Fn(&PublishMetrics) -> bool) -> PublishMetrics {
    for _ in 0..200 {
        if let FromTelemetry::Metrics(metrics) = frame(connection).await
            && wanted(&metrics)
        {
            return *metrics;
        }
    }
    panic!("no such report");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_told_of_by_what_they_use() {
    let (plane, machine) = (Plane::start().await, machine());
    let agent = machine.agent(&plane).await;
    let mut channel = plane.accept().await;
    let mut told = plane.accept_telemetry().await;
    assert!(
        told.uri.starts_with("/tcs/ws?agentHash=roadstead&agentVersion="),
        "{}",
        told.uri
    );
    assert!(
        told.uri
            .contains("&cluster=default&containerInstance=arn%3Aaws%3Aecs%3A"),
        "{}",
        told.uri
    );
    assert!(
        told.authorization
            .starts_with("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    );
    let idle = metrics(&mut told, |_| true).await;
    assert!(idle.metadata.idle && idle.metadata.fin && idle.task_metrics.is_empty());
    assert_eq!(
        (
            idle.metadata.cluster.as_str(),
            idle.metadata.container_instance.as_str()
        ),
        ("default", INSTANCE)
    );
    channel
        .send(
            "PayloadMessage",
            payload("m", json!([task("t1", json!([container("web")]))])),
        )
        .await;
    plane.until_status("t1", "RUNNING").await;
    // What lies between two samples comes with the second.
    let rates = |report: &PublishMetrics| {
        let task = report.task_metrics.first();
        task.is_some_and(|task| task.container_metrics[0].cpu_stats_set.is_some())
    };
    let report = metrics(&mut told, rates).await;
    assert!(!report.metadata.idle && report.metadata.fin && !report.metadata.message_id.is_empty());
    let one = &report.task_metrics[0];
    assert_eq!(
        (
            one.task_arn.as_str(),
            one.task_definition_family.as_str(),
            one.task_definition_version.as_str()
        ),
        (arn("t1").as_str(), "fam", "1")
    );
    let web = &one.container_metrics[0];
    assert_eq!(web.container_name, "web");
    let cpu = web.cpu_stats_set.expect("CPU");
    // A millisecond more each time it is looked at.
    assert!(
        cpu.sample_count > 0 && cpu.min >= 0.0 && cpu.sum > 0.0 && cpu.max >= cpu.min,
        "{cpu:?}"
    );
    let memory = web.memory_stats_set.expect("memory");
    assert_eq!((memory.min, memory.max), (5.0, 5.0));
    let network = web.network_stats_set.as_ref().expect("traffic");
    assert!(network.rx_bytes.expect("bytes").max > 0 && network.tx_bytes_per_second.is_some());
    assert_eq!(
        web.storage_stats_set
            .as_ref()
            .expect("storage")
            .read_size_bytes
            .expect("bytes")
            .sum,
        0
    );
    // Samples are told once: the next report has those that came after.
    let next = metrics(&mut told, rates).await;
    let bytes = |report: &PublishMetrics| {
        let network = report.task_metrics[0].container_metrics[0]
            .network_stats_set
            .clone()
            .expect("traffic");
        network.rx_bytes.expect("bytes")
    };
    assert!(bytes(&next).min > bytes(&report).max, "{next:?} after {report:?}");
    agent.stop_all().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_the_machine_does_is_told_to_each_connection() {
    let (plane, machine) = (Plane::start().await, machine());
    let agent = machine.agent(&plane).await;
    for _ in 0..2 {
        let mut told = plane.accept_telemetry().await;
        let status = loop {
            if let FromTelemetry::InstanceStatus(status) = frame(&mut told).await {
                break status;
            }
        };
        assert_eq!(status.metadata.container_instance, INSTANCE);
        let one = &status.statuses[0];
        assert_eq!(
            (one.kind.as_str(), one.status.as_str()),
            (telemetry::CONTAINER_RUNTIME, "OK")
        );
        told.close(1000).await;
    }
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_wait_for_a_connection_and_the_newest_are_kept() {
    let (plane, machine) = (Plane::start().await, machine());
    plane.refuse_telemetry(&["ServerException"; 30]);
    let agent = machine.agent(&plane).await;
    // After thirty refusals; twenty reports and more were made meanwhile.
    let mut told = plane.accept_telemetry().await;
    let mut last = 0.0;
    for _ in 0..15 {
        let report = metrics(&mut told, |_| true).await;
        assert!(report.timestamp > last, "in order");
        last = report.timestamp;
    }
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_a_lost_connection_end_in_another() {
    let (plane, mut machine) = (Plane::start().await, machine());
    // Far more than a busy machine makes of the tenth of a second between two beats.
    machine.timing.telemetry.inactivity = Duration::from_secs(4);
    let agent = machine.agent(&plane).await;
    let mut silent = plane.accept_telemetry().await;
    silent.closed().await;
    let mut heard = plane.accept_telemetry().await;
    for _ in 0..50 {
        heard
            .send("HeartbeatMessage", json!({"messageId": "h", "healthy": true}))
            .await;
        heard.send("AckPublishMetric", json!({"message": "m"})).await;
        heard.send("Nonsense", json!({})).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    metrics(&mut heard, |_| true).await;
    drop(heard);
    let mut again = plane.accept_telemetry().await;
    metrics(&mut again, |_| true).await;
    agent.detach().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_with_health_checks_are_told_of_by_their_health() {
    let (plane, machine) = (Plane::start().await, machine());
    machine
        .node
        .set(|knobs| knobs.health.extend([("db".to_owned(), 1)]));
    let agent = machine.agent(&plane).await;
    let mut channel = plane.accept().await;
    let mut told = plane.accept_telemetry().await;
    let checked = |name: &str| {
        let mut one = container(name);
        let config = json!({"Healthcheck": {"Test": ["CMD", "true"], "Interval": 50_000_000, "Retries": 2}});
        one["dockerConfig"]["config"] = json!(config.to_string());
        one["healthCheckType"] = json!("docker");
        one
    };
    let tasks = json!([
        task("t1", json!([checked("web"), checked("db"), container("plain")])),
        task("t2", json!([container("x")]))
    ]);
    channel.send("PayloadMessage", payload("p", tasks)).await;
    for _ in 0..200 {
        let FromTelemetry::Health(health) = frame(&mut told).await else {
            continue;
        };
        assert_eq!(health.metadata.container_instance, INSTANCE);
        let [task] = &health.tasks[..] else {
            panic!("one task has health checks: {health:?}");
        };
        assert_eq!(task.task_arn, arn("t1"));
        let found: Vec<_> = task
            .containers
            .iter()
            .map(|one| (one.container_name.as_str(), one.health_status.as_str()))
            .collect();
        if found == [("web", "HEALTHY"), ("db", "UNHEALTHY")] {
            return agent.detach().await;
        }
    }
    panic!("never told");
}
