//! `$ECS_AGENT_URI/task-protection/v1/state`: a task of a service asks, or says, that it is not to be ended by scale-in.
//! The call is the task's own: made with the keys of its role, and allowed by nothing else.
//! Source: "Amazon ECS task scale-in protection endpoint" in the ECS developer guide.

use std::time::Duration;

use http::{Method, StatusCode};
use roadstead_api_ecs::{Failure, ProtectedTask};
use roadstead_base::Timestamp;
use serde_json::{Map, Value, json};

use super::server::Answer;
use crate::api::CallError;
use crate::engine::spec::Task;
use crate::run::Engine;
use crate::upstream::Protection;

/// How long the control plane may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// What a PUT asks for. Members that are absent, or null, are `None`.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    enabled: Option<bool>,
    minutes: Option<i32>,
}

/// Answers one request. `task`: who asks, if the path names one of its containers.
pub(super) async fn state(engine: &Engine, task: Option<&Task>, method: &Method, body: &[u8]) -> Answer {
    let asked = match *method {
        Method::GET => None,
        Method::PUT => match read(body) {
            Some(asked) => Some(asked),
            None => {
                let message = "UpdateTaskProtection: failed to decode request";
                return error(
                    StatusCode::BAD_REQUEST,
                    "",
                    "InvalidParameterException",
                    message,
                    None,
                );
            }
        },
        _ => {
            let message = "only GET and PUT are answered here";
            return (StatusCode::METHOD_NOT_ALLOWED, message.into());
        }
    };
    let Some(task) = task else {
        let message = "Failed to find a task for the request";
        return error(
            StatusCode::NOT_FOUND,
            "",
            "ResourceNotFoundException",
            message,
            None,
        );
    };
    let protection = match asked {
        None => Protection::Get,
        Some(Asked {
            enabled: Some(enabled),
            minutes,
        }) => Protection::Update { enabled, minutes },
        Some(Asked { enabled: None, .. }) => {
            let message = "Invalid request: does not contain 'ProtectionEnabled' field";
            return error(
                StatusCode::BAD_REQUEST,
                &task.arn,
                "InvalidParameterException",
                message,
                None,
            );
        }
    };
    let Some(keys) = engine.keys_of_task(&task.arn) else {
        let message = "Invalid Request: no task IAM role credentials available for task";
        return error(
            StatusCode::FORBIDDEN,
            &task.arn,
            "AccessDeniedException",
            message,
            None,
        );
    };
    let call = engine
        .upstream()
        .protection(&keys, &task.cluster_arn, &task.arn, protection);
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(Ok(protected))) => (StatusCode::OK, json!({ "protection": show(&protected) })),
        Ok(Ok(Err(failure))) => (StatusCode::OK, json!({ "failure": show_failure(&failure) })),
        Ok(Err(failed)) => refused(&task.arn, failed),
        Err(_) => {
            let message = "Timed out calling ECS Task Protection API";
            error(
                StatusCode::GATEWAY_TIMEOUT,
                &task.arn,
                "RequestCanceled",
                message,
                None,
            )
        }
    }
}

/// None: it is no object, or has a member that is unknown or of another type.
fn read(body: &[u8]) -> Option<Asked> {
    let members: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut asked = Asked::default();
    for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
        // The vendor's agent does not mind the case.
        match name.to_ascii_lowercase().as_str() {
            "protectionenabled" => asked.enabled = Some(value.as_bool()?),
            "expiresinminutes" => asked.minutes = Some(value.as_i64()?.try_into().ok()?),
            _ => return None,
        }
    }
    Some(asked)
}

fn show(task: &ProtectedTask) -> Value {
    let ProtectedTask {
        expiration_date,
        protection_enabled,
        task_arn,
    } = task;
    json!({
        "ExpirationDate": expiration_date.map(Timestamp::to_rfc3339),
        "ProtectionEnabled": protection_enabled,
        "TaskArn": task_arn,
    })
}

fn show_failure(failure: &Failure) -> Value {
    let Failure { arn, detail, reason } = failure;
    json!({ "Arn": arn, "Detail": detail, "Reason": reason })
}

fn refused(task: &str, failed: CallError) -> Answer {
    match failed {
        CallError::Api {
            code,
            message,
            status,
            request_id,
            operation: _,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            error(status, task, &code, &message, request_id.as_deref())
        }
        failed @ CallError::Transport { .. } => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            task,
            "ServerException",
            &failed.to_string(),
            None,
        ),
    }
}

fn error(status: StatusCode, task: &str, code: &str, message: &str, request_id: Option<&str>) -> Answer {
    let mut error = json!({ "Code": code, "Message": message });
    if !task.is_empty() {
        error["Arn"] = task.into();
    }
    let mut answer = json!({ "error": error });
    if let Some(id) = request_id {
        answer["requestID"] = id.into();
    }
    (status, answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read_and_nothing_unknown_is_passed_over() {
        let asked = |enabled, minutes| Some(Asked { enabled, minutes });
        for (body, wanted) in [
            (r#"{"ProtectionEnabled":true}"#, asked(Some(true), None)),
            (
                r#"{"protectionEnabled":false,"EXPIRESINMINUTES":60}"#,
                asked(Some(false), Some(60)),
            ),
            (
                r#"{"ProtectionEnabled":true,"ExpiresInMinutes":null}"#,
                asked(Some(true), None),
            ),
            ("{}", asked(None, None)),
            ("", None),
            ("[]", None),
            (r#"{"ProtectionEnabled":"true"}"#, None),
            (r#"{"ProtectionEnabled":true,"ExpiresInMinutes":1.5}"#, None),
            (
                r#"{"ProtectionEnabled":true,"ExpiresInMinutes":4294967297}"#,
                None,
            ),
            (r#"{"ProtectionEnabled":true,"Tasks":["other"]}"#, None),
        ] {
            assert_eq!(read(body.as_bytes()), wanted, "{body}");
        }
    }
}
