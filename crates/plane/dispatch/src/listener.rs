//! Where requests come in, and how far each door trusts a stranger.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::dispatcher::Dispatcher;

/// After a failed accept, as when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_secs(5);

/// What an unknown key is on a listener. The right belongs to the listener, never to a peer's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The account's root, as local tools expect; a 12-digit key names the account. Requests with a foreign
    /// `Host` or an `Origin` are refused, so that no web page can use it.
    UnknownIsRoot,
    /// Refused.
    IssuedOnly,
}

/// Bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request body.
    pub body: usize,
    /// For the head and for the body, each.
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
            let dispatcher = dispatcher.clone();
            let service = hyper::service::service_fn(move |request| {
                let dispatcher = dispatcher.clone();
                async move { Ok::<_, Infallible>(dispatcher.answer(request, trust, limits).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.read)
                .max_buf_size(64 * 1024)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            let mut stop = stop.clone();
            running.spawn(async move {
                let mut connection = std::pin::pin!(connection);
                let ended = tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = stopped(&mut stop) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
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
