//! Queues: messages that are sent, received, and deleted by who dealt with them. Queues and what is set on them are
//! records of the store; messages come in volume and lie in a volume beside it, sealed where their queue says so. A
//! message that was acknowledged is on disk. Of each, about a hundred bytes are also in memory, from which whose turn
//! it is gets decided.

mod attributes;
mod digest;
mod error;
mod message;
mod messages;
mod moves;
mod names;
mod ops;
mod page;
mod permissions;
mod receipt;
mod records;
mod seal;
mod service;
mod sweep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_store::{Mirror, Store};
use roadstead_volume::Volume;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use permissions::SqsPermissions;

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Messages in all queues; beyond that senders are refused.
    pub max_messages: usize,
    /// Messages of one queue that were received and not deleted yet.
    pub max_in_flight: usize,
    /// Between looks for messages that are older than their queue keeps them.
    pub sweep: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_messages: 2_000_000,
            max_in_flight: 120_000,
            sweep: Duration::from_secs(10),
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub volume: Volume,
    pub clock: SharedClock,
    /// Messages of queues with encryption at rest are sealed with it; it is not in the volume.
    pub key: [u8; 32],
    pub options: Options,
}

/// The service. Cheap to make again over the same store and volume: that is what a restart is.
pub struct Sqs {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) options: Options,
    pub(crate) queues: Mirror<records::QueueRecord>,
    pub(crate) messages: Arc<messages::Messages>,
    /// Nobody waits for messages any more.
    pub(crate) closing: AtomicBool,
}

/// The service's background duties.
pub struct Running {
    sqs: Arc<Sqs>,
    duties: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Sqs {
    /// Reads what there is of every message but its contents.
    ///
    /// # Errors
    /// Store or volume cannot be read.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            store,
            volume,
            clock,
            key,
            options,
        } = parts;
        let queues = Mirror::of(&records::queues(&store)).await?;
        let seal = seal::Seal::new(&key)?;
        let now = clock.now();
        let messages = tokio::task::spawn_blocking(move || messages::Messages::open(volume, seal, now));
        let messages = messages
            .await
            .map_err(|error| Error::Broken(error.to_string()))??;
        let sqs = Arc::new(Self {
            store,
            clock,
            options,
            queues,
            messages: Arc::new(messages),
            closing: AtomicBool::new(false),
        });
        sqs.clear_orphans().await?;
        Ok(sqs)
    }

    /// Starts to clear away what is too old, and to move messages as tasks say.
    pub fn start(self: &Arc<Self>) -> Running {
        let (stop, stopped) = watch::channel(false);
        Running {
            duties: vec![
                tokio::spawn(sweep::keep(Arc::clone(self), stopped.clone())),
                tokio::spawn(moves::keep(Arc::clone(self), stopped)),
            ],
            sqs: Arc::clone(self),
            stop,
        }
    }
}

impl Running {
    /// Answers those who wait for messages, and ends the duties.
    pub async fn stop(self) {
        self.sqs.closing.store(true, Ordering::Release);
        self.sqs.messages.wake_all();
        self.stop.send_replace(true);
        for duty in self.duties {
            if let Err(failed) = duty.await {
                tracing::error!(error = %failed, "a duty of queues ended badly");
            }
        }
    }
}

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;
