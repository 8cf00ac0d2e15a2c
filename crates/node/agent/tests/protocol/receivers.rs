//! Lines on their way to receivers of the user's, which are there, are not there, go away in the midst of a line's way, or
//! say nothing any more. The receivers' sockets are real.

use std::io::Read;
use std::time::Duration;

use roadstead_agent::node::Running;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener};
use tokio::time::{Instant, timeout};

use crate::plane::agent::{Machine, container, payload, task};
use crate::plane::{Connection, PATIENCE, Plane};

/// A plane, a machine and its agent, with one task whose container logs so.
struct Bench {
    plane: Plane,
    machine: Machine,
    agent: Option<Running>,
    connection: Connection,
    web: Value,
}

impl Bench {
    async fn new(driver: &str, options: Value) -> Self {
        let mut web = container("web");
        let host = json!({"LogConfig": {"Type": driver, "Config": options}});
        web["dockerConfig"]["hostConfig"] = json!(host.to_string());
        let (plane, machine) = (Plane::start().await, Machine::new());
        let agent = Some(machine.agent(&plane).await);
        let connection = plane.accept().await;
        Self {
            plane,
            machine,
            agent,
            connection,
            web,
        }
    }

    async fn send(&mut self) {
        let task = task("t1", json!([self.web]));
        self.connection
            .send("PayloadMessage", payload("p", json!([task])))
            .await;
    }

    /// The one container, once it runs.
    async fn run(&mut self) -> String {
        self.send().await;
        self.plane.until_status("t1", "RUNNING").await;
        self.machine
            .node
            .running()
            .into_iter()
            .next()
            .expect("a container")
    }

    async fn stopped(&self) -> Value {
        self.plane.until_status("t1", "STOPPED").await
    }

    /// Until the agent has written down that so many lines were sent.
    async fn noted(&self, id: &str, lines: u64) {
        let patience = Instant::now() + PATIENCE;
        while self.machine.node.sent(id) < lines {
            assert!(Instant::now() < patience, "{} noted", self.machine.node.sent(id));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// As `kill -9` would.
    async fn kill(&mut self) {
        let agent = self.agent.take().expect("an agent");
        let engine = agent.engine.clone();
        drop(agent);
        engine.shut_down().await;
    }

    async fn again(&mut self) {
        self.agent = Some(self.machine.agent(&self.plane).await);
        self.connection = self.plane.accept().await;
    }

    async fn end(mut self) {
        if let Some(agent) = self.agent.take() {
            agent.detach().await;
        }
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("in time")
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// The next connection over which anything comes; one that only showed that somebody is there is passed over.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        let (stream, _) = soon(listener.accept()).await.expect("a connection");
        if soon(stream.peek(&mut [0])).await.is_ok_and(|count| count > 0) {
            return stream;
        }
    }
}

/// What stands behind the head of each line.
async fn lines(stream: &mut (impl AsyncReadExt + Unpin), count: usize) -> Vec<String> {
    let mut reader = BufReader::new(stream);
    let mut all = Vec::new();
    while all.len() < count {
        let mut line = String::new();
        let read = soon(reader.read_line(&mut line)).await.expect("a line");
        assert!(read > 0, "it ends after {all:?}");
        all.push(line.trim_end().split("]: ").last().expect("a text").to_owned());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_have_the_lines_of_a_container() {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = receiver.local_addr().expect("an address");
    let options =
        json!({"syslog-address": format!("udp://{address}"), "syslog-format": "rfc3164", "tag": "{{.Name}}"});
    let mut bench = Bench::new("syslog", options).await;
    let id = bench.run().await;
    for line in ["one", "", "two"] {
        bench.machine.node.print(&id, line);
    }
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    let mut buffer = [0; 1024];
    for wanted in ["one", "two"] {
        let count = soon(receiver.recv(&mut buffer)).await.expect("a datagram");
        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
        assert!(text.starts_with("<30>"), "{text}");
        let end = format!(" ecs-fam-1-web[{}]: {wanted}\n", std::process::id());
        assert!(text.ends_with(&end), "{text}");
    }
    assert!(bench.machine.node.leftovers().is_empty());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_does_not_start_without_its_receiver() {
    let daemon =
        "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: ";
    let (listener, address) = listen().await;
    drop(listener);
    for (driver, options, why) in [
        (
            "syslog",
            json!({"syslog-address": format!("tcp://{address}")}),
            format!("dial tcp {address}: connect: connection refused"),
        ),
        (
            "fluentd",
            json!({"fluentd-address": address}),
            format!("dial tcp {address}: connect: connection refused"),
        ),
        (
            "fluentd",
            json!({"fluentd-address": "unix:///nowhere/f.sock"}),
            "dial unix /nowhere/f.sock: connect: no such file or directory".to_owned(),
        ),
        (
            "gelf",
            json!({"gelf-address": format!("tcp://{address}")}),
            format!(
                "gelf: cannot connect to GELF endpoint: {address} dial tcp {address}: connect: connection refused"
            ),
        ),
        (
            "syslog",
            json!({"syslog-address": "unixgram:///nowhere/log"}),
            "dial unixgram /nowhere/log: connect: no such file or directory".to_owned(),
        ),
    ] {
        let mut bench = Bench::new(driver, options).await;
        bench.send().await;
        let stopped = bench.stopped().await;
        assert_eq!(stopped["containers"][0]["reason"], format!("{daemon}{why}"));
        assert_eq!(bench.machine.node.count("start web"), 0);
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_outlive_their_connection_and_the_agent() {
    let (listener, address) = listen().await;
    let mut bench = Bench::new("syslog", json!({"syslog-address": format!("tcp://{address}")})).await;
    let id = bench.run().await;
    bench.machine.node.print(&id, "one");
    let mut first = accept(&listener).await;
    assert_eq!(lines(&mut first, 1).await, ["one"]);
    bench.noted(&id, 1).await;
    // The receiver goes, and is not there for a while.
    drop((first, listener));
    bench.machine.node.print(&id, "two");
    bench.machine.node.print(&id, "three");
    let listener = TcpListener::bind(&address).await.expect("the port again");
    let mut second = accept(&listener).await;
    assert_eq!(lines(&mut second, 2).await, ["two", "three"]);
    bench.noted(&id, 3).await;
    bench.kill().await;
    bench.machine.node.print(&id, "four");
    bench.again().await;
    let mut third = accept(&listener).await;
    assert_eq!(lines(&mut third, 1).await, ["four"]);
    bench.machine.node.print(&id, "last");
    bench.machine.node.exit(&id, 0);
    assert_eq!(lines(&mut third, 1).await, ["last"]);
    bench.stopped().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_had_not_read_is_sent_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("s.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let options = json!({"syslog-address": format!("unix://{}", path.display())});
    let mut bench = Bench::new("syslog", options).await;
    let id = bench.run().await;
    // The one that showed that somebody is there.
    let _ = soon(listener.accept()).await.expect("a connection");
    bench.machine.node.print(&id, "one");
    let (stream, _) = soon(listener.accept()).await.expect("a connection");
    soon(stream.readable()).await.expect("bytes");
    // They are here, and nobody has read them.
    assert_eq!(bench.machine.node.sent(&id), 0);
    drop(stream);
    let (mut stream, _) = soon(listener.accept()).await.expect("a connection");
    assert_eq!(lines(&mut stream, 1).await, ["one"]);
    bench.noted(&id, 1).await;
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_socket_takes_datagrams() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log");
    let receiver = UnixDatagram::bind(&path).expect("a socket");
    let options = json!({"syslog-address": format!("unixgram://{}", path.display()), "tag": "t"});
    let mut bench = Bench::new("syslog", options).await;
    let id = bench.run().await;
    bench.machine.node.print(&id, "one");
    let mut buffer = [0; 1024];
    let count = soon(receiver.recv(&mut buffer)).await.expect("a datagram");
    assert!(String::from_utf8_lossy(&buffer[..count]).ends_with("]: one\n"));
    // A receiver that was restarted has another socket at the same place.
    drop(receiver);
    std::fs::remove_file(&path).expect("removed");
    bench.machine.node.print(&id, "two");
    let receiver = UnixDatagram::bind(&path).expect("a socket");
    let count = soon(receiver.recv(&mut buffer)).await.expect("a datagram");
    assert!(String::from_utf8_lossy(&buffer[..count]).ends_with("]: two\n"));
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;
}

/// The text that follows a name in an event, and where it ends.
fn member(event: &[u8], name: &str) -> String {
    let at = event.windows(name.len()).position(|part| part == name.as_bytes());
    let at = at.expect(name) + name.len();
    let length = usize::from(event[at] & 0x1f);
    String::from_utf8_lossy(&event[at + 1..at + 1 + length]).into_owned()
}

/// One event from a stream, whole: they are short here, and come one at a time.
async fn event(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let count = soon(stream.read(&mut buffer)).await.expect("an event");
    buffer.truncate(count);
    buffer
}

async fn acknowledge(stream: &mut TcpStream, event: &[u8]) {
    let chunk = member(event, "chunk");
    let mut answer = vec![0x81, 0xa3];
    answer.extend_from_slice(b"ack");
    answer.push(0xa0 | chunk.len() as u8);
    answer.extend_from_slice(chunk.as_bytes());
    stream.write_all(&answer).await.expect("answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_sent_until_it_is_acknowledged() {
    let (listener, address) = listen().await;
    let options = json!({
        "fluentd-address": address, "fluentd-request-ack": "true", "fluentd-retry-wait": "10ms", "tag": "app",
    });
    let mut bench = Bench::new("fluentd", options).await;
    let id = bench.run().await;
    bench.machine.node.print(&id, "one");
    let mut first = accept(&listener).await;
    let one = event(&mut first).await;
    assert_eq!(
        (member(&one, "log"), member(&one, "source")),
        ("one".to_owned(), "stdout".to_owned())
    );
    assert_eq!(member(&one, "container_name"), "/ecs-fam-1-web");
    acknowledge(&mut first, &one).await;
    bench.noted(&id, 1).await;
    bench.machine.node.print(&id, "two");
    let two = event(&mut first).await;
    // Read, but it went down before it could say so.
    drop(first);
    let mut second = accept(&listener).await;
    let again = event(&mut second).await;
    assert_eq!(member(&again, "log"), "two");
    assert_eq!(
        member(&again, "chunk"),
        member(&two, "chunk"),
        "so that it can be told that it is the same"
    );
    assert_eq!(bench.machine.node.sent(&id), 1);
    acknowledge(&mut second, &again).await;
    bench.noted(&id, 2).await;
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_background_a_receiver_may_come_later_or_never() {
    let (listener, address) = listen().await;
    drop(listener);
    let options = json!({"fluentd-address": address, "fluentd-async": "true", "fluentd-retry-wait": "10ms"});
    let mut bench = Bench::new("fluentd", options).await;
    let id = bench.run().await;
    bench.machine.node.print(&id, "one");
    let listener = TcpListener::bind(&address).await.expect("the port again");
    let mut stream = accept(&listener).await;
    assert_eq!(member(&event(&mut stream).await, "log"), "one");
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;

    drop((stream, listener));
    let options = json!({
        "fluentd-address": address, "fluentd-async": "true", "fluentd-retry-wait": "1ms", "fluentd-max-retries": "2",
    });
    let mut bench = Bench::new("fluentd", options).await;
    let id = bench.run().await;
    bench.machine.node.print(&id, "given up");
    bench.machine.node.print(&id, "as well");
    bench.noted(&id, 2).await;
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_made_anew_after_a_while() {
    let (listener, address) = listen().await;
    let options = json!({"fluentd-address": address, "fluentd-async": "true", "fluentd-async-reconnect-interval": "100"});
    let mut bench = Bench::new("fluentd", options).await;
    let id = bench.run().await;
    bench.machine.node.print(&id, "one");
    let mut first = accept(&listener).await;
    assert_eq!(member(&event(&mut first).await, "log"), "one");
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The first one is there still, and not used any more.
    bench.machine.node.print(&id, "two");
    let mut second = accept(&listener).await;
    assert_eq!(member(&event(&mut second).await, "log"), "two");
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_reads_is_left_after_the_time_of_a_write() {
    let (listener, address) = listen().await;
    let options =
        json!({"fluentd-address": address, "fluentd-async": "true", "fluentd-write-timeout": "200ms"});
    let mut bench = Bench::new("fluentd", options).await;
    let id = bench.run().await;
    let line = "x".repeat(15_000);
    // More than the sockets between take.
    for _ in 0..1_500 {
        bench.machine.node.print(&id, &line);
    }
    let silent = accept(&listener).await;
    // Its lines come again, to whoever listens now.
    let next = accept(&listener).await;
    drop((silent, next, listener));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_comes_back_does_not_keep_a_task() {
    let (listener, address) = listen().await;
    let mut bench = Bench::new("gelf", json!({"gelf-address": format!("tcp://{address}")})).await;
    // Until then the lines of a container that has ended are waited for.
    bench.kill().await;
    bench.machine.limits.log_flush = Duration::from_millis(300);
    bench.again().await;
    let id = bench.run().await;
    drop(listener);
    bench.machine.node.print(&id, "lost");
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    assert!(bench.machine.node.leftovers().is_empty());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_come_packed_or_with_an_end() {
    let receiver = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = receiver.local_addr().expect("an address");
    let options = json!({
        "gelf-address": format!("udp://{address}"), "labels": "com.amazonaws.ecs.container-name", "env-regex": "^TEAM",
    });
    let mut bench = Bench::new("gelf", options).await;
    bench.web["environment"] = json!({"TEAM": "blue", "OTHER": "x"});
    let id = bench.run().await;
    bench.machine.node.print(&id, "packed");
    let mut buffer = [0; 8192];
    let count = soon(receiver.recv(&mut buffer)).await.expect("a datagram");
    let mut text = String::new();
    let mut unpacking = flate2::read::GzDecoder::new(&buffer[..count]);
    unpacking.read_to_string(&mut text).expect("gzip");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    for (name, wanted) in [
        ("short_message", "packed"),
        ("_container_id", &*id),
        ("_container_name", "ecs-fam-1-web"),
        ("_image_name", "busybox"),
        ("_com.amazonaws.ecs.container-name", "web"),
        ("_TEAM", "blue"),
    ] {
        assert_eq!(document[name], wanted, "{document}");
    }
    assert_eq!(
        (&document["_OTHER"], &document["level"]),
        (&Value::Null, &json!(6))
    );
    assert!(
        document["_image_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("sha256:"))
    );
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;

    let (listener, address) = listen().await;
    let mut bench = Bench::new("gelf", json!({"gelf-address": format!("tcp://{address}")})).await;
    let id = bench.run().await;
    bench.machine.node.print(&id, "ended");
    let mut stream = BufReader::new(accept(&listener).await);
    let mut bytes = Vec::new();
    soon(stream.read_until(0, &mut bytes)).await.expect("a document");
    let document: Value = serde_json::from_slice(&bytes[..bytes.len() - 1]).expect("JSON");
    assert_eq!(document["short_message"], "ended");
    bench.machine.node.exit(&id, 0);
    bench.stopped().await;
    bench.end().await;
}
