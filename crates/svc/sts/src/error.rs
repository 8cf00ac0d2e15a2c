//! Refusals in the words and codes of STS.

use roadstead_policy::PolicyError;
use roadstead_protocol::ApiError;

pub(crate) type Result<T, E = ApiError> = std::result::Result<T, E>;

pub(crate) fn validation(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}

pub(crate) fn denied(message: impl Into<String>) -> ApiError {
    ApiError::new("AccessDenied", 403, message)
}

/// A role that is not there is answered as one that may not be assumed, so that nobody learns which roles there are.
pub(crate) fn may_not(caller: &str, role: &str) -> ApiError {
    denied(format!(
        "User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"
    ))
}

/// With the place of the fault.
pub(crate) fn malformed(error: &PolicyError) -> ApiError {
    ApiError::client("MalformedPolicyDocument", error.to_string())
}

pub(crate) fn too_large(percent: i32) -> ApiError {
    ApiError::client(
        "PackedPolicyTooLarge",
        format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
    )
}

pub(crate) fn no_authority() -> ApiError {
    ApiError::new("ServiceUnavailable", 503, "No identity service is running here.")
}

pub(crate) fn unsupported(member: &str) -> ApiError {
    validation(format!("{member} is not supported by Roadstead yet."))
}
