//! gRPC over one HTTP/2 connection, as far as a client of etcd needs it: one message out, one or many in. What
//! matters here is to know, of a call that failed, whether the server may have seen it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::etcd::endpoint::Endpoint;
use crate::etcd::tls::Connector;

/// One answer may have at most so many bytes; reads are paged far below it.
const MAX_MESSAGE: usize = 1 << 30;
/// What the server may send ahead of being read, for a call and for all of a connection's calls.
const WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// How long a member may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// A method's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Method(pub(super) &'static str);

pub(super) const RANGE: Method = Method("/etcdserverpb.KV/Range");
pub(super) const TXN: Method = Method("/etcdserverpb.KV/Txn");
pub(super) const COMPACT: Method = Method("/etcdserverpb.KV/Compact");
pub(super) const WATCH: Method = Method("/etcdserverpb.Watch/Watch");
pub(super) const LEASE_GRANT: Method = Method("/etcdserverpb.Lease/LeaseGrant");
pub(super) const LEASE_REVOKE: Method = Method("/etcdserverpb.Lease/LeaseRevoke");
pub(super) const LEASE_KEEP_ALIVE: Method = Method("/etcdserverpb.Lease/LeaseKeepAlive");
pub(super) const LEASE_STATUS: Method = Method("/etcdserverpb.Lease/LeaseTimeToLive");
pub(super) const LEASES: Method = Method("/etcdserverpb.Lease/LeaseLeases");
pub(super) const STATUS: Method = Method("/etcdserverpb.Maintenance/Status");

/// What the server said of a call that it did not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (gRPC status {code})")]
pub(super) struct Status {
    pub(super) code: u32,
    pub(super) message: String,
}

/// Why a call has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    /// The server cannot have seen it.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The server refused it, with these words.
    #[error(transparent)]
    Refused(Status),
    /// The connection ended, or the answer made no sense: the server may have served it.
    #[error("no answer: {0}")]
    Lost(String),
}

fn lost(error: impl std::error::Error) -> Fault {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Fault::Lost(text)
}

/// One connection. Clones share it; it ends when the last is dropped.
#[derive(Clone)]
pub(super) struct Connection {
    send: SendRequest<Full<Bytes>>,
    origin: String,
    driver: Arc<Driver>,
}

struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    /// A connection over which a member has answered, and has a leader: one that stands still accepts
    /// connections too, and what is sent there meets an unknown fate.
    pub(super) async fn open(endpoint: &Endpoint, tls: Option<&Connector>) -> Result<Self, Fault> {
        let opened = tokio::time::timeout(CONNECT, async {
            let connection = Self::dial(endpoint, tls).await?;
            let answered = connection.call(STATUS, &Bytes::new()).await;
            answered.map(|_| connection).map_err(|fault| fault.to_string())
        });
        let opened = opened.await;
        let opened = opened.unwrap_or_else(|_| Err(format!("no connection within {CONNECT:?}")));
        opened.map_err(|problem| Fault::NotSent(format!("{endpoint}: {problem}")))
    }

    async fn dial(endpoint: &Endpoint, tls: Option<&Connector>) -> Result<Self, String> {
        let socket = TcpStream::connect((endpoint.host.as_str(), endpoint.port))
            .await
            .map_err(|error| error.to_string())?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        match tls {
            Some(tls) => {
                let socket = tls.secure(endpoint, socket).await?;
                Self::speak(socket, format!("https://{endpoint}")).await
            }
            None => Self::speak(socket, format!("http://{endpoint}")).await,
        }
    }

    async fn speak(
        socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        origin: String,
    ) -> Result<Self, String> {
        let (send, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|error| error.to_string())?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to etcd ended");
            }
        });
        Ok(Self {
            send,
            origin,
            driver: Arc::new(Driver(driver)),
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.send.is_closed()
    }

    pub(super) fn is(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver)
    }

    /// Sends one message and begins to read the answer.
    async fn send(&self, method: Method, message: &Bytes) -> Result<Answer, Fault> {
        let mut send = self.send.clone();
        send.ready()
            .await
            .map_err(|error| Fault::NotSent(error.to_string()))?;
        let request = Request::post(format!("{}{}", self.origin, method.0))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            // A member that has no leader says so at once, and ends its watches, instead of waiting for one.
            .header("hasleader", "true")
            .body(Full::new(framed(message)))
            .map_err(|error| Fault::NotSent(error.to_string()))?;
        let response = send.try_send_request(request).await.map_err(|mut failed| {
            // Whoever gets the request back has not sent it.
            match failed.take_message() {
                Some(_) => Fault::NotSent(failed.error().to_string()),
                None => lost(failed.into_error()),
            }
        })?;
        if response.status() != 200 {
            return Err(Fault::Lost(format!("HTTP status {}", response.status())));
        }
        if let Some(status) = status_in(response.headers()) {
            status?; // an answer of headers alone
        }
        Ok(Answer {
            body: response.into_body(),
            buffer: BytesMut::new(),
            _connection: self.clone(),
        })
    }

    /// One message out, the first that comes in; not bounded in time.
    pub(super) async fn call(&self, method: Method, message: &Bytes) -> Result<Bytes, Fault> {
        let mut answer = self.send(method, message).await?;
        let first = answer.next().await?;
        let first = first.ok_or_else(|| Fault::Lost("the answer is empty".into()))?;
        if method != LEASE_KEEP_ALIVE && answer.next().await?.is_some() {
            return Err(Fault::Lost("the answer has more than one message".into()));
        }
        Ok(first)
    }

    /// One message out, many in.
    pub(super) async fn stream(&self, method: Method, message: &Bytes) -> Result<Answer, Fault> {
        self.send(method, message).await
    }
}

/// Flag (not compressed), length, message.
fn framed(message: &Bytes) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.extend_from_slice(&[0]);
    // Messages are within a transaction's limit, far below 4 GiB.
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame.freeze()
}

/// What the server sends, message by message.
pub(super) struct Answer {
    body: Incoming,
    buffer: BytesMut,
    // The connection lives as long as what is read from it.
    _connection: Connection,
}

impl Answer {
    /// The next message; none when the server ended the call well. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if let Some(message) = unframed(&mut self.buffer)? {
                return Ok(Some(message));
            }
            let Some(frame) = self.body.frame().await else {
                return Err(Fault::Lost("the answer ended without a status".into()));
            };
            match frame.map_err(lost)?.into_data() {
                Ok(data) => self.buffer.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return match status_in(&trailers) {
                        Some(Ok(())) => Ok(None),
                        Some(Err(refused)) => Err(refused),
                        None => Err(Fault::Lost("the answer ended without a status".into())),
                    };
                }
            }
        }
    }
}

fn unframed(buffer: &mut BytesMut) -> Result<Option<Bytes>, Fault> {
    let Some((head, rest)) = buffer.split_first_chunk::<5>() else {
        return Ok(None);
    };
    let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if head[0] != 0 {
        return Err(Fault::Lost(
            "the answer is compressed, which was not asked for".into(),
        ));
    }
    if len > MAX_MESSAGE {
        return Err(Fault::Lost(format!("the answer has a message of {len} bytes")));
    }
    if rest.len() < len {
        return Ok(None);
    }
    buffer.advance(5);
    Ok(Some(buffer.split_to(len).freeze()))
}

fn status_in(headers: &HeaderMap) -> Option<Result<(), Fault>> {
    let code = headers.get("grpc-status")?;
    let code = code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(2);
    if code == 0 {
        return Some(Ok(()));
    }
    let message = headers
        .get("grpc-message")
        .map(|text| text.as_bytes())
        .unwrap_or_default();
    Some(Err(Fault::Refused(Status {
        code,
        message: unescaped(message),
    })))
}

/// Percent-decoding, as gRPC wants its messages.
fn unescaped(text: &[u8]) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((byte, tail)) = rest.split_first() {
        let hex = (*byte == b'%').then(|| tail.split_at_checked(2)).flatten();
        let decoded = hex.and_then(|(hex, tail)| {
            Some((u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?, tail))
        });
        let (byte, tail) = decoded.unwrap_or((*byte, tail));
        out.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_whole_or_not_yet() {
        let frame = framed(&Bytes::from_static(b"hello"));
        assert_eq!(frame.as_ref(), b"\0\0\0\0\x05hello");
        let mut buffer = BytesMut::new();
        for (at, byte) in frame.iter().enumerate() {
            assert!(unframed(&mut buffer).unwrap().is_none(), "after {at} bytes");
            buffer.extend_from_slice(&[*byte]);
        }
        buffer.extend_from_slice(b"\0\0");
        assert_eq!(unframed(&mut buffer).unwrap().unwrap().as_ref(), b"hello");
        assert_eq!((unframed(&mut buffer).unwrap(), buffer.len()), (None, 2));
        assert!(unframed(&mut BytesMut::from(&b"\x01\0\0\0\0"[..])).is_err());
        assert!(unframed(&mut BytesMut::from(&b"\0\xff\xff\xff\xff"[..])).is_err());
    }

    #[test]
    fn statuses_are_read_from_headers() {
        let status = |code: &str, message: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", code.parse().unwrap());
            headers.insert("grpc-message", message.parse().unwrap());
            status_in(&headers).unwrap()
        };
        assert!(status("0", "").is_ok());
        let Err(Fault::Refused(refused)) = status("14", "no%20leader%2c 100%") else {
            panic!("a refusal")
        };
        assert_eq!((refused.code, refused.message.as_str()), (14, "no leader, 100%"));
        assert!(matches!(
            status("x", ""),
            Err(Fault::Refused(Status { code: 2, .. }))
        ));
        assert!(status_in(&HeaderMap::new()).is_none());
    }
}
