//! The daemon's side. Each call looks at the container's directory and asks its shim; nothing is cached, so a
//! new daemon knows as much as the old one did.

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_base::{Clock, SystemClock, Timestamp};

use crate::cgroup::Layout;
use crate::check;
use crate::control::Request;
use crate::devices;
use crate::error::{Error, Result};
use crate::files::{Life, Plan};

use crate::ids::{ContainerId, GroupName, InstanceId};
use crate::inner::{Creating, Inner, SHIMS, blocking};
use crate::logs::{LogFollower, LogQuery, LogReader};
use crate::seccomp;
use crate::spawn::ShimExe;
use crate::spec::{ContainerSpec, Net, Resources, Share};
use crate::status::{ContainerStatus, Created, Exit, Started, State};

/// How long a program's exec may take. The shim's own patience is shorter.
const START_WITHIN: Duration = Duration::from_secs(45);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at a shim that has hung up without a record.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How a `Runtime` works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stands in the name of the control groups.
    pub instance: InstanceId,
    /// Kept across restarts: one directory per container. On a file system that overlayfs accepts.
    pub state_dir: PathBuf,
    /// The control group that everything is below: `rs-INSTANCE` if in doubt.
    pub cgroup_parent: String,
    /// A binary whose `main` begins with `shim_main_if_asked`: usually `/proc/self/exe`.
    pub shim_exe: PathBuf,
}

impl Options {
    /// The usual ones for a daemon that is its own shim.
    pub fn new(instance: InstanceId, state_dir: impl Into<PathBuf>) -> Self {
        let cgroup_parent = format!("rs-{instance}");
        Self {
            instance,
            state_dir: state_dir.into(),
            cgroup_parent,
            shim_exe: "/proc/self/exe".into(),
        }
    }
}

/// A handle on all containers of one instance. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(pub(crate) Arc<Inner>);

impl Runtime {
    /// Opens the state directory. Containers that a former daemon left are there at once; `reap_strays`
    /// removes what it left half done.
    pub async fn open(options: Options) -> Result<Self> {
        let Options {
            instance,
            state_dir,
            cgroup_parent,
            shim_exe,
        } = options;
        if !cgroup_parent.contains(instance.as_str())
            || cgroup_parent.split('/').any(|p| matches!(p, "" | "." | ".."))
        {
            return Err(Error::Cgroup(format!(
                "{cgroup_parent:?} is not a group name with {instance} in it"
            )));
        }
        blocking(move || {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&state_dir)
                .map_err(Error::io("could not make the state directory", &state_dir))?;
            let state_dir =
                std::fs::canonicalize(&state_dir).map_err(Error::io("could not resolve", &state_dir))?;
            let cgroups = Layout::detect()?;
            let base = PathBuf::from(cgroup_parent);
            cgroups.create(&base.join(SHIMS), &Resources::default())?;
            let exe = ShimExe::open(&shim_exe)?;
            Ok(Self(Arc::new(Inner {
                state_dir,
                cgroups,
                base,
                exe,
                creating: Mutex::default(),
            })))
        })
        .await
    }

    /// Makes a container: namespaces, mounts, limits. Its process waits; nothing of the image has run.
    /// When this fails, nothing is left.
    pub async fn create(&self, spec: ContainerSpec) -> Result<Created> {
        let id = spec.id.clone();
        check::spec(&spec)?;
        let invalid = |member| {
            let id = id.clone();
            move |reason| Error::Invalid { id, member, reason }
        };
        let filter = seccomp::program(&spec).map_err(invalid("seccomp"))?;
        if spec.swappiness.is_some() && self.0.cgroups.is_v2() {
            let reason = "cgroup v2 has no swappiness of a group's own; leave it out".into();
            return Err(invalid("swappiness")(reason));
        }
        let plan = Plan {
            rlimits: check::rlimits(&spec)?,
            devices: devices::resolve(&spec).map_err(invalid("devices"))?,
            filtered: filter.is_some(),
            ipc_of: self.shared(&spec, "ipc", &spec.ipc).await?,
            pid_of: self.shared(&spec, "pid", &spec.pid).await?,
            uts_of: self.shared(&spec, "uts", &spec.uts).await?,
            net_of: match &spec.network {
                Net::With(other) => Some(self.alive(&spec, "network", other).await?),
                Net::New | Net::Join(_) | Net::Host => None,
            },
            cgroups: self.0.cgroups.clone(),
            cgroup: self.0.cgroup_of(&id, spec.group.as_ref()),
            shim_cgroup: self.0.base.join(SHIMS),
            created_at: SystemClock.now(),
            spec,
        };
        let _creating = Creating::begin(&self.0, &id).ok_or_else(|| Error::Exists(id.clone()))?;
        let inner = Arc::clone(&self.0);
        let dir = blocking(move || inner.prepare(&plan, filter.as_ref())).await?;
        let outcome = self.0.bring_up(&id, &dir).await;
        if outcome.is_err() {
            self.0.remove(&id).await?;
        }
        outcome
    }

    /// Runs the program of a created container. A program that cannot be run is an `Error::Start`, and the
    /// container has exited then, with code 127 or 126. Asking again for one that runs tells when it began.
    pub async fn start(&self, id: &ContainerId) -> Result<Started> {
        let dir = self.0.dir(id)?;
        let Some(mut control) = self.0.connect(id, &dir).await? else {
            return Err(self.0.gone(id, &dir));
        };
        match self.0.ask(id, &mut control, Request::Start, START_WITHIN).await? {
            Some(Ok(at)) => {
                let pid = dir.life()?.map_or(0, |life| life.pid);
                Ok(Started {
                    pid,
                    at: Timestamp(at.parse().unwrap_or(0)),
                })
            }
            Some(Err(message)) => Err(Error::Start {
                id: id.clone(),
                message,
            }),
            None => Err(self.0.gone(id, &dir)),
        }
    }

    /// Sends signal number `signal` to the container's first process.
    pub async fn signal(&self, id: &ContainerId, signal: i32) -> Result<()> {
        let dir = self.0.dir(id)?;
        let Some(mut control) = self.0.connect(id, &dir).await? else {
            return Err(self.0.gone(id, &dir));
        };
        match self
            .0
            .ask(id, &mut control, Request::Signal(signal), ANSWER_WITHIN)
            .await?
        {
            Some(Ok(_)) => Ok(()),
            Some(Err(problem)) => Err(Error::Shim {
                id: id.clone(),
                problem: format!("could not send signal {signal}: {problem}"),
            }),
            None => Err(self.0.gone(id, &dir)),
        }
    }

    /// Kills everything in the container. One that has exited, or is not there, is no error.
    pub async fn kill(&self, id: &ContainerId) -> Result<()> {
        let Ok(dir) = self.0.dir(id) else { return Ok(()) };
        if let Some(mut control) = self.0.connect(id, &dir).await? {
            self.0.ask(id, &mut control, Request::Kill, ANSWER_WITHIN).await?;
            return Ok(());
        }
        self.0.settle(id, &dir).await.map(drop)
    }

    /// Waits for the container's end; returns at once when it has ended already, also before this daemon began.
    pub async fn wait(&self, id: &ContainerId) -> Result<Exit> {
        let dir = self.0.dir(id)?;
        loop {
            if let Some(exit) = dir.exit()? {
                return Ok(exit);
            }
            match self.0.connect(id, &dir).await {
                Ok(Some(mut control)) => control.closed().await,
                Ok(None) => return self.0.settle(id, &dir).await,
                Err(err) => tracing::debug!(container = %id, %err, "could not reach the shim; trying again"),
            }
            if dir.exit()?.is_none() {
                // A shim that holds too many connections hangs up although it lives.
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    /// Removes the container with everything in it, running or not. One that is not there is no error, nor is
    /// one that is only half made.
    pub async fn delete(&self, id: &ContainerId) -> Result<()> {
        self.0.remove(id).await
    }

    /// Every container that was made completely.
    pub async fn list(&self) -> Result<Vec<ContainerStatus>> {
        let mut all = Vec::new();
        for id in self.0.ids().await? {
            if let Some(status) = self.status(&id).await? {
                all.push(status);
            }
        }
        Ok(all)
    }

    /// One container; `None` when it is not there or was not made completely.
    pub async fn status(&self, id: &ContainerId) -> Result<Option<ContainerStatus>> {
        let Ok(dir) = self.0.dir(id) else { return Ok(None) };
        let (Some(plan), Some(Life { pid, started_at })) = (dir.plan()?, dir.life()?) else {
            return Ok(None);
        };
        let ended = match dir.exit()? {
            Some(exit) => Some(exit),
            None if self.0.connect(id, &dir).await?.is_some() => None,
            None => Some(self.0.settle(id, &dir).await?),
        };
        let state = match (ended, started_at) {
            (Some(exit), _) => State::Exited(exit),
            (None, Some(_)) => State::Running,
            (None, None) => State::Created,
        };
        let Plan {
            spec,
            created_at,
            cgroups,
            cgroup,
            ..
        } = plan;
        let frozen = matches!(state, State::Running) && cgroups.is_frozen(&cgroup);
        let ContainerSpec { group, labels, .. } = spec;
        Ok(Some(ContainerStatus {
            id: id.clone(),
            pid,
            state,
            created_at,
            started_at,
            group,
            labels,
            frozen,
        }))
    }

    /// What the container has printed.
    pub fn read_log(&self, id: &ContainerId, query: LogQuery) -> Result<LogReader> {
        let dir = self.0.dir(id)?;
        Ok(LogReader::new(dir.log(), dir.path().join("exit.json"), query))
    }

    /// What the container has printed and nobody has sent on yet.
    ///
    /// # Errors
    /// The container is not there, or its log cannot be read.
    pub async fn follow_log(&self, id: &ContainerId) -> Result<LogFollower> {
        let dir = self.0.dir(id)?;
        let query = LogQuery::default();
        let reader = LogReader::new(dir.log(), dir.path().join("exit.json"), query);
        LogFollower::open(dir, reader).await
    }

    /// Makes a group with these limits, or gives an existing one these limits. `create` puts containers in.
    pub async fn ensure_group(&self, group: &GroupName, resources: &Resources) -> Result<()> {
        let invalid = |reason| Error::Group {
            group: group.clone(),
            reason,
        };
        check::resources(resources).map_err(invalid)?;
        let (inner, path, resources) = (Arc::clone(&self.0), self.0.group(group), resources.clone());
        blocking(move || inner.cgroups.create(&path, &resources)).await
    }

    /// Removes a group; refused while it has containers. One that is not there is no error.
    pub async fn remove_group(&self, group: &GroupName) -> Result<()> {
        let (inner, path) = (Arc::clone(&self.0), self.0.group(group));
        let below = blocking(move || {
            let below = inner.cgroups.below(&path);
            if below.is_empty() {
                inner.cgroups.remove(&path).map(|()| below)
            } else {
                Ok(below)
            }
        })
        .await?;
        match below.len() {
            0 => Ok(()),
            containers => Err(Error::GroupInUse {
                group: group.clone(),
                containers,
            }),
        }
    }

    pub(crate) async fn shared(
        &self,
        spec: &ContainerSpec,
        member: &'static str,
        share: &Share,
    ) -> Result<Option<i32>> {
        match share {
            Share::New | Share::Host => Ok(None),
            Share::With(other) => self.alive(spec, member, other).await.map(Some),
        }
    }

    /// The first process of `other`, whose namespace is to be shared.
    pub(crate) async fn alive(
        &self,
        spec: &ContainerSpec,
        member: &'static str,
        other: &ContainerId,
    ) -> Result<i32> {
        match self.status(other).await? {
            Some(ContainerStatus {
                pid,
                state: State::Created | State::Running,
                ..
            }) => Ok(pid),
            _ => {
                let reason = format!("container {other}, whose namespace is to be shared, is not running");
                Err(Error::Invalid {
                    id: spec.id.clone(),
                    member,
                    reason,
                })
            }
        }
    }
}
