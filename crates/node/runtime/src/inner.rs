//! What a `Runtime` is made of, and the steps that its operations share.

use std::collections::HashSet;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use roadstead_base::{Clock, SystemClock};

use crate::cgroup::Layout;
use crate::control::{Control, Request};
use crate::error::{Error, Result};
use crate::files::{Dir, Plan};
use crate::ids::{ContainerId, GroupName};
use crate::seccomp::Program;
use crate::spawn::ShimExe;
use crate::status::{Created, Exit};

/// How long a shim may take to set a container up. Its own patience is shorter.
const CREATE_WITHIN: Duration = Duration::from_secs(90);

pub(crate) struct Inner {
    pub(crate) state_dir: PathBuf,
    pub(crate) cgroups: Layout,
    pub(crate) base: PathBuf,
    pub(crate) exe: ShimExe,
    /// Being created right now, so not strays.
    pub(crate) creating: Mutex<HashSet<ContainerId>>,
}

/// Takes the id out of `creating` whatever happens.
pub(crate) struct Creating<'a>(&'a Inner, ContainerId);

impl<'a> Creating<'a> {
    /// `None` when it is being created already.
    pub(crate) fn begin(inner: &'a Inner, id: &ContainerId) -> Option<Self> {
        let mut creating = inner.creating.lock().unwrap_or_else(PoisonError::into_inner);
        creating.insert(id.clone()).then(|| Self(inner, id.clone()))
    }
}

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        self.0
            .creating
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.1);
    }
}

/// The group of the shims themselves; containers and groups have prefixes.
pub(crate) const SHIMS: &str = "shims";

impl Inner {
    pub(crate) fn cgroup_of(&self, id: &ContainerId, group: Option<&GroupName>) -> PathBuf {
        group
            .map_or_else(|| self.base.clone(), |group| self.group(group))
            .join(format!("{CONTAINER}{id}"))
    }

    pub(crate) fn group(&self, group: &GroupName) -> PathBuf {
        self.base.join(format!("{GROUP}{group}"))
    }

    /// The directory of a container that exists.
    pub(crate) fn dir(&self, id: &ContainerId) -> Result<Dir> {
        let dir = Dir::of(&self.state_dir, id);
        if dir.path().is_dir() {
            Ok(dir)
        } else {
            Err(Error::NotFound(id.clone()))
        }
    }

    pub(crate) async fn connect(&self, id: &ContainerId, dir: &Dir) -> Result<Option<Control>> {
        let unreachable = |err| Error::Shim {
            id: id.clone(),
            problem: format!("cannot be reached: {err}"),
        };
        Control::connect(dir).await.map_err(unreachable)
    }

    pub(crate) async fn ask(
        &self,
        id: &ContainerId,
        control: &mut Control,
        request: Request,
        patience: Duration,
    ) -> Result<Option<Result<String, String>>> {
        let silent = |err| Error::Shim {
            id: id.clone(),
            problem: format!("did not answer: {err}"),
        };
        control.ask(request, patience).await.map_err(silent)
    }

    /// Why there is no shim to talk to.
    pub(crate) fn gone(&self, id: &ContainerId, dir: &Dir) -> Error {
        if dir.path().is_dir() {
            Error::NotRunning(id.clone())
        } else {
            Error::NotFound(id.clone())
        }
    }

    /// The directory with the plan in it.
    pub(crate) fn prepare(&self, plan: &Plan, filter: Option<&Program>) -> Result<Dir> {
        let id = &plan.spec.id;
        if let Some(group) = &plan.spec.group
            && !self.cgroups.exists(&self.group(group))
        {
            let reason = format!("{group} does not exist; make it with ensure_group");
            return Err(Error::Invalid {
                id: id.clone(),
                member: "group",
                reason,
            });
        }
        let dir = Dir::of(&self.state_dir, id);
        match std::fs::DirBuilder::new().mode(0o700).create(dir.path()) {
            Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Error::Exists(id.clone()));
            }
            made => made.map_err(Error::io("could not make", dir.path()))?,
        }
        if let Some(filter) = filter {
            dir.write_filter(filter)?;
        }
        dir.write_plan(plan).map(|()| dir)
    }

    /// Starts the shim of a directory with a plan in it, and waits for the container.
    pub(crate) async fn bring_up(&self, id: &ContainerId, dir: &Dir) -> Result<Created> {
        let failed = |message| Error::Create {
            id: id.clone(),
            message,
        };
        let mut control = self.exe.start(dir)?;
        match control.reply(CREATE_WITHIN).await {
            Ok(Some(Ok(pid))) => Ok(Created {
                pid: pid.parse().unwrap_or(0),
            }),
            Ok(Some(Err(message))) => Err(failed(message)),
            Ok(None) => Err(failed(format!(
                "the shim ended early: {}",
                Control::last_words(dir)
            ))),
            Err(err) => Err(Error::Shim {
                id: id.clone(),
                problem: format!("did not answer: {err}"),
            }),
        }
    }

    /// For a container whose shim is gone: the record of its end, which is made up if the shim left none.
    pub(crate) async fn settle(&self, id: &ContainerId, dir: &Dir) -> Result<Exit> {
        // The shim removes its socket after writing the record.
        if let Some(exit) = dir.exit()? {
            return Ok(exit);
        }
        if !dir.path().is_dir() {
            return Err(Error::NotFound(id.clone()));
        }
        let (Some(plan), Some(_)) = (dir.plan()?, dir.life()?) else {
            return Err(Error::NotRunning(id.clone()));
        };
        tracing::warn!(container = %id, "its shim is gone without a record; killing what is left");
        let dir = dir.clone();
        blocking(move || {
            plan.cgroups.kill(&plan.cgroup)?;
            let exit = Exit {
                code: 128 + libc::SIGKILL,
                oom_killed: false,
                finished_at: SystemClock.now(),
                reason: Some("the container's shim process was killed, and the container with it".into()),
            };
            dir.write_exit(&exit)?;
            dir.sync_exit()?;
            Ok(exit)
        })
        .await
    }
}

/// Prefixes that keep the names of containers and groups apart among the control groups.
pub(crate) const CONTAINER: &str = "c-";
pub(crate) const GROUP: &str = "g-";

/// Runs file system work where it does not hold up the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|err| Error::Worker(err.to_string()))?
}

/// A path that a crash may have left at any stage: gone is fine.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("could not remove", path)(err))
        }
        _ => Ok(()),
    }
}
