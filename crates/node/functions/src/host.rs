//! What an execution environment asks of the service that owns its function, for as long as it lives.

use std::fmt;

use roadstead_base::Timestamp;

use crate::BoxFuture;
use crate::spec::Spec;

/// The service, as an environment sees it.
pub trait Host: Send + Sync + 'static {
    /// Fresh keys of the function's role: for a new environment, and whenever one wants to renew them before they expire.
    fn credentials<'a>(&'a self, spec: &'a Spec) -> BoxFuture<'a, Result<Credentials, HostError>>;

    /// Takes lines in the order they were written; an environment has one stream and waits for the answer before its
    /// next lines, which bounds what a function that prints much can pile up. What the role may not write is dropped
    /// there, as documented.
    fn log<'a>(&'a self, spec: &'a Spec, stream: &'a str, lines: Vec<LogLine>) -> BoxFuture<'a, ()>;
}

/// A line of an environment's log stream: of the code, or START, END and REPORT (see [`crate::lines`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub message: String,
}

/// Keys of a session of the function's role.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key: String,
    pub secret: String,
    pub token: String,
    pub expires: Timestamp,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, secret withheld)", self.access_key)
    }
}

/// The role cannot be assumed (any more).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);
