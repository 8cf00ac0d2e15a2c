//! Variables whose values are secrets of Secrets Manager or parameters of Systems Manager, and what must go with them.
//! Source: the developer guide, "Pass Secrets Manager secrets through Amazon ECS environment variables" and "Pass
//! Systems Manager parameters through Amazon ECS environment variables".

use std::collections::BTreeSet;

use roadstead_api_ecs::{KeyValuePair, Secret};
use roadstead_base::Arn;

use super::around::Around;
use super::container::invalid_because;
use crate::error::{Error, Result};

/// The longest ARN of a parameter: its name has 1011 characters at most.
const LONGEST: usize = 2048;
/// `arn:aws:secretsmanager:region:account:secret:name[:json-key:stage:version]`, with all three or none of them.
const PARTS: [usize; 2] = [7, 10];

pub(super) fn check(
    name: &str,
    secrets: Vec<Secret>,
    environment: &[KeyValuePair],
    around: &Around,
) -> Result<Option<Vec<Secret>>> {
    if secrets.is_empty() {
        return Ok(None);
    }
    if !around.has_execution_role {
        return Err(Error::client(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        ));
    }
    let mut names: BTreeSet<&str> = environment
        .iter()
        .filter_map(|pair| pair.name.as_deref())
        .collect();
    for Secret {
        name: variable,
        value_from,
    } in &secrets
    {
        if variable.is_empty() || variable.contains(['=', '\0']) {
            return Err(invalid_because(
                "secrets",
                name,
                "Each secret needs a name without '='.",
            ));
        }
        if !names.insert(variable) {
            return Err(Error::client(format!(
                "The secret name must be unique and not shared with any new or existing environment variables set on the \
                 container, such as '{variable}'."
            )));
        }
        if value_from.is_empty() {
            return Err(invalid_because("secrets", name, "Each secret needs a valueFrom."));
        }
        if is_parameter(value_from) {
            if !names_parameter(value_from) {
                let why = format_args!(
                    "The valueFrom of '{variable}' is neither the name nor the ARN of a parameter of Systems Manager."
                );
                return Err(invalid_because("secrets", name, why));
            }
            continue;
        }
        let of_secret = value_from.parse::<Arn>().is_ok_and(|arn| {
            arn.service == "secretsmanager"
                && !arn.region.is_empty()
                && arn
                    .resource_of("secret")
                    .is_some_and(|name| !name.is_empty() && !name.starts_with(':'))
        });
        if !of_secret || !PARTS.contains(&value_from.split(':').count()) {
            let why = format_args!(
                "The valueFrom of '{variable}' is neither the ARN of a secret nor one with :json-key:version-stage:version-id."
            );
            return Err(invalid_because("secrets", name, why));
        }
    }
    Ok(Some(secrets))
}

/// Whether it is a parameter of Systems Manager, or else a secret of Secrets Manager: a name alone is one of the task's
/// own region.
pub(crate) fn is_parameter(value_from: &str) -> bool {
    !value_from.starts_with("arn:") || value_from.split(':').nth(2) == Some("ssm")
}

/// `/path/name` or its ARN, with `:version` or `:label` or neither.
fn names_parameter(value_from: &str) -> bool {
    let path = if value_from.starts_with("arn:") {
        let Ok(arn) = value_from.parse::<Arn>() else {
            return false;
        };
        match arn.resource.strip_prefix("parameter/") {
            Some(path) if !arn.region.is_empty() => path.to_owned(),
            _ => return false,
        }
    } else {
        value_from.to_owned()
    };
    let (path, selector) = path.split_once(':').unwrap_or((&path, "1"));
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    value_from.len() <= LONGEST && plain(path, b"_.-/") && plain(selector, b"_.-")
}
