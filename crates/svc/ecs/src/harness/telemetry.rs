//! The reporting half of an agent, and a metrics service that remembers what it is given.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::Uri;
use roadstead_acs::ToTelemetry;
use roadstead_base::{Clock as _, Ctx};
use roadstead_protocol::{
    ApiError, BoxFuture, Handler, Kind, Operation, Protocol, ServiceModel, Shape, Value, json as codec,
};
use serde_json::Value as Json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Cloud, NODE_SECRET, signed};
use crate::TCS_PATH;

#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) socket: WebSocketStream<TcpStream>,
    uri: Uri,
    host: String,
}

impl Reporter {
    /// # Errors
    /// The status and body of a refused handshake.
    pub(crate) async fn connect(cloud: &Cloud, cluster: &str, instance: &str) -> Result<Self, (u16, String)> {
        Self::connect_by(cloud, cluster, instance, None).await
    }

    /// With an `Authorization` and a date that a stranger made.
    pub(crate) async fn connect_by(
        cloud: &Cloud,
        cluster: &str,
        instance: &str,
        stranger: Option<(&str, &str)>,
    ) -> Result<Self, (u16, String)> {
        let host = cloud.address.to_string();
        let instance = instance.replace(':', "%3A").replace('/', "%2F");
        let uri = format!(
            "ws://{host}{TCS_PATH}/ws?agentHash=h&agentVersion=1&cluster={cluster}&containerInstance={instance}&dockerVersion=d"
        );
        let mut request = uri.into_client_request().expect("a request");
        let uri: Uri = request
            .uri()
            .path_and_query()
            .expect("a path")
            .as_str()
            .parse()
            .expect("a URI");
        match stranger {
            Some((authorization, date)) => {
                let headers = request.headers_mut();
                headers.insert("authorization", authorization.parse().expect("a header"));
                headers.insert("x-amz-date", date.parse().expect("a header"));
            }
            None => request
                .headers_mut()
                .extend(signed::headers(&uri, &host, cloud.clock.now())),
        }
        let stream = TcpStream::connect(cloud.address).await.expect("connects");
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket, uri, host }),
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                Err((
                    response.status().as_u16(),
                    String::from_utf8_lossy(&body).into_owned(),
                ))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn say(&mut self, cloud: &Cloud, frame: &Json) {
        self.say_signed(cloud, &frame.to_string(), NODE_SECRET).await;
    }

    pub(crate) async fn say_signed(&mut self, cloud: &Cloud, body: &str, secret: &str) {
        let headers = signed::of(&self.uri, &self.host, body.as_bytes(), secret, cloud.clock.now());
        let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
        let lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", text(value)))
            .collect();
        self.say_text(&format!("{}\r\n\r\n{body}", lines.join("\r\n")))
            .await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.socket
            .send(Message::text(text.to_owned()))
            .await
            .expect("is sent");
    }

    /// The next frame that is not a heartbeat; none once the connection is closed.
    pub(crate) async fn hear(&mut self) -> Option<ToTelemetry> {
        // Heartbeats alone are nothing to wait for.
        let end = tokio::time::Instant::now() + Duration::from_secs(120);
        loop {
            let next = tokio::time::timeout_at(end, self.socket.next()).await;
            match next.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => {
                    match ToTelemetry::from_text(&text).expect("a readable frame") {
                        ToTelemetry::Heartbeat(_) => {}
                        other => return Some(other),
                    }
                }
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// A frame is acknowledged by its id.
    pub(crate) async fn acknowledged(&mut self) -> String {
        match self.hear().await.expect("an answer") {
            ToTelemetry::AckMetrics(ack)
            | ToTelemetry::AckHealth(ack)
            | ToTelemetry::AckInstanceStatus(ack) => ack.message,
            other => panic!("wanted an acknowledgment, got {other:?}"),
        }
    }

    /// A frame is answered with an error.
    pub(crate) async fn refused(&mut self) -> String {
        match self.hear().await.expect("an answer") {
            ToTelemetry::Error(error) => error.message,
            other => panic!("wanted an error, got {other:?}"),
        }
    }
}

/// Remembers PutMetricData. Its model has what tests need of the real one: a document in, nothing out.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Vec<(String, Json)>>);

static MODEL: ServiceModel = ServiceModel {
    name: "cloudwatch",
    signing_name: "monitoring",
    protocols: &[Protocol::Json10],
    shapes: &[Shape {
        name: "PutMetricDataInput",
        kind: Kind::Structure {
            members: &[],
            payload: None,
            document: true,
            union: false,
        },
        ..Shape::BASE
    }],
    operations: &[Operation {
        name: "PutMetricData",
        input: Some(0),
        ..Operation::BASE
    }],
    ..ServiceModel::BASE
};

impl Handler for Metrics {
    fn model(&self) -> &'static ServiceModel {
        &MODEL
    }

    fn call<'a>(
        &'a self,
        _operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        let input = codec::to_json(&MODEL, 0, input);
        self.0
            .lock()
            .expect("no panic")
            .push((ctx.caller.to_string(), input));
        Box::pin(async { Ok(Value::empty()) })
    }
}

impl Metrics {
    /// Who called, and the data, since the last time.
    pub(crate) fn taken(&self) -> Vec<(String, Json)> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}
