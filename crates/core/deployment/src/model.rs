//! What a decision sees, and what it says.

use std::collections::BTreeMap;

use crate::bounds::Bounds;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);
    };
}

name! {
    /// `ecs-svc/<digits>`, or a task set's id.
    DeploymentId
}
name! {
    /// A task, by its id.
    TaskId
}
name! {
    /// A container instance, by its ARN.
    InstanceId
}

/// A service at one moment. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub now: i64,
    pub scheduling: Scheduling,
    pub bounds: Bounds,
    /// What every task is to be of.
    pub primary: Deployment,
    /// Somebody asked for the way back.
    pub asked_back: bool,
    pub breaker: Option<Breaker>,
    pub alarms: Option<Alarms>,
    /// For how long alarms are looked at after it has arrived.
    pub bake: Option<Bake>,
    /// Where to go back to, if there is something.
    pub fallback: Option<DeploymentId>,
    /// Those that are meant to run; what was told to stop counts no more.
    pub tasks: Vec<Task>,
    /// The zones that tasks are to be balanced over; fewer than two: they are not.
    pub zones: Vec<String>,
    /// Of each capacity provider that tasks are shared over, how many it is to have.
    pub due: BTreeMap<String, usize>,
    /// The last try to start what was missing found no place, so that something must go first if it may.
    pub cramped: bool,
    /// Milliseconds for which a task without a health check must have run before it counts as healthy.
    pub settle: i64,
    /// Milliseconds after its start for which a task's bad health is overlooked.
    pub grace: i64,
}

#[derive(Clone, Debug)]
pub enum Scheduling {
    Replica {
        desired: usize,
    },
    /// One on each instance that is eligible.
    Daemon {
        instances: Vec<Instance>,
    },
}

/// A container instance, as a DAEMON service sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    /// ACTIVE, and the task's attributes and constraints hold.
    pub eligible: bool,
    /// Tasks of others are still on it: daemons leave last.
    pub busy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    InProgress,
    Completed,
    Failed,
}

#[derive(Clone, Debug)]
pub struct Deployment {
    pub id: DeploymentId,
    pub rollout: Rollout,
    /// Tasks in a row that failed, none having run successfully: what the circuit breaker counts.
    pub failures: u32,
    /// Tasks that failed or ended at once, without a good while between: what starts are slowed down for.
    pub setbacks: u32,
    pub last_setback: i64,
}

/// The circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Whether to go back when it opens.
    pub rollback: bool,
}

/// The alarms that a deployment is to fail by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarms {
    /// Whether to go back when one goes off.
    pub rollback: bool,
    /// One of them is in ALARM.
    pub ringing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bake {
    /// Milliseconds.
    pub lasts: i64,
    /// When it had arrived; none: it has not yet.
    pub since: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Anything before RUNNING.
    Pending,
    Running {
        since: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has no health check: to have run for a while is to be healthy.
    Unchecked,
    /// It has one, which has not said anything yet.
    Unknown,
    Healthy,
    Unhealthy,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub id: TaskId,
    pub deployment: DeploymentId,
    pub state: State,
    pub health: Health,
    pub created: i64,
    pub zone: Option<String>,
    /// The capacity provider that it counts for.
    pub provider: Option<String>,
    pub instance: InstanceId,
    pub protected_until: Option<i64>,
    /// Its instance is DRAINING.
    pub leaving: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Tasks of the primary deployment.
    pub start: Option<Start>,
    /// To be applied whether the start succeeds or not.
    pub stop: Vec<Stop>,
    pub verdict: Option<Verdict>,
    /// All is as it should be, and nothing is under way.
    pub steady: bool,
    /// Milliseconds until something is to be started that is held back for now.
    pub wait_for_start: Option<i64>,
    /// Milliseconds after which the answer may be another although nothing happened.
    pub again: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Anywhere(usize),
    /// One, to balance zones.
    In(String),
    /// One on each.
    On(Vec<InstanceId>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    pub task: TaskId,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There are more than desired.
    ScaleIn,
    /// It is of an earlier deployment.
    Replaced,
    Unhealthy,
    /// Its instance is to be empty, or not eligible any more.
    Leaving,
}

/// What becomes of the primary deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has arrived, and the time begins for which alarms are still looked at.
    Bake,
    Completed,
    /// It is given up where it is.
    Failed(Cause),
    RollBack(Cause, DeploymentId),
    /// It is given up, and there is nothing to go back to although that is wanted.
    NoWayBack(Cause),
}

/// Why a deployment is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The circuit breaker opened.
    Failures,
    Alarm,
    /// Somebody asked for it.
    Asked,
}

impl Snapshot {
    /// Tasks that there are to be.
    pub fn desired(&self) -> usize {
        match &self.scheduling {
            Scheduling::Replica { desired } => *desired,
            Scheduling::Daemon { instances } => instances.iter().filter(|it| it.eligible).count(),
        }
    }

    pub(crate) fn is_primary(&self, task: &Task) -> bool {
        task.deployment == self.primary.id
    }

    /// When time alone changes something: a protection or a grace period ends, a task has run long enough.
    pub(crate) fn next_change(&self) -> Option<i64> {
        let changes = self.tasks.iter().flat_map(|task| {
            let ripe = match (task.state, task.health) {
                (State::Running { since }, Health::Unhealthy) => Some(since + self.grace),
                (State::Running { since }, Health::Unchecked) => Some(since + self.settle),
                _ => None,
            };
            [task.protected_until, ripe]
        });
        let baked = self
            .bake
            .and_then(|bake| bake.since.map(|since| since + bake.lasts));
        changes
            .flatten()
            .chain(baked)
            .map(|at| at - self.now)
            .filter(|left| *left > 0)
            .min()
    }
}

impl Task {
    /// It counts for `minimumHealthyPercent`.
    pub(crate) fn is_healthy(&self, snapshot: &Snapshot) -> bool {
        match (self.state, self.health) {
            (State::Running { since }, Health::Unchecked) => snapshot.now >= since + snapshot.settle,
            (State::Running { .. }, Health::Healthy) => true,
            _ => false,
        }
    }

    /// It runs, and its health check says no, and may say so by now.
    pub(crate) fn is_sick(&self, snapshot: &Snapshot) -> bool {
        match (self.state, self.health) {
            (State::Running { since }, Health::Unhealthy) => snapshot.now >= since + snapshot.grace,
            _ => false,
        }
    }

    pub(crate) fn is_protected(&self, now: i64) -> bool {
        self.protected_until.is_some_and(|until| now < until)
    }
}
