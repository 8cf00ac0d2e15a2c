//! Targets of rules: at most five of a rule, each by an id of its own.

pub(crate) mod accept;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod remove;
mod show;

use roadstead_base::Arn;

use crate::error::{Error, Result};

/// As many as a rule can have.
pub(crate) const MAX_TARGETS: usize = 5;

/// Refuses what is no role's ARN.
pub(crate) fn check_role(member: &str, role: &str) -> Result<()> {
    let named = role
        .parse::<Arn>()
        .is_ok_and(|arn| arn.service == "iam" && arn.resource_of("role").is_some());
    if named {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Parameter {member} is not valid. Reason: Provided Arn is not in correct format."
    )))
}
