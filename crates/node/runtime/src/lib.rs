//! Containers that outlive the daemon which made them. The daemon can crash or be replaced at any moment, and
//! every container must go on, keep its output, and still have its exit code told to whoever comes next; so
//! each has a small process of its own, the shim (see `shim`), and a directory that both sides write (see
//! `files`). The daemon's side, `Runtime`, keeps nothing in memory that matters.

mod capabilities;
mod cgroup;
mod check;
mod control;
mod devices;
mod error;
mod exec;
mod files;
mod ids;
mod inner;
mod interfaces;
mod live;
mod logs;
mod renew;
mod runtime;
mod seccomp;
mod shim;
mod spawn;
mod spec;
mod status;
mod strays;
mod sys;

pub use error::{Error, Result};
pub use exec::{ExecOutput, ExecStreams, Execution};
pub use ids::{ContainerId, GroupName, InstanceId, ParseNameError};
pub use interfaces::InterfaceStats;
pub use live::MemoryGauge;
pub use logs::{
    Backlog, Flushed, LogConfig, LogFollower, LogLine, LogPlace, LogQuery, LogRead, LogReader, MAX_RECORD,
    MIN_LOG_SIZE, Stream, WhenFull,
};
pub use runtime::{Options, Runtime};
pub use shim::shim_main_if_asked;
pub use spec::{
    Capabilities, Command, ContainerSpec, CpuQuota, Device, ExecSpec, MAX_LAYERS, MIN_CPU_SHARES,
    MIN_MEMORY_LIMIT, Mount, MountKind, Net, Process, Resources, Root, Seccomp, Share, Ulimit, UserNamespace,
};
pub use status::{
    BlockStats, ContainerStatus, CpuStats, Created, Exit, MemoryStats, PidsStats, Started, State, Stats,
    Usage,
};
