//! What the engine asks of the node, done in memory; every call is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use async_trait::async_trait;
use roadstead_acs::ElasticNetworkInterface;
use roadstead_acs::network::VpcMap;
use roadstead_base::{Timestamp, derived_hex};
use roadstead_runtime::InterfaceStats;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::log::SimLog;
use super::{Phase, SimContainer, SimNode};
use crate::driver::{Driver, Failure, Keep, LogSource, Made, Result, Stats};
use crate::engine::event::{Exit, Signal};
use crate::engine::health::{Checked, HealthCheck};
use crate::engine::recover::Found;
use crate::engine::spec::{Container, NetworkMode, Task};
use crate::engine::state::{Connection, ImageFacts, Namespace};

#[async_trait]
impl Driver for SimNode {
    async fn pull(&self, _: &Task, container: &Container) -> Result<ImageFacts> {
        self.step(format!("pull {}", container.image)).await;
        let (fails, hangs) = {
            let state = self.state();
            let knobs = &state.knobs;
            (
                knobs.pull_fails.get(&container.image).cloned(),
                knobs.pull_hangs.contains(&container.image),
            )
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        match fails {
            Some(error) => Err(Failure(error)),
            None => {
                let digest = |purpose| format!("sha256:{}", derived_hex(&container.image, purpose, 64));
                Ok(ImageFacts {
                    id: digest("id"),
                    digest: Some(digest("manifest")),
                    stop_signal: None,
                    told: None,
                })
            }
        }
    }

    async fn prepare(&self, _: &Task) -> Result<()> {
        Ok(())
    }

    async fn network_up(
        &self,
        task: &Task,
        early: oneshot::Sender<Namespace>,
        cancel: CancellationToken,
    ) -> Result<Namespace> {
        self.step(format!("network up {}", task.id)).await;
        if task.network != NetworkMode::Awsvpc {
            return Ok(Namespace::default());
        }
        let wait = async {
            for interface in &task.interfaces {
                self.attach(interface).await?;
            }
            Ok(())
        };
        tokio::select! {
            outcome = wait => outcome?,
            () = cancel.cancelled() => return Err(Failure::new("the network is not wanted any more")),
        }
        self.insert(task.pause_id(), Phase::Running(self.clock.now()));
        let address = {
            let mut state = self.state();
            state.networks.insert(task.pause_id());
            state.next_address = state.next_address.wrapping_add(1).max(2);
            let base = state.knobs.link_base.unwrap_or(Ipv4Addr::new(169, 254, 172, 1));
            Ipv4Addr::from(u32::from(base) + u32::from(state.next_address) - 1)
        };
        let namespace = Namespace {
            path: format!("/sim/{}", task.id),
            pause_pid: 1,
            local_address: Some(address),
        };
        let _ = early.send(namespace.clone());
        self.step(format!("chain {}", task.id)).await;
        match self.state().knobs.network_fails.clone() {
            Some(error) => Err(Failure(error)),
            None => Ok(namespace),
        }
    }

    async fn network_down(&self, task: &Task) -> Result<()> {
        self.step(format!("network down {}", task.id)).await;
        let mut state = self.state();
        if state.knobs.tear_down_fails > 0 {
            state.knobs.tear_down_fails -= 1;
            return Err(Failure::new("the knob says so"));
        }
        state.networks.remove(&task.pause_id());
        state.containers.remove(&task.pause_id());
        for interface in &task.interfaces {
            state.attached.remove(&interface.ec2_id);
        }
        Ok(())
    }

    async fn pause_ended(&self, task: &Task) {
        let Some(mut phase) = self.phase(&task.pause_id()) else {
            return std::future::pending().await;
        };
        let _ = phase.wait_for(|phase| matches!(phase, Phase::Exited(..))).await;
    }

    async fn create(
        &self,
        task: &Task,
        container: &Container,
        _: &Namespace,
        _: &BTreeMap<String, Connection>,
    ) -> Result<Made> {
        self.step(format!("create {}", container.name)).await;
        if let Some(error) = self.state().knobs.create_fails.get(&container.name) {
            return Err(Failure(error.clone()));
        }
        self.insert(container.runtime_id.clone(), Phase::Created);
        Ok(Made {
            at: self.clock.now(),
            connection: (task.network == NetworkMode::Bridge).then(|| self.connect(container)),
        })
    }

    async fn renew(&self, _: &Task, container: &Container) -> Result<Made> {
        self.step(format!("renew {}", container.name)).await;
        let state = self.state();
        if let Some(error) = state.knobs.create_fails.get(&container.name) {
            return Err(Failure(error.clone()));
        }
        match state.containers.get(&container.runtime_id) {
            Some(made) => made.phase.send_replace(Phase::Created),
            None => return Err(Failure(format!("there is no container {}", container.runtime_id))),
        };
        Ok(Made {
            at: self.clock.now(),
            connection: state.bridge.get(&container.runtime_id).cloned(),
        })
    }

    async fn start(&self, container: &Container) -> Result<Timestamp> {
        self.step(format!("start {}", container.name)).await;
        let (fails, exits, memory) = {
            let state = self.state();
            let knobs = &state.knobs;
            let name = &container.name;
            (
                knobs.start_fails.get(name).cloned(),
                knobs.exits.get(name).copied(),
                knobs.runs_out_of_memory.get(name).copied(),
            )
        };
        if let Some(error) = fails {
            self.end(&container.runtime_id, 127, false);
            return Err(Failure(error));
        }
        let now = self.clock.now();
        match self.state().containers.get(&container.runtime_id) {
            Some(made) => made.phase.send_replace(Phase::Running(now)),
            None => return Err(Failure(format!("there is no container {}", container.runtime_id))),
        };
        if let Some((after, code)) = exits {
            self.end_later(container.runtime_id.clone(), after, code, false);
        }
        if let Some(after) = memory {
            self.end_later(container.runtime_id.clone(), after, 137, true);
        }
        Ok(now)
    }

    async fn check(&self, container: &Container, _: &HealthCheck) -> Result<Checked> {
        self.step(format!("check {}", container.name)).await;
        let code = self.state().knobs.health.get(&container.name).copied();
        Ok(Checked {
            at: self.clock.now(),
            code: Some(code.unwrap_or(0)),
            output: String::new(),
        })
    }

    async fn log(&self, container: &Container) -> Result<Box<dyn LogSource>> {
        let sent = match self.state().containers.get(&container.runtime_id) {
            Some(made) => made.sent,
            None => return Err(Failure(format!("there is no container {}", container.runtime_id))),
        };
        Ok(Box::new(SimLog::new(self.clone(), &container.runtime_id, sent)))
    }

    async fn wait(&self, container: &Container) -> Exit {
        if let Some(mut phase) = self.phase(&container.runtime_id)
            && let Ok(phase) = phase.wait_for(|phase| matches!(phase, Phase::Exited(..))).await
            && let Phase::Exited(_, exit) = &*phase
        {
            return exit.clone();
        }
        Exit {
            code: 137,
            at: self.clock.now(),
            reason: Some("it is gone".to_owned()),
            ..Exit::default()
        }
    }

    async fn signal(&self, container: &Container, signal: &Signal) -> Result<()> {
        let text = match signal {
            Signal::Stop(name) => format!("{name} {}", container.name),
            Signal::Kill => format!("SIGKILL {}", container.name),
        };
        self.step(text).await;
        let stubborn = self.state().knobs.stubborn.contains(&container.name);
        match signal {
            Signal::Kill => self.end(&container.runtime_id, 137, false),
            Signal::Stop(_) if stubborn => {}
            Signal::Stop(_) => self.end(&container.runtime_id, 143, false),
        }
        Ok(())
    }

    async fn delete(&self, _: &Task, container: &Container) -> Result<()> {
        self.step(format!("delete {}", container.name)).await;
        let mut state = self.state();
        state.containers.remove(&container.runtime_id);
        state.bridge.remove(&container.runtime_id);
        Ok(())
    }

    async fn finish(&self, task: &Task) -> Result<()> {
        self.step(format!("finish {}", task.id)).await;
        self.state().tasks.remove(&task.id);
        Ok(())
    }

    async fn forget(&self, task: &Task) -> Result<()> {
        self.step(format!("forget {}", task.id)).await;
        Ok(())
    }

    async fn list(&self) -> Result<BTreeMap<String, Found>> {
        let state = self.state();
        let found = |container: &SimContainer| match &*container.phase.borrow() {
            Phase::Created => Found::Created,
            Phase::Running(at) => Found::Running(*at),
            Phase::Exited(started, exit) => Found::Exited(*started, exit.clone()),
        };
        Ok(state
            .containers
            .iter()
            .map(|(id, container)| (id.clone(), found(container)))
            .collect())
    }

    async fn connection(&self, _: &Task, container: &Container) -> Result<Option<Connection>> {
        Ok(self.state().bridge.get(&container.runtime_id).cloned())
    }

    async fn attach(&self, interface: &ElasticNetworkInterface) -> Result<()> {
        let needs_map = self.state().knobs.needs_map;
        if needs_map {
            let has = |maps: &Vec<VpcMap>| {
                maps.iter()
                    .flat_map(|vpc| &vpc.interfaces)
                    .any(|known| known.interface_id == interface.ec2_id)
            };
            self.maps
                .subscribe()
                .wait_for(has)
                .await
                .map_err(|_| Failure::new("the node is gone"))?;
        }
        self.state().attached.insert(interface.ec2_id.clone());
        Ok(())
    }

    async fn detach(&self, interface_id: &str) -> Result<()> {
        self.state().attached.remove(interface_id);
        Ok(())
    }

    async fn attached(&self) -> Result<BTreeSet<String>> {
        Ok(self.state().attached.clone())
    }

    async fn apply(&self, maps: &[VpcMap]) -> Result<()> {
        self.maps.send_replace(maps.to_vec());
        Ok(())
    }

    async fn sweep(&self, keep: &Keep) -> Result<()> {
        let mut state = self.state();
        state.calls.push("sweep".to_owned());
        state.containers.retain(|id, _| keep.containers.contains(id));
        state.networks.retain(|id| keep.networks.contains(id));
        state.attached.retain(|id| keep.interfaces.contains(id));
        state.tasks.retain(|id| keep.tasks.contains(id));
        Ok(())
    }

    async fn remove_all(&self) -> Result<()> {
        self.sweep(&Keep::default()).await
    }

    async fn stats(&self, task: &Task, container: &Container) -> Result<Stats> {
        let mut state = self.state();
        let knobs = state.knobs.clone();
        let Some(made) = state.containers.get_mut(&container.runtime_id) else {
            return Err(Failure(format!("there is no container {}", container.runtime_id)));
        };
        made.looked += 1;
        let looked = made.looked;
        let mut stats = Stats::default();
        stats.group.cpu.total_nanos = Some(looked * 1_000_000);
        stats.group.memory.usage = Some(knobs.memory_mib << 20);
        stats.group.memory.inactive_file = Some(0);
        stats.group.pids.current = Some(1);
        if task.network != NetworkMode::Host {
            let counters = InterfaceStats {
                rx_bytes: looked * 100,
                tx_bytes: looked * 10,
                ..InterfaceStats::default()
            };
            stats.networks.insert("eth0".to_owned(), counters);
        }
        Ok(stats)
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
