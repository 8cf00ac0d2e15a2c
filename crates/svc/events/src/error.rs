//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_events::errors as api;
use roadstead_patterns::Fault;
use roadstead_protocol::ApiError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A member has a value it cannot have: `ValidationException`.
    #[error("{0}")]
    Invalid(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten: `ValidationException`.
    #[error("{member} is not supported by Roadstead yet.")]
    Unsupported { member: String },
    #[error("Event pattern is not valid. Reason: {0}")]
    Pattern(#[from] Fault),
    #[error("Rule {rule} does not exist on EventBus {bus}.")]
    NoSuchRule { rule: String, bus: String },
    #[error("Event bus {0} does not exist.")]
    NoSuchBus(String),
    #[error("{0}")]
    NotFound(String),
    #[error("Event bus {0} already exists.")]
    BusExists(String),
    #[error("Policy size would be larger than the maximum allowed.")]
    PolicyTooLong,
    #[error("{0}")]
    Limit(String),
    /// Others kept changing what this call wanted to change.
    #[error("The same resource is being changed by others; try again.")]
    Contended,
    #[error("reading or writing the records of the events service failed")]
    Store(#[from] roadstead_store::Error),
    /// Another service refused what this call needed of it.
    #[error(transparent)]
    Other(#[from] ApiError),
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

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            // The model does not list it, but every operation answers it.
            Error::Invalid(_) | Error::Unsupported { .. } => ApiError::client("ValidationException", message),
            Error::Pattern(_) => api::invalid_event_pattern_exception(message),
            Error::NoSuchRule { .. } | Error::NoSuchBus(_) | Error::NotFound(_) => {
                api::resource_not_found_exception(message)
            }
            Error::BusExists(_) => api::resource_already_exists_exception(message),
            Error::PolicyTooLong => api::policy_length_exceeded_exception(message),
            Error::Limit(_) => api::limit_exceeded_exception(message),
            Error::Contended => api::concurrent_modification_exception(message),
            Error::Store(source) => {
                tracing::error!(error = %source, "the store failed a call of the events service");
                api::internal_exception(
                    "The service could not read or write its state; see the daemon's log.",
                )
            }
            Error::Other(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_code_and_status() {
        let fault = "[]"
            .parse::<roadstead_patterns::Pattern>()
            .expect_err("no pattern");
        for (error, code, status) in [
            (Error::invalid("x"), "ValidationException", 400),
            (Error::unsupported("x"), "ValidationException", 400),
            (Error::Pattern(fault), "InvalidEventPatternException", 400),
            (Error::NoSuchBus("b".into()), "ResourceNotFoundException", 400),
            (
                Error::BusExists("b".into()),
                "ResourceAlreadyExistsException",
                400,
            ),
            (Error::PolicyTooLong, "PolicyLengthExceededException", 400),
            (Error::Limit("l".into()), "LimitExceededException", 400),
            (Error::Contended, "ConcurrentModificationException", 400),
            (
                Error::Store(roadstead_store::Error::Stopped),
                "InternalException",
                500,
            ),
        ] {
            let error = ApiError::from(error);
            assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
        }
    }
}
