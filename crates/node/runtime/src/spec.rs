//! What a container is to be, in the words of a task definition rather than of the OCI specification, so
//! that a caller cannot express a combination that the kernel side would quietly drop.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ids::{ContainerId, GroupName};
use crate::logs::LogConfig;

/// The smallest memory limit, in bytes: below it the set-up itself would not fit.
pub const MIN_MEMORY_LIMIT: u64 = 6 * 1024 * 1024;
/// The smallest CPU share the kernel knows.
pub const MIN_CPU_SHARES: u64 = 2;
/// overlayfs stacks no more layers than this.
pub const MAX_LAYERS: usize = 500;

/// Everything needed to make one container. `ContainerSpec::new` gives the defaults.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerSpec {
    pub id: ContainerId,
    pub root: Root,
    pub process: Process,
    /// Set in a UTS namespace of its own; refused together with a shared one. Also `HOSTNAME`.
    pub hostname: Option<String>,
    pub network: Net,
    pub ipc: Share,
    pub pid: Share,
    pub uts: Share,
    /// In the order in which they are mounted, after `/proc`, `/dev`, `/sys` and `/dev/shm`.
    pub mounts: Vec<Mount>,
    pub readonly_root: bool,
    pub capabilities: Capabilities,
    pub resources: Resources,
    /// The group whose limits hold too; made beforehand with `Runtime::ensure_group`.
    pub group: Option<GroupName>,
    pub ulimits: Vec<Ulimit>,
    /// Namespaced kernel parameters, `net.core.somaxconn` for example.
    pub sysctls: BTreeMap<String, String>,
    pub log: LogConfig,
    pub labels: BTreeMap<String, String>,
    /// Bytes of a `/dev/shm` of its own, 64 MiB by default; refused where the IPC namespace is shared.
    #[serde(default)]
    pub shm_size: Option<u64>,
    /// A first process of the runtime's own, which passes signals on and reaps; the program is its child.
    #[serde(default)]
    pub init: bool,
    /// Every capability and device, nothing masked or read-only, no system call filter. Whoever may say this
    /// owns the machine.
    #[serde(default)]
    pub privileged: bool,
    /// Set-uid programs and file capabilities give nothing.
    #[serde(default)]
    pub no_new_privileges: bool,
    #[serde(default)]
    pub seccomp: Seccomp,
    /// Devices of the host's, besides the harmless ones that every container has.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// 0 to 100, how readily memory is swapped out. cgroup v2 has no such setting: refused there.
    #[serde(default)]
    pub swappiness: Option<u8>,
    /// A terminal for stdin, stdout and stderr. What the program prints is logged as stdout, with the
    /// terminal's line ends.
    #[serde(default)]
    pub tty: bool,
    /// stdin stays open and silent instead of being at its end at once.
    #[serde(default)]
    pub interactive: bool,
    /// -1000 to 1000: who is killed first when the machine's memory ends.
    #[serde(default)]
    pub oom_score_adj: i32,
    /// Root in the container is an ordinary user of the host. Refused with `privileged` and with namespaces of
    /// containers whose users are others.
    #[serde(default)]
    pub user_namespace: Option<UserNamespace>,
}

impl ContainerSpec {
    /// A container with namespaces of its own, default capabilities and no limits.
    pub fn new(id: ContainerId, root: Root, process: Process) -> Self {
        Self {
            id,
            root,
            process,
            hostname: None,
            network: Net::New,
            ipc: Share::New,
            pid: Share::New,
            uts: Share::New,
            mounts: Vec::new(),
            readonly_root: false,
            capabilities: Capabilities::default(),
            resources: Resources::default(),
            group: None,
            ulimits: Vec::new(),
            sysctls: BTreeMap::new(),
            log: LogConfig::default(),
            labels: BTreeMap::new(),
            shm_size: None,
            init: false,
            privileged: false,
            no_new_privileges: false,
            seccomp: Seccomp::default(),
            devices: Vec::new(),
            swappiness: None,
            tty: false,
            interactive: false,
            oom_score_adj: 0,
            user_namespace: None,
        }
    }
}

/// Where the root file system comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Root {
    /// Unpacked layers, the topmost first (as overlayfs lists them), below a writable layer of the
    /// container's own. The layers are never written to.
    Overlay {
        lower: Vec<PathBuf>,
        /// An empty directory for the writable layer, the caller's to make and to remove; in the container's own
        /// directory if absent.
        #[serde(default)]
        writable: Option<PathBuf>,
    },
    /// Nothing but mount points: for the pause container.
    Empty,
}

/// What runs as the container's first process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Process {
    Command(Command),
    /// Holds the namespaces open: waits, reaps, and ends with code 0 on SIGTERM. Needs no image.
    Pause,
}

/// A program of the image.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments; a program without a slash is looked up in the environment's `PATH`.
    pub args: Vec<String>,
    /// `PATH`, `HOME` and `HOSTNAME` are added where missing, with a terminal also `TERM`.
    pub env: Vec<(String, String)>,
    /// Absolute; made if the image lacks it. `/` by default.
    pub cwd: Option<PathBuf>,
    /// `user`, `uid`, `user:group`, `uid:gid` and mixtures, resolved in the image's own files. Root by default.
    pub user: Option<String>,
    /// Supplementary groups, names or numbers, besides those that the image's `/etc/group` gives the user.
    pub groups: Vec<String>,
}

/// The network namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Net {
    New,
    /// A path such as `/proc/PID/ns/net` or `/run/netns/NAME`.
    Join(PathBuf),
    /// That of another running container of this instance, a pause container for example.
    With(ContainerId),
    /// The daemon's own.
    Host,
}

/// A namespace of its own, that of another running container of this instance, or the daemon's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    #[default]
    New,
    With(ContainerId),
    Host,
}

/// Which system calls the container may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Docker's default profile, with what the container's capabilities open.
    #[default]
    Default,
    /// All.
    Unconfined,
}

/// A device of the host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// A device node on the host, or a directory of which all nodes are meant. Links are followed.
    pub host: PathBuf,
    /// Below `/dev`.
    pub container: PathBuf,
    pub read: bool,
    pub write: bool,
    pub mknod: bool,
}

/// Users and groups 0 to `size` - 1 of the container are `first` to `first` + `size` - 1 of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserNamespace {
    pub first: u32,
    pub size: u32,
}

/// A mount beyond the standard ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    pub kind: MountKind,
    /// Absolute, inside the container; made if the image lacks it.
    pub target: PathBuf,
    pub read_only: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MountKind {
    /// A file or directory of the host, with what is mounted below it. It must exist.
    Bind { source: PathBuf },
    /// A directory that belongs to the task. An empty one first receives what the image has at the target,
    /// with owners and modes. It must exist.
    Volume { source: PathBuf },
    /// Memory, at most `size` bytes if given. `options` are tmpfs mount options such as `mode=1770` or `noexec`.
    Tmpfs { size: Option<u64>, options: Vec<String> },
}

/// Changes to the default set of 14. Names with or without `CAP_`; `ALL` is understood.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Capabilities {
    pub add: Vec<String>,
    pub drop: Vec<String>,
}

/// Limits; what is absent is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Relative weight, 1024 for one CPU; values below 2 become 2, the kernel's least.
    pub cpu_shares: Option<u64>,
    pub cpu_quota: Option<CpuQuota>,
    /// Hard limit in bytes, at least `MIN_MEMORY_LIMIT`.
    pub memory_limit: Option<u64>,
    /// Soft limit in bytes.
    pub memory_reservation: Option<u64>,
    /// Bytes of swap on top of `memory_limit`, which it needs; none when absent. Without effect on a
    /// kernel that does not account for swap, and refused there when it is more than zero.
    pub swap: Option<u64>,
    pub pids_limit: Option<u64>,
}

/// `quota_us` of CPU time in each `period_us`, both in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuQuota {
    pub quota_us: u64,
    pub period_us: u64,
}

/// A program to run in a container that runs already.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments; a program without a slash is looked up in the environment's `PATH`.
    pub args: Vec<String>,
    /// Besides the container's own, and before them.
    pub env: Vec<(String, String)>,
    /// The container's own if absent.
    pub cwd: Option<PathBuf>,
    /// As `Command::user`; the container's own if absent.
    pub user: Option<String>,
    /// A terminal instead of three pipes.
    pub tty: bool,
}

/// A resource limit of the process, by its name in a task definition (`nofile`, `memlock`, ...).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ulimit {
    pub name: String,
    /// `u64::MAX` is "unlimited".
    pub soft: u64,
    pub hard: u64,
}
