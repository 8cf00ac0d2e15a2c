//! The values of a container's secrets, read as the execution role when the container is made, and never written down by
//! the agent.

use std::sync::Arc;

use roadstead_acs::RoleCredentials;

use super::engine::Inner;
use crate::api::CallError;
use crate::engine::machine::RESOURCE_INITIALIZATION;
use crate::engine::spec::{Container, SecretRef, SecretSource, Task};

/// Tries of a call that may succeed later.
const TRIES: u32 = 5;

/// The container with its secrets among its variables.
///
/// # Errors
/// The task's reason, complete.
pub(super) async fn with_secrets(
    inner: &Arc<Inner>,
    task: &Task,
    mut container: Container,
) -> Result<Container, String> {
    for secret in std::mem::take(&mut container.secrets) {
        let value = read(inner, task, &secret).await?;
        container.environment.insert(secret.name, value);
    }
    Ok(container)
}

async fn read(inner: &Arc<Inner>, task: &Task, secret: &SecretRef) -> Result<String, String> {
    let failed = |tries: u32, why: &str| {
        let what = match secret.source {
            SecretSource::Secret { .. } => "secret from asm",
            SecretSource::Parameter(_) => "secrets from ssm",
        };
        format!(
            "{RESOURCE_INITIALIZATION}: unable to pull secrets or registry auth: execution resource retrieval failed: \
             unable to retrieve {what}: service call has been retried {tries} time(s): {why}"
        )
    };
    let mut tries = 1;
    let text = loop {
        let error = match call(inner, task, secret).await {
            Ok(text) => break text,
            Err(error) => error,
        };
        let wait = inner.limits.logs.wait(tries, super::jitter());
        match wait.filter(|_| error.is_transient() && tries < TRIES) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(failed(tries, &refused(secret, &error))),
        }
        tries += 1;
    };
    choose(secret, text).map_err(|why| failed(tries, &why))
}

fn refused(secret: &SecretRef, error: &CallError) -> String {
    let why = match error {
        CallError::Api { code, message, .. } => format!("{code}: {message}"),
        CallError::Transport { problem, .. } => problem.clone(),
    };
    match &secret.source {
        SecretSource::Secret { arn, .. } => {
            format!("failed to fetch secret {arn} from secrets manager: {why}")
        }
        SecretSource::Parameter(_) => why,
    }
}

/// What the variable has of the text that was read.
fn choose(secret: &SecretRef, text: Option<String>) -> Result<String, String> {
    match &secret.source {
        SecretSource::Parameter(name) => text.ok_or_else(|| format!("invalid ssm parameters: {name}")),
        SecretSource::Secret { arn, json_key, .. } => {
            let text = text.ok_or_else(|| format!("secret {arn} is not a string"))?;
            match json_key {
                None => Ok(text),
                Some(key) => member(&text, key).ok_or_else(|| {
                    format!("retrieved secret from Secrets Manager did not contain json key {key}")
                }),
            }
        }
    }
}

async fn call(inner: &Arc<Inner>, task: &Task, secret: &SecretRef) -> Result<Option<String>, CallError> {
    let keys: RoleCredentials = inner
        .roles
        .execution(&task.arn)
        .ok_or_else(|| CallError::Transport {
            operation: "reading a secret",
            problem: "the keys of the task's execution role have not come yet".to_owned(),
        })?;
    inner.upstream.secret(&keys, secret).await
}

/// A member of a secret that is a JSON object: text as it is, anything else as JSON.
fn member(text: &str, key: &str) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(text).ok()?;
    match object.get(key)? {
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::member;

    #[test]
    fn members_of_secrets_are_found_by_their_key() {
        let text = r#"{"user": "a", "port": 5432, "a.b": "c"}"#;
        for (key, wanted) in [
            ("user", Some("a")),
            ("port", Some("5432")),
            ("a.b", Some("c")),
            ("x", None),
        ] {
            assert_eq!(member(text, key).as_deref(), wanted);
        }
        assert_eq!(member("plain", "user"), None);
    }
}
