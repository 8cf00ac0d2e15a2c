//! Devices of the host in a container.
//! Source: the Amazon ECS API reference, LinuxParameters and Device.

use std::collections::BTreeSet;

use roadstead_api_ecs::Device;

use super::around::Around;
use super::container::invalid_because;
use super::mounts::is_plain;
use crate::error::Result;

/// Devices of one container.
const MAX: usize = 64;

pub(super) fn check(name: &str, devices: &[Device], around: &mut Around) -> Result<()> {
    let invalid = |why: String| Err(invalid_because("devices", name, why));
    if devices.is_empty() {
        return Ok(());
    }
    if devices.len() > MAX {
        return invalid(format!("At most {MAX} are allowed."));
    }
    let mut targets = BTreeSet::new();
    for Device {
        host_path,
        container_path,
        permissions,
    } in devices
    {
        let target = container_path.as_deref().unwrap_or(host_path);
        if !is_plain(host_path) || !is_device(target) {
            return invalid(
                "Each hostPath must be absolute and without '..', each containerPath below /dev.".to_owned(),
            );
        }
        if !targets.insert(target) {
            return invalid(format!("'{target}' is there more than once."));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = permissions.iter().flatten().find(|it| !seen.insert(it.as_str())) {
            return invalid(format!("The permission {twice} is given more than once."));
        }
    }
    around
        .fargate
        .obstacle("Fargate compatible task definitions do not support devices.")
}

fn is_device(path: &str) -> bool {
    is_plain(path)
        && path.strip_prefix("/dev/").is_some_and(|rest| {
            !rest.is_empty() && rest.split('/').all(|part| !part.is_empty() && part != ".")
        })
}
