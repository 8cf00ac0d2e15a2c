//! Where requests come in, and how far each door trusts a stranger.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::body::MEMORY;
use crate::connection::connection;
use crate::dispatcher::Dispatcher;
use crate::http_front::Door;
use crate::tls::Security;

/// After a failed accept, as when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

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
    /// For the handshake, the head and the body, each; for a write of the answer that the client does not
    /// take; and for a connection without a request.
    pub read: Duration,
    /// Connections at once, of this listener; further ones wait in the kernel's queue until one ends, and none
    /// may be idle for longer than `read`.
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
    pub security: Security,
}

impl Listener {
    /// Serves until `stop` turns true, then lets running requests finish for at most five seconds.
    pub async fn serve(self, dispatcher: Arc<Dispatcher>, mut stop: watch::Receiver<bool>) {
        let Self {
            socket,
            trust,
            limits,
            security,
        } = self;
        let door = Door {
            trust,
            limits,
            security,
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

/// Also when nobody is left to say so.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
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
