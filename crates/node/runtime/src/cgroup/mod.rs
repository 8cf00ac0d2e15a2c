//! Control groups, v1 (also hybrid) and v2, done here rather than by libcontainer for three reasons: a v1
//! attach through `tasks` avoids a kernel-wide lock that costs 10 ms on an idle machine; a group's exact OOM
//! count must be read before it is removed; and a group must be found again after any crash.

mod devices;
mod freezer;
mod stats;
mod v1;
mod v2;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::devices::Node;
use crate::error::{Error, Result};
use crate::spec::{CpuQuota, Resources};
use crate::sys;

/// How control groups are mounted on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Layout {
    /// The hierarchies that limit or count something, and those by which a service manager knows who
    /// belongs to the daemon (a named v1 tree, in a hybrid layout also the v2 tree).
    V1 {
        hierarchies: Vec<v1::Hierarchy>,
        managers: Vec<v1::Manager>,
    },
    V2 {
        mount: PathBuf,
    },
}

/// How long a killed group may take to become empty.
const EMPTY_WITHIN: Duration = Duration::from_secs(10);

impl Layout {
    /// Reads `/proc/self/mountinfo`.
    pub(crate) fn detect() -> Result<Self> {
        let path = "/proc/self/mountinfo";
        let mounts = fs::read_to_string(path).map_err(Error::io("could not read", path))?;
        Self::from_mountinfo(&mounts)
    }

    fn from_mountinfo(mounts: &str) -> Result<Self> {
        let mut hierarchies = Vec::new();
        let mut managers = Vec::new();
        let mut unified = None;
        for line in mounts.lines() {
            let Some((left, right)) = line.split_once(" - ") else {
                continue;
            };
            let (Some(root), Some(mount)) = (left.split(' ').nth(3), left.split(' ').nth(4)) else {
                continue;
            };
            let mut right = right.split(' ');
            let (kind, options) = (right.next(), right.nth(1).unwrap_or_default());
            // A bind of some inner group, as inside of containers, is not a hierarchy to work in.
            if root != "/" {
                continue;
            }
            match kind {
                Some("cgroup") => {
                    let controllers = v1::known_controllers(options);
                    if !controllers.is_empty() {
                        hierarchies.push(v1::Hierarchy {
                            mount: mount.into(),
                            controllers,
                        });
                    } else if options.split(',').any(|option| option == "name=systemd") {
                        managers.push(v1::Manager {
                            mount: mount.into(),
                            name: "name=systemd".into(),
                        });
                    }
                }
                Some("cgroup2") => unified = Some(PathBuf::from(mount)),
                _ => {}
            }
        }
        let has = |name: &str| {
            hierarchies
                .iter()
                .any(|h| h.controllers.iter().any(|c| c == name))
        };
        if has("memory") && has("pids") && has("cpu") && has("devices") {
            managers.extend(unified.map(|mount| v1::Manager {
                mount,
                name: String::new(),
            }));
            return Ok(Self::V1 {
                hierarchies,
                managers,
            });
        }
        match unified {
            Some(mount) => Ok(Self::V2 { mount }),
            None => Err(Error::Cgroup(
                "neither v1 with cpu, memory, pids and devices nor v2 is mounted; mount /sys/fs/cgroup"
                    .into(),
            )),
        }
    }

    /// Every directory that `group` has.
    fn dirs(&self, group: &Path) -> Vec<PathBuf> {
        match self {
            Self::V1 { hierarchies, .. } => hierarchies.iter().map(|h| h.mount.join(group)).collect(),
            Self::V2 { mount } => vec![mount.join(group)],
        }
    }

    pub(crate) fn exists(&self, group: &Path) -> bool {
        self.dirs(group).iter().all(|dir| dir.is_dir())
    }

    /// The directory that tells which processes belong to `group`.
    fn census(&self, group: &Path) -> PathBuf {
        self.with_controller("pids", group)
    }

    fn with_controller(&self, controller: &str, group: &Path) -> PathBuf {
        match self {
            Self::V1 { hierarchies, .. } => hierarchies
                .iter()
                .find(|h| h.controllers.iter().any(|c| c == controller))
                .map_or_else(|| group.to_owned(), |h| h.mount.join(group)),
            Self::V2 { mount } => mount.join(group),
        }
    }

    /// The view of itself that a container gets under `/sys/fs/cgroup`: name there, directory here. v2 needs
    /// none, since a cgroup namespace does it.
    pub(crate) fn view(&self, group: &Path) -> Vec<(String, PathBuf)> {
        match self {
            Self::V1 { hierarchies, .. } => hierarchies
                .iter()
                .filter_map(|h| Some((h.mount.file_name()?.to_str()?.to_owned(), h.mount.join(group))))
                .collect(),
            Self::V2 { .. } => Vec::new(),
        }
    }

    pub(crate) fn is_v2(&self) -> bool {
        matches!(self, Self::V2 { .. })
    }

    /// Makes `group`, all of whose parents exist or are made too. With it the children can be limited.
    pub(crate) fn create(&self, group: &Path, resources: &Resources) -> Result<()> {
        match self {
            Self::V1 { hierarchies, .. } => v1::create(hierarchies, group, resources),
            Self::V2 { mount } => v2::create(mount, group, resources),
        }
    }

    /// Denies `group` every device but the harmless ones and `nodes`.
    pub(crate) fn restrict_devices(&self, group: &Path, nodes: &[Node]) -> Result<()> {
        let allowed = devices::allowed(nodes);
        match self {
            Self::V1 { .. } => v1::restrict_devices(&self.with_controller("devices", group), &allowed),
            Self::V2 { mount } => devices::restrict(&mount.join(group), &allowed),
        }
    }

    /// v1 only.
    pub(crate) fn set_swappiness(&self, group: &Path, swappiness: u8) -> Result<()> {
        let file = self.with_controller("memory", group).join("memory.swappiness");
        write(&file, &swappiness.to_string())
    }

    /// For a fork that begins inside of the group: only v2 can.
    pub(crate) fn fork_into(&self, group: &Path) -> Result<Option<OwnedFd>> {
        match self {
            Self::V1 { .. } => Ok(None),
            Self::V2 { mount } => {
                let dir = mount.join(group);
                let fd = fs::File::open(&dir).map_err(Error::io("could not open", dir))?;
                Ok(Some(fd.into()))
            }
        }
    }

    /// Moves the calling process, which must have one thread, into the container's group. (On v2 it was
    /// forked there.)
    pub(crate) fn enter(&self, group: &Path) -> Result<()> {
        match self {
            Self::V1 { hierarchies, .. } => v1::enter(hierarchies, group),
            Self::V2 { .. } => Ok(()),
        }
    }

    /// Moves the calling single-threaded process out of the daemon's groups, so that neither the daemon's
    /// limits nor a service manager that ends the daemon reach it.
    pub(crate) fn leave_daemon(&self, group: &Path) -> Result<()> {
        match self {
            Self::V1 {
                hierarchies,
                managers,
            } => v1::leave(hierarchies, managers, group, &own_groups()),
            Self::V2 { mount } => write(&mount.join(group).join("cgroup.procs"), "0"),
        }
    }

    /// Processes in `group` and below. A group that does not exist has none.
    pub(crate) fn processes(&self, group: &Path) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        let mut pending = vec![self.census(group)];
        while let Some(dir) = pending.pop() {
            let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            // Another pid namespace's processes show as 0; there are none in groups of ours.
            found.extend(
                procs
                    .lines()
                    .filter_map(|line| line.parse::<i32>().ok())
                    .filter(|pid| *pid > 0),
            );
            pending.extend(children(&dir));
        }
        found
    }

    /// How many processes of exactly this group the kernel has killed for want of memory.
    pub(crate) fn oom_kills(&self, group: &Path) -> u64 {
        let dir = self.with_controller("memory", group);
        let file = if self.is_v2() {
            "memory.events"
        } else {
            "memory.oom_control"
        };
        fs::read_to_string(dir.join(file))
            .ok()
            .and_then(|text| keyed(&text, "oom_kill"))
            .unwrap_or(0)
    }

    /// Lets the group have all the CPU there is: under a small quota a thousand processes take minutes to die.
    pub(crate) fn lift_quota(&self, group: &Path) {
        // A group without the controller has no quota.
        let _ = self.set_quota(group, None);
    }

    pub(crate) fn set_quota(&self, group: &Path, quota: Option<CpuQuota>) -> Result<()> {
        let dir = self.with_controller("cpu", group);
        match (self, quota) {
            (Self::V1 { .. }, None) => write(&dir.join("cpu.cfs_quota_us"), "-1"),
            (Self::V1 { .. }, Some(CpuQuota { quota_us, period_us })) => {
                write(&dir.join("cpu.cfs_period_us"), &period_us.to_string())?;
                write(&dir.join("cpu.cfs_quota_us"), &quota_us.to_string())
            }
            (Self::V2 { .. }, None) => write(&dir.join("cpu.max"), "max"),
            (Self::V2 { .. }, Some(CpuQuota { quota_us, period_us })) => {
                write(&dir.join("cpu.max"), &format!("{quota_us} {period_us}"))
            }
        }
    }

    /// Kills everything in `group` and below, and waits until it is gone (at most `EMPTY_WITHIN`).
    pub(crate) fn kill(&self, group: &Path) -> Result<()> {
        let deadline = Instant::now() + EMPTY_WITHIN;
        self.lift_quota(group);
        if let Self::V2 { mount } = self {
            // One write kills the whole tree, forks in flight included; the loop only waits then.
            let _ = write(&mount.join(group).join("cgroup.kill"), "1");
        }
        loop {
            let pids = self.processes(group);
            if pids.is_empty() {
                return Ok(());
            }
            for pid in pids {
                let _ = sys::kill(pid, libc::SIGKILL);
            }
            // On v1 a frozen process does not even die.
            self.thaw_quietly(group);
            if Instant::now() > deadline {
                return Err(Error::Cgroup(format!(
                    "processes of {} do not die",
                    group.display()
                )));
            }
            pause(Duration::from_millis(1));
        }
    }

    /// Kills what is in `group`, then removes it and the groups below. One that is gone already is no error.
    pub(crate) fn remove(&self, group: &Path) -> Result<()> {
        self.kill(group)?;
        let deadline = Instant::now() + EMPTY_WITHIN;
        let mut dirs = self.dirs(group);
        if let Self::V1 { managers, .. } = self {
            dirs.extend(managers.iter().map(|manager| manager.mount.join(group)));
        }
        for dir in dirs {
            loop {
                match remove_tree(&dir) {
                    Ok(()) => break,
                    // The last process has died but has not left the group yet.
                    Err(err) if err.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline => {
                        pause(Duration::from_millis(1));
                    }
                    Err(err) => return Err(Error::io("could not remove the control group", dir)(err)),
                }
            }
        }
        Ok(())
    }

    /// Names of the groups directly below `group`, in any hierarchy.
    pub(crate) fn below(&self, group: &Path) -> BTreeSet<String> {
        self.dirs(group)
            .iter()
            .flat_map(|dir| children(dir))
            .filter_map(|dir| Some(dir.file_name()?.to_str()?.to_owned()))
            .collect()
    }
}

/// Waits without a clock of its own being banned: a poll on nothing.
fn pause(time: Duration) {
    let time = rustix::event::Timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    let _ = rustix::event::poll(&mut [], Some(&time));
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    for child in children(dir) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(dir) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

/// The value behind `key` in a file of `key value` lines.
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Lines of `/proc/self/cgroup` as (controllers, path).
fn own_groups() -> Vec<(String, String)> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        })
        .collect()
}

fn write(path: &Path, value: &str) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()))
        .map_err(|err| Error::Cgroup(format!("could not write {value:?} to {}: {err}", path.display())))
}

fn make_dir(dir: &Path) -> Result<()> {
    match fs::create_dir(dir) {
        Err(err) if err.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io("could not make the control group", dir)(err))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
34 30 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
35 30 0:31 / /sys/fs/cgroup/net_cls rw - cgroup cgroup rw,net_cls
36 30 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
37 30 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    #[test]
    fn hybrid_is_v1_with_the_hierarchies_that_matter() {
        let Ok(Layout::V1 {
            hierarchies,
            managers,
        }) = Layout::from_mountinfo(HYBRID)
        else {
            panic!("not v1")
        };
        assert_eq!(hierarchies.len(), 4);
        assert_eq!(hierarchies[0].controllers, ["cpu", "cpuacct"]);
        let mounts: Vec<_> = managers.iter().map(|manager| manager.mount.as_path()).collect();
        assert_eq!(
            mounts,
            [
                Path::new("/sys/fs/cgroup/systemd"),
                Path::new("/sys/fs/cgroup/unified")
            ]
        );
    }

    #[test]
    fn unified_is_v2_and_nothing_is_an_error() {
        let v2 = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(
            Layout::from_mountinfo(v2).expect("v2"),
            Layout::V2 {
                mount: PathBuf::from("/sys/fs/cgroup")
            }
        );
        assert!(Layout::from_mountinfo("1 1 0:1 / / rw - ext4 /dev/vda rw").is_err());
    }

    #[test]
    fn a_key_is_a_whole_word() {
        let text = "oom 3\noom_kill 2\noom_kill_disable 0\n";
        assert_eq!(keyed(text, "oom_kill"), Some(2));
        assert_eq!(keyed(text, "low"), None);
    }
}
