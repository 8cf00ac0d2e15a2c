//! One error type for the crate: each message says what was tried, on which container, and what would help.

use std::io;
use std::path::PathBuf;

use crate::ids::{ContainerId, GroupName};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path} was written by a newer version (format {found}, this one knows {known}); use that version"
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{path} is not readable as state: {source}; remove the container to clean up")]
    Corrupt {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("container {id} cannot be made: {member}: {reason}")]
    Invalid {
        id: ContainerId,
        member: &'static str,
        reason: String,
    },
    #[error("container {0} exists already; delete it first")]
    Exists(ContainerId),
    #[error("container {0} runs; it can be made ready again once it has ended")]
    Running(ContainerId),
    #[error("there is no container {0}")]
    NotFound(ContainerId),
    #[error("container {0} is not running")]
    NotRunning(ContainerId),
    #[error("container {id} could not be created: {message}")]
    Create { id: ContainerId, message: String },
    /// The message alone, as people know it: `exec: "/nope": no such file or directory`.
    #[error("{message}")]
    Start { id: ContainerId, message: String },
    #[error("the shim of container {id} {problem}")]
    Shim { id: ContainerId, problem: String },
    #[error("group {group} cannot be changed: {reason}")]
    Group { group: GroupName, reason: String },
    #[error("group {group} still has {containers} containers; delete them first")]
    GroupInUse { group: GroupName, containers: usize },
    #[error("control groups: {0}")]
    Cgroup(String),
    #[error("a worker thread ended early: {0}")]
    Worker(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
