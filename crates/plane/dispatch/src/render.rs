//! What each service calls the mistakes that are found before its handler runs. One place, because the
//! codes are the services' own while the mistakes are the same everywhere.

use roadstead_protocol::{ApiError, Protocol, ServiceModel, Violation};

fn speaks_ec2(model: &ServiceModel) -> bool {
    model.protocols.first() == Some(&Protocol::Ec2)
}

pub(crate) fn no_such_operation(model: &ServiceModel, operation: &str) -> ApiError {
    let shown: String = operation.chars().take(128).collect();
    if model.absent.contains(&operation) {
        return ApiError::not_implemented(model.name, &shown);
    }
    if speaks_ec2(model) {
        return ApiError::client("InvalidAction", format!("The action {shown} is not valid for this web service."));
    }
    ApiError::client("UnknownOperationException", format!("The operation {shown} is not known to {}.", model.name))
}

/// A request that breaks its model, in the service's own code.
pub(crate) fn violation(model: &ServiceModel, violation: &Violation) -> ApiError {
    let message = violation.to_string();
    if speaks_ec2(model) {
        let path = violation.path();
        return match violation {
            Violation::Missing { .. } => {
                ApiError::client("MissingParameter", format!("The request must contain the parameter {path}"))
            }
            Violation::Unknown { .. } => {
                ApiError::client("UnknownParameter", format!("The parameter {path} is not recognized"))
            }
            _ => ApiError::client("InvalidParameterValue", message),
        };
    }
    match (model.name, violation) {
        ("ecs", Violation::Type { .. }) => ApiError::client("SerializationException", message),
        ("ecs", Violation::Missing { path }) => {
            ApiError::client("InvalidParameterException", format!("{path} should not be null or empty."))
        }
        ("ecs", _) => ApiError::client("InvalidParameterException", message),
        (_, Violation::Type { .. }) => ApiError::client("SerializationException", message),
        _ => ApiError::client("ValidationException", format!("1 validation error detected: {message}")),
    }
}
