//! cgroup v1: one tree per controller, each written by itself.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::devices::{Allowed, MAKE_NODES};
use super::{make_dir, write};
use crate::error::{Error, Result};
use crate::spec::{MIN_CPU_SHARES, Resources};

/// A mounted v1 tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hierarchy {
    pub(crate) mount: PathBuf,
    pub(crate) controllers: Vec<String>,
}

/// A tree without controllers by which a service manager tracks processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manager {
    pub(crate) mount: PathBuf,
    /// As in `/proc/PID/cgroup`: `name=systemd`, or empty for the v2 tree.
    pub(crate) name: String,
}

/// The controllers a container is put under. The others (cpuset, net_cls, ...) are left where the daemon is:
/// nothing of ours is set there, and each would cost a migration.
const KNOWN: [&str; 7] = ["cpu", "cpuacct", "memory", "devices", "freezer", "pids", "blkio"];

pub(super) fn known_controllers(options: &str) -> Vec<String> {
    options
        .split(',')
        .filter(|option| KNOWN.contains(option))
        .map(str::to_owned)
        .collect()
}

pub(super) fn create(hierarchies: &[Hierarchy], group: &Path, resources: &Resources) -> Result<()> {
    for hierarchy in hierarchies {
        let mut dir = hierarchy.mount.clone();
        for part in group {
            dir.push(part);
            make_dir(&dir)?;
            fill_cpuset(&dir)?;
        }
        for controller in &hierarchy.controllers {
            match controller.as_str() {
                "cpu" => cpu(&dir, resources)?,
                "memory" => memory(&dir, resources)?,
                "pids" => {
                    if let Some(limit) = resources.pids_limit {
                        write(&dir.join("pids.max"), &limit.to_string())?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Where cpuset is mounted together with a controller of ours, a group without CPUs takes no process.
fn fill_cpuset(dir: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = dir.join(file);
        if fs::read_to_string(&own).is_ok_and(|text| text.trim().is_empty()) {
            let inherited = dir.parent().map(|parent| parent.join(file)).unwrap_or_default();
            let value = fs::read_to_string(&inherited).map_err(Error::io("could not read", inherited))?;
            write(&own, value.trim())?;
        }
    }
    Ok(())
}

fn cpu(dir: &Path, resources: &Resources) -> Result<()> {
    if let Some(shares) = resources.cpu_shares {
        write(&dir.join("cpu.shares"), &shares.max(MIN_CPU_SHARES).to_string())?;
    }
    if let Some(quota) = resources.cpu_quota {
        write(&dir.join("cpu.cfs_period_us"), &quota.period_us.to_string())?;
        write(&dir.join("cpu.cfs_quota_us"), &quota.quota_us.to_string())?;
    }
    Ok(())
}

fn memory(dir: &Path, resources: &Resources) -> Result<()> {
    if let Some(limit) = resources.memory_limit {
        let file = dir.join("memory.limit_in_bytes");
        let both = dir.join("memory.memsw.limit_in_bytes");
        let swap = resources.swap.unwrap_or(0);
        let with_swap = limit.saturating_add(swap).to_string();
        if !both.exists() {
            if swap > 0 {
                return Err(Error::Cgroup(
                    "swap was asked for, but this kernel does not account for it (boot with swapaccount=1)"
                        .into(),
                ));
            }
            write(&file, &limit.to_string())?;
        } else if write(&file, &limit.to_string()).is_ok() {
            write(&both, &with_swap)?;
        } else {
            // A group that exists already and is to grow: the sum has to grow first.
            write(&both, &with_swap)?;
            write(&file, &limit.to_string())?;
        }
    }
    if let Some(reservation) = resources.memory_reservation {
        write(&dir.join("memory.soft_limit_in_bytes"), &reservation.to_string())?;
    }
    Ok(())
}

/// A single-threaded process that writes 0 (itself) to `tasks` takes no kernel-wide lock.
pub(super) fn enter(hierarchies: &[Hierarchy], group: &Path) -> Result<()> {
    hierarchies
        .iter()
        .try_for_each(|hierarchy| write(&hierarchy.mount.join(group).join("tasks"), "0"))
}

/// Moves the caller to `group` wherever the daemon, whose child it is, sits in a group of its own.
pub(super) fn leave(
    hierarchies: &[Hierarchy],
    managers: &[Manager],
    group: &Path,
    own: &[(String, String)],
) -> Result<()> {
    let confined = |name: &str| {
        own.iter()
            .any(|(names, path)| names.split(',').any(|n| n == name) && path != "/")
    };
    for hierarchy in hierarchies {
        if hierarchy
            .controllers
            .iter()
            .any(|controller| confined(controller))
        {
            write(&hierarchy.mount.join(group).join("tasks"), "0")?;
        }
    }
    for manager in managers {
        if confined(&manager.name) {
            let dir = manager.mount.join(group);
            fs::create_dir_all(&dir).map_err(Error::io("could not make the control group", &dir))?;
            write(&dir.join("cgroup.procs"), "0")?;
        }
    }
    Ok(())
}

/// Nodes may be made, but only what is allowed can be opened.
pub(super) fn restrict_devices(dir: &Path, allowed: &[Allowed]) -> Result<()> {
    write(&dir.join("devices.deny"), "a")?;
    let allow = dir.join("devices.allow");
    MAKE_NODES.iter().try_for_each(|rule| write(&allow, rule))?;
    allowed.iter().try_for_each(|rule| write(&allow, &rule.v1()))
}
