//! What each service calls the mistakes that are found before its handler runs. One place, because the
//! codes are the services' own while the mistakes are the same everywhere.

use roadstead_protocol::sigv4::SignatureError;
use roadstead_protocol::{ApiError, Protocol, RequestError, ServiceModel, Violation};

use crate::sign_in::Refused;

fn speaks_ec2(model: &ServiceModel) -> bool {
    model.protocols.first() == Some(&Protocol::Ec2)
}

pub(crate) fn no_such_operation(model: &ServiceModel, operation: &str) -> ApiError {
    let shown: String = operation.chars().take(128).collect();
    if model.absent.contains(&operation) {
        return ApiError::not_implemented(model.name, &shown);
    }
    if speaks_ec2(model) {
        return ApiError::client(
            "InvalidAction",
            format!("The action {shown} is not valid for this web service."),
        );
    }
    let code = match model.has_query_codes() {
        true => "InvalidAction",
        false => "UnknownOperationException",
    };
    ApiError::client(
        code,
        format!("The operation {shown} is not known to {}.", model.name),
    )
}

/// A request that breaks its model, in the service's own code.
pub(crate) fn violation(model: &ServiceModel, violation: &Violation) -> ApiError {
    let message = violation.to_string();
    if speaks_ec2(model) {
        let path = violation.path();
        return match violation {
            Violation::Missing { .. } => ApiError::client(
                "MissingParameter",
                format!("The request must contain the parameter {path}"),
            ),
            Violation::Unknown { .. } => ApiError::client(
                "UnknownParameter",
                format!("The parameter {path} is not recognized"),
            ),
            _ => ApiError::client("InvalidParameterValue", message),
        };
    }
    match (model.name, violation) {
        ("ecs", Violation::Type { .. }) => ApiError::client("SerializationException", message),
        ("ecs", Violation::Missing { path }) => ApiError::client(
            "InvalidParameterException",
            format!("{path} should not be null or empty."),
        ),
        ("ecs", _) => ApiError::client("InvalidParameterException", message),
        ("sqs", Violation::Missing { path }) => ApiError::client(
            "MissingParameter",
            format!("The request must contain the parameter {path}."),
        ),
        ("sqs", Violation::Enum { value, .. }) => {
            ApiError::client("InvalidAttributeName", format!("Unknown Attribute {value}."))
        }
        (_, Violation::Type { .. }) => ApiError::client("SerializationException", message),
        ("sqs", _) => ApiError::client("InvalidParameterValue", message),
        _ if model.has_query_codes() => ApiError::client(
            "ValidationError",
            format!("1 validation error detected: {message}"),
        ),
        _ => ApiError::client(
            "ValidationException",
            format!("1 validation error detected: {message}"),
        ),
    }
}

/// A request that cannot be read at all.
pub(crate) fn unreadable(model: &ServiceModel, error: &RequestError) -> ApiError {
    let code = match model.protocols.first() {
        Some(Protocol::Ec2 | Protocol::Query) => "MalformedQueryString",
        Some(Protocol::RestXml) => "MalformedXML",
        _ => "SerializationException",
    };
    ApiError::client(code, error.to_string())
}

/// A form that is not let in before it said which service it is for.
pub(crate) fn refused_form(refused: &Refused) -> ApiError {
    as_query(refused)
}

/// A request that is not let in, in the service's own code.
pub(crate) fn refused(model: &ServiceModel, refused: &Refused) -> ApiError {
    if matches!(refused, Refused::Expired) {
        return crate::gate::expired(model);
    }
    if model.bare_errors {
        return as_s3(refused);
    }
    if model.has_query_codes() {
        return as_xml(refused, "InvalidClientTokenId");
    }
    match model.protocols.first() {
        Some(Protocol::Ec2) => return as_query(refused),
        Some(Protocol::RestXml) => return as_xml(refused, "InvalidAccessKeyId"),
        _ => {}
    }
    let message = refused.to_string();
    match refused {
        Refused::Signature(SignatureError::Absent) => ApiError::client(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        Refused::Signature(SignatureError::Malformed(_)) => {
            ApiError::client("IncompleteSignatureException", message)
        }
        Refused::UnknownKey => ApiError::client("UnrecognizedClientException", message),
        _ => ApiError::client("InvalidSignatureException", message),
    }
}

/// The codes of the services that speak XML, but for ec2.
fn as_xml(refused: &Refused, unknown_key: &'static str) -> ApiError {
    match refused {
        Refused::UnknownKey => ApiError::new(unknown_key, 403, refused.to_string()),
        Refused::Signature(SignatureError::Malformed(_) | SignatureError::Body) => {
            ApiError::client("IncompleteSignature", refused.to_string())
        }
        Refused::Signature(_) => as_query(refused),
        Refused::Service { .. } | Refused::Region | Refused::Expired => {
            ApiError::new("SignatureDoesNotMatch", 403, refused.to_string())
        }
    }
}

/// The codes of the service for objects, which has its own for nearly everything.
/// Source: "Error responses" in the S3 API reference.
fn as_s3(refused: &Refused) -> ApiError {
    let message = refused.to_string();
    match refused {
        Refused::UnknownKey => ApiError::new("InvalidAccessKeyId", 403, message),
        Refused::Expired => ApiError::client("ExpiredToken", message),
        Refused::Service { .. } | Refused::Region => {
            ApiError::client("AuthorizationHeaderMalformed", message)
        }
        Refused::Signature(error) => match error {
            SignatureError::Absent => ApiError::new("AccessDenied", 403, "Access Denied"),
            SignatureError::Skewed { .. } => ApiError::new(
                "RequestTimeTooSkewed",
                403,
                "The difference between the request time and the current time is too large.",
            ),
            SignatureError::Expired { .. } => ApiError::new("AccessDenied", 403, "Request has expired"),
            SignatureError::Mismatch => ApiError::new("SignatureDoesNotMatch", 403, message),
            SignatureError::Malformed(_) => ApiError::client("AuthorizationHeaderMalformed", message),
            SignatureError::Body => ApiError::client(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
        },
    }
}

fn as_query(refused: &Refused) -> ApiError {
    let message = refused.to_string();
    match refused {
        Refused::Expired
        | Refused::Signature(SignatureError::Skewed { .. } | SignatureError::Expired { .. }) => {
            ApiError::client("RequestExpired", message)
        }
        Refused::Signature(SignatureError::Absent) => ApiError::new(
            "MissingAuthenticationToken",
            403,
            "Request is missing Authentication Token",
        ),
        Refused::Signature(SignatureError::Mismatch) => ApiError::new("SignatureDoesNotMatch", 403, message),
        _ => ApiError::new(
            "AuthFailure",
            401,
            "AWS was not able to validate the provided access credentials",
        ),
    }
}
