//! Where requests come in, and how far each door trusts a stranger.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::body::MEMORY;
use crate::dispatcher::Dispatcher;
use crate::http_front::Door;
use crate::steady::{Steady, speaks_http2};

/// After a failed accept, as when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 64;

/// What an unknown key is on a listener. The right belongs to the listener, never to a peer's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The account's root, as local tools expect; a 12-digit key names the account. Requests with a foreign
    /// `Host` or an `Origin` are refused, so that no web page can use it.
    UnknownIsRoot,
    /// The account's root too, under whatever name the listener is reached; the operator opened it.
    Opened,
    /// Refused.
    IssuedOnly,
}

/// Bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// For the head and for the body, each; and for a write of the answer that the client does not take.
    pub read: Duration,
    /// Connections at once; further ones wait.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 * 1024 * 1024,
            read: Duration::from_secs(30),
            connections: 1024,
        }
    }
}

/// A socket and its rules.
#[derive(Debug)]
pub struct Listener {
    pub socket: tokio::net::TcpListener,
    pub trust: Trust,
    pub limits: Limits,
}

impl Listener {
    /// Serves until `stop` turns true, then lets running requests finish for at most five seconds.
    pub async fn serve(self, dispatcher: Arc<Dispatcher>, mut stop: watch::Receiver<bool>) {
        let Self {
            socket,
            trust,
            limits,
        } = self;
        let door = Door {
            trust,
            limits,
            memory: Arc::new(Semaphore::new(MEMORY)),
            peer: None,
        };
        let places = Arc::new(Semaphore::new(limits.connections));
        let mut running = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = accept(&socket, &places) => accepted,
            };
            let (stream, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let peer = stream.peer_addr().ok().map(|address| address.ip());
            let (dispatcher, door, stop) = (dispatcher.clone(), Door { peer, ..door.clone() }, stop.clone());
            running.spawn(async move {
                if let Err(error) = connection(stream, dispatcher, door, stop).await {
                    tracing::debug!(error, "a connection ended early");
                }
                drop(place);
            });
            while running.try_join_next().is_some() {}
        }
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::warn!("requests were still running five seconds after the stop");
        }
    }
}

/// Serves one connection until it ends, or until the stop, and then what runs.
async fn connection(
    stream: TcpStream,
    dispatcher: Arc<Dispatcher>,
    door: Door,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let patience = door.limits.read;
    let http2 = tokio::select! {
        () = stopped(&mut stop) => return Ok(()),
        found = speaks_http2(&stream, patience) => found.map_err(|error| error.to_string())?,
    };
    let io = TokioIo::new(Steady::new(stream, patience));
    let service = hyper::service::service_fn(move |request| {
        let (dispatcher, door) = (dispatcher.clone(), door.clone());
        async move { Ok::<_, Infallible>(dispatcher.answer(request, &door).await) }
    });
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

/// Also when nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(
    socket: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, OwnedSemaphorePermit)> {
    let place = places
        .clone()
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, _) = socket.accept().await?;
    Ok((stream, place))
}
