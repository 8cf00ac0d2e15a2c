//! Credentials of private registries, and the role that a task's preparations are done with. Source: the ECS API
//! reference, data types RepositoryCredentials and TaskDefinition, and the developer guide on private registries.

use roadstead_api_ecs::{ContainerDefinition, NetworkMode, RepositoryCredentials};
use roadstead_base::Arn;

use crate::error::{Error, Result};

const MAX_SECRET: usize = 2048;

/// The name or the ARN of a secret.
pub(super) fn check_credentials(container: &str, credentials: Option<&RepositoryCredentials>) -> Result<()> {
    let Some(RepositoryCredentials {
        credentials_parameter: secret,
    }) = credentials
    else {
        return Ok(());
    };
    let named = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    let valid = match secret.starts_with("arn:") {
        false => !secret.is_empty() && secret.chars().all(named),
        true => secret.parse::<Arn>().is_ok_and(|arn| {
            arn.service == "secretsmanager" && arn.resource_of("secret").is_some_and(|name| !name.is_empty())
        }),
    };
    match valid && secret.len() <= MAX_SECRET {
        true => Ok(()),
        false => Err(Error::client(format!(
            "The repositoryCredentials of container '{container}' must name a secret of AWS Secrets Manager by its name \
             or ARN."
        ))),
    }
}

/// Who prepares the task: pulls, secrets and logs.
pub(super) fn check_role(role: Option<String>, containers: &[ContainerDefinition]) -> Result<Option<String>> {
    let used = containers
        .iter()
        .any(|container| container.repository_credentials.is_some());
    match role {
        None if used => Err(Error::client(
            "When you are specifying repositoryCredentials, you must also specify a value for 'executionRoleArn'.",
        )),
        None => Ok(None),
        Some(role) if is_arn(&role) => Ok(Some(role)),
        Some(_) => Err(Error::client("Role is not valid")),
    }
}

/// Who the task is to others. Where a container cannot reach the agent, its keys could not reach it either.
pub(super) fn check_task_role(role: Option<String>, network: NetworkMode) -> Result<Option<String>> {
    match role {
        None => Ok(None),
        Some(role) if !is_arn(&role) && !is_name(&role) => Err(Error::client("Role is not valid")),
        Some(_) if matches!(network, NetworkMode::Host | NetworkMode::None) => Err(Error::unsupported(
            format!("taskRoleArn with networkMode {network}"),
        )),
        Some(role) => Ok(Some(role)),
    }
}

fn is_name(text: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(named)
}

fn is_arn(text: &str) -> bool {
    text.parse::<Arn>().is_ok_and(|arn| {
        arn.service == "iam"
            && !arn.account.is_empty()
            && arn.resource_of("role").is_some_and(|name| !name.is_empty())
    })
}
