//! What a container may do beyond the ordinary. More than the operator of a node allows is a matter of placement:
//! the definition requires an attribute that such nodes do not have.
//! Source: the Amazon ECS API reference, ContainerDefinition, `privileged` and `dockerSecurityOptions`.

use std::collections::BTreeSet;

use roadstead_api_ecs::ContainerDefinition;

use super::around::Around;
use super::container::invalid_because;
use crate::error::{Error, Result};

/// Security systems that the service knows and no node here has.
const ABSENT: [&str; 3] = ["apparmor", "label", "credentialspec"];

pub(super) fn check_privileged(privileged: Option<bool>, around: &mut Around) -> Result<()> {
    if privileged == Some(true) {
        around
            .fargate
            .obstacle("Fargate does not support privileged containers.")?;
    }
    Ok(())
}

pub(super) fn check_options(name: &str, at: &str, options: &[String], around: &mut Around) -> Result<()> {
    let mut seen = BTreeSet::new();
    for option in options {
        let (system, value) = option.split_once([':', '=']).unwrap_or((option, ""));
        let shown: String = option.chars().take(64).collect();
        match (system, value) {
            ("no-new-privileges", "" | "true" | "false") | ("seccomp", "unconfined") => {}
            _ if ABSENT.contains(&system) => {
                return Err(Error::unsupported(format!(
                    "{at}.dockerSecurityOptions = {shown}"
                )));
            }
            _ => {
                let why = format_args!(
                    "'{shown}' is none of no-new-privileges, seccomp:unconfined, apparmor:, label: and credentialspec:."
                );
                return Err(invalid_because("dockerSecurityOptions", name, why));
            }
        }
        if !seen.insert(system) {
            let why = format_args!("{system} is set more than once.");
            return Err(invalid_because("dockerSecurityOptions", name, why));
        }
    }
    if !options.is_empty() {
        around
            .fargate
            .obstacle("Fargate compatible task definitions do not support dockerSecurityOptions.")?;
    }
    Ok(())
}

/// Whether only a node whose operator allows privileged containers may run it.
pub(super) fn needs_permission(container: &ContainerDefinition) -> bool {
    let options = container.docker_security_options.iter().flatten();
    let unconfined = options.into_iter().any(|option| option.starts_with("seccomp"));
    container.privileged == Some(true) || unconfined
}
