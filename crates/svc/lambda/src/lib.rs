//! Functions: what they are made of, who may call them, and what becomes of a call. The code itself runs elsewhere, in
//! execution environments that this service only knows as [`Sandboxes`].

mod accept;
mod aliases;
mod asynchronous;
mod code_signing;
mod concurrency;
mod content;
mod counts;
mod error;
mod event_config;
mod functions;
mod host;
mod images;
mod invoke;
mod layers;
mod links;
mod names;
mod page;
mod permissions;
mod policy;
mod records;
mod reserved;
mod run;
mod service;
mod show;
mod storage;
mod tags;
mod versions;
mod zip;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use roadstead_base::SharedClock;
use roadstead_dispatch::Dispatcher;
use roadstead_functions::Sandboxes;
use roadstead_reconcile::Driver;
use roadstead_store::{Key, Mirror, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use links::{ARCHIVES_PATH, Archives};
pub use permissions::LambdaPermissions;
pub use service::Server;

/// What the platform calls itself when this service acts as a function's role.
pub const PRINCIPAL: &str = "lambda.amazonaws.com";

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Invocations of an account in a region at a time.
    pub concurrency: u32,
    /// Bytes of archives of an account in a region.
    pub code_storage: u64,
    /// Asynchronous invocations of an account that may wait.
    pub owed_events: usize,
    /// Bytes of asynchronous events of an account that wait.
    pub owed_bytes: u64,
    /// What chance begins with where an alias has two versions; none: at random.
    pub seed: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 1000,
            code_storage: storage::MAX_TOTAL,
            owed_events: asynchronous::MAX_OWED,
            owed_bytes: asynchronous::MAX_OWED_BYTES,
            seed: None,
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: SharedClock,
    /// The way to logs, metrics and what events of functions go to.
    pub dispatcher: Arc<Dispatcher>,
    /// What runs code.
    pub sandboxes: Arc<dyn Sandboxes>,
    /// Where archives are kept.
    pub folder: PathBuf,
    pub options: Options,
}

/// The service. Cheap to make again over the same store and folder: that is what a restart is.
pub struct Lambda {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) sandboxes: Arc<dyn Sandboxes>,
    pub(crate) contents: content::Contents,
    pub(crate) images: images::Needed,
    pub(crate) options: Options,
    pub(crate) functions: Mirror<records::FunctionRecord>,
    pub(crate) versions: Mirror<records::VersionRecord>,
    pub(crate) layer_versions: Mirror<records::LayerVersionRecord>,
    pub(crate) events: Mirror<records::EventRecord>,
    pub(crate) owed: asynchronous::Owed,
    pub(crate) dice: Mutex<fastrand::Rng>,
    pub(crate) running: concurrency::Running,
    pub(crate) counts: Arc<counts::Counts>,
    pub(crate) host: Arc<host::Service>,
}

/// The service's background duties.
pub struct Running {
    stop: watch::Sender<bool>,
    archives: JoinHandle<()>,
    counts: JoinHandle<()>,
    events: Driver<Key>,
}

impl Lambda {
    /// # Errors
    /// The store cannot be read.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            store,
            clock,
            dispatcher,
            sandboxes,
            folder,
            options,
        } = parts;
        let events = Mirror::of(&records::events(&store)).await?;
        Ok(Arc::new(Self {
            owed: asynchronous::Owed::of(events.snapshot().iter()),
            events,
            functions: Mirror::of(&records::functions(&store)).await?,
            versions: Mirror::of(&records::versions(&store)).await?,
            layer_versions: Mirror::of(&records::layer_versions(&store)).await?,
            dice: Mutex::new(
                options
                    .seed
                    .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            ),
            host: Arc::new(host::Service::new(dispatcher.clone())),
            contents: content::Contents::at(folder),
            images: images::Needed::default(),
            running: concurrency::Running::default(),
            counts: Arc::default(),
            store,
            clock,
            dispatcher,
            sandboxes,
            options,
        }))
    }

    /// Removes what was begun and never became whole, and starts what works in the background.
    pub fn start(self: &Arc<Self>) -> Running {
        self.contents.sweep_drafts();
        let (stop, told) = watch::channel(false);
        Running {
            stop,
            events: asynchronous::start(self),
            archives: tokio::spawn(storage::keep(Arc::clone(self), told.clone())),
            counts: tokio::spawn(counts::keep(Arc::clone(self), told)),
        }
    }
}

impl Running {
    /// Ends what is under way in order.
    pub async fn stop(self) {
        self.events.stop().await;
        self.stop.send_replace(true);
        let _ended = self.counts.await;
        let _ended = self.archives.await;
    }
}

#[cfg(test)]
mod tests;
