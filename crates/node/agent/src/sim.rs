//! A node that exists in memory. It runs the same engine as a real one and outlives the agents that come and go
//! over it, with knobs for everything that can go wrong. Tests and the fleet simulator drive it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roadstead_acs::network::VpcMap;
use roadstead_base::{SharedClock, Timestamp};
use tokio::sync::watch;

use crate::engine::event::Exit;
use crate::engine::spec::{Container, Port};
use crate::engine::state::{Binding, Connection};

mod driver;
mod log;

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
