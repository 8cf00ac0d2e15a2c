//! Containers that outlive the daemon which made them. The daemon can crash or be replaced at any moment, and
//! every container must go on, keep its output, and still have its exit code told to whoever comes next; so
//! each has a small process of its own, the shim (see `shim`), and a directory that both sides write (see
//! `files`). The daemon's side, `Runtime`, keeps nothing in memory that matters.

mod capabilities;
mod cgroup;
mod check;
mod control;
mod error;
mod files;
mod ids;
mod inner;
mod logs;
mod runtime;
mod shim;
mod spawn;
mod spec;
mod status;
mod strays;
mod sys;

pub use error::{Error, Result};
pub use ids::{ContainerId, GroupName, InstanceId, ParseNameError};
pub use logs::{LogConfig, LogLine, LogQuery, LogReader, MAX_RECORD, MIN_LOG_SIZE, Stream};
pub use runtime::{Options, Runtime};
pub use shim::shim_main_if_asked;
pub use spec::{
    Capabilities, Command, ContainerSpec, CpuQuota, MAX_LAYERS, MIN_CPU_SHARES, MIN_MEMORY_LIMIT, Mount,
    MountKind, Net, Process, Resources, Root, Share, Ulimit,
};
pub use status::{ContainerStatus, Created, Exit, Started, State, Usage};
