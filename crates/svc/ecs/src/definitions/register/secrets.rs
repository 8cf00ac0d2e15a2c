//! Variables whose values are secrets: which of Secrets Manager, and what must go with them. Source: the developer guide,
//! "Pass Secrets Manager secrets through Amazon ECS environment variables".

use std::collections::BTreeSet;

use roadstead_api_ecs::{KeyValuePair, Secret};
use roadstead_base::Arn;

use super::around::Around;
use super::container::invalid_because;
use crate::error::{Error, Result};

/// `arn:aws:secretsmanager:region:account:secret:name[:json-key:stage:version]`, with all three or none of them.
const PARTS: [usize; 2] = [7, 10];

pub(super) fn check(
    name: &str,
    at: &str,
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
        if !value_from.starts_with("arn:") || value_from.split(':').nth(2) == Some("ssm") {
            return Err(Error::unsupported(format!(
                "{at}.secrets.valueFrom of a parameter of Systems Manager"
            )));
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
