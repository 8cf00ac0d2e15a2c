//! What applications say: log groups, their streams, and the lines in them. Groups and what is set on them are records
//! of the store; streams and lines come in volume and lie in a volume beside it. A line that was acknowledged is on
//! disk, and with it what of it is owed to subscriptions.

mod error;
mod filters;
mod groups;
mod lines;
mod names;
mod page;
mod permissions;
mod policies;
mod queries;
mod records;
mod service;
mod streams;
mod subscriptions;
mod sweep;
mod tags;
mod tail;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_dispatch::Dispatcher;
use roadstead_reconcile::{Driver, Handle};
use roadstead_store::{Mirror, Store};
use roadstead_volume::Volume;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use permissions::LogsPermissions;
pub use service::Server;

/// What the platform calls itself when this service calls another.
pub const PRINCIPAL: &str = "logs.amazonaws.com";

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Log groups of an account in a region.
    pub max_groups: usize,
    /// Between looks for lines that are older than their group keeps them.
    pub sweep: Duration,
    /// Queries of an account in a region that have not ended, as documented.
    pub max_queries: usize,
    /// Of those, how many of the whole service run at once; others wait.
    pub queries_at_once: usize,
    /// How long a query may run, as documented.
    pub query_time: Duration,
    /// What a query may keep in memory.
    pub query_bytes: usize,
    /// For how long what queries found is kept, as documented.
    pub results_kept: Duration,
    /// Between updates of a Live Tail session, as documented.
    pub tail_tick: Duration,
    /// How long such a session lasts, as documented.
    pub tail_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_groups: 10_000,
            sweep: Duration::from_secs(600),
            max_queries: 100,
            queries_at_once: 4,
            query_time: Duration::from_secs(3600),
            query_bytes: 128 << 20,
            results_kept: Duration::from_secs(7 * 86_400),
            tail_tick: Duration::from_secs(1),
            tail_time: Duration::from_secs(3 * 3600),
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub volume: Volume,
    pub clock: SharedClock,
    /// The way to the metrics that filters make, and to the functions that subscriptions call.
    pub dispatcher: Arc<Dispatcher>,
    pub options: Options,
}

/// The service. Cheap to make again over the same store and volume: that is what a restart is.
pub struct Logs {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) lines: lines::Lines,
    pub(crate) clock: SharedClock,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) options: Options,
    pub(crate) groups: Mirror<records::GroupRecord>,
    pub(crate) policies: Mirror<policies::PoliciesRecord>,
    pub(crate) joined: policies::Joined,
    pub(crate) queries: queries::Queries,
    pub(crate) tails: tail::Tails,
    /// Who pays what is owed to subscriptions, once that runs.
    pub(crate) deliveries: OnceLock<Handle<lines::FilterKey>>,
}

/// The service's background duties.
pub struct Running {
    logs: Arc<Logs>,
    sweeper: JoinHandle<()>,
    deliveries: Driver<lines::FilterKey>,
    stop: watch::Sender<bool>,
}

impl Logs {
    /// # Errors
    /// Store or volume cannot be read.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            store,
            volume,
            clock,
            dispatcher,
            options,
        } = parts;
        let groups = Mirror::of(&groups::table(&store)).await?;
        let policies = Mirror::of(&policies::table(&store)).await?;
        let queries = queries::Queries::open(&store, &volume, &options).await?;
        let lines = lines::Lines::open(volume)?;
        Ok(Arc::new(Self {
            store,
            lines,
            clock,
            dispatcher,
            options,
            groups,
            policies,
            joined: policies::Joined::default(),
            queries,
            tails: tail::Tails::default(),
            deliveries: OnceLock::new(),
        }))
    }

    /// Starts to clear away what is gone or too old, and to deliver what is owed to subscriptions.
    pub fn start(self: &Arc<Self>) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running {
            logs: Arc::clone(self),
            sweeper: tokio::spawn(sweep::keep(Arc::clone(self), stopped)),
            deliveries: subscriptions::deliver::start(self),
            stop,
        }
    }
}

impl Running {
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.logs.queries.abandon();
        self.logs.tails.end();
        self.deliveries.stop().await;
        if let Err(failed) = self.sweeper.await {
            tracing::error!(error = %failed, "the sweeper of logs ended badly");
        }
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;
