//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_cloudwatch::errors as api;
use roadstead_protocol::{ApiError, Value, Wire as _};

use crate::dashboards::body::Message;
use crate::dashboards::put::shown;

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
    #[error("{0}")]
    Limit(String),
    /// `InvalidFormat`
    #[error("{0}")]
    Format(String),
    #[error("Unknown alarm: {0}.")]
    NoSuchAlarm(String),
    /// An ARN that nothing has: `ResourceNotFoundException`.
    #[error("Unknown resource: {0}.")]
    NoSuchResource(String),
    #[error("Dashboard {0} does not exist.")]
    NoSuchDashboard(String),
    #[error("The dashboard body is invalid, there are {} validation errors: {}", .0.len(), first(.0))]
    Dashboard(Vec<Message>),
    /// Others kept changing what this call wanted to change.
    #[error("The same resource is being changed by others; try again.")]
    Contended,
    #[error("reading or writing the records of alarms and dashboards failed")]
    Store(#[from] roadstead_store::Error),
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

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::Validation(message.into())
    }

    pub(crate) fn unsupported(member: impl Into<String>) -> Self {
        Self::Unsupported {
            member: member.into(),
        }
    }
}

fn first(messages: &[Message]) -> String {
    let first = messages.iter().find(|message| message.fatal);
    first.map_or_else(String::new, |first| format!("{} at {}", first.text, first.path))
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
            Error::Limit(_) => api::limit_exceeded_fault(message),
            Error::Format(_) => api::invalid_format_fault(message),
            Error::NoSuchAlarm(_) => api::resource_not_found(message),
            Error::NoSuchDashboard(_) => api::dashboard_not_found_error(message),
            Error::NoSuchResource(arn) => api::resource_not_found_exception(message)
                .with_member("ResourceType", Value::Str("resource".into()))
                .with_member("ResourceId", Value::Str(arn)),
            Error::Dashboard(messages) => {
                let messages: Vec<_> = messages.into_iter().map(shown).collect();
                api::dashboard_invalid_input_error(message)
                    .with_member("dashboardValidationMessages", messages.into_value())
            }
            Error::Contended => api::concurrent_modification_exception(message),
            Error::Store(source) => {
                tracing::error!(error = %source, "the store failed a call of the metrics service");
                api::internal_service_fault(
                    "The service could not read or write its state; see the daemon's log.",
                )
            }
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
            (Error::validation("x"), "ValidationError", 400),
            (Error::Limit("x".into()), "LimitExceeded", 400),
            (Error::Format("x".into()), "InvalidFormat", 400),
            (Error::NoSuchAlarm("x".into()), "ResourceNotFound", 404),
            (
                Error::NoSuchResource("x".into()),
                "ResourceNotFoundException",
                404,
            ),
            (Error::NoSuchDashboard("x".into()), "ResourceNotFound", 404),
            (Error::Dashboard(Vec::new()), "InvalidParameterInput", 400),
            (Error::Contended, "ConcurrentModificationException", 429),
            (
                Error::Store(roadstead_store::Error::Stopped),
                "InternalServiceError",
                500,
            ),
            (Error::Broken("x".into()), "InternalServiceError", 500),
        ] {
            let error = ApiError::from(error);
            assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
        }
    }
}
