//! A task that cannot start says why in one line, which is often all its owner sees. So the kinds of failure are
//! told apart here, in words close to those that users of the cloud already search for; the agent prefixes them
//! with `CannotPullContainerError: `.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::Digest;

/// Why an image operation failed. Cheap to clone: a pull that several tasks wait for fails for each of them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("invalid reference format: '{reference}': {why}")]
    InvalidReference { reference: String, why: String },
    /// The registry answered and does not have the image.
    #[error(
        "pull image manifest has been retried {retries} time(s): failed to resolve ref {reference}: {reference}: not found"
    )]
    NotFound { reference: String, retries: u32 },
    /// 401 or 403, also what Docker Hub answers for repositories that do not exist.
    #[error(
        "pull access denied for {repository}, repository does not exist or may require authorization: {registry} answered {detail}"
    )]
    Denied {
        repository: String,
        registry: String,
        detail: String,
    },
    /// No connection, or a connection that broke, until the retries were used up.
    #[error("pull has been retried {retries} time(s): failed to do request to {registry}: {detail}")]
    Unreachable {
        registry: String,
        retries: u32,
        detail: String,
    },
    /// The registry was silent for too long, or the whole pull took too long.
    #[error("pull has been retried {retries} time(s): timed out {doing} from {registry} after {seconds} s")]
    TimedOut {
        registry: String,
        retries: u32,
        doing: String,
        seconds: u64,
    },
    /// An answer that is neither the content nor one of the above.
    #[error("pull has been retried {retries} time(s): {registry} answered {status} to {doing}: {detail}")]
    Registry {
        registry: String,
        retries: u32,
        doing: String,
        status: u16,
        detail: String,
    },
    /// A redirect, token service or registry that would carry the request in the clear or in circles.
    #[error("refused to follow {registry} to {target}: {why}")]
    Redirect {
        registry: String,
        target: String,
        why: String,
    },
    #[error("no https to {registry}: {why}; install ca-certificates or name a certificate file")]
    Tls { registry: String, why: String },
    /// Content is not what its name says: damaged on the way, or the registry lies.
    #[error(
        "failed verification of {what}: expected {expected}, got {actual}; pull again, or ask the registry's owner"
    )]
    DigestMismatch {
        what: String,
        expected: Digest,
        actual: String,
    },
    #[error("{reference} has no image for {wanted} (it offers: {offered})")]
    Platform {
        reference: String,
        wanted: String,
        offered: String,
    },
    #[error("{reference} cannot be used: {what} is not supported")]
    Unsupported { reference: String, what: String },
    #[error("manifest or configuration of {reference} is invalid: {why}")]
    BadManifest { reference: String, why: String },
    #[error("failed to register layer {layer}: {why}")]
    BadLayer { layer: String, why: String },
    #[error("{what} is larger than the limit of {limit} {unit}")]
    TooLarge {
        what: String,
        limit: u64,
        unit: &'static str,
    },
    #[error(
        "no room for {what}: the image store holds {used} of the {limit} bytes it may; remove images or raise --image-store-limit"
    )]
    StoreFull { what: String, limit: u64, used: u64 },
    /// The operator's file of credentials.
    #[error("registry credentials {}: {why}", path.display())]
    Credentials { path: PathBuf, why: String },
    #[error("failed to write {}: no space left on device; remove images or give the store more room", path.display())]
    NoSpace { path: PathBuf },
    /// Not in the local store.
    #[error("no such image: {reference}; pull or import it first")]
    NotLocal { reference: String },
    #[error("image {reference} is in use by {owners}; stop what runs from it first")]
    InUse { reference: String, owners: String },
    #[error("image {reference} in the local store is damaged: {why}; pull or import it again")]
    Damaged { reference: String, why: String },
    #[error("cannot import {}: {why}", path.display())]
    BadArchive { path: PathBuf, why: String },
    #[error("image store {}: {why}", path.display())]
    Store { path: PathBuf, why: String },
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An I/O failure on a file; a full disk is told apart, whatever was being done.
    pub(crate) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        if is_full(&source) {
            return Self::NoSpace {
                path: path.to_owned(),
            };
        }
        Self::Io {
            action,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Registry { status, .. } => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        }
    }

    /// Says how often it was tried again.
    pub(crate) fn after_retries(mut self, count: u32) -> Self {
        match &mut self {
            Self::NotFound { retries, .. }
            | Self::Unreachable { retries, .. }
            | Self::TimedOut { retries, .. }
            | Self::Registry { retries, .. } => *retries = count,
            _ => {}
        }
        self
    }
}

/// No blocks, no inodes, or no quota.
pub(crate) fn is_full(error: &io::Error) -> bool {
    let full = [Errno::NOSPC.raw_os_error(), Errno::DQUOT.raw_os_error()];
    error.raw_os_error().is_some_and(|code| full.contains(&code))
}

/// Shorthand for `.map_err(Error::io(..))`.
pub(crate) trait Context<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|error| Error::io(action, path, error))
    }
}
