//! What is kept: topics, subscriptions, and what is owed to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_base::{Partition, Timestamp};
use roadstead_store::{Key, Store, Table};
use serde::{Deserialize, Serialize};

pub(crate) fn topics(store: &Arc<dyn Store>) -> Table<TopicRecord> {
    Table::new(Arc::clone(store), "sns-topic")
}

pub(crate) fn subscriptions(store: &Arc<dyn Store>) -> Table<SubscriptionRecord> {
    Table::new(Arc::clone(store), "sns-subscription")
}

pub(crate) fn deliveries(store: &Arc<dyn Store>) -> Table<DeliveryRecord> {
    Table::new(Arc::clone(store), "sns-delivery")
}

/// The account and region that a key lies in.
pub(crate) fn partition_of(key: &Key) -> Option<Partition> {
    let mut segments = key.segments();
    Some(Partition {
        account: segments.next()?.parse().ok()?,
        region: segments.next()?.parse().ok()?,
    })
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TopicRecord {
    pub name: String,
    pub display_name: String,
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Subscriptions that there were.
    pub unsubscribed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubscriptionRecord {
    pub topic: String,
    pub id: String,
    /// The ARN of the queue.
    pub endpoint: String,
    pub settings: Settings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The message alone, without what surrounds it otherwise.
    pub raw: bool,
    /// As it was given.
    pub filter: Option<String>,
    /// The filter is about the message itself, not its attributes.
    pub filter_is_of_body: bool,
    /// The ARN of the queue for what could not be delivered.
    pub dead_letters: Option<String>,
}

pub(crate) type Attributes = BTreeMap<String, Attribute>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub data_type: String,
    pub text: Option<String>,
    pub bytes: Option<Vec<u8>>,
}

/// A message as it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageRecord {
    pub id: String,
    pub topic: String,
    pub subject: Option<String>,
    pub message: String,
    pub attributes: Attributes,
    pub published_at: Timestamp,
}

/// A message that is owed to a subscription, as the subscription was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliveryRecord {
    pub subscription: SubscriptionRecord,
    pub message: MessageRecord,
    pub failures: u32,
    pub due_at: Timestamp,
    /// Given up: from now on it is owed to the subscription's dead-letter queue.
    pub dead: bool,
}
