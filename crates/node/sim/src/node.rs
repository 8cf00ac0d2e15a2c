//! A machine: what exists on it, whatever an agent knows of it. It outlives its agents.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_agent::engine::event::{Effect, Event, Exit, Signal};
use roadstead_agent::engine::health::Checked;
use roadstead_agent::engine::recover::Found;
use roadstead_agent::engine::state::{ImageFacts, Namespace};
use roadstead_base::Timestamp;

use crate::Millis;

/// A container, by its task's id and its name.
pub(crate) type Place = (String, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Created,
    /// With a number that tells this run from another.
    Running {
        since: Millis,
        run: u64,
    },
    Ended {
        since: Millis,
        exit: Exit,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) containers: BTreeMap<Place, Phase>,
    /// Tasks whose network is up.
    pub(crate) networks: BTreeSet<String>,
    pub(crate) disk_full: bool,
    /// Lost for good.
    pub(crate) gone: bool,
    runs: u64,
}

/// What came of an effect.
pub(crate) struct Outcome {
    pub(crate) event: Option<Event>,
    /// A container that runs now.
    pub(crate) started: Option<(Place, u64)>,
}

impl From<Option<Event>> for Outcome {
    fn from(event: Option<Event>) -> Self {
        Self { event, started: None }
    }
}

pub(crate) fn at(now: Millis) -> Timestamp {
    Timestamp(now)
}

impl Machine {
    /// One that is no more.
    pub(crate) fn lost() -> Self {
        Self {
            gone: true,
            ..Self::default()
        }
    }

    /// Brings an effect about. `fails`: why it cannot be, if it can fail.
    pub(crate) fn bring_about(
        &mut self,
        task: &str,
        effect: Effect,
        fails: Option<String>,
        now: Millis,
    ) -> Outcome {
        let place = |container: &str| (task.to_owned(), container.to_owned());
        let event = match (effect, fails) {
            (Effect::Pull { container }, Some(error)) => Event::PullFailed { container, error },
            (Effect::Pull { container }, None) => Event::Pulled {
                container,
                image: ImageFacts::default(),
            },
            (Effect::NetworkUp, _) => {
                self.networks.insert(task.to_owned());
                Event::NetworkUp(Namespace::default())
            }
            (Effect::NetworkDown, _) => {
                self.networks.remove(task);
                Event::NetworkDown
            }
            (Effect::Create { container }, Some(error)) => Event::CreateFailed { container, error },
            (Effect::Create { container }, None) => {
                self.containers.insert(place(&container), Phase::Created);
                Event::Created {
                    container,
                    at: at(now),
                    connection: None,
                }
            }
            (Effect::Start { container }, Some(error)) => Event::StartFailed { container, error },
            (Effect::Start { container }, None) => {
                self.runs += 1;
                let place = place(&container);
                let run = self.runs;
                self.containers
                    .insert(place.clone(), Phase::Running { since: now, run });
                return Outcome {
                    event: Some(Event::Started {
                        container,
                        at: at(now),
                    }),
                    started: Some((place, run)),
                };
            }
            (Effect::Signal { container, signal }, _) => {
                let code = if signal == Signal::Kill { 137 } else { 143 };
                return self.end(&place(&container), code, now).into();
            }
            // Sick containers are no knob yet: they have ended, or are well.
            (Effect::Check { container }, _) => {
                let runs = matches!(
                    self.containers.get(&place(&container)),
                    Some(Phase::Running { .. })
                );
                let checked = Checked {
                    at: at(now),
                    code: Some(if runs { 0 } else { 1 }),
                    output: String::new(),
                };
                Event::Checked { container, checked }
            }
            (Effect::Delete { container }, _) => {
                self.containers.remove(&place(&container));
                Event::Deleted { container }
            }
            (Effect::Finish, _) => Event::Finished,
            (Effect::Admit | Effect::CancelPull { .. } | Effect::CancelNetwork | Effect::Release, _) => {
                return None.into();
            }
        };
        Some(event).into()
    }

    /// Ends a container that runs.
    pub(crate) fn end(&mut self, place: &Place, code: i32, now: Millis) -> Option<Event> {
        let phase = self.containers.get_mut(place)?;
        let Phase::Running { since, .. } = *phase else {
            return None;
        };
        let exit = Exit {
            code,
            at: at(now),
            ..Exit::default()
        };
        *phase = Phase::Ended {
            since,
            exit: exit.clone(),
        };
        Some(Event::Exited {
            container: place.1.clone(),
            exit,
        })
    }

    /// What a new agent finds of a container.
    pub(crate) fn find(&self, task: &str, container: &str) -> Option<Found> {
        let phase = self.containers.get(&(task.to_owned(), container.to_owned()))?;
        Some(match phase {
            Phase::Created => Found::Created,
            Phase::Running { since, .. } => Found::Running(at(*since)),
            Phase::Ended { since, exit } => Found::Exited(Some(at(*since)), exit.clone()),
        })
    }

    pub(crate) fn is_running(&self, place: &Place, run: u64) -> bool {
        matches!(self.containers.get(place), Some(Phase::Running { run: this, .. }) if *this == run)
    }

    /// Tasks of which a container runs.
    pub(crate) fn running_tasks(&self) -> BTreeSet<&str> {
        let running = self
            .containers
            .iter()
            .filter(|(_, phase)| matches!(phase, Phase::Running { .. }));
        running.map(|((task, _), _)| task.as_str()).collect()
    }

    /// Tasks of which anything is there.
    pub(crate) fn tasks(&self) -> BTreeSet<&str> {
        let containers = self.containers.keys().map(|(task, _)| task.as_str());
        containers
            .chain(self.networks.iter().map(String::as_str))
            .collect()
    }

    /// Removes what belongs to no task that the agent knows, and networks that were never complete.
    pub(crate) fn sweep(&mut self, known: &BTreeSet<String>, with_network: &BTreeSet<String>) {
        self.containers.retain(|(task, _), _| known.contains(task));
        self.networks.retain(|task| with_network.contains(task));
    }
}
