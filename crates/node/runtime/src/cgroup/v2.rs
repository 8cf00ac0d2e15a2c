//! cgroup v2: one tree; controllers are handed down level by level, and only leaves hold processes.

use std::fs;
use std::path::Path;

use super::{make_dir, write};
use crate::error::Result;
use crate::spec::{MIN_CPU_SHARES, Resources};

const WANTED: [&str; 4] = ["cpu", "memory", "pids", "io"];

pub(super) fn create(mount: &Path, group: &Path, resources: &Resources) -> Result<()> {
    let mut dir = mount.to_owned();
    for part in group {
        hand_down(&dir);
        dir.push(part);
        make_dir(&dir)?;
    }
    settings(resources).iter().try_for_each(|(file, value)| {
        let path = dir.join(file);
        // Without swap accounting there is no swap file; nothing was promised then.
        if *file == "memory.swap.max" && value == "0" && !path.exists() {
            return Ok(());
        }
        write(&path, value)
    })
}

/// Lets the children of `dir` have limits. A controller that is missing shows when a limit is written.
fn hand_down(dir: &Path) {
    let control = dir.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&control).unwrap_or_default();
    for controller in WANTED {
        if !enabled.split_ascii_whitespace().any(|name| name == controller) {
            let _ = write(&control, &format!("+{controller}"));
        }
    }
}

/// Files and values for the limits.
fn settings(resources: &Resources) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if let Some(shares) = resources.cpu_shares {
        files.push(("cpu.weight", weight(shares).to_string()));
    }
    if let Some(quota) = resources.cpu_quota {
        files.push(("cpu.max", format!("{} {}", quota.quota_us, quota.period_us)));
    }
    if let Some(limit) = resources.memory_limit {
        files.push(("memory.max", limit.to_string()));
        files.push(("memory.swap.max", resources.swap.unwrap_or(0).to_string()));
    }
    if let Some(reservation) = resources.memory_reservation {
        files.push(("memory.low", reservation.to_string()));
    }
    if let Some(limit) = resources.pids_limit {
        files.push(("pids.max", limit.to_string()));
    }
    files
}

/// Shares (2 to 262144) to weight (1 to 10000), linearly, as OCI runtimes agree to do it.
fn weight(shares: u64) -> u64 {
    let shares = shares.clamp(MIN_CPU_SHARES, 262_144);
    1 + ((shares - 2) * 9999) / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::CpuQuota;

    #[test]
    fn shares_become_weights_at_both_ends() {
        for (shares, expected) in [(0, 1), (2, 1), (1024, 39), (262_144, 10_000), (u64::MAX, 10_000)] {
            assert_eq!(weight(shares), expected, "{shares}");
        }
    }

    #[test]
    fn each_limit_has_its_file_and_what_is_absent_writes_none() {
        assert!(settings(&Resources::default()).is_empty());
        let all = Resources {
            cpu_shares: Some(2),
            cpu_quota: Some(CpuQuota {
                quota_us: 50_000,
                period_us: 100_000,
            }),
            memory_limit: Some(1 << 30),
            memory_reservation: Some(1 << 20),
            swap: None,
            pids_limit: Some(7),
        };
        let expected = [
            ("cpu.weight", "1"),
            ("cpu.max", "50000 100000"),
            ("memory.max", "1073741824"),
            ("memory.swap.max", "0"),
            ("memory.low", "1048576"),
            ("pids.max", "7"),
        ];
        assert_eq!(
            settings(&all),
            expected.map(|(file, value)| (file, value.to_owned()))
        );
    }
}
