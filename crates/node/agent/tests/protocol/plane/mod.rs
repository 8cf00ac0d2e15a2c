//! A control plane that does what a test says: the API over HTTP, the agent channel over a real websocket, both
//! on loopback.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub(crate) const CLUSTER: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/default";
pub(crate) const INSTANCE: &str =
    "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123456789abcdef0123456789abcdef";
/// No answer that a test waits for takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// An error to answer: status, code.
pub(crate) type Failure = (u16, &'static str);

#[derive(Default)]
struct State {
    calls: Vec<(String, Value)>,
    failures: BTreeMap<String, VecDeque<Failure>>,
    /// Error types of refused handshakes.
    refusals: VecDeque<&'static str>,
    telemetry_refusals: VecDeque<&'static str>,
    tags: Vec<(String, String)>,
}

pub(crate) struct Plane {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
    connections: tokio::sync::Mutex<mpsc::Receiver<Connection>>,
    telemetry: tokio::sync::Mutex<mpsc::Receiver<Connection>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection of the agent channel, seen from the control plane.
pub(crate) struct Connection {
    /// Path and query of the handshake.
    pub(crate) uri: String,
    pub(crate) authorization: String,
    socket: WebSocketStream<TcpStream>,
}

impl Connection {
    pub(crate) async fn send(&mut self, kind: &str, message: Value) {
        self.send_frame(&json!({ "type": kind, "message": message }))
            .await;
    }

    pub(crate) async fn send_frame(&mut self, frame: &Value) {
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .expect("sends");
    }

    /// The next frame of the agent.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("a frame in time");
            if let Message::Text(text) = message.expect("an open channel").expect("a frame") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// The next frame as its text: telemetry is signed above its JSON.
    pub(crate) async fn receive_text(&mut self) -> String {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("a frame in time");
            if let Message::Text(text) = message.expect("an open channel").expect("a frame") {
                return text.to_string();
            }
        }
    }

    /// Nothing but silence for a while.
    pub(crate) async fn silent(&mut self, length: Duration) {
        let frame = tokio::time::timeout(length, self.socket.next()).await;
        assert!(frame.is_err(), "{frame:?} was not expected");
    }

    /// Waits for the agent to close; answers the code it gave, if it gave one.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .expect("an end in time")
            {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.socket.close(Some(frame)).await.expect("closes");
    }
}

impl Plane {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let news = Arc::new(Notify::new());
        let api = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let channel = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", api.local_addr().expect("an address"));
        let channel_address = channel.local_addr().expect("an address");
        let (sender, connections) = mpsc::channel(16);
        let (told, telemetry) = mpsc::channel(16);
        let serve = tokio::spawn(serve_api(api, state.clone(), news.clone(), channel_address));
        let accept = tokio::spawn(serve_channel(channel, state.clone(), sender, told));
        Self {
            url,
            state,
            news,
            connections: tokio::sync::Mutex::new(connections),
            telemetry: tokio::sync::Mutex::new(telemetry),
            tasks: vec![serve, accept],
        }
    }

    /// The next calls of this operation fail so, in order.
    pub(crate) fn fail(&self, operation: &str, failures: &[Failure]) {
        lock(&self.state)
            .failures
            .entry(operation.to_owned())
            .or_default()
            .extend(failures);
    }

    /// The next handshakes are refused so.
    pub(crate) fn refuse(&self, kinds: &[&'static str]) {
        lock(&self.state).refusals.extend(kinds);
    }

    pub(crate) fn tag(&self, key: &str, value: &str) {
        lock(&self.state).tags.push((key.to_owned(), value.to_owned()));
    }

    /// The next connection of the agent channel.
    pub(crate) async fn accept(&self) -> Connection {
        let mut connections = self.connections.lock().await;
        tokio::time::timeout(PATIENCE, connections.recv())
            .await
            .expect("a connection in time")
            .expect("a plane")
    }

    /// The next connection of the telemetry channel.
    pub(crate) async fn accept_telemetry(&self) -> Connection {
        let mut connections = self.telemetry.lock().await;
        tokio::time::timeout(PATIENCE, connections.recv())
            .await
            .expect("a connection in time")
            .expect("a plane")
    }

    /// The next handshakes of the telemetry channel are refused so.
    pub(crate) fn refuse_telemetry(&self, kinds: &[&'static str]) {
        lock(&self.state).telemetry_refusals.extend(kinds);
    }

    /// Bodies of all calls of an operation so far.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        let state = lock(&self.state);
        state
            .calls
            .iter()
            .filter(|(name, _)| name == operation)
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// SubmitTaskStateChange about a task.
    pub(crate) fn told(&self, task: &str) -> Vec<Value> {
        let all = self.calls("SubmitTaskStateChange");
        all.into_iter()
            .filter(|body| body["task"].as_str().is_some_and(|arn| arn.ends_with(task)))
            .collect()
    }

    /// Waits until a call satisfies `wanted`; answers its body.
    pub(crate) async fn until(&self, operation: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                let news = self.news.notified();
                if let Some(body) = self.calls(operation).into_iter().find(|body| wanted(body)) {
                    return body;
                }
                let _ = tokio::time::timeout(Duration::from_millis(100), news).await;
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, found).await;
        outcome.unwrap_or_else(|_| panic!("no such {operation}; there were {:#?}", lock(&self.state).calls))
    }

    /// Waits until the task was told to have this status; with its containers as they were told last, be it before: on a
    /// busy machine their changes do not wait for the task's.
    pub(crate) async fn until_status(&self, task: &str, status: &str) -> Value {
        let mut told = self
            .until("SubmitTaskStateChange", |body| {
                body["task"].as_str().is_some_and(|arn| arn.ends_with(task)) && body["status"] == status
            })
            .await;
        let all = self.told(task);
        let place = all.iter().position(|body| *body == told).unwrap_or(0);
        let mut containers = told["containers"].as_array().cloned().unwrap_or_default();
        for before in all[..place].iter().rev() {
            for container in before["containers"].as_array().into_iter().flatten() {
                let same = |other: &Value| other["containerName"] == container["containerName"];
                if !containers.iter().any(same) {
                    containers.push(container.clone());
                }
            }
        }
        if !containers.is_empty() {
            told["containers"] = Value::Array(containers);
        }
        told
    }
}

async fn serve_api(listener: TcpListener, state: Arc<Mutex<State>>, news: Arc<Notify>, channel: SocketAddr) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (state, news) = (state.clone(), news.clone());
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                answer(request, state.clone(), news.clone(), channel)
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Signed with the keys of a role: of a log's own service, or about the task's protection.
fn is_of_role(request: &Request<Incoming>) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    header("authorization").is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 Credential=ASIAROLE/"))
        && header("x-amz-security-token") == Some("token")
        && header("x-amz-target")
            .is_some_and(|target| target.starts_with("Logs_20140328.") || target.ends_with("TaskProtection"))
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
    news: Arc<Notify>,
    channel: SocketAddr,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    assert!(
        request.headers()["authorization"]
            .to_str()
            .expect("text")
            .starts_with("AWS4-HMAC-SHA256 Credential=AKIATEST/")
            || is_of_role(&request)
    );
    let target = request.headers()["x-amz-target"]
        .to_str()
        .expect("text")
        .to_owned();
    let operation = target
        .strip_prefix("AmazonEC2ContainerServiceV20141113.")
        .or(target.strip_prefix("Logs_20140328."))
        .expect("a call of ECS or CloudWatch Logs")
        .to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let (status, answer) = {
        let mut state = lock(&state);
        state.calls.push((operation.clone(), body.clone()));
        match state.failures.get_mut(&operation).and_then(VecDeque::pop_front) {
            Some((status, code)) => (status, json!({ "__type": code, "message": "as the test says" })),
            None => (200, succeed(&operation, &body, &state, channel)),
        }
    };
    news.notify_waiters();
    let response = Response::builder()
        .status(status)
        .header("x-amzn-requestid", "the-request")
        .body(Full::from(answer.to_string()));
    Ok(response.expect("a response"))
}

fn succeed(operation: &str, body: &Value, state: &State, channel: SocketAddr) -> Value {
    match operation {
        "RegisterContainerInstance" => json!({ "containerInstance": {
            "containerInstanceArn": INSTANCE, "attributes": body["attributes"], "status": "ACTIVE",
        }}),
        "DiscoverPollEndpoint" => json!({
            "endpoint": format!("http://{channel}/acs"), "telemetryEndpoint": format!("http://{channel}/tcs/"),
        }),
        "CreateCluster" => json!({ "cluster": { "clusterName": body["clusterName"] } }),
        "SubmitTaskStateChange" => json!({ "acknowledgment": "ok" }),
        "GetTaskProtection" => json!({
            "protectedTasks": [{"taskArn": body["tasks"][0], "protectionEnabled": false}], "failures": [],
        }),
        "UpdateTaskProtection" => json!({ "failures": [], "protectedTasks": [{
            "taskArn": body["tasks"][0], "protectionEnabled": body["protectionEnabled"], "expirationDate": 1_703_109_464.837,
        }]}),
        "CreateLogGroup" | "CreateLogStream" | "PutLogEvents" => json!({}),
        "ListTagsForResource" => {
            let tags = state
                .tags
                .iter()
                .map(|(key, value)| json!({ "key": key, "value": value }));
            json!({ "tags": tags.collect::<Vec<_>>() })
        }
        other => panic!("an agent does not call {other}"),
    }
}

async fn serve_channel(
    listener: TcpListener,
    state: Arc<Mutex<State>>,
    sender: mpsc::Sender<Connection>,
    told: mpsc::Sender<Connection>,
) {
    use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (mut uri, mut authorization) = (String::new(), String::new());
        #[allow(clippy::result_large_err)] // the signature is the websocket library's
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            uri = request.uri().to_string();
            let header = request
                .headers()
                .get("authorization")
                .and_then(|value| value.to_str().ok());
            authorization = header.unwrap_or_default().to_owned();
            let refusal = if uri.starts_with("/tcs/") {
                lock(&state).telemetry_refusals.pop_front()
            } else {
                lock(&state).refusals.pop_front()
            };
            match refusal {
                None => Ok(response),
                Some(kind) => {
                    let mut refused =
                        ErrorResponse::new(Some(json!({ kind: "as the test says" }).to_string()));
                    *refused.status_mut() = http::StatusCode::BAD_REQUEST;
                    Err(refused)
                }
            }
        };
        if let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, look).await {
            let connection = Connection {
                uri,
                authorization,
                socket,
            };
            if connection.uri.starts_with("/tcs/") {
                // Most tests do not look at telemetry.
                let _ = told.try_send(connection);
            } else if sender.send(connection).await.is_err() {
                return;
            }
        }
    }
}

pub(crate) mod agent;
