//! What an event looks like to rules and targets.

use roadstead_base::{Partition, Timestamp};
use serde_json::{Value as Json, json};

/// An event before it is one of the account's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub id: String,
    pub source: String,
    pub detail_type: String,
    pub time: Timestamp,
    pub resources: Vec<String>,
    pub detail: Json,
}

impl Event {
    /// As rules match it and targets get it. Time is told to the second.
    pub(crate) fn to_json(&self, partition: &Partition) -> Json {
        let Self {
            id,
            source,
            detail_type,
            time,
            resources,
            detail,
        } = self;
        json!({
            "version": "0",
            "id": id,
            "detail-type": detail_type,
            "source": source,
            "account": partition.account.as_str(),
            "time": seconds(*time),
            "region": partition.region.as_str(),
            "resources": resources,
            "detail": detail,
        })
    }
}

/// `2026-01-31T08:00:00Z`
pub(crate) fn seconds(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_second(time.0.div_euclid(1000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.to_string()
}
