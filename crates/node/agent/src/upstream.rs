//! The control plane as the engine sees it: somebody to tell about tasks.

use std::collections::BTreeMap;

use async_trait::async_trait;
use roadstead_acs::RoleCredentials;
use roadstead_api_ecs::{Failure, ProtectedTask};

use crate::api::CallError;
use crate::engine::spec::SecretRef;
use crate::engine::state::Change;

/// A call to the control plane that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Not reached, throttled, or its own fault: worth another try.
    #[error("{0}")]
    Later(String),
    /// It understood and refused: asking again would be refused again.
    #[error("{code}: {message}")]
    Refused { code: String, message: String },
}

impl UpstreamError {
    /// The error code, when the control plane gave one that is final.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Later(_) => None,
            Self::Refused { code, .. } => Some(code),
        }
    }
}

/// An interface's news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub attachment_arn: String,
    /// `ATTACHED`
    pub status: &'static str,
}

/// What is said of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Task(Change),
    Attachments(Vec<Attachment>),
    /// A payload's task that cannot be understood; with the reason.
    Unrecognised(String),
}

/// A call to CloudWatch Logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogCall {
    CreateGroup,
    CreateStream(String),
    /// Events to a stream: milliseconds since 1970 and message, in the order of their times.
    Put(String, Vec<(i64, String)>),
}

/// What is asked about a task's protection from scale-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    Get,
    /// With how long it is to hold; the service's default without.
    Update {
        enabled: bool,
        minutes: Option<i32>,
    },
}

#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// Tells news of a task; `cluster` is its cluster's ARN or name.
    async fn submit(&self, cluster: &str, task_arn: &str, news: &News) -> Result<(), UpstreamError>;

    /// The tags of a resource, for the metadata.
    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, UpstreamError>;

    /// Asks for something about a log group, as the role whose keys these are, else as the node.
    async fn logs(
        &self,
        keys: Option<&RoleCredentials>,
        group: &str,
        call: &LogCall,
    ) -> Result<(), CallError>;

    /// A secret's text: none of a secret that is bytes, nor of a parameter that is not there.
    async fn secret(&self, keys: &RoleCredentials, secret: &SecretRef) -> Result<Option<String>, CallError>;

    /// A task's protection from scale-in, asked for or changed with the keys of its own role; or why it can have none.
    async fn protection(
        &self,
        keys: &RoleCredentials,
        cluster: &str,
        task_arn: &str,
        protection: Protection,
    ) -> Result<Result<ProtectedTask, Failure>, CallError>;

    /// The region of the services that are called.
    fn region(&self) -> &str;
}
