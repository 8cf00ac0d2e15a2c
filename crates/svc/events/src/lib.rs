//! What should happen when: rules match events or keep a schedule, and hand each event to their targets. An event
//! that was taken is delivered: what is owed to a target is written down before the publisher is answered and before
//! a schedule's tick counts as done, and is tried again until it is delivered, too old, or tried too often.

mod buses;
mod counts;
mod deliver;
mod envelope;
mod error;
mod input;
mod names;
mod page;
mod permissions;
mod publish;
mod records;
mod router;
mod rules;
mod schedule;
mod service;
mod tables;
mod tags;
mod targets;
mod trail;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_dispatch::Dispatcher;
use roadstead_reconcile::Driver;
use roadstead_store::{Key, Mirror, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use permissions::EventsPermissions;
pub use trail::Trail;

/// What the platform calls itself when this service acts as a role or calls another.
pub const PRINCIPAL: &str = "events.amazonaws.com";

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Ticks of a schedule that were missed, as while the daemon was down, are made up for if they are at most this
    /// old; older ones are left out and counted in the log.
    pub patience: Duration,
    /// How many ticks of one schedule are made up for at the most, the latest.
    pub most_late_ticks: usize,
    /// Rules on one bus.
    pub max_rules: usize,
    /// Event buses of an account in a region, besides the default one.
    pub max_buses: usize,
    /// Deliveries that may be owed at a time in all; beyond that publishers are told to slow down.
    pub max_owed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(15 * 60),
            most_late_ticks: 15,
            max_rules: 10_000,
            max_buses: 100,
            max_owed: 100_000,
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: SharedClock,
    /// The way to the targets.
    pub dispatcher: Arc<Dispatcher>,
    pub options: Options,
}

/// The service. Cheap to make again over the same store: that is what a restart is.
pub struct Events {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) options: Options,
    pub(crate) rules: Mirror<records::RuleRecord>,
    pub(crate) buses: Mirror<records::BusRecord>,
    pub(crate) owed: Mirror<records::DeliveryRecord>,
    pub(crate) router: router::Router,
    pub(crate) counts: counts::Counts,
    pub(crate) calls: trail::Waiting,
}

/// The service's background duties.
pub struct Running {
    deliveries: Driver<Key>,
    /// Schedules, metrics, and calls that become events.
    duties: Vec<JoinHandle<()>>,
    events: Arc<Events>,
    stop: watch::Sender<bool>,
}

impl Events {
    /// Reads the state and keeps level with the store from then on.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            store,
            clock,
            dispatcher,
            options,
        } = parts;
        let rules = Mirror::of(&tables::rules(&store)).await?;
        let buses = Mirror::of(&tables::buses(&store)).await?;
        let owed = Mirror::of(&tables::deliveries(&store)).await?;
        Ok(Arc::new(Self {
            router: router::Router::default(),
            counts: counts::Counts::default(),
            calls: trail::Waiting::default(),
            store,
            clock,
            dispatcher,
            options,
            rules,
            buses,
            owed,
        }))
    }

    /// Starts to keep schedules and to deliver.
    pub fn start(self: &Arc<Self>) -> Running {
        let deliveries = deliver::start(self);
        let (stop, stopped) = watch::channel(false);
        let mut duties = vec![
            tokio::spawn(schedule::keep(Arc::clone(self), stopped.clone())),
            tokio::spawn(counts::keep(Arc::clone(self), stopped.clone())),
        ];
        if let Some(calls) = self.calls.take() {
            duties.push(tokio::spawn(trail::keep(Arc::clone(self), calls, stopped)));
        }
        Running {
            deliveries,
            duties,
            events: Arc::clone(self),
            stop,
        }
    }
}

impl Running {
    /// Ends what is under way in order; what is still owed is delivered after the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for duty in self.duties {
            if let Err(failed) = duty.await {
                tracing::error!(error = %failed, "a duty of events ended badly");
            }
        }
        self.deliveries.stop().await;
        counts::hand_over(&self.events, true).await;
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;
