//! The HTTP side of the metadata: small, bounded, and deaf to everybody but tasks.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::throttle::Throttle;
use super::{document, protection, stats};
use crate::driver::Failure;
use crate::engine::spec::Container;
use crate::engine::state::Status;
use crate::run::{Engine, View};
use crate::telemetry::{Sample, Samples, system_cpu};

/// Connections at the same time, over all tasks.
const CONNECTIONS: usize = 512;
/// Bytes of a request's body.
const MAX_BODY: usize = 16 * 1024;
/// A request's head must be there by then, and an answer read by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// Looking up tags must not hold a task up for longer.
const TAGS: Duration = Duration::from_secs(5);

/// Where the node is; told to its tasks.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub availability_zone: String,
    pub vpc_id: String,
}

struct Server {
    engine: Engine,
    samples: Samples,
    place: Place,
    throttle: Mutex<Throttle>,
}

/// Answers tasks on `listener` for ever.
pub async fn serve(listener: TcpListener, engine: Engine, place: Place, samples: Samples) {
    let server = Arc::new(Server {
        engine,
        samples,
        place,
        throttle: Mutex::default(),
    });
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            return;
        };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: others have to close first.
                tracing::warn!(%error, "the metadata endpoint cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, std::convert::Infallible>(server.respond(request, peer.ip()).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a metadata connection broke");
            }
            drop(permit);
        });
    }
}

/// An answer: status and JSON.
pub(super) type Answer = (StatusCode, Value);

fn text(status: StatusCode, text: impl Into<String>) -> Answer {
    (status, Value::String(text.into()))
}

impl Server {
    async fn respond(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Full<Bytes>> {
        let (request, body) = request.into_parts();
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        let method = &request.method;
        let (status, body) = match peer {
            IpAddr::V4(peer) => self.answer(method, path, query, body, peer).await,
            IpAddr::V6(_) => not_found(),
        };
        tracing::info!(target: "audit", %peer, %method, path, status = status.as_u16(), "metadata");
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        response
    }

    async fn answer(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        body: Incoming,
        peer: Ipv4Addr,
    ) -> Answer {
        if !self
            .throttle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pass(peer, self.engine.clock().now())
        {
            return text(StatusCode::TOO_MANY_REQUESTS, "too many requests");
        }
        // The link's addresses are given out by this node and pinned to their task.
        let Some(view) = self.task_at(peer) else {
            return not_found();
        };
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        if let ["api", id, what @ ..] = parts.as_slice() {
            let container = own(&view, id);
            return match what {
                ["task-protection", "v1", "state"] => {
                    let body = match tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect())
                        .await
                    {
                        Ok(Ok(body)) => body.to_bytes(),
                        Ok(Err(_)) => {
                            return text(StatusCode::PAYLOAD_TOO_LARGE, "the request's body cannot be read");
                        }
                        Err(_) => {
                            return text(StatusCode::REQUEST_TIMEOUT, "the request's body did not come");
                        }
                    };
                    let task = container.map(|_| view.machine.task.as_ref());
                    protection::state(&self.engine, task, method, &body).await
                }
                _ => refused(&view, container.is_some(), what),
            };
        }
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here");
        }
        match parts.as_slice() {
            ["v1", "credentials"] => self.credentials(
                &view,
                1,
                query.split('&').find_map(|pair| pair.strip_prefix("id=")),
            ),
            ["v2", "credentials"] => self.credentials(&view, 2, None),
            ["v2", "credentials", id] => self.credentials(&view, 2, Some(id)),
            ["v2", "metadata"] => (StatusCode::OK, document::task(&view.machine, &self.place).into()),
            ["v2", "stats"] => self.task_stats(&view, false).await,
            ["v2", what @ ("metadata" | "stats"), id] => match by_runtime_id(&view, id) {
                Some(container) if *what == "stats" => self.container_stats(&view, container, false).await,
                Some(container) => self.about(&view, container, &[], false).await,
                None => unknown(id),
            },
            [version @ ("v3" | "v4"), id, rest @ ..] => match own(&view, id) {
                Some(container) => self.about(&view, container, rest, *version == "v4").await,
                None => unknown(id),
            },
            _ => not_found(),
        }
    }

    async fn about(&self, view: &View, container: &Container, what: &[&str], rates: bool) -> Answer {
        let machine = &view.machine;
        let state = &machine.state.containers[&container.name];
        match what {
            [] => (StatusCode::OK, document::container(machine, container, state)),
            ["task"] => (StatusCode::OK, document::task(machine, &self.place).into()),
            ["taskWithTags"] => self.task_with_tags(view).await,
            ["stats"] => self.container_stats(view, container, rates).await,
            ["task", "stats"] => self.task_stats(view, rates).await,
            _ => not_found(),
        }
    }

    async fn container_stats(&self, view: &View, container: &Container, rates: bool) -> Answer {
        match self.stats(view, container, rates).await {
            Ok(stats) => (StatusCode::OK, stats),
            Err(error) => text(
                StatusCode::NOT_FOUND,
                format!("unable to get the container's stats: {error}"),
            ),
        }
    }

    /// Measured now, and compared with the last regular sample. Nothing of a container that does not run.
    async fn stats(&self, view: &View, container: &Container, rates: bool) -> Result<Value, Failure> {
        let task = &view.machine.task;
        if view.machine.state.containers[&container.name].known != Status::Running {
            return Ok(Value::Null);
        }
        let now = Sample {
            stats: self.engine.driver().stats(task, container).await?,
            at: self.engine.clock().now(),
            instant: Instant::now(),
            system_cpu: system_cpu(),
        };
        let before = self.samples.last(&container.runtime_id).map(|(last, _)| last);
        Ok(stats::stats(task, container, &now, before.as_ref(), rates))
    }

    async fn task_stats(&self, view: &View, rates: bool) -> Answer {
        let mut all = Map::new();
        for container in &view.machine.task.containers {
            // One that ends just now has no numbers any more.
            let stats = self.stats(view, container, rates).await.unwrap_or_default();
            all.insert(container.runtime_id.clone(), stats);
        }
        (StatusCode::OK, all.into())
    }

    async fn task_with_tags(&self, view: &View) -> Answer {
        let arn = &view.machine.task.arn;
        let mut all = document::task(&view.machine, &self.place);
        let asked = tokio::time::timeout(TAGS, self.engine.upstream().tags(arn)).await;
        let failed = |message: String| json!([{ "ErrorField": "TaskTags", "ErrorCode": "ServerException", "ErrorMessage": message, "ResourceARN": arn }]);
        match asked {
            Ok(Ok(tags)) => {
                all.insert("TaskTags".to_owned(), json!(tags));
            }
            Ok(Err(error)) => {
                all.insert("Errors".to_owned(), failed(error.to_string()));
            }
            Err(_) => {
                all.insert(
                    "Errors".to_owned(),
                    failed("the control plane did not answer in time".to_owned()),
                );
            }
        }
        (StatusCode::OK, all.into())
    }

    /// The keys of the asking task's own role, and of no other: an id that is another's is no id here.
    fn credentials(&self, view: &View, version: u8, id: Option<&str>) -> Answer {
        let refuse = |status: StatusCode, code: &str, what: &str| {
            let message = format!("CredentialsV{version}Request: {what}");
            (
                status,
                json!({ "code": code, "message": message, "HTTPErrorCode": status.as_u16() }),
            )
        };
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return refuse(
                StatusCode::BAD_REQUEST,
                "NoIdInRequest",
                "no credentials id in the request",
            );
        };
        let task = &view.machine.task;
        if task.credentials_id.as_deref() != Some(id) {
            return refuse(
                StatusCode::BAD_REQUEST,
                "InvalidIdInRequest",
                "the task has no role credentials of this id",
            );
        }
        let Some(keys) = self.engine.keys_of_task(&task.arn) else {
            return refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "CredentialsUninitialized",
                "the credentials have not come yet",
            );
        };
        let answer = json!({
            "RoleArn": keys.role_arn,
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
            "Token": keys.session_token,
            "Expiration": keys.expiration,
        });
        (StatusCode::OK, answer)
    }

    /// The task whose link, or one of whose containers' links, has this address.
    fn task_at(&self, peer: Ipv4Addr) -> Option<Arc<View>> {
        self.engine.tasks().into_values().find(|view| {
            let namespace = view.machine.namespace();
            let task = namespace.and_then(|namespace| namespace.local_address);
            let mut containers = view.machine.state.containers.values();
            task == Some(peer)
                || containers.any(|state| {
                    let connection = state.connection.as_ref();
                    connection.and_then(|connection| connection.local_address) == Some(peer)
                })
        })
    }
}

fn own<'a>(view: &'a View, id: &str) -> Option<&'a Container> {
    view.machine
        .task
        .containers
        .iter()
        .find(|container| container.metadata_id == id)
}

fn by_runtime_id<'a>(view: &'a View, id: &str) -> Option<&'a Container> {
    let mut containers = view.machine.task.containers.iter();
    containers.find(|container| container.runtime_id == id)
}

fn unknown(id: &str) -> Answer {
    text(
        StatusCode::NOT_FOUND,
        format!("unable to find a container of this task for {id:?}"),
    )
}

fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "404 page not found")
}

/// Operations of the agent's API that do not exist yet; said so, rather than pretending.
fn refused(view: &View, known: bool, what: &[&str]) -> Answer {
    if !known {
        return text(StatusCode::NOT_FOUND, "unable to find a container of this task");
    }
    let message = format!(
        "{} is not supported by Roadstead yet.",
        what.first().unwrap_or(&"this")
    );
    let error =
        json!({ "Arn": view.machine.task.arn, "Code": "UnsupportedFeatureException", "Message": message });
    (StatusCode::NOT_IMPLEMENTED, json!({ "error": error }))
}
