//! The task's state machine. An event changes the state, then [`Machine::step`] looks at the state alone and
//! says what is to be done: so a restarted agent, which has only the state, goes on as the old one would have.

use std::sync::Arc;

use roadstead_base::Timestamp;

use super::event::{Effect, Event, Exit, Signal};
use super::report;
use super::spec::Task;
use super::state::{
    ContainerState, Doing, Namespace, Network, NetworkDoing, Status, Stop, Stopping, TaskState,
};

/// SIGKILL is repeated this often until the end is seen, in milliseconds.
const KILL_AGAIN_MS: i64 = 10_000;

/// What could not be made ready for a task begins with this.
pub const RESOURCE_INITIALIZATION: &str = "ResourceInitializationError";

/// A task and where it stands.
#[derive(Clone, Debug)]
pub struct Machine {
    pub task: Arc<Task>,
    pub state: TaskState,
}

impl Machine {
    /// A task of which nothing exists yet.
    pub fn new(task: impl Into<Arc<Task>>) -> Self {
        let task = task.into();
        let containers = task
            .containers
            .iter()
            .map(|container| (container.name.clone(), ContainerState::default()))
            .collect();
        Self {
            state: TaskState {
                containers,
                ..TaskState::default()
            },
            task,
        }
    }

    /// A task that an earlier agent left behind. Its containers' present state comes as events afterwards.
    pub fn restore(task: impl Into<Arc<Task>>, mut state: TaskState) -> Self {
        let task = task.into();
        for container in &task.containers {
            state.containers.entry(container.name.clone()).or_default();
        }
        state.containers.retain(|name, _| task.container(name).is_some());
        if !matches!(state.network, Network::Up(_)) {
            // The namespace is set up anew, so what was created in the old one is created again.
            if state.network.namespace().is_some() {
                state.network = Network::Begun;
            }
            for container in state
                .containers
                .values_mut()
                .filter(|state| state.known == Status::Created)
            {
                container.known = Status::Pulled;
            }
        }
        Self { task, state }
    }

    /// How far the task has come: as far as the container that is furthest behind.
    pub fn status(&self) -> Status {
        if self.state.told == Status::Stopped {
            return Status::Stopped;
        }
        let least = self
            .state
            .containers
            .values()
            .map(ContainerState::shown)
            .min()
            .unwrap_or_default();
        // All containers have ended, but the task has not until its network is gone.
        least.min(Status::Running)
    }

    pub fn desired(&self) -> Status {
        if self.state.stop.is_some() {
            Status::Stopped
        } else {
            Status::Running
        }
    }

    /// Nothing of it is left on the node and the control plane knows all.
    pub fn is_over(&self) -> bool {
        self.state.finished_at.is_some() && self.state.outbox.is_empty()
    }

    /// When a [`Event::Tick`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let kills = self
            .state
            .containers
            .values()
            .filter(|container| container.known == Status::Running);
        let kills = kills.filter_map(|container| container.stopping.map(|stopping| stopping.kill_at));
        let waits = self
            .task
            .containers
            .iter()
            .filter_map(|container| self.start_deadline(container));
        let checks = self
            .task
            .containers
            .iter()
            .filter_map(|container| self.check_due(container));
        kills.chain(waits).chain(checks).min()
    }

    /// Takes in an event at the time `now` and answers what to do, in this order.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        self.apply(event, now);
        let mut effects = Vec::new();
        // Each round only ever moves containers forward, so the rounds are bounded by their number.
        for _ in 0..=self.task.containers.len() * 2 + 2 {
            let before = (effects.len(), self.progress());
            if self.state.stop.is_none() {
                self.judge(now);
            }
            match self.state.stop {
                None => self.go_on(now, &mut effects),
                Some(_) => self.wind_down(now, &mut effects),
            }
            report::collect(&self.task, &mut self.state, now);
            if before == (effects.len(), self.progress()) {
                break;
            }
        }
        effects
    }

    /// Takes in what happened while no agent was there; what follows from it is for the next step.
    pub fn absorb(&mut self, event: Event, now: Timestamp) {
        self.apply(event, now);
    }

    fn progress(&self) -> (usize, bool, u64) {
        let stopped = self
            .state
            .containers
            .values()
            .filter(|container| container.known == Status::Stopped)
            .count();
        (stopped, self.state.stop.is_some(), self.state.next_change)
    }

    fn apply(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Admitted => self.state.admitted = true,
            Event::StopWanted { reason } => self.want_stop(reason, now),
            Event::Pulled { container, image } => self.with(&container, Doing::Pull, |state| {
                state.known = Status::Pulled;
                state.image = Some(image);
            }),
            Event::PullFailed { container, error } => self.fail(&container, Doing::Pull, error, now),
            Event::NamespaceReady(namespace) => {
                if self.state.network_doing == Some(NetworkDoing::Up) {
                    self.state.network = Network::Namespace(namespace);
                }
            }
            Event::NetworkUp(namespace) => {
                self.state.network_doing = None;
                self.state.network = Network::Up(namespace);
            }
            Event::NetworkFailed { error } => {
                self.state.network_doing = None;
                // Something of it may be there: `Begun` and `Namespace` are taken down like a complete one.
                self.want_stop(Some(error), now);
            }
            Event::NetworkDown => {
                self.state.network_doing = None;
                self.state.network = Network::Down;
            }
            Event::PauseEnded => {
                self.want_stop(
                    Some("the container that holds the task's network ended".to_owned()),
                    now,
                );
            }
            Event::Created {
                container,
                at,
                connection,
            } => self.with(&container, Doing::Create, |state| {
                state.known = Status::Created;
                if state.restarts == 0 || state.created_at.is_none() {
                    state.created_at = Some(at);
                }
                if state.connection != connection && state.told == Status::Running {
                    // Told again, since what leads to it is another now.
                    state.told = Status::Created;
                }
                state.connection = connection;
            }),
            Event::CreateFailed { container, error } => {
                self.not_without(&error, now);
                self.fail(&container, Doing::Create, error, now);
            }
            Event::Started { container, at } => self.with(&container, Doing::Start, |state| state.runs(at)),
            Event::StartFailed { container, error } => {
                self.not_without(&error, now);
                self.fail(&container, Doing::Start, error, now);
            }
            Event::FoundCreated { container } => {
                if let Some(state) = self.state.containers.get_mut(&container) {
                    state.exists = true;
                }
            }
            Event::FoundConnected {
                container,
                connection,
            } => {
                if let Some(state) = self.state.containers.get_mut(&container) {
                    state.connection = Some(connection);
                }
            }
            Event::FoundRunning { container, at } => {
                if let Some(state) = self.state.containers.get_mut(&container)
                    && state.known < Status::Running
                {
                    state.created_at.get_or_insert(at);
                    state.runs(at);
                }
            }
            Event::Exited { container, exit } => self.exited(&container, exit, now),
            Event::Deleted { container } => {
                self.with(&container, Doing::Delete, |state| state.exists = false)
            }
            Event::Checked { container, checked } => self.checked(&container, checked),
            Event::Finished => {
                self.state.finishing = false;
                self.state.finished_at = Some(now);
            }
            Event::Sending { number } => self.state.in_flight = Some(number),
            Event::NotSent { number } => {
                if self.state.in_flight == Some(number) {
                    self.state.in_flight = None;
                }
            }
            Event::Settled { number } => {
                self.state.in_flight = None;
                self.state.outbox.retain(|change| change.number != number);
            }
            Event::Tick => {}
        }
    }

    pub(super) fn want_stop(&mut self, reason: Option<String>, at: Timestamp) {
        if self.state.stop.is_none() {
            self.state.stop = Some(Stop { at, reason });
        }
    }

    /// Where what a container needs cannot be had, the task is not to run without it.
    fn not_without(&mut self, error: &str, now: Timestamp) {
        if error.starts_with(RESOURCE_INITIALIZATION) {
            self.want_stop(Some(error.to_owned()), now);
        }
    }

    /// An answer counts only while it is awaited.
    fn with(&mut self, container: &str, doing: Doing, change: impl FnOnce(&mut ContainerState)) {
        if let Some(state) = self.state.containers.get_mut(container)
            && state.doing == Some(doing)
        {
            state.doing = None;
            if state.known != Status::Stopped || doing == Doing::Delete {
                change(state);
            }
        }
    }

    fn fail(&mut self, container: &str, doing: Doing, error: String, now: Timestamp) {
        let essential = self
            .task
            .container(container)
            .is_some_and(|container| container.essential);
        let mut failed = false;
        self.with(container, doing, |state| {
            state.known = Status::Stopped;
            state.reason = Some(error);
            state.finished_at = state.created_at.map(|_| now);
            failed = true;
        });
        if failed && essential {
            self.state.execution_stopped_at.get_or_insert(now);
        }
    }

    fn exited(&mut self, container: &str, exit: Exit, now: Timestamp) {
        let essential = self
            .task
            .container(container)
            .is_some_and(|container| container.essential);
        let Some(state) = self.state.containers.get_mut(container) else {
            return;
        };
        if state.known == Status::Stopped {
            return;
        }
        if state.known == Status::Running || state.doing == Some(Doing::Start) {
            state.started_at.get_or_insert(exit.at);
        }
        state.doing = None;
        state.exit_code = Some(exit.code);
        state.finished_at = Some(exit.at);
        state.reason = if exit.oom_killed {
            Some("OutOfMemoryError: Container killed due to memory usage".to_owned())
        } else {
            exit.reason.clone()
        };
        if self.restarts(container, &exit, now) {
            return;
        }
        if let Some(state) = self.state.containers.get_mut(container) {
            state.known = Status::Stopped;
        }
        if essential {
            self.state.execution_stopped_at.get_or_insert(exit.at);
        }
    }

    fn go_on(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if !self.state.admitted {
            // Asking twice changes nothing, so no state is kept of having asked.
            if !effects.contains(&Effect::Admit) {
                effects.push(Effect::Admit);
            }
            return;
        }
        if !matches!(self.state.network, Network::Up(_) | Network::Down) && self.state.network_doing.is_none()
        {
            self.state.network = Network::Begun;
            self.state.network_doing = Some(NetworkDoing::Up);
            effects.push(Effect::NetworkUp);
        }
        for index in 0..self.task.containers.len() {
            let container = &self.task.containers[index];
            let name = container.name.clone();
            // One that runs again had what it depends on when it ran first.
            let again = self
                .state
                .containers
                .get(&name)
                .is_some_and(|state| state.restarts > 0);
            let free = again || container.depends_on.iter().all(|on| self.satisfied(on));
            let (namespace, up) = (
                self.state.network.namespace().is_some(),
                matches!(self.state.network, Network::Up(_)),
            );
            let Some(state) = self.state.containers.get_mut(&name) else {
                continue;
            };
            if state.doing.is_some() {
                continue;
            }
            match state.known {
                Status::None => {
                    state.doing = Some(Doing::Pull);
                    self.state.pull_started_at.get_or_insert(now);
                    effects.push(Effect::Pull { container: name });
                }
                Status::Pulled if free && namespace => {
                    state.doing = Some(Doing::Create);
                    state.exists = true;
                    effects.push(Effect::Create { container: name });
                }
                Status::Created if up => {
                    state.doing = Some(Doing::Start);
                    effects.push(Effect::Start { container: name });
                }
                Status::Pulled | Status::Created | Status::Running | Status::Stopped => {}
            }
        }
        for container in &self.task.clone().containers {
            if self.check_due(container).is_some_and(|due| due <= now)
                && let Some(state) = self.state.containers.get_mut(&container.name)
            {
                state.checking = true;
                effects.push(Effect::Check {
                    container: container.name.clone(),
                });
            }
        }
        let pulling = self
            .state
            .containers
            .values()
            .any(|state| state.known == Status::None);
        if !pulling {
            self.state.pull_stopped_at.get_or_insert(now);
        }
    }

    fn wind_down(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        for index in 0..self.task.containers.len() {
            self.stop_container(index, now, effects);
        }
        if self.state.network_doing == Some(NetworkDoing::Up) {
            self.state.network_doing = Some(NetworkDoing::Cancelled);
            effects.push(Effect::CancelNetwork);
        }
        if self
            .state
            .containers
            .values()
            .any(|state| state.known != Status::Stopped)
        {
            return;
        }
        for (name, state) in &mut self.state.containers {
            if state.exists && state.doing.is_none() {
                state.doing = Some(Doing::Delete);
                effects.push(Effect::Delete {
                    container: name.clone(),
                });
            }
        }
        if self.state.network_doing.is_some() || self.state.containers.values().any(|state| state.exists) {
            return;
        }
        // Interfaces are attached before the task's network begins.
        let nothing = self.state.network == Network::Absent && self.task.interfaces.is_empty();
        if !nothing && self.state.network != Network::Down {
            self.state.network_doing = Some(NetworkDoing::Down);
            effects.push(Effect::NetworkDown);
            return;
        }
        if self.state.finished_at.is_none() && !self.state.finishing {
            self.state.finishing = true;
            effects.push(Effect::Finish);
            effects.push(Effect::Release);
        }
    }

    /// Those that depend on a container end before it does; whom it depends on itself is not asked.
    fn stop_container(&mut self, index: usize, now: Timestamp, effects: &mut Vec<Effect>) {
        let container = &self.task.containers[index];
        let held = self.task.containers.iter().any(|other| {
            self.state.containers[&other.name].known != Status::Stopped
                && other.depends_on.iter().any(|on| on.container == container.name)
        });
        let Some(state) = self.state.containers.get_mut(&container.name) else {
            return;
        };
        let name = container.name.clone();
        match (state.known, state.doing) {
            (Status::Stopped, _) | (_, Some(Doing::Create | Doing::Start | Doing::Delete)) => {}
            (Status::None | Status::Pulled | Status::Created, doing) => {
                if doing == Some(Doing::Pull) {
                    effects.push(Effect::CancelPull { container: name });
                }
                state.doing = None;
                state.known = Status::Stopped;
                if state.restarts > 0 && container.essential {
                    self.state.execution_stopped_at.get_or_insert(now);
                }
            }
            (Status::Running, _) if held => {}
            (Status::Running, _) => match state.stopping {
                None => {
                    let signal = [Some(&container.config.stop_signal), image_signal(state)]
                        .into_iter()
                        .flatten()
                        .find(|signal| !signal.is_empty())
                        .map_or_else(|| "SIGTERM".to_owned(), Clone::clone);
                    let kill_at = now.plus_millis(container.stop_timeout_ms);
                    state.stopping = Some(Stopping {
                        kill_at,
                        killed: false,
                    });
                    effects.push(Effect::Signal {
                        container: name,
                        signal: Signal::Stop(signal),
                    });
                }
                Some(Stopping { kill_at, .. }) if kill_at <= now => {
                    let kill_at = now.plus_millis(KILL_AGAIN_MS);
                    state.stopping = Some(Stopping {
                        kill_at,
                        killed: true,
                    });
                    effects.push(Effect::Signal {
                        container: name,
                        signal: Signal::Kill,
                    });
                }
                Some(_) => {}
            },
        }
    }

    /// The namespace that containers join, once there is one.
    pub fn namespace(&self) -> Option<&Namespace> {
        self.state.network.namespace()
    }
}

fn image_signal(state: &ContainerState) -> Option<&String> {
    state.image.as_ref().and_then(|image| image.stop_signal.as_ref())
}

#[cfg(test)]
mod tests;
