//! What is kept of groups and streams.

use std::collections::BTreeMap;

use roadstead_base::Timestamp;
use serde::{Deserialize, Serialize};

/// A group, in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub name: String,
    /// What its lines lie under; another one of the same name later has another.
    pub id: u64,
    pub created_at: Timestamp,
    /// None: for ever.
    pub retention_days: Option<i32>,
    pub protected: bool,
    pub tags: BTreeMap<String, String>,
    pub filters: BTreeMap<String, FilterRecord>,
}

/// A metric filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FilterRecord {
    pub pattern: String,
    pub metric: String,
    pub namespace: String,
    /// A number, or a field such as `$.latency`.
    pub value: String,
    /// What to say of lines none of which matched.
    pub default: Option<f64>,
    /// Names and fields.
    pub dimensions: BTreeMap<String, String>,
    pub unit: Option<String>,
    pub created_at: Timestamp,
}

/// A stream, in the volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamRecord {
    /// What its lines lie under.
    pub id: u64,
    pub created_at: Timestamp,
    pub first_event: Option<i64>,
    pub last_event: Option<i64>,
    pub last_ingestion: Option<Timestamp>,
    pub bytes: u64,
}
