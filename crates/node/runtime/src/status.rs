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
}

/// What a container has used so far; `None` where this machine's cgroups do not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu_nanos: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub processes: Option<u64>,
}
