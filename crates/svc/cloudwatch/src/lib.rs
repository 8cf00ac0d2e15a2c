//! Metrics: numbers with names, kept by the second and told by any period. Samples lie in a volume; what is old is rolled
//! up as documented: seconds for 3 hours, minutes for 15 days, 5 minutes for 63 days, hours for 455 days. Alarms on them, and
//! dashboards, are records in the store.

mod alarms;
mod dashboards;
mod error;
mod latest;
mod marks;
mod ops;
mod permissions;
mod queries;
mod samples;
mod service;
mod sweep;
mod tags;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_dispatch::Dispatcher;
use roadstead_reconcile::Driver;
use roadstead_store::{Key, Mirror, Store};
use roadstead_volume::Volume;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use latest::Latest;
pub use permissions::CloudWatchPermissions;

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Between looks for samples that are to be rolled up, and for history that is too old.
    pub sweep: Duration,
    /// Different metrics of all accounts; more are refused.
    pub max_series: usize,
    /// Alarms of an account in a region; more are refused.
    pub max_alarms: usize,
    /// How long after the end of a period it is evaluated, so that its last samples are in.
    pub settle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sweep: Duration::from_secs(600),
            max_series: 1_000_000,
            max_alarms: 5_000,
            settle: Duration::from_secs(1),
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    /// Where samples lie.
    pub volume: Volume,
    pub clock: SharedClock,
    /// The way to those who take actions.
    pub dispatcher: Arc<Dispatcher>,
    pub options: Options,
}

/// The service. Cheap to make again over the same store and volume: that is what a restart is.
pub struct CloudWatch {
    pub(crate) samples: Arc<samples::Samples>,
    pub(crate) marks: marks::Marks,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) alarms: Mirror<alarms::records::AlarmRecord>,
    pub(crate) owed: Mirror<alarms::actions::ActionRecord>,
    pub(crate) clock: SharedClock,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) options: Options,
}

/// The service's background duties.
pub struct Running {
    tasks: Vec<JoinHandle<()>>,
    actions: Driver<Key>,
    stop: watch::Sender<bool>,
}

impl CloudWatch {
    /// # Errors
    /// The store or the volume cannot be read.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            store,
            volume,
            clock,
            dispatcher,
            options,
        } = parts;
        Ok(Arc::new(Self {
            marks: marks::Marks::open(volume.clone())?,
            samples: Arc::new(samples::Samples::open(volume)?),
            alarms: Mirror::of(&alarms::table(&store)).await?,
            owed: Mirror::of(&alarms::owed(&store)).await?,
            store,
            clock,
            dispatcher,
            options,
        }))
    }

    /// Starts to evaluate alarms, to take their actions, and to roll up what is old.
    pub fn start(self: &Arc<Self>) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running {
            tasks: vec![
                tokio::spawn(sweep::keep(Arc::clone(self), stopped.clone())),
                tokio::spawn(alarms::watch::keep(Arc::clone(self), stopped)),
            ],
            actions: alarms::actions::start(self),
            stop,
        }
    }
}

impl Running {
    /// Ends what is under way in order; actions that are still owed are taken after the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(failed) = task.await {
                tracing::error!(error = %failed, "a duty of the metrics service ended badly");
            }
        }
        self.actions.stop().await;
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;
