//! What the engine asks of a real node, done with the runtime, the network and the images.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use roadstead_acs::ElasticNetworkInterface;
use roadstead_acs::network::VpcMap;
use roadstead_base::Timestamp;
use roadstead_net::TASK_LINK;
use roadstead_runtime::{ExecSpec, LogFollower, LogPlace, LogRead, Root, State};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{RealNode, on_bridge};
use crate::driver::{Driver, Failure, Keep, LogSource, Made, Result, Stats};
use crate::engine::event::{Exit, Signal};
use crate::engine::health::{Checked, HealthCheck, MAX_OUTPUT};
use crate::engine::recover::Found;
use crate::engine::spec::{Container, NetworkMode, Task};
use crate::engine::state::{Connection, ImageFacts, Namespace};
use crate::real::{failed, files, signals, spec, words};

const SIGTERM: i32 = 15;
/// Between looks at a container whose end could not be asked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

struct Followed(LogFollower);

#[async_trait]
impl LogSource for Followed {
    fn place(&self) -> LogPlace {
        self.0.place()
    }

    async fn next(&mut self) -> Result<LogRead> {
        self.0.next().await.map_err(failed)
    }

    async fn sent(&mut self, place: LogPlace) -> Result<()> {
        self.0.sent(place).await.map_err(failed)
    }
}

fn exit(exit: roadstead_runtime::Exit) -> Exit {
    let roadstead_runtime::Exit {
        code,
        oom_killed,
        finished_at,
        reason,
    } = exit;
    Exit {
        code,
        oom_killed,
        at: finished_at,
        reason,
    }
}

#[async_trait]
impl Driver for RealNode {
    async fn pull(&self, task: &Task, container: &Container) -> Result<ImageFacts> {
        let keys = task.execution_keys.as_ref();
        let image = self.supply.pull(self.journal.as_ref(), container, keys).await?;
        Ok(ImageFacts {
            id: image.image_id.to_string(),
            digest: Some(image.digest.to_string()),
            stop_signal: image.config.stop_signal.clone(),
            told: spec::told(container, &image.config),
        })
    }

    async fn prepare(&self, task: &Task) -> Result<()> {
        let (volumes, of) = (self.volumes.clone(), task.clone());
        let prepared = tokio::task::spawn_blocking(move || volumes.prepare(&of)).await;
        prepared.unwrap_or_else(|error| Err(failed(error)))
    }

    async fn network_up(
        &self,
        task: &Task,
        early: oneshot::Sender<Namespace>,
        cancel: CancellationToken,
    ) -> Result<Namespace> {
        self.runtime
            .ensure_group(&spec::group(task)?, &spec::group_resources(task))
            .await
            .map_err(failed)?;
        if spec::has_pause(task)
            && self
                .runtime
                .status(&spec::id(&task.pause_id())?)
                .await
                .map_err(failed)?
                .is_some()
        {
            // An earlier agent left it half connected at best; containers are created anew in the new one.
            self.network_down(task).await?;
        }
        match task.network {
            NetworkMode::Awsvpc => self.awsvpc(task, early, cancel).await,
            _ if spec::has_pause(task) => {
                let namespace = self.pause(task).await?;
                self.runtime
                    .start(&spec::id(&task.pause_id())?)
                    .await
                    .map_err(failed)?;
                Ok(namespace)
            }
            _ => Ok(Namespace::default()),
        }
    }

    async fn network_down(&self, task: &Task) -> Result<()> {
        if task.network == NetworkMode::Awsvpc {
            self.links.disconnect(task, self.netns(task).await?).await?;
        }
        if spec::has_pause(task) {
            self.runtime
                .delete(&spec::id(&task.pause_id())?)
                .await
                .map_err(failed)?;
        }
        for interface in &task.interfaces {
            self.links.detach(&interface.ec2_id).await?;
        }
        Ok(())
    }

    async fn pause_ended(&self, task: &Task) {
        if !spec::has_pause(task) {
            std::future::pending::<()>().await;
        }
        let Ok(id) = spec::id(&task.pause_id()) else {
            return;
        };
        while let Err(error) = self.runtime.wait(&id).await {
            match error {
                roadstead_runtime::Error::NotFound(_) => return,
                error => tracing::warn!(task = task.id, %error, "the pause container cannot be watched"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn create(
        &self,
        task: &Task,
        container: &Container,
        _: &Namespace,
        peers: &BTreeMap<String, Connection>,
    ) -> Result<Made> {
        let image = self.supply.image_of(container)?;
        let names = files::compose(task, container, &self.around.region, peers)?;
        let mut mounts = files::write(&self.names_of(task, container), &names)?;
        mounts.extend(self.volumes.mounts(task, container, &image.config.volumes)?);
        let hostname = names.hostname.clone();
        let mut spec = spec::container(task, container, &image, mounts, names.hostname, &self.around)?;
        if let Root::Overlay { writable, .. } = &mut spec.root {
            *writable = self.volumes.writable(task, container)?;
        }
        let id = spec.id.clone();
        let created = match self.runtime.create(spec.clone()).await {
            Err(roadstead_runtime::Error::Exists(_)) => {
                self.runtime.delete(&id).await.map_err(failed)?;
                self.runtime.create(spec).await.map_err(failed)?
            }
            created => created.map_err(failed)?,
        };
        self.made(task, container, created.pid, &hostname).await
    }

    async fn renew(&self, task: &Task, container: &Container) -> Result<Made> {
        let created = self.runtime.renew(&spec::id(&container.runtime_id)?).await;
        let pid = created.map_err(failed)?.pid;
        self.made(task, container, pid, &files::hostname(container)).await
    }

    async fn connection(&self, task: &Task, container: &Container) -> Result<Option<Connection>> {
        if !on_bridge(task, container) {
            return Ok(None);
        }
        let status = self.runtime.status(&spec::id(&container.runtime_id)?).await;
        match status.map_err(failed)? {
            Some(status) if !matches!(status.state, State::Exited(_)) => {
                let netns = format!("/proc/{}/ns/net", status.pid);
                self.links.bridge(container, netns.into()).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn start(&self, container: &Container) -> Result<Timestamp> {
        let started = self
            .runtime
            .start(&spec::id(&container.runtime_id)?)
            .await
            .map_err(failed)?;
        Ok(started.at)
    }

    async fn check(&self, container: &Container, check: &HealthCheck) -> Result<Checked> {
        let spec = ExecSpec {
            args: check.args.clone(),
            env: Vec::new(),
            cwd: None,
            user: None,
            tty: false,
        };
        let id = spec::id(&container.runtime_id)?;
        let execution = self.runtime.exec(&id, &spec).await.map_err(failed)?;
        let patience = Duration::from_millis(u64::try_from(check.timeout_ms).unwrap_or(0));
        let ended = execution.collect(MAX_OUTPUT, patience).await.map_err(failed)?;
        Ok(Checked {
            at: self.clock.now(),
            code: ended.code,
            output: String::from_utf8_lossy(&ended.output).into_owned(),
        })
    }

    async fn log(&self, container: &Container) -> Result<Box<dyn LogSource>> {
        let id = spec::id(&container.runtime_id)?;
        let follower = self.runtime.follow_log(&id).await.map_err(failed)?;
        Ok(Box::new(Followed(follower)))
    }

    async fn wait(&self, container: &Container) -> Exit {
        let lost = |reason: String| Exit {
            code: 137,
            at: self.clock.now(),
            reason: Some(reason),
            ..Exit::default()
        };
        let id = match spec::id(&container.runtime_id) {
            Ok(id) => id,
            Err(Failure(error)) => return lost(error),
        };
        loop {
            match self.runtime.wait(&id).await {
                Ok(ended) => return exit(ended),
                Err(
                    error @ (roadstead_runtime::Error::NotFound(_) | roadstead_runtime::Error::NotRunning(_)),
                ) => {
                    return lost(words(&error));
                }
                Err(error) => tracing::warn!(container = %id, %error, "the container cannot be watched"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn signal(&self, container: &Container, signal: &Signal) -> Result<()> {
        let id = spec::id(&container.runtime_id)?;
        match signal {
            Signal::Kill => self.runtime.kill(&id).await.map_err(failed),
            Signal::Stop(name) => {
                let number = signals::number(name).unwrap_or_else(|| {
                    tracing::warn!(container = %id, signal = name, "is no signal; SIGTERM is sent");
                    SIGTERM
                });
                self.runtime.signal(&id, number).await.map_err(failed)
            }
        }
    }

    async fn delete(&self, task: &Task, container: &Container) -> Result<()> {
        if on_bridge(task, container) {
            self.links.unbridge(container).await?;
        }
        self.archive.take(&container.runtime_id)?;
        self.runtime
            .delete(&spec::id(&container.runtime_id)?)
            .await
            .map_err(failed)
    }

    async fn finish(&self, task: &Task) -> Result<()> {
        for container in &task.containers {
            self.supply.release(container).await?;
        }
        let group = spec::group(task)?;
        match self.runtime.remove_group(&group).await {
            // A daemon that was killed may have made more than it wrote down.
            Err(roadstead_runtime::Error::GroupInUse { .. }) => {
                for container in &task.containers {
                    self.delete(task, container).await?;
                }
                self.runtime.remove_group(&group).await.map_err(failed)?;
            }
            removed => removed.map_err(failed)?,
        }
        // A volume may hold a great many files.
        let (volumes, task) = (self.volumes.clone(), task.clone());
        let removed = tokio::task::spawn_blocking(move || volumes.remove(&task)).await;
        removed.unwrap_or_else(|error| Err(failed(error)))
    }

    async fn forget(&self, task: &Task) -> Result<()> {
        for container in &task.containers {
            self.archive.remove(&container.runtime_id)?;
        }
        Ok(())
    }

    async fn list(&self) -> Result<BTreeMap<String, Found>> {
        let all = self.runtime.list().await.map_err(failed)?;
        let found = |status: roadstead_runtime::ContainerStatus| {
            let found = match (status.state, status.started_at) {
                (State::Created, _) => Found::Created,
                (State::Running, started) => Found::Running(started.unwrap_or(status.created_at)),
                (State::Exited(ended), started) => Found::Exited(started, exit(ended)),
            };
            (status.id.to_string(), found)
        };
        Ok(all.into_iter().map(found).collect())
    }

    async fn attach(&self, interface: &ElasticNetworkInterface) -> Result<()> {
        self.links.attach(interface).await.map(drop)
    }

    async fn detach(&self, interface_id: &str) -> Result<()> {
        self.links.detach(interface_id).await
    }

    async fn attached(&self) -> Result<BTreeSet<String>> {
        self.links.attached().await
    }

    async fn apply(&self, maps: &[VpcMap]) -> Result<()> {
        self.links.apply(maps).await
    }

    async fn sweep(&self, keep: &Keep) -> Result<()> {
        for status in self.runtime.list().await.map_err(failed)? {
            if !keep.containers.contains(status.id.as_str()) {
                tracing::info!(container = %status.id, "belongs to no task and is removed");
                self.runtime.delete(&status.id).await.map_err(failed)?;
            }
        }
        self.runtime.reap_strays().await.map_err(failed)?;
        self.links.sweep(keep).await?;
        self.volumes.sweep(&keep.tasks)?;
        self.archive.sweep(&keep.containers)?;
        self.supply.retain(keep.containers.clone()).await
    }

    async fn remove_all(&self) -> Result<()> {
        let containers = self.runtime.destroy().await.map_err(failed);
        let network = self.links.network().teardown().await.map_err(failed);
        let volumes = self
            .volumes
            .sweep(&BTreeSet::new())
            .and(self.archive.sweep(&BTreeSet::new()));
        let pins = self.supply.retain(BTreeSet::new()).await;
        tracing::debug!(images = %self.supply.root().display(), "kept");
        containers.and(network).and(volumes).and(pins)
    }

    async fn stats(&self, task: &Task, container: &Container) -> Result<Stats> {
        let id = spec::id(&container.runtime_id)?;
        let group = self.runtime.stats(&id).await.map_err(failed)?;
        let networks = match task.network {
            // The host's interfaces are no container's.
            NetworkMode::Host => BTreeMap::new(),
            NetworkMode::Awsvpc | NetworkMode::Bridge | NetworkMode::None => {
                let mut all = self.runtime.interface_stats(&id).await.map_err(failed)?;
                // The link to the agent is no part of the task's own network.
                all.remove(TASK_LINK);
                all
            }
        };
        Ok(Stats { group, networks })
    }

    fn network_modes(&self) -> &'static [NetworkMode] {
        &[
            NetworkMode::Awsvpc,
            NetworkMode::Bridge,
            NetworkMode::Host,
            NetworkMode::None,
        ]
    }
}
