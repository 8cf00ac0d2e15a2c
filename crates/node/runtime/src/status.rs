//! What became of a container, as it is told to callers and as it is kept on disk.

use std::collections::BTreeMap;

use roadstead_base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{ContainerId, GroupName};

/// A container that is ready to start. Its namespaces exist: `/proc/PID/ns/net` can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// The first process, in the host's pid namespace.
    pub pid: i32,
}

/// A container whose program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The first process, in the host's pid namespace.
    pub pid: i32,
    pub at: Timestamp,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit code; 128 + n for an end by signal n. 127 or 126 when the program could not be run.
    pub code: i32,
    /// The kernel killed it, or a process whose end it passed on, for want of memory. The code is 137 then.
    pub oom_killed: bool,
    pub finished_at: Timestamp,
    /// Set when the code does not come from the program itself: why.
    pub reason: Option<String>,
}

/// Where a container stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Created,
    Running,
    Exited(Exit),
}

/// One container of `Runtime::list`.
#[derive(Clone, Debug)]
pub struct ContainerStatus {
    pub id: ContainerId,
    /// The first process, in the host's pid namespace; of an exited container, the pid that it had.
    pub pid: i32,
    pub state: State,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub group: Option<GroupName>,
    pub labels: BTreeMap<String, String>,
    /// Stands still: see `Runtime::freeze`.
    pub frozen: bool,
}

/// What a container has used so far; `None` where this machine's cgroups do not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu_nanos: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub processes: Option<u64>,
}

/// What a container, or a group, uses and was refused. `None` where this machine's cgroups do not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub cpu: CpuStats,
    pub memory: MemoryStats,
    pub pids: PidsStats,
    /// One per device that was read or written.
    pub block: Vec<BlockStats>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuStats {
    pub total_nanos: Option<u64>,
    pub user_nanos: Option<u64>,
    pub system_nanos: Option<u64>,
    /// Of a quota: periods that have passed, and those in which it was used up.
    pub periods: Option<u64>,
    pub throttled_periods: Option<u64>,
    pub throttled_nanos: Option<u64>,
}

/// All in bytes but the counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// Including the page cache.
    pub usage: Option<u64>,
    /// `None` also without a limit.
    pub limit: Option<u64>,
    pub max_usage: Option<u64>,
    /// How often the limit was met.
    pub failures: Option<u64>,
    pub swap: Option<u64>,
    pub anonymous: Option<u64>,
    pub cache: Option<u64>,
    /// What of the cache is given up first: usage less this is what people call memory in use.
    pub inactive_file: Option<u64>,
    pub oom_kills: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidsStats {
    pub current: Option<u64>,
    /// `None` also without a limit.
    pub limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockStats {
    pub major: u32,
    pub minor: u32,
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}
