//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_sns::errors as api;
use roadstead_protocol::ApiError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Invalid parameter: {0}")]
    Invalid(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten: `InvalidParameter`.
    #[error("Invalid parameter: {0} is not supported by Roadstead yet.")]
    Unsupported(String),
    /// An attribute of a message that cannot be: `ParameterValueInvalid`.
    #[error("{0}")]
    Attribute(String),
    #[error("Topic does not exist")]
    NoSuchTopic,
    #[error("Subscription does not exist")]
    NoSuchSubscription,
    #[error("Resource does not exist")]
    NoSuchResource,
    #[error("The batch request doesn't contain any entries.")]
    EmptyBatch,
    #[error("The batch request contains more entries than permissible: {0}.")]
    TooManyEntries(usize),
    #[error("Two or more batch entries in the request have the same Id: {0}.")]
    RepeatedId(String),
    #[error("The Id of a batch entry in a batch request doesn't abide by the specification.")]
    EntryId,
    #[error("The length of all the batch messages put together is more than the limit: {0} bytes.")]
    BatchTooLong(usize),
    #[error("There are as many topics as there can be: {0}.")]
    TooManyTopics(usize),
    #[error("The topic has as many subscriptions as it can have: {0}.")]
    TooManySubscriptions(usize),
    #[error("A topic can have at most 50 tags.")]
    TooManyTags,
    #[error("{0} deliveries are owed already; publish more slowly.")]
    Busy(usize),
    #[error("The same topic is being changed by others; try again.")]
    Contended,
    #[error("reading or writing the records of topics failed: {0}")]
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
        let message = error.to_string();
        match error {
            Error::Invalid(_) | Error::Unsupported(_) => api::invalid_parameter_exception(message),
            Error::Attribute(_) => api::invalid_parameter_value_exception(message),
            Error::NoSuchTopic | Error::NoSuchSubscription => api::not_found_exception(message),
            Error::NoSuchResource => api::resource_not_found_exception(message),
            Error::EmptyBatch => api::empty_batch_request_exception(message),
            Error::TooManyEntries(_) => api::too_many_entries_in_batch_request_exception(message),
            Error::RepeatedId(_) => api::batch_entry_ids_not_distinct_exception(message),
            Error::EntryId => api::invalid_batch_entry_id_exception(message),
            Error::BatchTooLong(_) => api::batch_request_too_long_exception(message),
            Error::TooManyTopics(_) => api::topic_limit_exceeded_exception(message),
            Error::TooManySubscriptions(_) => api::subscription_limit_exceeded_exception(message),
            Error::TooManyTags => api::tag_limit_exceeded_exception(message),
            // The model does not list it with these operations, but clients know to wait by it.
            Error::Busy(_) => ApiError::new("Throttled", 429, message),
            Error::Contended => api::concurrent_access_exception(message),
            Error::Store(_) => {
                tracing::error!(error = %message, "a call of the topics service failed");
                api::internal_error_exception(
                    "The service could not read or write its state; see the daemon's log.",
                )
            }
        }
    }
}
