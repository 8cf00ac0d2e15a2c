//! State machines: their definitions, and executions that are durable step by step. What an execution does is decided by
//! `core/states-language`; here each step is written down before anything of it happens, so that after a crash every
//! execution goes on where it was. A task that was under way then is called again, one whose result was taken is not.

mod accept;
mod activities;
mod aliases;
mod asked;
mod call;
mod definitions;
mod described;
mod ending;
mod error;
mod executions;
mod express;
mod history;
mod integrations;
mod jobs;
mod listed;
mod logging;
mod machines;
mod map_runs;
mod names;
mod origin;
mod page;
mod parameters;
mod permissions;
mod published;
mod records;
mod redrive;
mod remove;
mod report;
mod routing;
mod run;
mod sdk;
mod service;
mod sync;
mod tags;
mod test_state;
mod tokens;
mod validate;
mod versions;

use std::sync::{Arc, Weak};

use roadstead_base::SharedClock;
use roadstead_dispatch::Dispatcher;
use roadstead_reconcile::Driver;
use roadstead_store::{Key, Mirror, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use permissions::StatesPermissions;

/// What the platform calls itself when this service acts as a role.
pub const PRINCIPAL: &str = "states.amazonaws.com";

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// State machines of an account in a region.
    pub max_machines: usize,
    /// Versions of a state machine.
    pub max_versions: usize,
    /// Aliases of a state machine.
    pub max_aliases: usize,
    /// Activities of an account in a region.
    pub max_activities: usize,
    /// Workers that may wait at a time for tasks of an activity.
    pub max_polls: usize,
    /// Executions that may be under way at a time in an account and region.
    pub max_running: usize,
    /// Express executions that may be under way at a time and are waited for.
    pub max_express: usize,
    /// Those that nobody waits for: how many are under way at a time, and how many there may be.
    pub max_express_running: usize,
    pub max_express_waiting: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_machines: 10_000,
            max_versions: 1_000,
            max_aliases: 100,
            max_activities: 10_000,
            max_polls: 1_000,
            max_running: 100_000,
            max_express: 10_000,
            max_express_running: 1_000,
            max_express_waiting: 100_000,
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: SharedClock,
    /// The way to what tasks call.
    pub dispatcher: Arc<Dispatcher>,
    pub options: Options,
}

/// The service. Cheap to make again over the same store: that is what a restart is.
pub struct States {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) options: Options,
    pub(crate) machines: Mirror<records::MachineRecord>,
    pub(crate) executions: Mirror<records::ExecutionRecord>,
    pub(crate) activities: Mirror<records::ActivityRecord>,
    pub(crate) work: run::Work,
    pub(crate) express: express::Courses,
    pub(crate) queue: express::Queue,
    pub(crate) reports: report::Reports,
    /// For what goes on beside a call.
    pub(crate) me: Weak<Self>,
}

/// The service's background duties.
pub struct Running {
    driver: Driver<Key>,
    stop: watch::Sender<bool>,
    reports: JoinHandle<()>,
    states: Arc<States>,
}

impl States {
    /// # Errors
    /// The store cannot be read.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            store,
            clock,
            dispatcher,
            options,
        } = parts;
        let machines = Mirror::of(&records::machines(&store)).await?;
        let executions = Mirror::of(&records::executions(&store)).await?;
        let activities = Mirror::of(&records::activities(&store)).await?;
        let queue = express::Queue::of(&store).await?;
        Ok(Arc::new_cyclic(|me| Self {
            queue,
            machines,
            executions,
            activities,
            store,
            clock,
            dispatcher,
            express: express::Courses::new(&options),
            options,
            reports: report::Reports::default(),
            work: run::Work::default(),
            me: me.clone(),
        }))
    }

    /// Starts to execute.
    pub fn start(self: &Arc<Self>) -> Running {
        let (stop, told) = watch::channel(false);
        // Stopping the executions waits for it.
        let _own = tokio::spawn(express::keep(Arc::clone(self)));
        Running {
            driver: run::start(self),
            stop,
            reports: tokio::spawn(report::keep(Arc::clone(self), told)),
            states: Arc::clone(self),
        }
    }
}

impl Running {
    /// Ends in order; what is under way goes on after the next start.
    pub async fn stop(self) {
        self.driver.stop().await;
        self.states.work.abandon();
        self.states.express.stop().await;
        // Last: what the others told is handed over.
        self.stop.send_replace(true);
        let _ended = self.reports.await;
    }
}

#[cfg(test)]
mod tests;
