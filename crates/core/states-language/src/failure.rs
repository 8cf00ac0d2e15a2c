//! Why a state failed: an error name, which retriers and catchers look at, and its cause.

use serde::{Deserialize, Serialize};

/// The reserved error names (states-language.net, "Appendix A").
pub mod names {
    /// Stands for every error but the terminal ones.
    pub const ALL: &str = "States.ALL";
    /// A task did not heartbeat in time.
    pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
    /// A task or an execution ran too long.
    pub const TIMEOUT: &str = "States.Timeout";
    /// In a retrier or catcher: every error but a timeout.
    pub const TASK_FAILED: &str = "States.TaskFailed";
    /// The role does not allow what the task wanted.
    pub const PERMISSIONS: &str = "States.Permissions";
    /// A result has no place in the input.
    pub const RESULT_PATH: &str = "States.ResultPathMatchFailure";
    /// A path that names one place leads nowhere.
    pub const REFERENCE_PATH: &str = "States.ReferencePathConflict";
    /// No rule of a choice applies.
    pub const NO_CHOICE: &str = "States.NoChoiceMatched";
    /// An intrinsic function could not do it.
    pub const INTRINSIC: &str = "States.IntrinsicFailure";
    /// A JSONata expression failed, or gave what its field has no use for.
    pub const QUERY: &str = "States.QueryEvaluationError";
    /// A branch failed without an error of its own.
    pub const BRANCH: &str = "States.BranchFailed";
    /// Data are larger than 256 KiB.
    pub const DATA_LIMIT: &str = "States.DataLimitExceeded";
    /// The state cannot go on, whatever it tries.
    pub const RUNTIME: &str = "States.Runtime";
}

/// An error and its cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The name that retriers and catchers compare.
    pub error: String,
    /// What happened, for people.
    pub cause: String,
    /// The field whose evaluation failed, if one did: what `EvaluationFailed` tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl Failure {
    /// An error of that name.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Failure {
        Failure {
            error: error.into(),
            cause: cause.into(),
            location: None,
        }
    }

    pub(crate) fn runtime(cause: impl Into<String>) -> Failure {
        Failure::new(names::RUNTIME, cause)
    }

    pub(crate) fn query(field: &str, cause: impl Into<String>) -> Failure {
        Failure {
            location: Some(field.to_owned()),
            ..Failure::new(names::QUERY, cause)
        }
    }

    /// Whether a retrier or catcher that lists `listed` means this error ("Error handling in Step Functions workflows").
    pub fn is_meant_by(&self, listed: &str) -> bool {
        match listed {
            names::ALL => self.error != names::RUNTIME && self.error != names::DATA_LIMIT,
            _ if self.error == names::RUNTIME => false,
            names::TASK_FAILED => !matches!(
                self.error.as_str(),
                names::TIMEOUT | names::HEARTBEAT_TIMEOUT | names::DATA_LIMIT
            ),
            names::TIMEOUT => matches!(self.error.as_str(), names::TIMEOUT | names::HEARTBEAT_TIMEOUT),
            _ => listed == self.error,
        }
    }
}
