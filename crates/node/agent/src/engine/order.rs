//! What containers mean for each other: who waits for whom, whose end is everybody's end, and when waiting has
//! become pointless.

use roadstead_base::Timestamp;

use super::health::HealthStatus;
use super::machine::Machine;
use super::spec::{Condition, Container};
use super::state::Status;

impl Machine {
    /// Whether the task has to stop: an essential container ended, all ended, or one can never start.
    pub(super) fn judge(&mut self, now: Timestamp) {
        let stopped = |container: &Container| self.state.containers[&container.name].known == Status::Stopped;
        if self
            .task
            .containers
            .iter()
            .any(|container| container.essential && stopped(container))
            || self.task.containers.iter().all(stopped)
        {
            return self.want_stop(None, now);
        }
        let hopeless = self.task.containers.iter().find_map(|container| {
            let waits = self.state.containers[&container.name].shown() < Status::Created;
            waits
                .then(|| self.hopeless(container, now))
                .flatten()
                .map(|why| (container.name.clone(), why))
        });
        if let Some((name, why)) = hopeless {
            if let Some(state) = self.state.containers.get_mut(&name) {
                state.reason.get_or_insert(why.clone());
            }
            self.want_stop(Some(why), now);
        }
    }

    fn hopeless(&self, container: &Container, now: Timestamp) -> Option<String> {
        container.depends_on.iter().find_map(|on| {
            let state = self.state.containers.get(&on.container)?;
            let awaited = self.task.container(&on.container)?;
            let condition = on.condition.as_str();
            let never = match on.condition {
                _ if state.known != Status::Stopped => false,
                Condition::Start | Condition::Complete => state.started_at.is_none(),
                Condition::Healthy => true,
                Condition::Success => state.started_at.is_none() || state.exit_code != Some(0),
            };
            if never {
                return Some(format!(
                    "container {} depends on {} with the condition {condition}, which cannot come true any more",
                    container.name, on.container
                ));
            }
            let late = self.start_deadline(awaited).is_some_and(|deadline| deadline <= now);
            (late && !self.satisfied(on)).then(|| {
                format!(
                    "container {} gave up: {} did not reach the condition {condition} within its startTimeout",
                    container.name, on.container
                )
            })
        })
    }

    /// Until when a running container must have got to where others wait for it to be.
    pub(super) fn start_deadline(&self, container: &Container) -> Option<Timestamp> {
        let state = self.state.containers.get(&container.name)?;
        let timeout = container.start_timeout_ms?;
        let awaited = self.task.containers.iter().any(|other| {
            self.state.containers[&other.name].shown() < Status::Created
                && other
                    .depends_on
                    .iter()
                    .any(|on| on.container == container.name && !self.satisfied(on))
        });
        let waiting = awaited && state.known == Status::Running && self.state.stop.is_none();
        waiting
            .then(|| state.started_at.map(|at| at.plus_millis(timeout)))
            .flatten()
    }

    pub(super) fn satisfied(&self, on: &super::spec::Dependency) -> bool {
        let Some(state) = self.state.containers.get(&on.container) else {
            return false;
        };
        match on.condition {
            Condition::Start => state.started_at.is_some(),
            Condition::Complete => state.known == Status::Stopped && state.started_at.is_some(),
            Condition::Success => state.known == Status::Stopped && state.exit_code == Some(0),
            Condition::Healthy => {
                state.known == Status::Running && state.health.status == HealthStatus::Healthy
            }
        }
    }
}
