//! One connection: which protocol it speaks, and how long it may take, stand still, and stay.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::dispatcher::{Dispatcher, RawRequest};
use crate::http_front::Door;
use crate::listener::{MAX_HEAD, stopped};
use crate::steady::{Opening, Steady, opening};
use crate::tls::{Security, Tls};

/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 64;
const WANTS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 46\r\n\
    Connection: close\r\n\r\nThis address speaks TLS: use an https:// URL.\n";

/// How a request came; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) tls: bool,
}

impl Way {
    pub(crate) fn scheme(self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

type Stop = watch::Receiver<bool>;

/// Serves one connection until it ends, or until the stop, and then what runs.
pub(crate) async fn connection(
    stream: TcpStream,
    dispatcher: Arc<Dispatcher>,
    door: Door,
    mut stop: Stop,
) -> Result<(), String> {
    let patience = door.limits.read;
    let found = tokio::select! {
        () = stopped(&mut stop) => return Ok(()),
        found = opening(&stream, patience) => found.map_err(|error| error.to_string())?,
    };
    let mut steady = Steady::new(stream, patience);
    match (found, door.security.clone()) {
        (Opening::Tls, Security::Tls(tls) | Security::Either(tls)) => {
            let (stream, http2) = tokio::select! {
                () = stopped(&mut stop) => return Ok(()),
                done = shake(&tls, steady, patience) => done?,
            };
            serve(stream, http2, Way { tls: true }, dispatcher, door, stop).await
        }
        (_, Security::Tls(_)) => {
            let said = steady.write_all(WANTS_TLS).await;
            said.map_err(|error| error.to_string())?;
            steady.shutdown().await.map_err(|error| error.to_string())
        }
        (found, _) => {
            serve(
                steady,
                found == Opening::Http2,
                Way { tls: false },
                dispatcher,
                door,
                stop,
            )
            .await
        }
    }
}

/// The handshake, and whether it agreed on HTTP/2.
async fn shake(
    tls: &Tls,
    stream: Steady,
    patience: Duration,
) -> Result<(tokio_rustls::server::TlsStream<Steady>, bool), String> {
    let stream = tokio::time::timeout(patience, tls.accept(stream))
        .await
        .map_err(|_| "the handshake took too long".to_owned())?
        .map_err(|error| error.to_string())?;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((stream, http2))
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    http2: bool,
    way: Way,
    dispatcher: Arc<Dispatcher>,
    door: Door,
    mut stop: Stop,
) -> Result<(), String> {
    let patience = door.limits.read;
    let (busy, idle) = watch::channel(0_usize);
    let service = hyper::service::service_fn(move |mut request: RawRequest| {
        let (dispatcher, door, work) = (dispatcher.clone(), door.clone(), Work::begin(&busy));
        request.extensions_mut().insert(way);
        async move {
            let answer = dispatcher.answer(request, &door).await;
            drop(work);
            Ok::<_, Infallible>(answer)
        }
    });
    let io = TokioIo::new(stream);
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD as u32)
            .keep_alive_interval(patience)
            .keep_alive_timeout(patience);
        let mut connection = std::pin::pin!(builder.serve_connection(io, service));
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(|error| error.to_string()),
            () = unused(idle, patience) => connection.as_mut().graceful_shutdown(),
            () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        return connection.await.map_err(|error| error.to_string());
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(MAX_HEAD)
        .serve_connection(io, service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(|error| error.to_string()),
        () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    connection.await.map_err(|error| error.to_string())
}

/// A request that is being answered.
struct Work(watch::Sender<usize>);

impl Work {
    fn begin(busy: &watch::Sender<usize>) -> Self {
        busy.send_modify(|count| *count += 1);
        Self(busy.clone())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// Until there has been no request for that long. In HTTP/1 the wait for the next head says it; in HTTP/2 a
/// client that answers pings would keep its place for ever.
async fn unused(mut busy: watch::Receiver<usize>, patience: Duration) {
    loop {
        if busy.wait_for(|count| *count == 0).await.is_err() {
            return;
        }
        match tokio::time::timeout(patience, busy.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
