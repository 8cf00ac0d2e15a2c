//! The clock, the network between agents and control plane, and what comes upon nodes.

mod check;
mod effects;
mod faults;
mod messages;

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use fastrand::Rng;
use roadstead_agent::engine::event::{Effect, Event};
use roadstead_agent::engine::ledger;

use crate::Millis;
use crate::agent::Agent;
use crate::knobs::Knobs;
use crate::node::{Machine, Place};
use crate::plane::{Consequences, Instance, Kind, Plane, Service, ServiceId, image};
use crate::queue::Queue;

/// A node, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl NodeId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('n')?.parse().ok().map(Self)
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub nodes: usize,
    /// Nodes are dealt out to as many zones.
    pub zones: usize,
    /// CPU units and MiB of a node.
    pub cpu: i64,
    pub memory: i64,
    pub knobs: Knobs,
}

/// Something that must never be, and where to see it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub seed: u64,
    pub at: Millis,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, at {} ms: {}", self.seed, self.at, self.what)
    }
}

impl std::error::Error for Violation {}

#[derive(Clone, Debug, Hash)]
enum Happening {
    Look(usize),
    /// A node hears what is wanted of a task.
    Sync {
        node: usize,
        task: String,
    },
    Done {
        node: usize,
        number: u64,
    },
    Crash {
        node: usize,
        place: Place,
        run: u64,
    },
    Tick {
        node: usize,
        task: String,
    },
    /// The agent tries to tell what is new of a task.
    Tell {
        node: usize,
        task: String,
    },
    Told {
        node: usize,
        life: u64,
        task: String,
        number: u64,
    },
    Partition {
        node: usize,
        begins: bool,
    },
    FullDisk {
        node: usize,
        begins: bool,
    },
    Death {
        node: usize,
    },
    Birth {
        node: usize,
    },
}

impl Happening {
    /// The node whose machine it may change.
    fn node(&self) -> Option<usize> {
        match self {
            Self::Look(_) => None,
            Self::Sync { node, .. }
            | Self::Done { node, .. }
            | Self::Crash { node, .. }
            | Self::Tick { node, .. }
            | Self::Tell { node, .. }
            | Self::Told { node, .. }
            | Self::Partition { node, .. }
            | Self::FullDisk { node, .. }
            | Self::Death { node }
            | Self::Birth { node } => Some(*node),
        }
    }
}

struct Node {
    machine: Machine,
    agent: Agent,
    partitioned: bool,
    /// What the agent is doing, in the order in which it was begun.
    doing: std::collections::BTreeMap<u64, (String, Effect)>,
}

/// The whole of it.
pub struct World {
    options: Options,
    rng: Rng,
    now: Millis,
    queue: Queue<Happening>,
    nodes: Vec<Node>,
    plane: Plane,
    /// Images that cannot be pulled.
    broken: std::collections::BTreeSet<String>,
    next_effect: u64,
    events: u64,
    trace: DefaultHasher,
}

impl World {
    pub fn new(options: Options) -> Self {
        let mut world = Self {
            rng: Rng::with_seed(options.seed),
            now: 0,
            queue: Queue::new(),
            nodes: Vec::new(),
            plane: Plane::new(options.seed),
            broken: std::collections::BTreeSet::new(),
            next_effect: 0,
            events: 0,
            trace: DefaultHasher::new(),
            options,
        };
        for node in 0..world.options.nodes {
            world.plane.instances.push(Instance {
                zone: format!(
                    "us-east-1{}",
                    char::from(b'a' + u8::try_from(node % world.options.zones).unwrap_or(0))
                ),
                cpu: world.options.cpu,
                memory: world.options.memory,
                connected: true,
                draining: false,
                deregistered: false,
            });
            let positive = |size: i64| u64::try_from(size).unwrap_or(0);
            world.nodes.push(Node {
                machine: Machine::default(),
                agent: Agent::new(ledger::Capacity {
                    cpu: positive(world.options.cpu),
                    memory: positive(world.options.memory),
                }),
                partitioned: false,
                doing: std::collections::BTreeMap::new(),
            });
            world.expect_faults(node);
        }
        world
    }

    pub fn now(&self) -> Millis {
        self.now
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The same for the same history.
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// A random number that belongs to this world's history.
    pub fn dice(&mut self, below: usize) -> usize {
        self.rng.usize(0..below.max(1))
    }

    pub fn create(&mut self, service: Service) -> ServiceId {
        let id = self.plane.create(service, self.now);
        self.schedule_look(id.0);
        id
    }

    /// Rolls a revision out. `broken`: its image cannot be pulled.
    pub fn deploy(&mut self, service: ServiceId, revision: u32, broken: bool) {
        if broken {
            self.broken.insert(image(service, revision));
        }
        self.plane.deploy(service, revision, self.now);
        self.schedule_look(service.0);
    }

    pub fn scale(&mut self, service: ServiceId, desired: usize) {
        let state = &mut self.plane.services[service.0];
        state.spec.kind = Kind::Replica(desired);
        state.steady = false;
        state.look_at = Some(self.now);
        self.schedule_look(service.0);
    }

    /// DRAINING, or ACTIVE again.
    pub fn drain(&mut self, node: NodeId, draining: bool) {
        self.plane.instances[node.0].draining = draining;
        self.look_at_all();
    }

    /// The machine is lost for good, and its registration is removed by force.
    pub fn lose(&mut self, node: NodeId) {
        self.nodes[node.0].machine = Machine::lost();
        self.nodes[node.0].agent.die();
        self.nodes[node.0].doing.clear();
        self.plane.deregister(node, self.now);
        self.look_at_all();
    }

    /// From now on nothing new goes wrong; what goes on passes.
    pub fn calm_down(&mut self) {
        self.options.knobs = Knobs::calm();
    }

    /// Whether every service has what it is to have, and nothing is under way.
    pub fn is_steady(&self) -> bool {
        self.plane.services.iter().all(|service| service.steady)
    }

    /// The revision that a service's newest deployment has.
    pub fn revision(&self, service: ServiceId) -> u32 {
        self.plane.services[service.0].deployments[0].revision
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// What must never be, and was.
    pub fn run(&mut self, length: Millis) -> Result<(), Violation> {
        let until = self.now + length;
        while let Some((at, happening)) = self.queue.take(until) {
            self.now = at;
            self.events += 1;
            (at, &happening).hash(&mut self.trace);
            let node = happening.node();
            let consequences = self.happen(happening);
            for task in consequences.told {
                self.tell_node(&task);
            }
            if let Some(what) = consequences.wrong.or_else(|| self.wrong_on(node?)) {
                return Err(self.violation(what));
            }
        }
        self.now = until;
        Ok(())
    }

    fn violation(&self, what: String) -> Violation {
        Violation {
            seed: self.options.seed,
            at: self.now,
            what,
        }
    }

    fn happen(&mut self, happening: Happening) -> Consequences {
        let mut consequences = Consequences::default();
        match happening {
            Happening::Look(service) => {
                let due = self.plane.services[service]
                    .look_at
                    .is_some_and(|at| at <= self.now);
                if due {
                    self.plane.services[service].look_at = None;
                    consequences = self.plane.look(ServiceId(service), self.now);
                    self.schedule_look(service);
                }
            }
            Happening::Sync { node, task } => self.sync(node, &task),
            Happening::Done { node, number } => {
                if let Some((task, effect)) = self.nodes[node].doing.remove(&number) {
                    let fails = self.fails(node, &task, &effect);
                    self.finish(node, &task, effect, fails);
                }
            }
            Happening::Crash { node, place, run } => {
                if self.nodes[node].machine.is_running(&place, run) {
                    let code = self.rng.i32(1..100);
                    let event = self.nodes[node].machine.end(&place, code, self.now);
                    self.feed_if_alive(node, &place.0, event);
                }
            }
            Happening::Tick { node, task } => self.feed_if_alive(node, &task, Some(Event::Tick)),
            Happening::Tell { node, task } => self.tell_plane(node, &task),
            Happening::Told {
                node,
                life,
                task,
                number,
            } => self.told(node, life, &task, number),
            Happening::Partition { node, begins } => self.partition(node, begins),
            Happening::FullDisk { node, begins } => self.fill_disk(node, begins),
            Happening::Death { node } => self.kill_agent(node),
            Happening::Birth { node } => self.revive_agent(node),
        }
        consequences
    }

    fn schedule_look(&mut self, service: usize) {
        if let Some(at) = self.plane.services[service].look_at {
            self.queue.put(at.max(self.now), Happening::Look(service));
        }
    }

    fn look_at_all(&mut self) {
        self.plane.look_at_all(self.now);
        for service in 0..self.plane.services.len() {
            self.schedule_look(service);
        }
    }
}
