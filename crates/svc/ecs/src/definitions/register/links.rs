//! Links: the old way by which containers of a bridge find each other. A link is a name in the container's hosts
//! file, and an order: the other container is started first.
//! Source: the Amazon ECS API reference, ContainerDefinition, `links`.

use std::collections::BTreeSet;

use roadstead_api_ecs::NetworkMode;

use super::around::Around;
use super::container::invalid_because;
use crate::error::{Error, Result};

/// Links of one container.
const MAX: usize = 64;
const NAME_MAX: usize = 255;

pub(super) fn check(name: &str, links: &[String], around: &mut Around) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    if around.network != NetworkMode::Bridge {
        return Err(Error::client(format!(
            "Links are not supported when networkMode={}.",
            around.network
        )));
    }
    let invalid = |why: String| Err(invalid_because("links", name, why));
    if links.len() > MAX {
        return invalid(format!("At most {MAX} are allowed."));
    }
    let mut aliases = BTreeSet::new();
    for link in links {
        let (other, alias) = parts(link);
        if other == name || !around.containers.contains(other) {
            return invalid(format!(
                "It names the container '{}', which is not another of the task definition.",
                shown(other)
            ));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if alias.is_empty() || alias.len() > NAME_MAX || !alias.bytes().all(plain) {
            return invalid(format!(
                "'{}' is not letters, numbers, underscores and hyphens.",
                shown(alias)
            ));
        }
        if !aliases.insert(alias) {
            return invalid(format!("The name '{alias}' is given more than once."));
        }
    }
    Ok(())
}

/// `container:alias`, or `container`, which is its own alias.
pub(super) fn parts(link: &str) -> (&str, &str) {
    link.split_once(':').unwrap_or((link, link))
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
