//! What a group uses and was refused, in the same words for both versions of cgroups.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Layout, keyed};
use crate::status::{BlockStats, CpuStats, MemoryStats, PidsStats, Stats, Usage};

/// Clock ticks of `cpuacct.stat`: a constant of Linux's user interface.
const NANOS_PER_TICK: u64 = 10_000_000;
/// v1's word for no limit is the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 62;

impl Layout {
    /// The file that says how much memory a group held at most; before Linux 5.19 there is none with cgroups v2, and
    /// what it holds now has to do.
    pub(crate) fn memory_peak(&self, group: &Path) -> PathBuf {
        let folder = self.with_controller("memory", group);
        let (most, now) = match self {
            Self::V1 { .. } => ("memory.max_usage_in_bytes", "memory.usage_in_bytes"),
            Self::V2 { .. } => ("memory.peak", "memory.current"),
        };
        let most = folder.join(most);
        if most.exists() { most } else { folder.join(now) }
    }

    pub(crate) fn usage(&self, group: &Path) -> Usage {
        let Stats {
            cpu, memory, pids, ..
        } = self.stats(group);
        Usage {
            cpu_nanos: cpu.total_nanos,
            memory_bytes: memory.usage,
            processes: pids.current,
        }
    }

    pub(crate) fn stats(&self, group: &Path) -> Stats {
        let read = |controller: &str, file: &str| {
            fs::read_to_string(self.with_controller(controller, group).join(file)).unwrap_or_default()
        };
        // "max" is no number, and no limit.
        let number = |controller: &str, file: &str| read(controller, file).trim().parse::<u64>().ok();
        let pids = PidsStats {
            current: number("pids", "pids.current"),
            limit: number("pids", "pids.max"),
        };
        match self {
            Self::V1 { .. } => {
                let (times, throttling) = (read("cpuacct", "cpuacct.stat"), read("cpu", "cpu.stat"));
                let stat = read("memory", "memory.stat");
                let ticks = |key| keyed(&times, key).map(|ticks| ticks.saturating_mul(NANOS_PER_TICK));
                Stats {
                    cpu: CpuStats {
                        total_nanos: number("cpuacct", "cpuacct.usage"),
                        user_nanos: ticks("user"),
                        system_nanos: ticks("system"),
                        periods: keyed(&throttling, "nr_periods"),
                        throttled_periods: keyed(&throttling, "nr_throttled"),
                        throttled_nanos: keyed(&throttling, "throttled_time"),
                    },
                    memory: MemoryStats {
                        usage: number("memory", "memory.usage_in_bytes"),
                        limit: number("memory", "memory.limit_in_bytes").filter(|limit| *limit < NO_LIMIT),
                        max_usage: number("memory", "memory.max_usage_in_bytes"),
                        failures: number("memory", "memory.failcnt"),
                        swap: keyed(&stat, "total_swap"),
                        anonymous: keyed(&stat, "total_rss"),
                        cache: keyed(&stat, "total_cache"),
                        inactive_file: keyed(&stat, "total_inactive_file"),
                        oom_kills: Some(self.oom_kills(group)),
                    },
                    pids,
                    block: v1_block(
                        &read("blkio", "blkio.throttle.io_service_bytes"),
                        &read("blkio", "blkio.throttle.io_serviced"),
                    ),
                }
            }
            Self::V2 { .. } => {
                let cpu = read("cpu", "cpu.stat");
                let (stat, events) = (read("memory", "memory.stat"), read("memory", "memory.events"));
                let micros = |key| keyed(&cpu, key).map(|micros: u64| micros.saturating_mul(1000));
                Stats {
                    cpu: CpuStats {
                        total_nanos: micros("usage_usec"),
                        user_nanos: micros("user_usec"),
                        system_nanos: micros("system_usec"),
                        periods: keyed(&cpu, "nr_periods"),
                        throttled_periods: keyed(&cpu, "nr_throttled"),
                        throttled_nanos: micros("throttled_usec"),
                    },
                    memory: MemoryStats {
                        usage: number("memory", "memory.current"),
                        limit: number("memory", "memory.max"),
                        max_usage: number("memory", "memory.peak"),
                        failures: keyed(&events, "max"),
                        swap: number("memory", "memory.swap.current"),
                        anonymous: keyed(&stat, "anon"),
                        cache: keyed(&stat, "file"),
                        inactive_file: keyed(&stat, "inactive_file"),
                        oom_kills: Some(self.oom_kills(group)),
                    },
                    pids,
                    block: v2_block(&read("io", "io.stat")),
                }
            }
        }
    }
}

/// Lines of `MAJOR:MINOR Operation N`.
fn v1_block(bytes: &str, counts: &str) -> Vec<BlockStats> {
    let mut devices: BTreeMap<(u32, u32), BlockStats> = BTreeMap::new();
    for (text, of_bytes) in [(bytes, true), (counts, false)] {
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(device), Some(operation), Some(number)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let (Some(device), Ok(number)) = (device_number(device), number.parse::<u64>()) else {
                continue;
            };
            let stats = devices.entry(device).or_insert_with(|| block(device));
            match (operation, of_bytes) {
                ("Read", true) => stats.read_bytes = number,
                ("Write", true) => stats.write_bytes = number,
                ("Read", false) => stats.reads = number,
                ("Write", false) => stats.writes = number,
                _ => {}
            }
        }
    }
    devices.into_values().collect()
}

/// Lines of `MAJOR:MINOR rbytes=N wbytes=N rios=N wios=N ...`.
fn v2_block(text: &str) -> Vec<BlockStats> {
    let line = |line: &str| {
        let (device, rest) = line.split_once(' ')?;
        let mut stats = block(device_number(device)?);
        for (key, value) in rest.split(' ').filter_map(|pair| pair.split_once('=')) {
            let value = value.parse().unwrap_or(0);
            match key {
                "rbytes" => stats.read_bytes = value,
                "wbytes" => stats.write_bytes = value,
                "rios" => stats.reads = value,
                "wios" => stats.writes = value,
                _ => {}
            }
        }
        Some(stats)
    };
    text.lines().filter_map(line).collect()
}

fn device_number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn block((major, minor): (u32, u32)) -> BlockStats {
    BlockStats {
        major,
        minor,
        ..BlockStats::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_tell_the_same_of_a_device() {
        let expected = [BlockStats {
            major: 254,
            minor: 0,
            read_bytes: 8192,
            write_bytes: 512,
            reads: 2,
            writes: 1,
        }];
        let v2 = "254:0 rbytes=8192 wbytes=512 rios=2 wios=1 dbytes=0 dios=0\n7:0 \n";
        assert_eq!(v2_block(v2)[..1], expected);
        let bytes = "254:0 Read 8192\n254:0 Write 512\n254:0 Sync 0\n254:0 Total 8704\nTotal 8704\n";
        let counts = "254:0 Read 2\n254:0 Write 1\nTotal 3\n";
        assert_eq!(v1_block(bytes, counts), expected);
        assert!(v1_block("Total 0\n", "").is_empty());
    }
}
