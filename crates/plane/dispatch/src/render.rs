//! What each service calls the mistakes that are found before its handler runs. One place, because the
//! codes are the services' own while the mistakes are the same everywhere.

use roadstead_protocol::sigv4::SignatureError;
use roadstead_protocol::{ApiError, Protocol, RequestError, ServiceModel, Value, Violation};

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
    if model.name == "iam"
        && let Some(error) = in_words_of_iam(violation)
    {
        return error;
    }
    if model.name == "lambda"
        && let Some(error) = unknown_runtime(violation)
    {
        return error;
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
        _ => {
            let code = match model.has_query_codes() {
                true => "ValidationError",
                // It says the same, but has no such error.
                false if model.name == "logs" => "InvalidParameterException",
                false => "ValidationException",
            };
            ApiError::client(code, one_error(violation))
        }
    }
}

/// Members are called as the services' frameworks call them: with a small letter, and items of lists by their number.
fn one_error(violation: &Violation) -> String {
    let path = violation.path();
    let quoted = format!("'{path}'");
    let message = violation.to_string();
    // The value stands before the path, and may say the same.
    match message.rfind(&quoted) {
        Some(at) => format!(
            "1 validation error detected: {}'{}'{}",
            &message[..at],
            framework_path(path),
            &message[at + quoted.len()..]
        ),
        None => format!("1 validation error detected: {message}"),
    }
}

/// `Tags[0].Key` is `tags.1.member.key`.
fn framework_path(path: &str) -> String {
    let segment = |segment: &str| {
        let (name, items) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
        let mut chars = name.chars();
        let mut text: String = chars
            .next()
            .map(|first| first.to_ascii_lowercase())
            .into_iter()
            .collect();
        text.extend(chars);
        for index in items.split(['[', ']']).filter(|index| !index.is_empty()) {
            let number = index.parse::<usize>().map_or(0, |index| index + 1);
            text.push_str(&format!(".{number}.member"));
        }
        text
    };
    path.split('.').map(segment).collect::<Vec<_>>().join(".")
}

/// What IAM says of names and paths that break their patterns, which it says in words.
fn in_words_of_iam(violation: &Violation) -> Option<ApiError> {
    let Violation::Pattern { path, pattern, .. } = violation else {
        return None;
    };
    let rule = match *pattern {
        r"[\w+=,.@-]+" => "It must contain only alphanumeric characters and/or the following: +=,.@_-",
        r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)" => {
            "It must begin and end with / and contain only alphanumeric characters and/or / characters."
        }
        r"\u002F[\u0021-\u007F]*" => {
            "It must begin with the / character and contain only alphanumeric characters and/or / characters."
        }
        _ => return None,
    };
    let name = framework_path(path);
    Some(ApiError::client(
        "ValidationError",
        format!("The specified value for {name} is invalid. {rule}"),
    ))
}

/// What Lambda says of a runtime, which could be an ARN as well by its words.
fn unknown_runtime(violation: &Violation) -> Option<ApiError> {
    let Violation::Enum { path, value, values } = violation else {
        return None;
    };
    let message = format!(
        "Value {value} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
        values.join(", ")
    );
    (path == "Runtime").then(|| {
        ApiError::client("InvalidParameterValueException", message)
            .with_member("Type", Value::Str("User".into()))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(model: &ServiceModel, broken: Violation) -> String {
        violation(model, &broken).message
    }

    #[test]
    fn members_are_called_as_the_frameworks_of_the_services_call_them() {
        for (path, expected) in [
            ("UserName", "userName"),
            ("Tags[0].Key", "tags.1.member.key"),
            ("A[1][2]", "a.2.member.3.member"),
            ("startedBy", "startedBy"),
        ] {
            assert_eq!(framework_path(path), expected);
        }
        let sts = &roadstead_api_sts::MODEL;
        let length = |value: Option<&str>| Violation::Length {
            path: "RoleSessionName".into(),
            value: value.map(str::to_owned),
            bound: "less than or equal to 64".into(),
        };
        let rest = " at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64";
        assert_eq!(
            said(sts, length(Some("'RoleSessionName'"))),
            format!("1 validation error detected: Value ''RoleSessionName''{rest}")
        );
        assert_eq!(
            said(sts, length(None)),
            format!("1 validation error detected: Value{rest}")
        );
    }

    #[test]
    fn iam_says_in_words_what_names_and_paths_can_be() {
        let broken = |path: &str, pattern| Violation::Pattern {
            path: path.into(),
            value: Some("x y".into()),
            pattern,
        };
        let iam = &roadstead_api_iam::MODEL;
        assert_eq!(
            said(iam, broken("RoleName", r"[\w+=,.@-]+")),
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the \
             following: +=,.@_-"
        );
        assert!(
            said(iam, broken("Path", r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"))
                .contains("begin and end with /")
        );
        assert!(
            said(iam, broken("PathPrefix", r"\u002F[\u0021-\u007F]*")).contains("begin with the / character")
        );
        assert!(
            said(iam, broken("Key", "[a-z]+"))
                .starts_with("1 validation error detected: Value 'x y' at 'key'")
        );
    }

    #[test]
    fn a_runtime_that_is_not_known_is_an_invalid_value() {
        let broken = |path: &str| Violation::Enum {
            path: path.into(),
            value: "python2.8".into(),
            values: &["python3.12", "nodejs20.x"],
        };
        let answer = unknown_runtime(&broken("Runtime")).expect("its own words");
        assert_eq!(
            (answer.code.as_ref(), answer.message.as_str()),
            (
                "InvalidParameterValueException",
                "Value python2.8 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [python3.12, nodejs20.x] or be a valid ARN"
            )
        );
        assert!(unknown_runtime(&broken("CompatibleRuntime")).is_none());
    }
}
