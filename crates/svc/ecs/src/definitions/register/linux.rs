//! Linux parameters and limits, as far as they can be judged without the node. Source: the Amazon ECS API reference, LinuxParameters, KernelCapabilities, Tmpfs and Ulimit.

use std::collections::BTreeSet;

use roadstead_api_ecs::{IpcMode, KernelCapabilities, LinuxParameters, Tmpfs, Ulimit};

use super::around::Around;
use super::container::{invalid, invalid_because};
use super::devices;
use super::mounts::is_plain;
use crate::error::Result;

#[rustfmt::skip]
const CAPABILITIES: [&str; 39] = [
    "ALL", "AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
    "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD",
    "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG",
    "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM", "CHECKPOINT_RESTORE",
];

/// Of the documented options, those that mean something for a tmpfs.
#[rustfmt::skip]
const MOUNT_OPTIONS: [&str; 20] = [
    "defaults", "ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "sync", "async", "dirsync",
    "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime",
];
const VALUED_OPTIONS: [&str; 6] = ["mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];
/// Memory file systems of one container.
const TMPFS_MAX: usize = 16;

pub(super) fn check_parameters(
    name: &str,
    parameters: Option<LinuxParameters>,
    memory: Option<i32>,
    around: &mut Around,
) -> Result<Option<LinuxParameters>> {
    let Some(parameters) = parameters else {
        return Ok(None);
    };
    let LinuxParameters {
        capabilities,
        devices,
        init_process_enabled,
        max_swap,
        shared_memory_size,
        swappiness,
        tmpfs,
    } = parameters;
    check_capabilities(name, capabilities.as_ref(), around)?;
    check_tmpfs(name, tmpfs.as_deref().unwrap_or_default())?;
    devices::check(name, devices.as_deref().unwrap_or_default(), around)?;
    if max_swap.is_some_and(|swap| swap < 0) {
        return Err(invalid("maxSwap", name));
    }
    if max_swap.is_some() && memory.is_none() {
        return Err(invalid_because(
            "maxSwap",
            name,
            "It comes on top of the container's 'memory', which is not set.",
        ));
    }
    if swappiness.is_some_and(|swappiness| !(0..=100).contains(&swappiness)) {
        return Err(invalid("swappiness", name));
    }
    if shared_memory_size.is_some_and(|size| size < 0) {
        return Err(invalid("sharedMemorySize", name));
    }
    for (member, asked) in [
        ("maxSwap", max_swap.is_some()),
        ("swappiness", swappiness.is_some()),
        ("sharedMemorySize", shared_memory_size.is_some()),
    ] {
        if asked {
            around.fargate.obstacle(format!(
                "Fargate compatible task definitions do not support {member}."
            ))?;
        }
    }
    if shared_memory_size.is_some_and(|size| size > 0)
        && matches!(around.ipc, Some(IpcMode::Host | IpcMode::Task))
    {
        return Err(invalid_because(
            "sharedMemorySize",
            name,
            "The container has no shared memory of its own with this ipcMode.",
        ));
    }
    Ok(Some(LinuxParameters {
        capabilities,
        devices,
        init_process_enabled,
        max_swap,
        shared_memory_size,
        swappiness,
        tmpfs,
    }))
}

fn check_capabilities(
    name: &str,
    capabilities: Option<&KernelCapabilities>,
    around: &mut Around,
) -> Result<()> {
    let Some(KernelCapabilities { add, drop }) = capabilities else {
        return Ok(());
    };
    for capability in add.iter().chain(drop).flatten() {
        if !CAPABILITIES.contains(&capability.as_str()) {
            let shown: String = capability.chars().take(64).collect();
            return Err(invalid_because(
                "capabilities",
                name,
                format_args!("'{shown}' is not a capability."),
            ));
        }
    }
    if let Some(other) = add
        .iter()
        .flatten()
        .find(|capability| *capability != "SYS_PTRACE")
    {
        around.fargate.obstacle(format!(
            "Fargate only supports adding the SYS_PTRACE capability, not {other}."
        ))?;
    }
    Ok(())
}

fn check_tmpfs(name: &str, mounts: &[Tmpfs]) -> Result<()> {
    if mounts.len() > TMPFS_MAX {
        return Err(invalid_because(
            "tmpfs",
            name,
            format_args!("At most {TMPFS_MAX} are allowed."),
        ));
    }
    let mut targets = BTreeSet::new();
    for Tmpfs {
        container_path,
        mount_options,
        size,
    } in mounts
    {
        let path = container_path.trim_end_matches('/');
        if path.is_empty() || !is_plain(container_path) || !targets.insert(path) {
            return Err(invalid_because(
                "tmpfs",
                name,
                "Each containerPath must be absolute, plain and unique.",
            ));
        }
        if *size < 1 {
            return Err(invalid_because(
                "tmpfs",
                name,
                "Each size must be at least 1 MiB.",
            ));
        }
        for option in mount_options.iter().flatten() {
            let known = match option.split_once('=') {
                None => MOUNT_OPTIONS.contains(&option.as_str()),
                Some((key, value)) => {
                    VALUED_OPTIONS.contains(&key) && !value.is_empty() && !value.contains([',', '\0'])
                }
            };
            if !known {
                let shown: String = option.chars().take(64).collect();
                return Err(invalid_because(
                    "tmpfs",
                    name,
                    format_args!("'{shown}' is not a mount option here."),
                ));
            }
        }
    }
    Ok(())
}

/// -1 is no limit.
pub(super) fn check_ulimits(name: &str, ulimits: &[Ulimit]) -> Result<()> {
    let above = |limit: i32| if limit == -1 { i32::MAX } else { limit };
    let mut seen = BTreeSet::new();
    for Ulimit {
        hard_limit,
        name: limit,
        soft_limit,
    } in ulimits
    {
        if *hard_limit < -1 || *soft_limit < -1 || above(*soft_limit) > above(*hard_limit) {
            let why = format_args!("The soft limit of {limit} must not exceed the hard limit.");
            return Err(invalid_because("ulimits", name, why));
        }
        if !seen.insert(*limit) {
            return Err(invalid_because(
                "ulimits",
                name,
                format_args!("{limit} is set more than once."),
            ));
        }
    }
    Ok(())
}
