//! What loosens or tightens a container as a whole, and which of it goes together.

use crate::spec::{ContainerSpec, Net, Process, Share};

use super::is_plain;

/// Docker's own bounds on oom_score_adj are the kernel's.
const OOM_SCORES: std::ops::RangeInclusive<i32> = -1000..=1000;
/// Fewer would not hold the users that images have.
const MIN_USERS: u32 = 1000;

pub(super) fn check(spec: &ContainerSpec) -> Result<(), (&'static str, String)> {
    let refuse = |member, reason: &str| Err((member, reason.to_owned()));
    if !OOM_SCORES.contains(&spec.oom_score_adj) {
        return refuse("oom_score_adj", "is not within -1000 to 1000");
    }
    if spec.swappiness.is_some_and(|value| value > 100) {
        return refuse("swappiness", "is not within 0 to 100");
    }
    match (spec.shm_size, &spec.ipc) {
        (Some(0), _) => return refuse("shm_size", "0 would mean without a bound"),
        (Some(_), Share::With(_)) => {
            return refuse(
                "shm_size",
                "belongs to the container whose IPC namespace is shared",
            );
        }
        (Some(_), Share::Host) => {
            return refuse("shm_size", "/dev/shm is the host's with the host's IPC namespace");
        }
        _ => {}
    }
    if matches!(spec.process, Process::Pause)
        && (spec.init || spec.tty || spec.interactive || spec.privileged)
    {
        return refuse(
            "process",
            "a pause container has neither init, streams nor privileges",
        );
    }
    for device in &spec.devices {
        if !device.host.is_absolute() {
            return Err(("devices", format!("{} is not absolute", device.host.display())));
        }
        if !(is_plain(&device.container)
            && device.container.starts_with("/dev")
            && device.container.iter().count() > 2)
        {
            return Err((
                "devices",
                format!("{} is not a plain path below /dev", device.container.display()),
            ));
        }
        if !(device.read || device.write || device.mknod) {
            return Err((
                "devices",
                format!("{}: no permission is given", device.host.display()),
            ));
        }
    }
    user_namespace(spec)
}

fn user_namespace(spec: &ContainerSpec) -> Result<(), (&'static str, String)> {
    let Some(users) = spec.user_namespace else {
        return Ok(());
    };
    let refuse = |reason: &str| Err(("user_namespace", reason.to_owned()));
    if users.first == 0 || users.size < MIN_USERS || users.first.checked_add(users.size).is_none() {
        return Err((
            "user_namespace",
            format!(
                "{} users from {} on: at least {MIN_USERS} are needed, and not the host's root",
                users.size, users.first
            ),
        ));
    }
    if matches!(spec.process, Process::Pause) {
        return refuse("a pause container has no users; what joins it may have its own");
    }
    if spec.privileged {
        return refuse("a privileged container is the machine's root");
    }
    if spec.pid != Share::New || spec.ipc != Share::New || spec.uts != Share::New {
        return refuse("needs PID, IPC and UTS namespaces of the container's own");
    }
    if matches!(spec.network, Net::Host) {
        return refuse("the host's network belongs to the host's root");
    }
    if let Some(device) = spec.devices.iter().find(|device| device.host != device.container) {
        return Err((
            "devices",
            format!(
                "{} must have the same name inside, with users of its own",
                device.host.display()
            ),
        ));
    }
    Ok(())
}
