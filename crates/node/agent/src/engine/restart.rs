//! Restart policies: a container that ends runs again in its place, and its task goes on. Source: the developer guide,
//! "Restart individual containers in Amazon ECS tasks with container restart policies".

use roadstead_acs as acs;
use roadstead_base::Timestamp;

use super::event::Exit;
use super::health::Health;
use super::machine::Machine;
use super::state::{ContainerState, Status};

/// When a container that ends is to run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Exit codes after which it stays stopped.
    pub ignored: Vec<i32>,
    /// Milliseconds that it must have run for.
    pub period_ms: i64,
}

impl RestartPolicy {
    /// None of one that is not enabled.
    ///
    /// # Errors
    /// Why it cannot be kept to.
    pub fn read(policy: &acs::RestartPolicy) -> Result<Option<Self>, String> {
        let acs::RestartPolicy {
            enabled,
            ignored_exit_codes,
            restart_attempt_period,
        } = policy;
        let period_ms = restart_attempt_period.checked_mul(1_000);
        let period_ms = period_ms.filter(|period| *period >= 0).ok_or_else(|| {
            format!("the restartAttemptPeriod {restart_attempt_period} of the restartPolicy is no time")
        })?;
        Ok(enabled.then(|| Self {
            ignored: ignored_exit_codes.clone(),
            period_ms,
        }))
    }

    /// `since`: when the run that ended had begun. A container that was lost, rather than having ended, is not made
    /// up for: its exit code is none.
    fn applies(&self, exit: &Exit, since: Option<Timestamp>) -> bool {
        exit.reason.is_none()
            && !self.ignored.contains(&exit.code)
            && since.is_some_and(|since| exit.at >= since.plus_millis(self.period_ms))
    }
}

impl ContainerState {
    /// As others see it: between two runs it runs.
    pub fn shown(&self) -> Status {
        if self.restarts > 0 {
            self.known.max(Status::Running)
        } else {
            self.known
        }
    }

    /// When its present or last run began.
    pub(super) fn run_since(&self) -> Option<Timestamp> {
        self.last_restart_at.max(self.started_at)
    }

    /// It runs, for the first time or again.
    pub(super) fn runs(&mut self, at: Timestamp) {
        self.known = Status::Running;
        self.started_at.get_or_insert(at);
        self.exit_code = None;
        self.finished_at = None;
        self.reason = None;
    }
}

impl Machine {
    /// After a container's end, which its state has: whether it is made ready to run again instead of being stopped.
    pub(super) fn restarts(&mut self, name: &str, exit: &Exit, now: Timestamp) -> bool {
        let policy = self
            .task
            .container(name)
            .and_then(|container| container.restart.as_ref());
        let (Some(policy), None) = (policy, &self.state.stop) else {
            return false;
        };
        let Some(state) = self.state.containers.get_mut(name) else {
            return false;
        };
        let restarts = policy.applies(exit, state.run_since());
        if restarts {
            state.known = Status::Pulled;
            state.restarts += 1;
            state.last_restart_at = Some(now);
            state.health = Health::default();
            // What is asked of the run before says nothing of the next one.
            state.check_is_old = state.checking;
        }
        restarts
    }
}
