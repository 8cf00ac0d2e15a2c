//! Where requests come in, and how far each door trusts a stranger.

use std::time::Duration;

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
        Self { body: 8 * 1024 * 1024, read: Duration::from_secs(30), connections: 1024 }
    }
}

/// A socket and its rules.
#[derive(Debug)]
pub struct Listener {
    pub socket: tokio::net::TcpListener,
    pub trust: Trust,
    pub limits: Limits,
}
