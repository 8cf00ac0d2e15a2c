//! Topics: what is published goes to every queue that subscribed and whose filter it passes. A message that was taken is
//! delivered: what is owed to subscriptions is written down before the publisher is answered, and is tried until it is
//! delivered, denied, or too old.

mod accept;
mod deliver;
mod error;
mod filter;
mod names;
mod page;
mod permission;
mod permissions;
mod publish;
mod records;
mod service;
mod subscriptions;
mod tags;
mod topics;

use std::sync::Arc;

use roadstead_base::SharedClock;
use roadstead_dispatch::Dispatcher;
use roadstead_reconcile::Driver;
use roadstead_store::{Key, Mirror, Store};

pub use error::{Error, Result};
pub use permissions::SnsPermissions;

/// What the platform calls itself when this service sends to a queue.
pub const PRINCIPAL: &str = "sns.amazonaws.com";

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Topics of an account in a region.
    pub max_topics: usize,
    /// Subscriptions of a topic.
    pub max_subscriptions: usize,
    /// Deliveries that may be owed at a time in all; beyond that publishers are told to slow down.
    pub max_owed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_topics: 100_000,
            max_subscriptions: 10_000,
            max_owed: 100_000,
        }
    }
}

/// What the service stands on.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: SharedClock,
    /// The way to the queues.
    pub dispatcher: Arc<Dispatcher>,
    pub options: Options,
}

/// The service. Cheap to make again over the same store: that is what a restart is.
pub struct Sns {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: SharedClock,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) options: Options,
    pub(crate) topics: Mirror<records::TopicRecord>,
    pub(crate) subscriptions: Mirror<records::SubscriptionRecord>,
    pub(crate) owed: Mirror<records::DeliveryRecord>,
}

/// The service's background duty.
pub struct Running(Driver<Key>);

impl Sns {
    /// # Errors
    /// The store cannot be read.
    pub async fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            store,
            clock,
            dispatcher,
            options,
        } = parts;
        Ok(Arc::new(Self {
            topics: Mirror::of(&records::topics(&store)).await?,
            subscriptions: Mirror::of(&records::subscriptions(&store)).await?,
            owed: Mirror::of(&records::deliveries(&store)).await?,
            store,
            clock,
            dispatcher,
            options,
        }))
    }

    /// Starts to deliver.
    pub fn start(self: &Arc<Self>) -> Running {
        Running(deliver::start(self))
    }
}

impl Running {
    /// Ends what is under way in order; what is still owed is delivered after the next start.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}

#[cfg(test)]
mod tests;
