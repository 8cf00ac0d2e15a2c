//! What is run: a version of a function as it was when it was last changed, and one invocation of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roadstead_base::{AccountId, Region};

use crate::host::Host;

/// A version of a function. It never changes: a change of the function makes another with another revision.
#[derive(Clone)]
pub struct Spec {
    /// Unique to the function, version and everything below. Environments are shared by invocations of one revision
    /// and by no others.
    pub revision: String,
    pub account: AccountId,
    pub region: Region,
    pub function: String,
    /// `$LATEST` or a number.
    pub version: String,
    pub package: Package,
    /// The user's variables; the reserved ones (`AWS_LAMBDA_…`, `_HANDLER`, region, credentials, endpoint) are the node's.
    pub environment: BTreeMap<String, String>,
    pub memory_mb: u32,
    /// Of `/tmp`.
    pub tmp_mb: u32,
    /// Of an invocation, initialization not counted.
    pub timeout: Duration,
    pub architecture: Architecture,
    /// Where lines go; told to the code as `AWS_LAMBDA_LOG_GROUP_NAME`.
    pub log_group: String,
    pub host: Arc<dyn Host>,
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Spec({}:{} of {} in {}, revision {}, variables withheld)",
            self.function, self.version, self.account, self.region, self.revision
        )
    }
}

/// Where the code is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Package {
    Zip(Zip),
    Image(Image),
}

/// Archives over a runtime of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zip {
    /// Becomes `/var/task`.
    pub code: Content,
    /// Become `/opt`, later ones over earlier ones.
    pub layers: Vec<Content>,
    /// As the user named it: `python3.9`.
    pub runtime: String,
    pub handler: String,
}

/// An OCI image, which brings its runtime along, and what is said over its own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// From [`ResolvedImage::name`].
    pub name: String,
    /// In place of the image's, unless empty.
    pub entry_point: Vec<String>,
    pub command: Vec<String>,
    pub working_directory: Option<String>,
}

/// What a reference led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImage {
    /// Registry, repository and the digest of the manifest for this machine: `docker.io/library/f@sha256:…`.
    pub name: String,
    /// Bytes of all layers, unpacked.
    pub size: u64,
    /// Whether the image itself says what is to be run.
    pub has_command: bool,
}

/// An unpacked archive. Its folder is named by the archive's digest, complete, and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// SHA-256 of the archive in hexadecimal.
    pub sha256: String,
    /// Holds the archive's files; to be mounted read-only.
    pub folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86_64,
    Arm64,
}

/// One call of a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The same for the retries of an asynchronous invocation.
    pub request_id: String,
    /// With the qualifier that the caller gave, if any.
    pub invoked_arn: String,
    /// JSON, or empty.
    pub payload: Bytes,
    /// JSON, as it reaches the code.
    pub client_context: Option<String>,
    /// Whether the end of what it logged is wanted, which the answer then waits for.
    pub tail: bool,
}
