//! A node that exists in memory. It runs the same engine as a real one and outlives the agents that come and go
//! over it, with knobs for everything that can go wrong. Tests and the fleet simulator drive it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use roadstead_acs::ElasticNetworkInterface;
use roadstead_acs::network::VpcMap;
use roadstead_base::{SharedClock, Timestamp, derived_hex};
use roadstead_runtime::InterfaceStats;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::driver::{Driver, Failure, Keep, LogSource, Made, Result, Stats};
use crate::engine::event::{Exit, Signal};
use crate::engine::health::{Checked, HealthCheck};
use crate::engine::recover::Found;
use crate::engine::spec::{Container, NetworkMode, Port, Task};
use crate::engine::state::{Binding, Connection, ImageFacts, Namespace};

mod log;

use log::SimLog;

const BRIDGE: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 0);
const DYNAMIC_PORTS: u16 = 32_768;

/// What goes wrong, by container name (or image where noted).
#[derive(Clone, Debug, Default)]
pub struct Knobs {
    /// Every step takes this long.
    pub step: Duration,
    /// Pulls of these images fail with this text.
    pub pull_fails: BTreeMap<String, String>,
    /// Pulls of these images never end.
    pub pull_hangs: BTreeSet<String>,
    pub create_fails: BTreeMap<String, String>,
    pub start_fails: BTreeMap<String, String>,
    /// The container ends by itself after this time with this code.
    pub exits: BTreeMap<String, (Duration, i32)>,
    /// It ends for want of memory after this time.
    pub runs_out_of_memory: BTreeMap<String, Duration>,
    /// It pays no heed to the stop signal.
    pub stubborn: BTreeSet<String>,
    /// What its health check exits with; 0 without it.
    pub health: BTreeMap<String, i32>,
    /// Networks cannot be made.
    pub network_fails: Option<String>,
    /// Interfaces need a map that has them.
    pub needs_map: bool,
    /// Tear-down of networks fails this many times.
    pub tear_down_fails: u32,
    /// The link's addresses are counted on from here; 169.254.172.1 without it.
    pub link_base: Option<Ipv4Addr>,
    /// What every container uses, in MiB.
    pub memory_mib: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Created,
    Running(Timestamp),
    Exited(Option<Timestamp>, Exit),
}

#[derive(Debug)]
struct SimContainer {
    /// What it has printed.
    printed: Vec<String>,
    /// Lines that were sent on, by their number.
    sent: u64,
    phase: watch::Sender<Phase>,
    /// How often it was measured; each time finds a millisecond of CPU more.
    looked: u64,
}

#[derive(Debug, Default)]
struct State {
    knobs: Knobs,
    containers: BTreeMap<String, SimContainer>,
    /// By pause id.
    networks: BTreeSet<String>,
    attached: BTreeSet<String>,
    tasks: BTreeSet<String>,
    /// Calls in order, as `start web`.
    calls: Vec<String>,
    next_address: u8,
    /// By runtime id.
    bridge: BTreeMap<String, Connection>,
}

/// The node's hardware, so to speak. Clones are the same node.
#[derive(Clone)]
pub struct SimNode {
    state: Arc<Mutex<State>>,
    maps: Arc<watch::Sender<Vec<VpcMap>>>,
    clock: SharedClock,
}

impl SimNode {
    pub fn new(clock: SharedClock) -> Self {
        Self {
            state: Arc::default(),
            maps: Arc::new(watch::channel(Vec::new()).0),
            clock,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Turns knobs, also while tasks run.
    pub fn set(&self, turn: impl FnOnce(&mut Knobs)) {
        turn(&mut self.state().knobs);
    }

    /// Everything that was asked of the node so far.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// A container prints a line.
    pub fn print(&self, runtime_id: &str, line: &str) {
        if let Some(made) = self.state().containers.get_mut(runtime_id) {
            made.printed.push(line.to_owned());
        }
    }

    /// How many lines of a container are known to be sent.
    pub fn sent(&self, runtime_id: &str) -> u64 {
        self.state()
            .containers
            .get(runtime_id)
            .map_or(0, |made| made.sent)
    }

    /// How often this was asked.
    pub fn count(&self, call: &str) -> usize {
        self.state().calls.iter().filter(|made| *made == call).count()
    }

    /// Runtime ids of containers that run at the moment.
    pub fn running(&self) -> BTreeSet<String> {
        let state = self.state();
        let running = state
            .containers
            .iter()
            .filter(|(_, c)| matches!(*c.phase.borrow(), Phase::Running(_)));
        running.map(|(id, _)| id.clone()).collect()
    }

    /// Whatever exists: containers that have not exited, networks, interfaces, task files.
    pub fn leftovers(&self) -> Vec<String> {
        let state = self.state();
        let alive = state
            .containers
            .iter()
            .filter(|(_, c)| !matches!(*c.phase.borrow(), Phase::Exited(..)));
        alive
            .map(|(id, _)| id.clone())
            .chain(state.networks.iter().cloned())
            .chain(state.attached.iter().cloned())
            .chain(state.tasks.iter().cloned())
            .collect()
    }

    /// A container ends by itself, whether an agent looks or not.
    pub fn exit(&self, runtime_id: &str, code: i32) {
        self.end(runtime_id, code, false);
    }

    fn end(&self, runtime_id: &str, code: i32, oom_killed: bool) {
        let at = self.clock.now();
        if let Some(container) = self.state().containers.get(runtime_id) {
            container.phase.send_if_modified(|phase| {
                let started = match phase {
                    Phase::Exited(..) => return false,
                    Phase::Created => None,
                    Phase::Running(at) => Some(*at),
                };
                *phase = Phase::Exited(
                    started,
                    Exit {
                        code,
                        oom_killed,
                        at,
                        reason: None,
                    },
                );
                true
            });
        }
    }

    async fn step(&self, call: String) {
        let step = {
            let mut state = self.state();
            state.calls.push(call);
            state.knobs.step
        };
        if !step.is_zero() {
            tokio::time::sleep(step).await;
        }
    }

    fn end_later(&self, id: String, after: Duration, code: i32, oom_killed: bool) {
        let node = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            node.end(&id, code, oom_killed);
        });
    }

    fn phase(&self, id: &str) -> Option<watch::Receiver<Phase>> {
        self.state()
            .containers
            .get(id)
            .map(|container| container.phase.subscribe())
    }

    /// A place on the bridge that nobody had before.
    fn connect(&self, container: &Container) -> Connection {
        let mut state = self.state();
        let number = u16::try_from(state.bridge.len()).unwrap_or(u16::MAX);
        let binding = |port: &Port| Binding {
            container_port: port.first,
            host_port: if port.host == 0 {
                DYNAMIC_PORTS + number * 100 + port.first % 100
            } else {
                port.host
            },
            protocol: port.protocol().to_owned(),
            count: port.last - port.first + 1,
        };
        let connection = Connection {
            address: Ipv4Addr::from(u32::from(BRIDGE) + u32::from(number) + 2),
            subnet: format!("{BRIDGE}/16"),
            gateway: Ipv4Addr::from(u32::from(BRIDGE) + 1),
            mac: String::new(),
            local_address: None,
            bindings: container.ports.iter().map(binding).collect(),
        };
        state
            .bridge
            .insert(container.runtime_id.clone(), connection.clone());
        connection
    }

    fn insert(&self, id: String, phase: Phase) {
        let container = SimContainer {
            printed: Vec::new(),
            sent: 0,
            looked: 0,
            phase: watch::channel(phase).0,
        };
        self.state().containers.insert(id, container);
    }
}

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
