//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_ssm::errors as api;
use roadstead_protocol::ApiError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The code each has is in the conversion below.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A member has a value it cannot have.
    #[error("{0}")]
    Validation(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten.
    #[error("{member} is not supported by Roadstead yet.")]
    Unsupported { member: String },
    /// A hierarchy that belongs to the cloud itself.
    #[error("No access to reserved parameter name: {0}.")]
    Reserved(String),
    #[error("Parameter {0} not found.")]
    NotFound(String),
    /// `what` is `version 3` or `label prod`.
    #[error(
        "Systems Manager could not find {what} of {name}. Verify the {} and try again.",
        what.split(' ').next().unwrap_or_default()
    )]
    NoSuchVersion { name: String, what: String },
    #[error(
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
    )]
    Exists,
    #[error("A hierarchy can have at most 15 levels: {0}")]
    TooDeep(String),
    #[error("The type of parameter {0} can't be changed. Delete it and create one of the other type.")]
    OtherType(String),
    #[error("The allowed pattern is no regular expression: {0}")]
    NoPattern(String),
    #[error("Parameter value, cannot be validated against allowedPattern: {0}")]
    Mismatch(String),
    #[error("{0}")]
    TooManyParameters(String),
    #[error(
        "You attempted to create a new version of {0} by calling the PutParameter API with the overwrite flag. Version {1}, \
         the oldest version, can't be deleted because it has a label associated with it. Move the label to another version \
         of the parameter, and try again."
    )]
    OldestIsLabelled(String, i64),
    #[error(
        "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again."
    )]
    TooManyLabels,
    #[error("The KeyId {0} is not supported by Roadstead yet: only alias/aws/ssm is.")]
    KeyId(String),
    #[error("{0}")]
    FilterKey(String),
    #[error("The filter option {0} is not valid here. Valid options include: {1}.")]
    FilterOption(String, &'static str),
    #[error("{0}")]
    FilterValue(String),
    #[error("The specified token isn't valid.")]
    NextToken,
    #[error("{0} is not a valid resource type here: only Parameter is.")]
    ResourceType(String),
    #[error("The resource ID \"{0}\" is not valid. Verify the ID and try again.")]
    ResourceId(String),
    #[error("A parameter can have at most 50 tags.")]
    TooManyTags,
    #[error("Others keep changing the same parameter; try again.")]
    Contended,
    #[error("the value of a parameter: {0}")]
    Seal(#[from] roadstead_seal::Error),
    #[error("reading or writing the records of Parameter Store failed")]
    Store(#[from] roadstead_store::Error),
}

impl Error {
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::Validation(message.into())
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Validation(_) | Error::Unsupported { .. } => {
                Self::new("ValidationException", 400, message)
            }
            Error::Reserved(_) => Self::new("AccessDeniedException", 400, message),
            Error::NotFound(_) => api::parameter_not_found(message),
            Error::NoSuchVersion { .. } => api::parameter_version_not_found(message),
            Error::Exists => api::parameter_already_exists(message),
            Error::TooDeep(_) => api::hierarchy_level_limit_exceeded_exception(message),
            Error::OtherType(_) => api::hierarchy_type_mismatch_exception(message),
            Error::NoPattern(_) => api::invalid_allowed_pattern_exception(message),
            Error::Mismatch(_) => api::parameter_pattern_mismatch_exception(message),
            Error::TooManyParameters(_) => api::parameter_limit_exceeded(message),
            Error::OldestIsLabelled(..) => api::parameter_max_version_limit_exceeded(message),
            Error::TooManyLabels => api::parameter_version_label_limit_exceeded(message),
            Error::KeyId(_) => api::invalid_key_id(message),
            Error::FilterKey(_) => api::invalid_filter_key(message),
            Error::FilterOption(..) => api::invalid_filter_option(message),
            Error::FilterValue(_) => api::invalid_filter_value(message),
            Error::NextToken => api::invalid_next_token(message),
            Error::ResourceType(_) => api::invalid_resource_type(message),
            Error::ResourceId(_) => api::invalid_resource_id(message),
            Error::TooManyTags => api::too_many_tags_error(message),
            Error::Contended => api::too_many_updates(message),
            Error::Seal(source) => {
                tracing::error!(error = %source, "a parameter's value could not be read or kept");
                api::internal_server_error(message)
            }
            Error::Store(source) => {
                tracing::error!(error = %source, "the store failed a call of Parameter Store");
                if source.is_retryable() {
                    let message = "The service cannot reach its records at the moment. Try again.";
                    return Self::new("ServiceUnavailable", 503, message);
                }
                api::internal_server_error(
                    "The service could not read or write its state; see the daemon's log.",
                )
            }
        }
    }
}
