//! Why a call fails, in the service's own words, and the one place where that becomes what a client sees.

use roadstead_api_secretsmanager::errors as api;
use roadstead_protocol::ApiError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The code each has is in the conversion below.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A member has a value it cannot have.
    #[error("{0}")]
    InvalidParameter(String),
    /// What is asked for does not go with the state of the secret.
    #[error("{0}")]
    InvalidRequest(String),
    /// The member is valid and has no effect here, so it is refused instead of forgotten.
    #[error("{member} is not supported by Roadstead yet.")]
    Unsupported { member: &'static str },
    #[error("Secrets Manager can't find the specified secret.")]
    NotFound,
    #[error("Secrets Manager can't find the specified secret value for {what}")]
    NoSuchVersion { what: String },
    #[error("The operation failed because the secret {name} already exists.")]
    Exists { name: String },
    #[error(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
    )]
    TokenUsed { token: String, arn: String },
    #[error("{0}")]
    Limit(String),
    /// A resource policy that is none.
    #[error("This resource policy contains an error: {0}")]
    Malformed(String),
    #[error("You can't attach the resource policy to the secret because it grants broad access.")]
    PublicPolicy,
    #[error("The NextToken is invalid: it is not one of this listing.")]
    NextToken,
    /// The value is there and cannot be read.
    #[error("Secrets Manager can't decrypt the protected secret text: {why}")]
    Decryption { why: String },
    #[error("Secrets Manager can't encrypt the protected secret text.")]
    Encryption,
    #[error("The operation could not be completed because others keep changing the same secret; try again.")]
    Contended,
    #[error("reading or writing the records of Secrets Manager failed")]
    Store(#[from] roadstead_store::Error),
}

impl Error {
    pub(crate) fn parameter(message: impl Into<String>) -> Self {
        Self::InvalidParameter(message.into())
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::InvalidRequest(message.into())
    }
}

/// Refuses a member if it asks for anything.
pub(crate) fn refuse<T>(member: &'static str, asks: Option<T>) -> Result<()> {
    match asks {
        Some(_) => Err(Error::Unsupported { member }),
        None => Ok(()),
    }
}

impl From<roadstead_seal::Error> for Error {
    fn from(error: roadstead_seal::Error) -> Self {
        match error {
            roadstead_seal::Error::Encryption => Self::Encryption,
            roadstead_seal::Error::Decryption { why } => Self::Decryption { why },
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::InvalidParameter(_) | Error::Unsupported { .. } => {
                api::invalid_parameter_exception(message)
            }
            Error::InvalidRequest(_) => api::invalid_request_exception(message),
            Error::NotFound | Error::NoSuchVersion { .. } => api::resource_not_found_exception(message),
            Error::Exists { .. } | Error::TokenUsed { .. } => api::resource_exists_exception(message),
            Error::Limit(_) => api::limit_exceeded_exception(message),
            Error::Malformed(_) => api::malformed_policy_document_exception(message),
            Error::PublicPolicy => api::public_policy_exception(message),
            Error::NextToken => api::invalid_next_token_exception(message),
            Error::Decryption { .. } => api::decryption_failure(message),
            Error::Encryption => api::encryption_failure(message),
            Error::Contended => api::internal_service_error(message),
            Error::Store(source) => {
                tracing::error!(error = %source, "the store failed a call of Secrets Manager");
                if source.is_retryable() {
                    let message = "The service cannot reach its records at the moment. Try again.";
                    return ApiError::new("ServiceUnavailable", 503, message);
                }
                api::internal_service_error(
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
        let check = |error: Error, code: &str, status: u16| {
            let error = ApiError::from(error);
            assert_eq!((error.code.as_ref(), error.status), (code, status), "{error}");
        };
        let text = || "x".to_owned();
        check(Error::parameter("x"), "InvalidParameterException", 400);
        check(
            Error::Unsupported { member: "Type" },
            "InvalidParameterException",
            400,
        );
        check(Error::request("x"), "InvalidRequestException", 400);
        check(Error::NotFound, "ResourceNotFoundException", 400);
        check(
            Error::NoSuchVersion { what: text() },
            "ResourceNotFoundException",
            400,
        );
        check(Error::Exists { name: text() }, "ResourceExistsException", 400);
        let used = Error::TokenUsed {
            token: text(),
            arn: text(),
        };
        check(used, "ResourceExistsException", 400);
        check(Error::Limit(text()), "LimitExceededException", 400);
        check(Error::Malformed(text()), "MalformedPolicyDocumentException", 400);
        check(Error::PublicPolicy, "PublicPolicyException", 400);
        check(Error::NextToken, "InvalidNextTokenException", 400);
        check(Error::Decryption { why: text() }, "DecryptionFailure", 400);
        check(Error::Encryption, "EncryptionFailure", 400);
        check(Error::Contended, "InternalServiceError", 500);
        check(
            Error::Store(roadstead_store::Error::Stopped),
            "InternalServiceError",
            500,
        );
        let away = roadstead_store::Error::Unavailable {
            doing: "the commit",
            detail: text(),
        };
        check(Error::Store(away), "ServiceUnavailable", 503);
    }
}
