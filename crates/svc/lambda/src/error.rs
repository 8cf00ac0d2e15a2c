//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_lambda::errors as api;
use roadstead_functions::Error as Sandbox;
use roadstead_protocol::{ApiError, Fault, Value};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Invalid(String),
    /// What the API's constraints forbid, but the model does not say.
    #[error("1 validation error detected: {0}")]
    Constraint(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten.
    #[error("{0} is not supported by Roadstead yet.")]
    Unsupported(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    /// Something of another account, whose policy does not let the caller's in.
    #[error("{0}")]
    Denied(String),
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the {0} API to retrieve the latest Revision Id"
    )]
    Precondition(&'static str),
    #[error("The final policy size is bigger than the limit ({0}).")]
    PolicyTooLong(usize),
    #[error("Code storage limit exceeded.")]
    StorageFull,
    #[error("Request must be smaller than {most} bytes for the {operation} operation")]
    ArchiveTooLarge { most: usize, operation: &'static str },
    #[error("{size} byte payload is too large for the {kind} invocation type (limit {most} bytes)")]
    PayloadTooLarge { size: usize, kind: String, most: usize },
    #[error("Could not parse request body into json: {0}")]
    Payload(String),
    #[error("{0}")]
    ClientContext(&'static str),
    /// Why: `ConcurrentInvocationLimitExceeded`.
    #[error("Rate Exceeded.")]
    Throttled(&'static str),
    #[error("The role defined for the function cannot be assumed by Lambda.")]
    Role,
    #[error(transparent)]
    Sandbox(#[from] Sandbox),
    #[error("The same function is being changed by others; try again.")]
    Contended,
    #[error("{0}")]
    Folder(String),
    #[error("reading or writing the records of functions failed: {0}")]
    Store(String),
}

impl Error {
    pub(crate) fn invalid(words: impl Into<String>) -> Self {
        Self::Invalid(words.into())
    }
}

/// Refuses a member that is present.
pub(crate) fn refuse<T>(member: &str, value: Option<&T>) -> Result<()> {
    match value {
        Some(_) => Err(Error::Unsupported(member.to_owned())),
        None => Ok(()),
    }
}

impl From<roadstead_store::Error> for Error {
    fn from(error: roadstead_store::Error) -> Self {
        match error {
            roadstead_store::Error::Contended { .. } => Self::Contended,
            error => Self::Store(error.to_string()),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let answer = answer(error);
        let kind = match answer.fault() {
            Fault::Client => "User",
            Fault::Server => "Service",
        };
        answer.with_member("Type", Value::Str(kind.to_owned()))
    }
}

fn answer(error: Error) -> ApiError {
    let message = error.to_string();
    let throttled = |message, reason: &str| {
        api::too_many_requests_exception(message).with_member("Reason", Value::Str(reason.to_owned()))
    };
    match error {
        Error::Invalid(_) | Error::Unsupported(_) => api::invalid_parameter_value_exception(message),
        // As the gate answers what the model does say.
        Error::Constraint(_) => ApiError::client("ValidationException", message),
        Error::NotFound(_) => api::resource_not_found_exception(message),
        Error::Conflict(_) | Error::Contended => api::resource_conflict_exception(message),
        Error::Precondition(_) => api::precondition_failed_exception(message),
        Error::PolicyTooLong(_) => api::policy_length_exceeded_exception(message),
        Error::StorageFull => api::code_storage_exceeded_exception(message),
        // In the prose of the quotas alone.
        Error::ArchiveTooLarge { .. } => ApiError::new("RequestEntityTooLargeException", 413, message),
        Error::PayloadTooLarge { .. } => api::request_too_large_exception(message),
        Error::Payload(_) | Error::ClientContext(_) => api::invalid_request_content_exception(message),
        Error::Throttled(reason) => throttled(message, reason),
        Error::Denied(_) | Error::Role | Error::Sandbox(Sandbox::Host(_)) => {
            ApiError::new("AccessDeniedException", 403, message)
        }
        Error::Sandbox(Sandbox::NoRuntime { .. }) => api::invalid_runtime_exception(message),
        Error::Sandbox(Sandbox::NoImage { .. }) => api::resource_conflict_exception(format!(
            "The operation cannot be performed at this time: {message}"
        )),
        Error::Sandbox(Sandbox::NoRoom(_)) => throttled(message, "ConcurrentInvocationLimitExceeded"),
        Error::Sandbox(Sandbox::Failed(_)) => api::service_exception(message),
        Error::Folder(_) | Error::Store(_) => {
            tracing::error!(error = %message, "a call of the functions service failed");
            api::service_exception("The service could not read or write its state; see the daemon's log.")
        }
    }
}
