//! GPUs of a container: what a definition and an override may say of them. That no instance has them is for placement
//! to say.
//! Source: the Amazon ECS API reference, ResourceRequirement.

use roadstead_api_ecs::{ResourceRequirement, ResourceType};

use super::around::Around;
use super::container::invalid_because;
use crate::error::{Error, Result};

/// Whole GPUs that a container may ask for; far more than any machine has.
const MOST: u16 = 1024;

/// Why requirements cannot be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Invalid(String),
    /// The kind of resource.
    Unsupported(&'static str),
}

/// The GPUs that requirements name; 0 for none.
pub(crate) fn gpus(requirements: &[ResourceRequirement]) -> std::result::Result<i64, Fault> {
    let mut found = None;
    for ResourceRequirement { r#type, value } in requirements {
        if *r#type == ResourceType::InferenceAccelerator {
            return Err(Fault::Unsupported("InferenceAccelerator"));
        }
        let plain = value.bytes().all(|b| b.is_ascii_digit()) && !value.starts_with('0');
        let count = value.parse::<u16>().ok().filter(|count| plain && *count <= MOST);
        let Some(count) = count else {
            let shown: String = value.chars().take(64).collect();
            return Err(Fault::Invalid(format!(
                "The value '{shown}' of a GPU requirement is not a whole number from 1 to {MOST}."
            )));
        };
        if found.replace(count).is_some() {
            return Err(Fault::Invalid("GPUs are asked for more than once.".to_owned()));
        }
    }
    Ok(found.map_or(0, i64::from))
}

pub(super) fn check(
    name: &str,
    at: &str,
    requirements: Option<Vec<ResourceRequirement>>,
    around: &mut Around,
) -> Result<Option<Vec<ResourceRequirement>>> {
    let Some(requirements) = requirements.filter(|all| !all.is_empty()) else {
        return Ok(None);
    };
    gpus(&requirements).map_err(|fault| match fault {
        Fault::Invalid(why) => invalid_because("resourceRequirements", name, why),
        Fault::Unsupported(kind) => Error::unsupported(format!("{at}.resourceRequirements.type {kind}")),
    })?;
    around
        .fargate
        .obstacle("Fargate compatible task definitions do not support GPU resourceRequirements.")?;
    Ok(Some(requirements))
}
