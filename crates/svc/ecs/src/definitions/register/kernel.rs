//! Kernel parameters that belong to a namespace, and the namespaces a task shares. A parameter is taken where the
//! task has the namespace to itself; in the host's it would change the host.
//! Source: the Amazon ECS API reference, SystemControl, `ipcMode` and `pidMode`.

use std::collections::BTreeSet;

use roadstead_api_ecs::{IpcMode, NetworkMode, PidMode, SystemControl};

use super::around::{Around, Fargate};
use super::container::invalid_because;
use crate::error::Result;

/// Parameters of one container.
const MAX: usize = 64;
/// Bytes of a value.
const VALUE_MAX: usize = 256;
/// Of the IPC namespace, besides `fs.mqueue.*`.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

pub(super) fn check_modes(pid: Option<PidMode>, ipc: Option<IpcMode>, fargate: &mut Fargate) -> Result<()> {
    if pid == Some(PidMode::Host) {
        fargate.obstacle("Fargate compatible task definitions only support pidMode task.")?;
    }
    if ipc.is_some() {
        fargate.obstacle("Tasks using the Fargate launch type do not support ipcMode.")?;
    }
    Ok(())
}

pub(super) fn check_controls(name: &str, controls: &[SystemControl], around: &Around) -> Result<()> {
    let invalid = |why: String| Err(invalid_because("systemControls", name, why));
    if controls.len() > MAX {
        return invalid(format!("At most {MAX} are allowed."));
    }
    let mut seen = BTreeSet::new();
    for SystemControl { namespace, value } in controls {
        let parameter = namespace.as_deref().unwrap_or_default();
        let value = value.as_deref().unwrap_or_default();
        let shown: String = parameter.chars().take(64).collect();
        let ipc = IPC.contains(&parameter) || parameter.starts_with("fs.mqueue.");
        let net = parameter.starts_with("net.");
        if !(ipc || net) || !is_plain(parameter) {
            return invalid(format!("'{shown}' is not a namespaced kernel parameter."));
        }
        if value.is_empty() || value.len() > VALUE_MAX || value.contains(['\0', '\n']) {
            return invalid(format!("'{shown}' needs a value."));
        }
        if !seen.insert(parameter) {
            return invalid(format!("'{shown}' is set more than once."));
        }
        if net && around.network == NetworkMode::Host {
            return invalid(format!("'{shown}' is not supported when networkMode=host."));
        }
        if ipc && around.ipc == Some(IpcMode::Host) {
            return invalid(format!("'{shown}' is not supported when ipcMode=host."));
        }
    }
    Ok(())
}

/// Names between dots; so no path that leads elsewhere.
fn is_plain(parameter: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    parameter.len() <= 128 && parameter.split('.').all(part)
}
