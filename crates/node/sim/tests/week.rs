//! A week of an operator's work, in worlds that are kind and worlds that are not.

use roadstead_deployment::Bounds;
use roadstead_sim::{DAY, HOUR, Kind, Knobs, NodeId, Options, Service, ServiceId, Violation, World};

const SERVICES: usize = 12;

/// How large a world is.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    cpu: i64,
    memory: i64,
    /// Tasks that a service may be scaled to.
    most: usize,
    /// Nodes that may be lost.
    losses: usize,
}

const WIDE: Size = Size {
    nodes: 200,
    cpu: 4_096,
    memory: 8_192,
    most: 60,
    losses: 10,
};

/// Hardly more nodes than a service has tasks: those with a port of the node are in each other's way.
const DENSE: Size = Size {
    nodes: 30,
    cpu: 16_384,
    memory: 32_768,
    most: 24,
    losses: 3,
};

/// Tasks of a service at least.
const FEWEST: usize = 4;

struct Operator {
    size: Size,
    services: Vec<ServiceId>,
    revision: u32,
    drained: Option<NodeId>,
    lost: usize,
}

fn world(seed: u64, size: Size, knobs: Knobs) -> (World, Operator) {
    let mut world = World::new(Options {
        seed,
        nodes: size.nodes,
        zones: 3,
        cpu: size.cpu,
        memory: size.memory,
        knobs,
    });
    let mut services = Vec::new();
    for index in 0..SERVICES {
        let bounds = [(100, 200), (50, 100), (75, 125), (0, 100)][index % 4];
        services.push(world.create(Service {
            kind: if index == 0 {
                Kind::Daemon
            } else {
                Kind::Replica(FEWEST + size.most * index / SERVICES)
            },
            bounds: Bounds {
                minimum_healthy_percent: bounds.0,
                maximum_percent: bounds.1,
            },
            cpu: 128 << (index % 3),
            memory: 256,
            port: (index % 3 == 1).then_some(8_000 + u16::try_from(index).unwrap_or(0)),
            breaker: index % 2 == 1,
        }));
    }
    let operator = Operator {
        size,
        services,
        revision: 1,
        drained: None,
        lost: 0,
    };
    (world, operator)
}

impl Operator {
    /// What an operator does in an hour.
    fn act(&mut self, world: &mut World) {
        let service = self.services[world.dice(SERVICES)];
        match world.dice(10) {
            0..5 => {
                self.revision += 1;
                world.deploy(service, self.revision, false);
            }
            // One with a circuit breaker gets over this by itself.
            5 => {
                self.revision += 1;
                let guarded = self.services[1 + 2 * world.dice(SERVICES / 2)];
                world.deploy(guarded, self.revision, true);
            }
            6..8 => {
                let replica = self.services[1 + world.dice(SERVICES - 1)];
                // With less, a minimum and a maximum that are rounded to the same number leave no room for a rollout.
                let desired = FEWEST + world.dice(self.size.most - FEWEST);
                world.scale(replica, desired);
            }
            8 => {
                if let Some(node) = self.drained.take() {
                    world.drain(node, false);
                }
                let node = NodeId(world.dice(self.size.nodes));
                world.drain(node, true);
                self.drained = Some(node);
            }
            _ if self.lost < self.size.losses => {
                self.lost += 1;
                let node = NodeId(world.dice(self.size.nodes));
                world.lose(node);
            }
            _ => {}
        }
    }
}

fn week(seed: u64, size: Size, knobs: Knobs) -> Result<World, Violation> {
    let (mut world, mut operator) = world(seed, size, knobs);
    while world.now() < 7 * DAY {
        world.run(HOUR)?;
        operator.act(&mut world);
    }
    world.calm_down();
    // A deployment that was given up, and had nothing to go back to, waits for somebody to try again.
    for service in operator.services {
        world.deploy(service, operator.revision + 1, false);
    }
    world.run(6 * HOUR)?;
    world.settled()?;
    Ok(world)
}

#[track_caller]
fn check(seed: u64, size: Size, knobs: Knobs) -> World {
    week(seed, size, knobs).unwrap_or_else(|violation| panic!("{violation}"))
}

#[test]
fn a_calm_week_arrives_where_it_is_to() {
    let world = check(1, WIDE, Knobs::calm());
    assert!(world.events() > 10_000, "{}", world.events());
}

#[test]
fn rough_weeks_break_no_promise_and_settle() {
    // Another seed by hand: ROADSTEAD_SIM_SEED=… cargo test -p roadstead-sim
    let given = std::env::var("ROADSTEAD_SIM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = given.map_or(0..2, |seed: u64| seed..seed + 1);
    for seed in seeds {
        check(seed, WIDE, Knobs::rough());
        check(seed, DENSE, Knobs::rough());
    }
}

#[test]
fn a_seed_is_a_history() {
    let day = |seed| {
        let (mut world, mut operator) = world(seed, DENSE, Knobs::rough());
        while world.now() < DAY {
            world.run(HOUR).unwrap_or_else(|violation| panic!("{violation}"));
            operator.act(&mut world);
        }
        (world.trace(), world.events())
    };
    assert_eq!(day(7), day(7));
    assert_ne!(day(7), day(8));
}
