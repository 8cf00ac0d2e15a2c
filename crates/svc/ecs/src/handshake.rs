//! What the agents' two channels have in common: a websocket's handshake, the instance it is for, and in what words
//! an agent is turned away.

use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use roadstead_base::Ctx;
use roadstead_dispatch::{RawRequest, RawResponse};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::Ecs;
use crate::error::Error;
use crate::instances::{ContainerInstanceRecord, find_by_arn};

pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Why a handshake is refused: an error type of the protocol, and its text.
pub(crate) struct Refused(StatusCode, &'static str, String);

impl Refused {
    pub(crate) fn bad(text: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, "BadRequestException", text.to_owned())
    }

    pub(crate) fn answer(self) -> RawResponse {
        let Self(status, kind, text) = self;
        tracing::info!(kind, text, "an agent's connection is refused");
        let body = serde_json::json!({ kind: text }).to_string();
        let mut response = Response::new(Full::new(Bytes::from(body)).into());
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        response
    }
}

/// A handshake that is one.
pub(crate) struct Handshake {
    request: RawRequest,
    accept: HeaderValue,
}

impl Handshake {
    /// Of a request to `ws` below `prefix`.
    pub(crate) fn of(request: RawRequest, prefix: &str) -> Result<Self, Refused> {
        let path = request.uri().path().strip_prefix(prefix).unwrap_or_default();
        if path.trim_matches('/') != "ws" {
            return Err(Refused(
                StatusCode::NOT_FOUND,
                "BadRequestException",
                "There is only ws here.".to_owned(),
            ));
        }
        let key = websocket_key(request.headers())
            .ok_or_else(|| Refused::bad("This is not a websocket handshake."))?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
            .map_err(|_| Refused::bad("Unreadable key."))?;
        Ok(Self { request, accept })
    }

    pub(crate) fn uri(&self) -> &http::Uri {
        self.request.uri()
    }

    /// Accepts it; the connection is served by `serve`. Messages are bounded by `most` bytes.
    pub(crate) fn accept<F>(
        mut self,
        most: usize,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> RawResponse
    where
        F: Future<Output = ()> + Send,
    {
        let upgrade = hyper::upgrade::on(&mut self.request);
        tokio::spawn(async move {
            let upgraded = match upgrade.await {
                Ok(upgraded) => upgraded,
                Err(error) => return tracing::info!(%error, "an agent went away during its handshake"),
            };
            let config = WebSocketConfig::default()
                .max_message_size(Some(most))
                .max_frame_size(Some(most));
            let socket =
                WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
            serve(socket).await;
        });
        let mut response = Response::new(Full::default().into());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        response
    }
}

/// The instance that an agent says it is of, if the caller may speak for it.
pub(crate) async fn instance(ecs: &Ecs, ctx: &Ctx, arn: &str) -> Result<ContainerInstanceRecord, Refused> {
    let invalid = |text: String| Refused(StatusCode::BAD_REQUEST, "InvalidInstanceException", text);
    match find_by_arn(ecs, ctx, arn).await {
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

/// The members of a query, decoded.
pub(crate) fn members(query: &str) -> impl Iterator<Item = (&str, String)> {
    query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name, decode(value))
    })
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
    fn members_of_a_query_are_decoded() {
        let found: Vec<_> = members("a=x%3Ay&b=1+2&c=a%2&d").collect();
        let wanted = [("a", "x:y"), ("b", "1 2"), ("c", "a%2"), ("d", "")];
        assert_eq!(found, wanted.map(|(name, value)| (name, value.to_owned())));
    }
}
