//! Taking things away: one container, what a crash left, or everything. Every step may find its work done
//! already, or half done by a daemon that died in the middle.
//!
//! Mounts need no clean-up: root file systems are mounted inside of their containers' namespaces only.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::control::Control;
use crate::error::{Error, Result};
use crate::files::{Dir, ShimProcess};
use crate::ids::{ContainerId, GroupName};
use crate::inner::{CONTAINER, GROUP, Inner, SHIMS, blocking, remove_dir};
use crate::runtime::Runtime;
use crate::shim::NAME;
use crate::sys;

/// Directories on their way out; no container id begins with a dot.
const DOOMED: &str = ".gone-";
/// How long a shim that was told to kill its container may take to write the record and end.
const SHIM_ENDS_WITHIN: Duration = Duration::from_secs(20);
/// The same of one that never got as far as having a container: a daemon's start waits for it.
const UNFINISHED_ENDS_WITHIN: Duration = Duration::from_secs(1);
const ORPHANS_END_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

impl Runtime {
    /// Removes what a crash left of this instance: containers that were not made completely, directories that
    /// were being removed, control groups without a container, groups without containers. Call it when no
    /// group has been made yet that its first container is still to join.
    pub async fn reap_strays(&self) -> Result<()> {
        for id in self.0.ids().await? {
            if self.0.is_creating(&id) {
                continue;
            }
            let dir = Dir::of(&self.0.state_dir, &id);
            match (dir.plan(), dir.life()) {
                (Ok(Some(_)), Ok(Some(_))) => {}
                (Err(err @ Error::Newer { .. }), _) | (_, Err(err @ Error::Newer { .. })) => {
                    tracing::warn!(container = %id, %err, "left alone");
                }
                _ => {
                    tracing::info!(container = %id, "half made, removed");
                    self.0.remove(&id).await?;
                }
            }
        }
        let inner = Arc::clone(&self.0);
        blocking(move || {
            inner.end_orphans(|dir| !dir.is_dir());
            inner.remove_doomed()?;
            inner.remove_stray_cgroups()
        })
        .await
    }

    /// Removes every container, and every trace of the instance from the machine.
    pub async fn destroy(&self) -> Result<()> {
        let mut shims = Vec::new();
        for id in self.0.ids().await? {
            shims.extend(Dir::of(&self.0.state_dir, &id).shim().ok().flatten());
            self.0.remove(&id).await?;
        }
        for shim in shims {
            // Killed already, if it has not ended by itself.
            let _ = tokio::time::timeout(SHIM_ENDS_WITHIN, ended(shim)).await;
        }
        let inner = Arc::clone(&self.0);
        blocking(move || {
            inner.cgroups.remove(&inner.base)?;
            remove_dir(&inner.state_dir)
        })
        .await
    }
}

impl Inner {
    fn is_creating(&self, id: &ContainerId) -> bool {
        self.creating
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(id)
    }

    /// Ids of all directories, complete or not.
    pub(crate) async fn ids(self: &Arc<Self>) -> Result<BTreeSet<ContainerId>> {
        let inner = Arc::clone(self);
        blocking(move || {
            let names = names_in(&inner.state_dir)?;
            Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
        })
        .await
    }

    /// Kills and removes; see `Runtime::delete`.
    pub(crate) async fn remove(self: &Arc<Self>, id: &ContainerId) -> Result<()> {
        let dir = Dir::of(&self.state_dir, id);
        if dir.path().is_dir() {
            self.end_shim(id, &dir).await?;
        }
        let (inner, id) = (Arc::clone(self), id.clone());
        blocking(move || {
            if !matches!(dir.exit(), Ok(Some(_))) {
                inner.end_orphans(|of| of == dir.path());
            }
            for cgroup in inner.cgroups_of(&id, &dir) {
                inner.cgroups.remove(&cgroup)?;
            }
            // From here on it is not a container any more, even if this daemon dies now.
            let doomed = inner.state_dir.join(format!("{DOOMED}{id}"));
            remove_dir(&doomed)?;
            match std::fs::rename(dir.path(), &doomed) {
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(err) => Err(Error::io("could not remove", dir.path())(err)),
                Ok(()) => remove_dir(&doomed),
            }
        })
        .await
    }

    /// The plan says where its control group is. Without one that can be read, wherever one has its name.
    fn cgroups_of(&self, id: &ContainerId, dir: &Dir) -> Vec<PathBuf> {
        if let Ok(Some(plan)) = dir.plan() {
            return vec![plan.cgroup];
        }
        let groups = self.cgroups.below(&self.base);
        let groups = groups
            .iter()
            .filter(|name| name.starts_with(GROUP))
            .map(|name| self.base.join(name));
        [self.base.clone()]
            .into_iter()
            .chain(groups)
            .map(|path| path.join(format!("{CONTAINER}{id}")))
            .collect()
    }

    /// Has the shim kill its container and waits for it to go; kills it if it does not.
    pub(crate) async fn end_shim(&self, id: &ContainerId, dir: &Dir) -> Result<()> {
        let finished = !matches!(dir.life(), Ok(None));
        if let Ok(Some(mut control)) = Control::connect(dir).await {
            let patience = if finished {
                SHIM_ENDS_WITHIN
            } else {
                UNFINISHED_ENDS_WITHIN
            };
            let _ = control.ask(crate::control::Request::Kill, patience).await;
            let _ = tokio::time::timeout(patience, control.closed()).await;
        }
        let Ok(Some(shim)) = dir.shim() else { return Ok(()) };
        // One that has written the record only waits for the disk, which nobody needs any more.
        let recorded = dir.exit().is_ok_and(|exit| exit.is_some());
        if !recorded && tokio::time::timeout(LOOK_AGAIN, ended(shim)).await.is_err() {
            tracing::warn!(container = %id, pid = shim.pid, "its shim does not end; killing it");
        }
        kill(shim);
        Ok(())
    }

    /// Ends what a shim that was killed had forked to make its container: nobody waits for it any more, and it would
    /// go on to make control groups for a container that is gone. It still has the shim's arguments.
    pub(crate) fn end_orphans(&self, of: impl Fn(&Path) -> bool) {
        let group = self.base.join(SHIMS);
        let deadline = Instant::now() + ORPHANS_END_WITHIN;
        loop {
            let processes = self.cgroups.processes(&group);
            let orphans: Vec<i32> = processes
                .into_iter()
                .filter(|pid| {
                    sys::start_time(*pid).is_some() && directory_of(*pid).is_some_and(|dir| of(&dir))
                })
                .collect();
            if orphans.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                tracing::warn!(?orphans, "what a killed shim left does not die");
                return;
            }
            for pid in orphans {
                let _ = sys::kill(pid, libc::SIGKILL);
            }
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    fn remove_doomed(&self) -> Result<()> {
        for name in names_in(&self.state_dir)?
            .iter()
            .filter(|name| name.starts_with(DOOMED))
        {
            remove_dir(&self.state_dir.join(name))?;
        }
        Ok(())
    }

    fn remove_stray_cgroups(&self) -> Result<()> {
        let known = |name: &str| {
            let id = name
                .strip_prefix(CONTAINER)
                .and_then(|id| id.parse::<ContainerId>().ok());
            id.is_some_and(|id| self.is_creating(&id) || Dir::of(&self.state_dir, &id).path().is_dir())
        };
        for name in self.cgroups.below(&self.base) {
            let path = self.base.join(&name);
            if let Some(group) = name
                .strip_prefix(GROUP)
                .and_then(|name| name.parse::<GroupName>().ok())
            {
                let inside = self.cgroups.below(&path);
                for stray in inside.iter().filter(|name| !known(name)) {
                    self.cgroups.remove(&path.join(stray))?;
                }
                if !inside.iter().any(|name| known(name)) {
                    tracing::info!(%group, "group without containers, removed");
                    self.cgroups.remove(&path)?;
                }
            } else if name.starts_with(CONTAINER) && !known(&name) {
                tracing::info!(cgroup = name, "without a container, removed");
                self.cgroups.remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The container's directory that a shim was started with.
fn directory_of(pid: i32) -> Option<PathBuf> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0);
    if words.next() != Some(NAME.as_bytes()) {
        return None;
    }
    let dir = PathBuf::from(std::ffi::OsStr::from_bytes(words.next()?));
    dir.is_absolute().then_some(dir)
}

fn names_in(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(Error::io("could not list", dir))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect())
}

/// Whether this very process, not a later one with its pid, is there.
fn lives(shim: ShimProcess) -> bool {
    sys::start_time(shim.pid) == Some(shim.start)
}

pub(crate) async fn ended(shim: ShimProcess) {
    while lives(shim) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn kill(shim: ShimProcess) {
    let Some(pid) = Pid::from_raw(shim.pid) else {
        return;
    };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    // Asked after opening: the handle cannot come to mean another process any more.
    if lives(shim) {
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
}
