//! An agent that does what a test says, over a real websocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use roadstead_acs as acs;
use roadstead_acs::{FromAgent, ToAgent};
use roadstead_base::Clock as _;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Cloud, signed};
use crate::ACS_PATH;

#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// Whether heartbeats are answered.
    pub(crate) alive: bool,
}

impl Agent {
    /// # Errors
    /// The status and body of a refused handshake.
    pub(crate) async fn connect(cloud: &Cloud, instance: &str) -> Result<Self, (u16, String)> {
        let address = cloud.address;
        let instance = instance.replace(':', "%3A").replace('/', "%2F");
        let uri = format!(
            "ws://{address}{ACS_PATH}/ws?agentHash=h&agentVersion=1&clusterArn=default&containerInstanceArn={instance}\
             &dockerVersion=d&protocolVersion=2&sendCredentials=true&seqNum=1"
        );
        let mut request = uri.into_client_request().expect("a request");
        let uri = request.uri().clone();
        request
            .headers_mut()
            .extend(signed::headers(&uri, &address.to_string(), cloud.clock.now()));
        let stream = TcpStream::connect(address).await.expect("connects");
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket, alive: true }),
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

    /// The next frame that is not a heartbeat; none once the connection is closed.
    pub(crate) async fn hear(&mut self) -> Option<ToAgent> {
        // Heartbeats alone are nothing to wait for.
        let end = tokio::time::Instant::now() + Duration::from_secs(120);
        loop {
            let next = tokio::time::timeout_at(end, self.socket.next()).await;
            match next.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => match ToAgent::from_text(&text).expect("a readable frame") {
                    ToAgent::Heartbeat(beat) if self.alive => {
                        let ack = acs::HeartbeatAck {
                            message_id: beat.message_id,
                        };
                        let ack = Message::text(FromAgent::HeartbeatAck(Box::new(ack)).to_text());
                        // Closed, which the socket may not have said yet.
                        if self.socket.send(ack).await.is_err() {
                            return None;
                        }
                    }
                    ToAgent::Heartbeat(_) => {}
                    other => return Some(other),
                },
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn say(&mut self, frame: &FromAgent) {
        self.socket
            .send(Message::text(frame.to_text()))
            .await
            .expect("is sent");
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.socket
            .send(Message::text(text.to_owned()))
            .await
            .expect("is sent");
    }

    pub(crate) async fn ack(&mut self, message_id: &str) {
        let ack = acs::Ack {
            message_id: message_id.to_owned(),
            ..acs::Ack::default()
        };
        self.say(&FromAgent::Ack(Box::new(ack))).await;
    }

    pub(crate) async fn manifest(&mut self) -> acs::TaskManifest {
        loop {
            match self.hear().await.expect("a manifest") {
                ToAgent::TaskManifest(manifest) => {
                    self.ack(&manifest.message_id).await;
                    return *manifest;
                }
                ToAgent::NetworkMap(_) => {}
                other => panic!("wanted a manifest, got {other:?}"),
            }
        }
    }

    /// The next payload, with the frames before it, acknowledged.
    pub(crate) async fn payload(&mut self) -> (Vec<ToAgent>, acs::Payload) {
        let (before, payload) = self.payload_unacknowledged().await;
        self.ack(&payload.message_id).await;
        (before, payload)
    }

    pub(crate) async fn payload_unacknowledged(&mut self) -> (Vec<ToAgent>, acs::Payload) {
        let mut before = Vec::new();
        loop {
            match self.hear().await.expect("a payload") {
                ToAgent::Payload(payload) => return (before, *payload),
                other => before.push(other),
            }
        }
    }
}
