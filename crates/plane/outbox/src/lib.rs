//! What services say happened, so that it is said if and only if it happened: an event is a record in the same
//! transaction as the change it tells of, and a pump hands it to the event service afterwards. At least once, in
//! order for each subject; an event is gone from here once the event service has it, which keeps what it owes.

mod pump;

use std::sync::Arc;

use roadstead_base::{Partition, Timestamp};
use roadstead_store::{Key, Store, Table, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use pump::{LINGER, MAX_AGE, MAX_WAITING, Running, start};

const TABLE: &str = "outbox";
/// Account, region, table, subject.
const LANE_SEGMENTS: usize = 4;

/// Which service an event is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    #[serde(rename = "aws.ecs")]
    Ecs,
    #[serde(rename = "aws.cloudwatch")]
    CloudWatch,
    #[serde(rename = "aws.states")]
    States,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "aws.ecs",
            Self::CloudWatch => "aws.cloudwatch",
            Self::States => "aws.states",
        }
    }

    /// Who publishes it.
    pub fn principal(self) -> &'static str {
        match self {
            Self::Ecs => "ecs.amazonaws.com",
            Self::CloudWatch => "cloudwatch.amazonaws.com",
            Self::States => "states.amazonaws.com",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub partition: Partition,
    pub source: Source,
    pub detail_type: String,
    /// The ARN of what it happened to; its events are told in the order of their numbers.
    pub subject: String,
    /// Each event of a subject has its own, such as the version of the record that tells of the same change.
    pub number: u64,
    pub at: Timestamp,
    pub detail: Json,
}

impl Event {
    /// `outbox/<subject>/<number, twenty digits>`
    pub fn key(&self) -> Key {
        Key::of(&self.partition)
            .child(TABLE)
            .child(&self.subject)
            .child(format!("{:020}", self.number))
    }
}

/// The events that wait.
pub fn table(store: &Arc<dyn Store>) -> Table<Event> {
    Table::new(store.clone(), TABLE)
}

/// Lets a transaction say what it does.
pub fn add(transaction: Transaction, store: &Arc<dyn Store>, event: &Event) -> Transaction {
    transaction.put(&table(store), &event.key(), event)
}

/// Above all events of the same subject.
fn lane(key: &Key) -> Key {
    let segments = key.segments().take(LANE_SEGMENTS);
    segments.fold(Key::root(), |lane, segment| lane.child(segment))
}
