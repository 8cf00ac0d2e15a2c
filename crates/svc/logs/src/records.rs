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
    #[serde(default)]
    pub subscriptions: BTreeMap<String, SubscriptionRecord>,
    #[serde(default)]
    pub policy: Option<crate::policies::GroupPolicyRecord>,
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

/// A subscription filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubscriptionRecord {
    /// What is owed to it lies under; another one of the same name later has another.
    pub id: u64,
    pub pattern: String,
    /// The ARN of a function.
    pub destination: String,
    pub created_at: Timestamp,
}

/// Lines of one stream that a subscription's destination has not got yet, in the volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwedRecord {
    pub account: String,
    pub region: String,
    pub group: String,
    pub filter: String,
    pub stream: String,
    pub created_at: Timestamp,
    pub events: Vec<OwedEvent>,
}

/// A line, as destinations get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwedEvent {
    /// As FilterLogEvents tells it.
    pub id: String,
    pub timestamp: i64,
    pub message: String,
    /// What the columns of the pattern took.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extracted_fields: BTreeMap<String, String>,
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

/// A query of Insights. Its results lie in the volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueryRecord {
    pub id: String,
    /// What its results lie under.
    pub number: u64,
    pub text: String,
    pub groups: Vec<String>,
    /// The ARN of who asked.
    pub user: String,
    pub status: QueryStatus,
    pub created_at: Timestamp,
    /// Milliseconds.
    pub took: i64,
    pub rows: usize,
    /// Of the results.
    pub bytes: u64,
    pub statistics: Statistics,
}

/// Where a query is. Beyond `Scheduled`, a record tells only how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum QueryStatus {
    Scheduled,
    Running,
    Complete,
    Failed,
    Cancelled,
    Timeout,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statistics {
    pub scanned: u64,
    pub matched: u64,
    pub bytes: u64,
    pub groups: u64,
}

/// A saved query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DefinitionRecord {
    pub id: String,
    pub name: String,
    pub text: String,
    pub groups: Vec<String>,
    pub parameters: Vec<ParameterRecord>,
    pub modified_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParameterRecord {
    pub name: String,
    pub default: Option<String>,
    pub description: Option<String>,
}
