//! The handshake: who connects, for which instance, and in what words an agent is turned away.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use roadstead_base::Ctx;
use roadstead_dispatch::{Raw, RawRequest, RawResponse};
use roadstead_protocol::BoxFuture;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::Ecs;
use crate::acs::{PATH, connection};
use crate::error::Error;
use crate::instances::{ContainerInstanceRecord, find_by_arn};

/// Bytes of one message from an agent; the largest, a stop verification, names a few tasks.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The channel as a part of the gate.
pub(crate) struct Acs(pub(crate) Arc<Ecs>);

/// Why a handshake is refused: an error type of the protocol, and its text.
struct Refused(StatusCode, &'static str, String);

/// What the agent says of itself in the query.
#[derive(Debug, Default)]
struct Query {
    instance: String,
    capabilities: Vec<String>,
}

impl Raw for Acs {
    fn action(&self) -> Option<&'static str> {
        Some("ecs:Poll")
    }

    fn serve<'a>(&'a self, ctx: Ctx, request: RawRequest) -> BoxFuture<'a, RawResponse> {
        Box::pin(async move {
            match accept(&self.0, &ctx, request).await {
                Ok(response) => response,
                Err(Refused(status, kind, text)) => {
                    tracing::info!(kind, text, "an agent's connection is refused");
                    let body = serde_json::json!({ kind: text }).to_string();
                    let mut response = Response::new(Full::new(Bytes::from(body)));
                    *response.status_mut() = status;
                    let json = HeaderValue::from_static("application/json");
                    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                    response
                }
            }
        })
    }
}

async fn accept(ecs: &Arc<Ecs>, ctx: &Ctx, mut request: RawRequest) -> Result<RawResponse, Refused> {
    let bad = |text: &str| Refused(StatusCode::BAD_REQUEST, "BadRequestException", text.to_owned());
    let path = request.uri().path().strip_prefix(PATH).unwrap_or_default();
    if path.trim_matches('/') != "ws" {
        return Err(Refused(
            StatusCode::NOT_FOUND,
            "BadRequestException",
            "There is only ws here.".to_owned(),
        ));
    }
    let key = websocket_key(request.headers()).ok_or_else(|| bad("This is not a websocket handshake."))?;
    let query = read_query(request.uri().query().unwrap_or_default());
    let record = instance(ecs, ctx, &query).await?;
    let upgrade = hyper::upgrade::on(&mut request);
    let ecs = ecs.clone();
    let capable = query
        .capabilities
        .iter()
        .any(|name| name == roadstead_acs::CAPABILITY_NETWORK_MAP)
        || record
            .attributes
            .contains_key(roadstead_acs::CAPABILITY_NETWORK_MAP);
    tokio::spawn(async move {
        let upgraded = match upgrade.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::info!(%error, "an agent went away during its handshake"),
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        connection::serve(
            ecs,
            record.name,
            record.ec2_instance_id.filter(|_| capable),
            socket,
        )
        .await;
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let answer =
        HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| bad("Unreadable key."))?;
    headers.insert(SEC_WEBSOCKET_ACCEPT, answer);
    Ok(response)
}

async fn instance(ecs: &Ecs, ctx: &Ctx, query: &Query) -> Result<ContainerInstanceRecord, Refused> {
    let invalid = |text: String| Refused(StatusCode::BAD_REQUEST, "InvalidInstanceException", text);
    match find_by_arn(ecs, ctx, &query.instance).await {
        Ok(Some(entry)) if entry.value.is_inactive() => Err(Refused(
            StatusCode::BAD_REQUEST,
            "InactiveInstanceException",
            "The container instance was deregistered.".to_owned(),
        )),
        Ok(Some(entry)) => Ok(entry.value),
        Ok(None) => Err(invalid("There is no such container instance.".to_owned())),
        Err(Error::Store(error)) => {
            tracing::error!(%error, "the store failed an agent's handshake");
            Err(Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "ServerException",
                "Try again.".to_owned(),
            ))
        }
        Err(error) => Err(invalid(error.to_string())),
    }
}

fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let has = |name: HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| {
                value
                    .split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(wanted))
            })
    };
    let whole = has(UPGRADE, "websocket") && has(CONNECTION, "upgrade") && has(SEC_WEBSOCKET_VERSION, "13");
    headers
        .get(SEC_WEBSOCKET_KEY)
        .filter(|_| whole)
        .and_then(|key| key.to_str().ok())
        .map(str::to_owned)
}

/// Versions and hashes are the agent's own business; heartbeats and their answers are kept to whatever protocol
/// version it names.
fn read_query(query: &str) -> Query {
    let mut read = Query::default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "containerInstanceArn" => read.instance = decode(value),
            _ if name == roadstead_acs::CAPABILITY_NETWORK_MAP => read.capabilities.push(name.to_owned()),
            _ => {}
        }
    }
    read
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let hex = (*byte == b'%').then(|| rest.split_at_checked(2)).flatten();
        let hex = hex.and_then(|(hex, tail)| {
            Some((u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?, tail))
        });
        match hex {
            Some((byte, tail)) => {
                bytes.push(byte);
                rest = tail;
            }
            None => bytes.push(if *byte == b'+' { b' ' } else { *byte }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_query_is_read() {
        let uri = "/_roadstead/acs/ws?agentHash=a8b3e7d3&agentVersion=1.105.1&clusterArn=default&containerInstanceArn=\
                   arn%3Aaws%3Aecs%3Aus-east-1%3A123456789012%3Acontainer-instance%2Fdefault%2F0123456789abcdef\
                   &dockerVersion=DockerVersion%3A+20.10.24%2Bdfsg1&protocolVersion=2&sendCredentials=true&seqNum=1";
        let query = read_query(uri.split_once('?').expect("a query").1);
        assert_eq!(
            query.instance,
            "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123456789abcdef"
        );
        assert!(query.capabilities.is_empty());
        assert_eq!(decode("a%2"), "a%2");
    }
}
