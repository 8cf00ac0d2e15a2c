//! Refusals in IAM's own words and codes.

use roadstead_api_iam::errors as api;
use roadstead_base::AccountId;
use roadstead_policy::PolicyError;
use roadstead_protocol::ApiError;

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

pub(crate) fn none(what: &str, name: &str) -> ApiError {
    api::no_such_entity_exception(format!("The {what} with name {name} cannot be found."))
}

pub(crate) fn no_profile(name: &str) -> ApiError {
    api::no_such_entity_exception(format!("Instance Profile {name} cannot be found."))
}

pub(crate) fn no_provider(arn: &str) -> ApiError {
    api::no_such_entity_exception(format!("OpenIDConnect Provider not found for arn {arn}"))
}

pub(crate) fn no_login(user: &str) -> ApiError {
    api::no_such_entity_exception(format!("Login Profile for User {user} cannot be found."))
}

pub(crate) fn no_password_policy(account: &AccountId) -> ApiError {
    api::no_such_entity_exception(format!(
        "The Password Policy with domain name {account} cannot be found."
    ))
}

pub(crate) fn violates_policy(message: impl Into<String>) -> ApiError {
    api::password_policy_violation_exception(message)
}

pub(crate) fn not_a_user(message: impl Into<String>) -> ApiError {
    api::invalid_user_type_exception(message)
}

pub(crate) fn denied(message: impl Into<String>) -> ApiError {
    ApiError::new("AccessDenied", 403, message)
}

pub(crate) fn no_policy(arn: &str) -> ApiError {
    api::no_such_entity_exception(format!("Policy {arn} was not found."))
}

pub(crate) fn not_attachable(arn: &str) -> ApiError {
    api::no_such_entity_exception(format!("Policy {arn} does not exist or is not attachable."))
}

pub(crate) fn no_version(arn: &str, version: &str) -> ApiError {
    api::no_such_entity_exception(format!(
        "Policy {arn} version {version} does not exist or is not attachable."
    ))
}

pub(crate) fn no_key(id: &str) -> ApiError {
    api::no_such_entity_exception(format!("The Access Key with id {id} cannot be found."))
}

pub(crate) fn exists(what: &str, name: &str) -> ApiError {
    api::entity_already_exists_exception(format!("{what} with name {name} already exists."))
}

pub(crate) fn already(message: impl Into<String>) -> ApiError {
    api::entity_already_exists_exception(message)
}

pub(crate) fn conflict(message: impl Into<String>) -> ApiError {
    api::delete_conflict_exception(message)
}

pub(crate) fn limit(message: impl Into<String>) -> ApiError {
    api::limit_exceeded_exception(message)
}

pub(crate) fn quota(what: &str, most: usize) -> ApiError {
    limit(format!("Cannot exceed quota for {what}: {most}"))
}

pub(crate) fn input(message: impl Into<String>) -> ApiError {
    api::invalid_input_exception(message)
}

pub(crate) fn validation(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}

pub(crate) fn unmodifiable(message: impl Into<String>) -> ApiError {
    api::unmodifiable_entity_exception(message)
}

/// With the place of the fault.
pub(crate) fn malformed(error: &PolicyError) -> ApiError {
    api::malformed_policy_document_exception(error.to_string())
}

pub(crate) fn store(error: &roadstead_store::Error) -> ApiError {
    tracing::error!(%error, "reading or writing the records of IAM failed");
    api::service_failure_exception("The records of IAM could not be read or written; please try again.")
}

/// Another service did not say what had to be known of it.
pub(crate) fn unanswered(error: &ApiError) -> ApiError {
    tracing::error!(%error, "a service was asked what uses its role, and failed");
    api::service_failure_exception(
        "The service that the role is linked to did not say what uses it; please try again.",
    )
}

pub(crate) fn contended() -> ApiError {
    api::concurrent_modification_exception(
        "The request was rejected because others keep changing the account; please try again.",
    )
}
