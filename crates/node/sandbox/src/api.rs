//! The runtime API, version 2018-06-01, on a socket inside the environment's own network namespace. Source: "Using the
//! Lambda runtime API for custom runtimes".

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use roadstead_base::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::exchange::{Answer, Event, Exchange, NotUnderWay};

const PREFIX: &str = "/2018-06-01/runtime/";
/// Of a response; and of what a runtime says of an error.
pub(crate) const MOST_BYTES: usize = 6 * 1024 * 1024;
/// Connections of one environment.
const CONNECTIONS: usize = 64;
/// A request's head must be there by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers the runtime for as long as the environment lives.
pub(crate) async fn serve(listener: TcpListener, exchange: Arc<Exchange>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut running = tokio::task::JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a function's environment cannot be answered");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let exchange = Arc::clone(&exchange);
        running.spawn(async move {
            let service = hyper::service::service_fn(|request| {
                let exchange = Arc::clone(&exchange);
                async move { Ok::<_, Infallible>(respond(request, &exchange).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(64 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of a function's runtime broke");
            }
            drop(place);
        });
        while running.try_join_next().is_some() {}
    }
}

async fn respond(request: Request<Incoming>, exchange: &Exchange) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let path = head
        .uri
        .path()
        .strip_prefix(PREFIX)
        .unwrap_or_default()
        .to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    match (&head.method, parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(exchange).await,
        (&Method::POST, ["invocation", id, "response"]) => {
            let Ok(read) = one(exchange, body, |exchange| exchange.is_under_way(id)).await else {
                return unknown();
            };
            let answer = match read {
                Ok(bytes) => Answer::Response(bytes),
                Err(Unread::TooLarge(bytes)) => Answer::TooLarge(bytes),
                Err(Unread::Broken) => {
                    return refused(StatusCode::BAD_REQUEST, "InvalidRequest", "the body is not whole");
                }
            };
            let too_large = matches!(answer, Answer::TooLarge(_));
            match exchange.answer(id, answer) {
                Ok(()) if too_large => refused(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    "Exceeded maximum allowed payload size (6291556 bytes).",
                ),
                Ok(()) => accepted(),
                Err(_) => unknown(),
            }
        }
        (&Method::POST, ["invocation", id, "error"]) => {
            let kind = error_type(&head.headers);
            match one(exchange, body, |exchange| exchange.is_under_way(id)).await {
                Err(NotUnderWay) => unknown(),
                Ok(Ok(bytes)) => match exchange.answer(id, Answer::Error(error(bytes, kind))) {
                    Ok(()) => accepted(),
                    Err(_) => unknown(),
                },
                Ok(Err(_)) => unreadable(),
            }
        }
        (&Method::POST, ["init", "error"]) => {
            let kind = error_type(&head.headers);
            match one(exchange, body, |exchange| !exchange.has_begun()).await {
                Err(NotUnderWay) => begun(),
                Ok(Ok(bytes)) => match exchange.init_failed(error(bytes, kind)) {
                    Ok(()) => accepted(),
                    Err(_) => begun(),
                },
                Ok(Err(_)) => unreadable(),
            }
        }
        _ => refused(StatusCode::NOT_FOUND, "NotFound", "there is no such path"),
    }
}

async fn next(exchange: &Exchange) -> Response<Full<Bytes>> {
    let Event { invocation, deadline } = exchange.next().await;
    let Timestamp(millis) = deadline;
    let mut response = Response::new(Full::new(invocation.payload));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in [
        ("lambda-runtime-aws-request-id", Some(invocation.request_id)),
        ("lambda-runtime-deadline-ms", Some(millis.to_string())),
        (
            "lambda-runtime-invoked-function-arn",
            Some(invocation.invoked_arn),
        ),
        ("lambda-runtime-client-context", invocation.client_context),
    ] {
        // What no header can hold was refused where it came in.
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// Reads a body that is wanted, one at a time: whoever sends others may send as many as there are connections. How long
/// one takes is bounded by the invocation, with which the environment ends if it is late.
async fn one(
    exchange: &Exchange,
    body: Incoming,
    wanted: impl Fn(&Exchange) -> bool,
) -> Result<Result<Bytes, Unread>, NotUnderWay> {
    if !wanted(exchange) {
        return Err(NotUnderWay);
    }
    let _alone = exchange.reading.lock().await;
    // The one before may have been what was waited for.
    match wanted(exchange) {
        true => Ok(read(body).await),
        false => Err(NotUnderWay),
    }
}

enum Unread {
    TooLarge(usize),
    Broken,
}

async fn read(body: Incoming) -> Result<Bytes, Unread> {
    let announced = body
        .size_hint()
        .exact()
        .and_then(|bytes| usize::try_from(bytes).ok());
    match Limited::new(body, MOST_BYTES).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Unread::TooLarge(announced.unwrap_or(MOST_BYTES + 1)))
        }
        Err(_) => Err(Unread::Broken),
    }
}

fn error_type(headers: &http::HeaderMap) -> Option<String> {
    let value = headers.get("lambda-runtime-function-error-type")?;
    value.to_str().ok().map(ToOwned::to_owned)
}

/// What the runtime said if it is a JSON object; one around it otherwise.
fn error(body: Bytes, kind: Option<String>) -> Bytes {
    match serde_json::from_slice(&body) {
        Ok(serde_json::Value::Object(_)) => body,
        _ => {
            let kind = kind.unwrap_or_else(|| "Unhandled".to_owned());
            json!({"errorMessage": String::from_utf8_lossy(&body), "errorType": kind})
                .to_string()
                .into()
        }
    }
}

fn accepted() -> Response<Full<Bytes>> {
    answer(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}

fn unreadable() -> Response<Full<Bytes>> {
    refused(
        StatusCode::BAD_REQUEST,
        "InvalidRequest",
        "the error cannot be read",
    )
}

fn begun() -> Response<Full<Bytes>> {
    refused(
        StatusCode::FORBIDDEN,
        "InvalidStateTransition",
        "the runtime has begun",
    )
}

fn unknown() -> Response<Full<Bytes>> {
    refused(
        StatusCode::BAD_REQUEST,
        "InvalidRequestID",
        "no invocation of that id is under way",
    )
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    answer(status, &json!({"errorMessage": message, "errorType": kind}))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use roadstead_functions::Invocation;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// A connection by which a body is announced and, once it is asked for, sent.
    async fn post(address: std::net::SocketAddr, path: &str, bytes: usize) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let head = format!(
            "POST {PREFIX}{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {bytes}\r\nexpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream
    }

    /// The next status line.
    async fn status(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        let read = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("an answer"));
            }
        };
        tokio::time::timeout(Duration::from_secs(30), read)
            .await
            .expect("an answer without a body");
        let text = String::from_utf8(head).expect("text");
        text.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn only_what_is_waited_for_is_read_and_one_at_a_time() {
        let exchange = Arc::new(Exchange::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(serve(listener, Arc::clone(&exchange)));
        let (response, error) = ("invocation/a/response", "invocation/a/error");
        let (asks, refuses) = ("HTTP/1.1 100 Continue", "HTTP/1.1 400 Bad Request");
        // Before there is an invocation, and of another.
        for path in [response, error] {
            assert_eq!(status(&mut post(address, path, MOST_BYTES).await).await, refuses);
        }
        exchange.offer(Event {
            invocation: Invocation {
                request_id: "a".into(),
                invoked_arn: "arn".into(),
                payload: Bytes::new(),
                client_context: None,
                tail: false,
            },
            deadline: Timestamp(0),
        });
        exchange.next().await;
        for path in ["invocation/b/response", "invocation/b/error"] {
            assert_eq!(status(&mut post(address, path, MOST_BYTES).await).await, refuses);
        }
        let mut late = post(address, "init/error", MOST_BYTES).await;
        assert_eq!(status(&mut late).await, "HTTP/1.1 403 Forbidden");
        // Whoever comes second is not even asked for its body.
        let mut first = post(address, response, 4).await;
        assert_eq!(status(&mut first).await, asks);
        let (mut second, mut third) = (post(address, response, 4).await, post(address, error, 4).await);
        first.write_all(b"1234").await.expect("sent");
        assert_eq!(status(&mut first).await, "HTTP/1.1 202 Accepted");
        assert_eq!(exchange.answered().await, Answer::Response("1234".into()));
        for stream in [&mut second, &mut third] {
            assert_eq!(status(stream).await, refuses);
        }
        server.abort();
    }
}
