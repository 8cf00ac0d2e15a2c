//! A real node: its parts, and what its tasks are made with.

mod driver;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_image::{Images, PullBehaviour};
use roadstead_net::Network;
use roadstead_runtime::{Runtime, State};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::archive::Archive;
use super::images::Supply;
use super::network::Links;
use super::spec::{self, Allowed, Surroundings};
use super::volumes::Volumes;
use super::{failed, files};
use crate::api::Client;
use crate::driver::{Failure, Made, Result};
use crate::engine::spec::{Container, NetworkMode, Task};
use crate::engine::state::Namespace;
use crate::journal::Journal;

/// Where the node is and what it tells its tasks.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub region: String,
    /// The API as awsvpc tasks reach it, if they do.
    pub task_endpoint: Option<String>,
    /// The API as tasks in the host's own network reach it.
    pub host_endpoint: Option<String>,
    pub allowed: Allowed,
}

/// Where the node keeps what is not the runtime's, the network's or the image store's own.
#[derive(Clone, Debug)]
pub struct Dirs {
    /// The runtime's state directory.
    pub containers: PathBuf,
    /// Volumes and name files of tasks, one directory each.
    pub tasks: PathBuf,
    /// Logs of containers that are gone; on the same file system as `containers`.
    pub logs: PathBuf,
}

/// The usual layout, from the directory of the tasks: `containers` and `logs` are beside it.
impl From<PathBuf> for Dirs {
    fn from(tasks: PathBuf) -> Self {
        let beside = |name| tasks.with_file_name(name);
        Self {
            containers: beside("containers"),
            logs: beside("logs"),
            tasks,
        }
    }
}

/// Containers, images and network of this machine.
pub struct RealNode {
    runtime: Runtime,
    links: Links,
    supply: Supply,
    volumes: Volumes,
    archive: Archive,
    journal: Arc<dyn Journal>,
    around: Surroundings,
    clock: SharedClock,
}

impl RealNode {
    /// `patience`: how long a registry may take when the image is here anyway.
    ///
    /// # Errors
    /// The record of pulled images cannot be read.
    #[allow(clippy::too_many_arguments)] // each is a part of the node; there is one caller
    pub async fn new(
        runtime: Runtime,
        network: Network,
        images: Images,
        journal: Arc<dyn Journal>,
        dirs: impl Into<Dirs>,
        place: Place,
        behaviour: PullBehaviour,
        patience: Duration,
        clock: SharedClock,
    ) -> Result<Self> {
        let Place {
            region,
            task_endpoint,
            host_endpoint,
            allowed,
        } = place;
        let dirs = dirs.into();
        Ok(Self {
            supply: Supply::open(images, journal.as_ref(), behaviour, patience).await?,
            runtime,
            links: Links::new(network),
            volumes: Volumes::new(dirs.tasks),
            archive: Archive::new(dirs.containers, dirs.logs),
            journal,
            around: Surroundings {
                region,
                task_endpoint,
                host_endpoint,
                allowed,
            },
            clock,
        })
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub fn network(&self) -> &Network {
        self.links.network()
    }

    /// Where registries' credentials are asked for.
    pub fn ask_secrets_of(&self, client: Client) {
        self.supply.ask_secrets_of(client);
    }

    pub fn images(&self) -> &Images {
        self.supply.images()
    }

    /// Makes and starts the container that holds the task's namespaces.
    async fn pause(&self, task: &Task) -> Result<Namespace> {
        let first = task
            .containers
            .first()
            .ok_or_else(|| Failure::new("the task has no container"))?;
        let hostname = match task.network {
            NetworkMode::Awsvpc => {
                files::compose(task, first, &self.around.region, &BTreeMap::new())?.hostname
            }
            _ => task.id.chars().take(12).collect(),
        };
        let created = self
            .runtime
            .create(spec::pause(task, Some(hostname), self.around.allowed)?)
            .await
            .map_err(failed)?;
        let pause_pid = created.pid;
        Ok(Namespace {
            path: format!("/proc/{pause_pid}/ns/net"),
            pause_pid,
            local_address: None,
        })
    }

    async fn awsvpc(
        &self,
        task: &Task,
        early: oneshot::Sender<Namespace>,
        cancel: CancellationToken,
    ) -> Result<Namespace> {
        let interface = task
            .interfaces
            .first()
            .ok_or_else(|| Failure::new("the task has no network interface"))?;
        let prepared = async {
            let namespace = self.pause(task).await?;
            let _ = early.send(namespace.clone());
            self.runtime
                .start(&spec::id(&task.pause_id())?)
                .await
                .map_err(failed)?;
            Ok::<_, Failure>(namespace)
        };
        // Both run to their ends: a cancelled wait must not leave a container half made.
        let (namespace, eni) = tokio::join!(prepared, self.links.attach_unless(interface, &cancel));
        let (mut namespace, eni) = (namespace?, eni?);
        let address = self.links.connect(task, namespace.path.as_ref(), eni).await?;
        namespace.local_address = Some(address);
        Ok(namespace)
    }

    /// What is left to do for a container whose first process is there and waits.
    async fn made(&self, task: &Task, container: &Container, pid: i32, hostname: &str) -> Result<Made> {
        let connection = if on_bridge(task, container) {
            let netns = format!("/proc/{pid}/ns/net");
            let connection = self.links.bridge(container, netns.into()).await?;
            let dir = self.names_of(task, container);
            files::add_address(&dir, connection.address, hostname)?;
            Some(connection)
        } else {
            None
        };
        Ok(Made {
            at: self.clock.now(),
            connection,
        })
    }

    /// Where the container's name files are.
    fn names_of(&self, task: &Task, container: &Container) -> PathBuf {
        self.volumes.of_task(task).join("etc").join(&container.runtime_id)
    }

    /// The namespace of the task's pause container; a path that leads nowhere once it is gone.
    async fn netns(&self, task: &Task) -> Result<PathBuf> {
        let status = self
            .runtime
            .status(&spec::id(&task.pause_id())?)
            .await
            .map_err(failed)?;
        let alive = status.filter(|status| !matches!(status.state, State::Exited(_)));
        let path = alive.map(|status| PathBuf::from(format!("/proc/{}/ns/net", status.pid)));
        Ok(path.unwrap_or_else(|| self.volumes.of_task(task).join("no-namespace")))
    }
}

fn on_bridge(task: &Task, container: &Container) -> bool {
    task.network == NetworkMode::Bridge && !container.config.network_disabled
}
