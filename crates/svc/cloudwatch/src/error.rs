//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_cloudwatch::errors as api;
use roadstead_protocol::ApiError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `InvalidParameterValue`
    #[error("{0}")]
    Value(String),
    /// `InvalidParameterCombination`
    #[error("{0}")]
    Combination(String),
    /// `MissingParameter`
    #[error("{0}")]
    MissingParameter(String),
    /// `ValidationError`: an expression is none, or means nothing.
    #[error("{0}")]
    Validation(String),
    #[error("The next token specified is invalid.")]
    NextToken,
    /// The member is valid and has no effect here, so it is refused instead of forgotten: `InvalidParameterValue`.
    #[error("{member} is not supported by Roadstead yet.")]
    Unsupported { member: String },
    #[error("reading or writing samples failed")]
    Volume(#[from] roadstead_volume::Error),
    /// What lies in the volume is not what was put there.
    #[error("{0}")]
    Broken(String),
}

impl Error {
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::Value(message.into())
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
            Error::Value(_) | Error::Unsupported { .. } => api::invalid_parameter_value_exception(message),
            Error::Combination(_) => api::invalid_parameter_combination_exception(message),
            Error::MissingParameter(_) => api::missing_required_parameter_exception(message),
            Error::Validation(_) => ApiError::client("ValidationError", message),
            Error::NextToken => api::invalid_next_token(message),
            Error::Volume(_) | Error::Broken(_) => {
                tracing::error!(error = %message, "a call of the metrics service failed");
                api::internal_service_fault(
                    "The service could not read or write its samples; see the daemon's log.",
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_code_and_status() {
        for (error, code, status) in [
            (Error::value("x"), "InvalidParameterValue", 400),
            (Error::unsupported("x"), "InvalidParameterValue", 400),
            (Error::Combination("x".into()), "InvalidParameterCombination", 400),
            (Error::MissingParameter("x".into()), "MissingParameter", 400),
            (Error::Validation("x".into()), "ValidationError", 400),
            (Error::NextToken, "InvalidNextToken", 400),
            (Error::Broken("x".into()), "InternalServiceError", 500),
        ] {
            let error = ApiError::from(error);
            assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
        }
    }
}
