//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_logs::errors as api;
use roadstead_protocol::{ApiError, Value};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `InvalidParameterException`
    #[error("{0}")]
    Invalid(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten: `InvalidParameterException`.
    #[error("{member} is not supported by Roadstead yet.")]
    Unsupported { member: String },
    #[error("The specified log group does not exist.")]
    NoSuchGroup,
    #[error("The specified log stream does not exist.")]
    NoSuchStream,
    #[error("The specified metric filter does not exist.")]
    NoSuchFilter,
    #[error("The specified subscription filter does not exist.")]
    NoSuchSubscription,
    #[error("Log group '{0}' does not exist.")]
    NoGroupNamed(String),
    #[error("The specified query does not exist.")]
    NoSuchQuery,
    #[error("The specified query definition does not exist.")]
    NoSuchDefinition,
    #[error("The specified resource policy does not exist.")]
    NoSuchPolicy,
    #[error("The specified log record does not exist.")]
    NoSuchRecord,
    /// `MalformedQueryException`, with the place of the fault.
    #[error("{0}")]
    Malformed(roadstead_log_insights::Fault),
    #[error("The specified log group already exists")]
    GroupExists,
    #[error("The specified log stream already exists")]
    StreamExists,
    #[error("{0}")]
    Limit(String),
    /// `TooManyTagsException`, which only `TagResource` has.
    #[error("A resource can have at most 50 tags.")]
    TooManyTags { resource: String },
    #[error("A conflicting operation is currently in progress against this resource. Please try again.")]
    Contended,
    #[error("The log group is protected from deletion.")]
    Protected,
    #[error("reading or writing the records of the logs service failed")]
    Store(#[from] roadstead_store::Error),
    #[error("reading or writing log lines failed")]
    Volume(#[from] roadstead_volume::Error),
    /// What lies in the volume is not what was put there.
    #[error("{0}")]
    Broken(String),
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn unsupported(member: impl Into<String>) -> Self {
        Self::Unsupported {
            member: member.into(),
        }
    }
}

/// Refuses a member that is present.
pub(crate) fn refuse<T>(member: &str, value: Option<&T>) -> Result<()> {
    match value {
        Some(_) => Err(Error::unsupported(member)),
        None => Ok(()),
    }
}

/// Refuses a flag that is set; off is what there is.
pub(crate) fn refuse_set(member: &str, value: Option<bool>) -> Result<()> {
    match value {
        Some(true) => Err(Error::unsupported(member)),
        _ => Ok(()),
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Invalid(_) | Error::Unsupported { .. } => api::invalid_parameter_exception(message),
            Error::NoSuchGroup
            | Error::NoSuchStream
            | Error::NoSuchFilter
            | Error::NoSuchSubscription
            | Error::NoGroupNamed(_)
            | Error::NoSuchQuery
            | Error::NoSuchDefinition
            | Error::NoSuchPolicy
            | Error::NoSuchRecord => api::resource_not_found_exception(message),
            Error::Malformed(fault) => malformed(&fault),
            Error::GroupExists | Error::StreamExists => api::resource_already_exists_exception(message),
            Error::Limit(_) => api::limit_exceeded_exception(message),
            Error::TooManyTags { resource } => {
                api::too_many_tags_exception(message).with_member("resourceName", Value::Str(resource))
            }
            Error::Contended => api::operation_aborted_exception(message),
            Error::Protected => api::validation_exception(message),
            Error::Store(_) | Error::Volume(_) | Error::Broken(_) => {
                tracing::error!(error = %roadstead_reason(&error), "a call of the logs service failed");
                api::service_unavailable_exception(
                    "The service could not read or write its state; see the daemon's log.",
                )
            }
        }
    }
}

/// A query that cannot be, with the place in it.
fn malformed(fault: &roadstead_log_insights::Fault) -> ApiError {
    let number = |at: usize| Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
    let location = Value::Map(vec![
        ("startCharOffset".into(), number(fault.start)),
        ("endCharOffset".into(), number(fault.end)),
    ]);
    let error = Value::Map(vec![
        ("location".into(), location),
        ("message".into(), Value::Str(fault.message.clone())),
    ]);
    api::malformed_query_exception(format!("{} ([{}, {}])", fault.message, fault.start, fault.end))
        .with_member("queryCompileError", error)
}

/// An error with its causes.
fn roadstead_reason(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", roadstead_reason(cause)),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_code_and_status() {
        for (error, code, status) in [
            (Error::invalid("x"), "InvalidParameterException", 400),
            (Error::unsupported("x"), "InvalidParameterException", 400),
            (Error::NoSuchGroup, "ResourceNotFoundException", 400),
            (Error::NoSuchStream, "ResourceNotFoundException", 400),
            (Error::GroupExists, "ResourceAlreadyExistsException", 400),
            (Error::StreamExists, "ResourceAlreadyExistsException", 400),
            (Error::Limit("x".into()), "LimitExceededException", 400),
            (Error::NoGroupNamed("x".into()), "ResourceNotFoundException", 400),
            (Error::NoSuchSubscription, "ResourceNotFoundException", 400),
            (Error::NoSuchQuery, "ResourceNotFoundException", 400),
            (Error::NoSuchDefinition, "ResourceNotFoundException", 400),
            (Error::NoSuchPolicy, "ResourceNotFoundException", 400),
            (Error::NoSuchRecord, "ResourceNotFoundException", 400),
            (Error::Contended, "OperationAbortedException", 400),
            (Error::Protected, "ValidationException", 400),
            (Error::Broken("x".into()), "ServiceUnavailableException", 500),
        ] {
            let error = ApiError::from(error);
            assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
        }
    }
}
