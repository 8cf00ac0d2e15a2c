//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_sqs::errors as api;
use roadstead_protocol::ApiError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("The specified queue does not exist.")]
    NoSuchQueue,
    #[error("The address {0} is not valid for this endpoint.")]
    Address(String),
    /// `InvalidParameterValue`
    #[error("{0}")]
    Value(String),
    #[error("The request must contain the parameter {0}.")]
    Missing(String),
    #[error("Unknown Attribute {0}.")]
    AttributeName(String),
    #[error("Invalid value for the parameter {0}.")]
    AttributeValue(String),
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF."
    )]
    Contents,
    #[error("The input receipt handle is invalid.")]
    ReceiptHandle,
    #[error("The specified message isn't in flight.")]
    NotInFlight,
    #[error("There should be at least one {0} in the request.")]
    EmptyBatch(&'static str),
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntries(usize),
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    EntryId,
    #[error("Id {0} repeated.")]
    RepeatedId(String),
    #[error("Batch requests cannot be longer than {most} bytes. You have sent {sent} bytes.")]
    BatchTooLong { most: usize, sent: usize },
    #[error("A queue already exists with the same name and a different value for {0}")]
    NameExists(String),
    #[error(
        "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    )]
    DeletedRecently,
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeInProgress(String),
    #[error("{0}")]
    OverLimit(String),
    #[error("{0}")]
    NotFound(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten; or the operation cannot be
    /// done now: `UnsupportedOperation`.
    #[error("{0}")]
    Unsupported(String),
    #[error("The same queue is being changed by others; try again.")]
    Contended,
    /// Store or volume failed, or what lies there is not what was put there.
    #[error("{0}")]
    Broken(String),
}

impl Error {
    /// A value that a parameter cannot have.
    pub(crate) fn value(parameter: &str, value: impl std::fmt::Display, reason: &str) -> Self {
        Self::Value(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    pub(crate) fn unsupported(member: impl std::fmt::Display) -> Self {
        Self::Unsupported(format!("{member} is not supported by Roadstead yet."))
    }
}

impl From<roadstead_store::Error> for Error {
    fn from(error: roadstead_store::Error) -> Self {
        match error {
            roadstead_store::Error::Contended { .. } => Self::Contended,
            error => Self::Broken(format!("reading or writing the records of queues: {error}")),
        }
    }
}

impl From<roadstead_volume::Error> for Error {
    fn from(error: roadstead_volume::Error) -> Self {
        Self::Broken(format!("reading or writing messages: {error}"))
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NoSuchQueue => api::queue_does_not_exist(message),
            Error::Address(_) => api::invalid_address(message),
            // The model does not list these two, but every operation answers them.
            Error::Value(_) => ApiError::client("InvalidParameterValue", message),
            Error::Missing(_) => ApiError::client("MissingParameter", message),
            Error::AttributeName(_) => api::invalid_attribute_name(message),
            Error::AttributeValue(_) => api::invalid_attribute_value(message),
            Error::Contents => api::invalid_message_contents(message),
            Error::ReceiptHandle => api::receipt_handle_is_invalid(message),
            Error::NotInFlight => api::message_not_inflight(message),
            Error::EmptyBatch(_) => api::empty_batch_request(message),
            Error::TooManyEntries(_) => api::too_many_entries_in_batch_request(message),
            Error::EntryId => api::invalid_batch_entry_id(message),
            Error::RepeatedId(_) => api::batch_entry_ids_not_distinct(message),
            Error::BatchTooLong { .. } => api::batch_request_too_long(message),
            Error::NameExists(_) => api::queue_name_exists(message),
            Error::DeletedRecently => api::queue_deleted_recently(message),
            Error::PurgeInProgress(_) => api::purge_queue_in_progress(message),
            Error::OverLimit(_) => api::over_limit(message),
            Error::NotFound(_) => api::resource_not_found_exception(message),
            Error::Unsupported(_) => api::unsupported_operation(message),
            Error::Contended => ApiError::new("ServiceUnavailable", 503, message),
            Error::Broken(_) => {
                tracing::error!(error = %message, "a call of the queues service failed");
                ApiError::new(
                    "InternalError",
                    500,
                    "The service could not read or write its state; see the daemon's log.",
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
            (Error::NoSuchQueue, "AWS.SimpleQueueService.NonExistentQueue", 400),
            (Error::value("x", 1, "y"), "InvalidParameterValue", 400),
            (Error::Missing("x".into()), "MissingParameter", 400),
            (Error::AttributeName("x".into()), "InvalidAttributeName", 400),
            (
                Error::NotInFlight,
                "AWS.SimpleQueueService.MessageNotInflight",
                400,
            ),
            (Error::OverLimit("x".into()), "OverLimit", 403),
            (
                Error::unsupported("x"),
                "AWS.SimpleQueueService.UnsupportedOperation",
                400,
            ),
            (Error::Contended, "ServiceUnavailable", 503),
            (Error::Broken("x".into()), "InternalError", 500),
        ] {
            let error = ApiError::from(error);
            assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
        }
    }
}
