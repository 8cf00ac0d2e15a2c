//! A world that answers effects in any order, late, or with failures, and can lose the agent at any time. Over
//! it, what must hold for every task: it converges, nothing starts before the network is complete, nothing is
//! stopped before those that depend on it, and only what has a policy for it runs again, once for each end.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::engine::durable::Weight;
use crate::engine::health::{Checked, HealthCheck, HealthStatus};
use crate::engine::recover::{Found, found};
use crate::engine::restart::RestartPolicy;
use crate::engine::state::Change;

/// Milliseconds that a container with a policy must have run for, and the code after which it stays stopped.
const PERIOD: i64 = 3_000;
const IGNORED: i32 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Created,
    /// Since when.
    Running(i64),
    Ended(i64, Exit),
}

struct World {
    machine: Machine,
    now: i64,
    pending: Vec<Effect>,
    containers: BTreeMap<String, Phase>,
    network_up: bool,
    /// When containers were made to run again, in order.
    again: BTreeMap<String, Vec<i64>>,
    stubborn: BTreeSet<String>,
    /// The agent knows the namespace of a network that is not up yet.
    early: bool,
    /// What the next agent would read.
    disk: String,
}

impl World {
    fn new(machine: Machine) -> Self {
        Self {
            disk: serde_json::to_string(&machine.state).expect("writes"),
            machine,
            now: 0,
            pending: Vec::new(),
            containers: BTreeMap::new(),
            network_up: false,
            again: BTreeMap::new(),
            stubborn: BTreeSet::new(),
            early: false,
        }
    }

    fn feed(&mut self, event: E) {
        self.now += 1;
        let before = Weight::of(&self.machine);
        let effects = self.machine.step(event, at(self.now));
        if before.must_be_written(&self.machine, &effects) {
            self.disk = serde_json::to_string(&self.machine.state).expect("writes");
        }
        for effect in effects {
            self.take(effect);
        }
    }

    fn take(&mut self, effect: Effect) {
        match &effect {
            Effect::CancelPull { container } => {
                self.pending
                    .retain(|e| !matches!(e, Effect::Pull { container: c } if c == container));
            }
            Effect::CancelNetwork | Effect::Release => {}
            Effect::Start { container } => {
                assert!(
                    self.network_up,
                    "{container} starts before the network is complete"
                );
                let spec = self.machine.task.container(container).expect("is there").clone();
                for on in &spec.depends_on {
                    let state = &self.machine.state.containers[&on.container];
                    assert!(
                        state.started_at.is_some(),
                        "{container} starts before {}",
                        on.container
                    );
                    if on.condition == Condition::Success {
                        assert_eq!(state.exit_code, Some(0));
                    }
                }
                self.pending.push(effect);
            }
            Effect::Signal { container, signal } => {
                for other in &self.machine.task.containers {
                    if other.depends_on.iter().any(|on| &on.container == container) {
                        let phase = self.containers.get(&other.name);
                        assert!(
                            !matches!(phase, Some(Phase::Running(_))),
                            "{container} is stopped before {}",
                            other.name
                        );
                    }
                }
                let ends = *signal == Signal::Kill || !self.stubborn.contains(container);
                if ends {
                    self.pending.push(effect);
                }
            }
            Effect::Create { container } => {
                let spec = self.machine.task.container(container).expect("is there");
                let state = &self.machine.state.containers[container];
                assert_ne!(state.told, Status::Stopped, "{container} was told to have ended");
                if let Some(Phase::Ended(began, exit)) = self.containers.get(container) {
                    let again = self.again.entry(container.clone()).or_default();
                    let since = at(again.last().copied().unwrap_or(*began));
                    if since <= exit.at {
                        assert!(spec.restart.is_some() && exit.code != IGNORED);
                        assert!(
                            exit.at >= since.plus_millis(PERIOD),
                            "{container} ran too shortly"
                        );
                        again.push(self.now);
                    }
                }
                let first = state.restarts == 0;
                for on in spec
                    .depends_on
                    .iter()
                    .filter(|on| first && on.condition == Condition::Healthy)
                {
                    let health = self.machine.state.containers[&on.container].health.status;
                    assert_eq!(
                        health,
                        HealthStatus::Healthy,
                        "{container} is made before {}",
                        on.container
                    );
                }
                assert!(!self.pending.contains(&effect), "{effect:?} twice");
                self.pending.push(effect);
            }
            Effect::NetworkDown => {
                assert!(
                    self.containers.is_empty(),
                    "the network goes before its containers"
                );
                self.pending.push(effect);
            }
            _ => {
                assert!(
                    !self.pending.contains(&effect) || effect == Effect::Admit,
                    "{effect:?} twice"
                );
                self.pending.push(effect);
            }
        }
    }

    fn end(&mut self, container: &str, code: i32) {
        if let Some(exit) = self.end_unseen(container, code) {
            self.feed(E::Exited {
                container: container.to_owned(),
                exit,
            });
        }
    }

    fn end_unseen(&mut self, container: &str, code: i32) -> Option<Exit> {
        let Some(Phase::Running(began)) = self.containers.get(container) else {
            return None;
        };
        self.now += 1;
        let exit = Exit {
            code,
            at: at(self.now),
            ..Exit::default()
        };
        let ended = Phase::Ended(*began, exit.clone());
        self.containers.insert(container.to_owned(), ended);
        Some(exit)
    }

    /// Brings an effect about and tells the agent.
    fn answer(&mut self, index: usize, fails: bool, code: u8) {
        let effect = self.pending.remove(index);
        if effect == Effect::NetworkUp && code.is_multiple_of(2) && !self.early {
            // The namespace is there, the rest is not: the network stays pending.
            self.early = true;
            self.pending.push(effect);
            return self.feed(E::NamespaceReady(Namespace::default()));
        }
        let started = match &effect {
            Effect::Start { container } if !fails => Some(container.clone()),
            _ => None,
        };
        if let Some(event) = self.bring_about(effect, fails) {
            self.feed(event);
        }
        if let Some(container) = started.filter(|_| code.is_multiple_of(3)) {
            self.end(&container, i32::from(code % 2));
        }
    }

    /// Brings an effect about, but the agent dies before it hears of it.
    fn answer_nobody(&mut self, index: usize) {
        match self.pending.remove(index) {
            Effect::Signal { container, .. } => {
                self.end_unseen(&container, 143);
            }
            effect => drop(self.bring_about(effect, false)),
        }
        self.restart();
    }

    fn bring_about(&mut self, effect: Effect, fails: bool) -> Option<E> {
        let error = "it failed".to_owned();
        Some(match effect {
            Effect::Admit => E::Admitted,
            Effect::Pull { container } if fails => E::PullFailed { container, error },
            Effect::Pull { container } => E::Pulled {
                container,
                image: ImageFacts::default(),
            },
            Effect::NetworkUp => {
                self.early = false;
                self.network_up = !fails;
                if fails { E::NetworkFailed { error } } else { up() }
            }
            Effect::NetworkDown => {
                self.network_up = false;
                E::NetworkDown
            }
            Effect::Create { container } if fails => E::CreateFailed { container, error },
            Effect::Create { container } => {
                self.containers.insert(container.clone(), Phase::Created);
                E::Created {
                    container,
                    at: at(self.now),
                    connection: None,
                }
            }
            Effect::Start { container } if fails => E::StartFailed { container, error },
            Effect::Start { container } => {
                self.containers
                    .insert(container.clone(), Phase::Running(self.now));
                E::Started {
                    container,
                    at: at(self.now),
                }
            }
            Effect::Signal { container, signal } => {
                self.end(&container, if signal == Signal::Kill { 137 } else { 143 });
                return None;
            }
            Effect::Check { container } => E::Checked {
                container,
                checked: Checked {
                    at: at(self.now),
                    code: Some(i32::from(fails)),
                    output: String::new(),
                },
            },
            Effect::Delete { container } => {
                self.containers.remove(&container);
                E::Deleted { container }
            }
            Effect::Finish => E::Finished,
            Effect::CancelPull { .. } | Effect::CancelNetwork | Effect::Release => return None,
        })
    }

    /// The agent dies and another one comes, which finds what is there.
    fn restart(&mut self) {
        self.pending.clear();
        self.early = false;
        let text = self.disk.clone();
        let told = self.machine.state.next_change;
        self.machine = Machine::restore(
            self.machine.task.clone(),
            serde_json::from_str(&text).expect("reads"),
        );
        let up = matches!(self.machine.state.network, Network::Up(_));
        // What no record explains is swept away.
        self.network_up &= up;
        let running = self
            .containers
            .values()
            .any(|phase| matches!(phase, Phase::Running(_)));
        assert!(up || !running, "a running container would lose its network");
        let now = at(self.now);
        let find = |name: &str| {
            self.containers.get(name).map(|phase| match phase {
                Phase::Created => Found::Created,
                Phase::Running(began) => Found::Running(at(*began)),
                Phase::Ended(began, exit) => Found::Exited(Some(at(*began)), exit.clone()),
            })
        };
        for event in found(&self.machine, &find, now) {
            self.machine.absorb(event, now);
        }
        self.feed(E::Tick);
        assert!(self.machine.state.next_change - told <= 1 + self.machine.task.containers.len() as u64);
    }
}

prop_compose! {
    fn tasks()(rows in prop::collection::vec((any::<bool>(), any::<u8>(), 0..4usize, any::<bool>(), any::<bool>()), 1..5)) -> Machine {
        let mut containers = Vec::new();
        for (index, (essential, on, condition, timeout, again)) in rows.into_iter().enumerate() {
            // Only on earlier ones: circles are refused before.
            let on: Vec<(String, Condition)> = (0..index)
                .filter(|earlier| on & (1 << earlier) != 0)
                .map(|earlier| {
                    (format!("c{earlier}"), [Condition::Start, Condition::Complete, Condition::Success, Condition::Healthy][condition])
                })
                .collect();
            let on: Vec<(&str, Condition)> = on.iter().map(|(name, c)| (name.as_str(), *c)).collect();
            let mut made = container(&format!("c{index}"), essential || index == 0, &on);
            made.start_timeout_ms = timeout.then_some(5_000);
            made.restart = again.then(|| RestartPolicy { ignored: vec![IGNORED], period_ms: PERIOD });
            made.health = Some(HealthCheck {
                args: vec!["true".to_owned()],
                interval_ms: 5_000,
                timeout_ms: 2_000,
                start_period_ms: 0,
                retries: 2,
            });
            containers.push(made);
        }
        machine(containers)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_task_converges_safely(
        machine in tasks(),
        moves in prop::collection::vec((0..100u8, any::<u16>(), any::<u8>()), 0..120),
        stubborn in any::<u8>(),
    ) {
        let mut world = World::new(machine);
        world.stubborn = (0..8).filter(|bit| stubborn & (1 << bit) != 0).map(|bit| format!("c{bit}")).collect();
        world.feed(E::Tick);
        for (kind, which, code) in moves {
            let which = usize::from(which);
            match kind {
                0..70 if !world.pending.is_empty() => {
                    let index = which % world.pending.len();
                    world.answer(index, kind < 4, code);
                }
                70..80 => {
                    let running: Vec<String> = world.containers.keys().cloned().collect();
                    if !running.is_empty() {
                        let name = running[which % running.len()].clone();
                        world.end(&name, i32::from(code));
                    }
                }
                80..83 => world.feed(E::StopWanted { reason: None }),
                83..85 => world.feed(E::PauseEnded),
                85..88 => world.restart(),
                88..92 if !world.pending.is_empty() => {
                    let index = which % world.pending.len();
                    world.answer_nobody(index);
                }
                _ => {
                    world.now += 2_000;
                    world.feed(E::Tick);
                }
            }
        }
        // From here on all goes well: the task must run, or end.
        world.feed(E::StopWanted { reason: None });
        for round in 0..400 {
            if world.machine.state.finished_at.is_some() {
                break;
            }
            prop_assert!(round < 399, "it does not end: {:?} {:?}", world.machine.state, world.pending);
            if world.pending.is_empty() {
                world.now += 31_000;
                world.feed(E::Tick);
            } else {
                world.answer(0, false, 1);
            }
        }
        prop_assert!(world.containers.is_empty() && !world.network_up);
        prop_assert_eq!(world.machine.status(), Status::Stopped);
        let told: Vec<&Change> = world.machine.state.outbox.iter().collect();
        prop_assert_eq!(told.last().map(|change| change.status), Some(Status::Stopped));
        prop_assert_eq!(told.iter().filter(|change| change.status == Status::Stopped).count(), 1);
        for container in &world.machine.task.containers {
            let ends = told.iter().flat_map(|change| &change.containers)
                .filter(|change| change.name == container.name && change.status == Status::Stopped).count();
            prop_assert_eq!(ends, 1, "the end of {} is told once", &container.name);
            let again = world.again.get(&container.name).map_or(0, Vec::len);
            prop_assert_eq!(world.machine.state.containers[&container.name].restarts as usize, again);
        }
    }
}
