//! What is kept of a secret: one record that says everything but the values, and a sealed value for each version.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_base::{Partition, Timestamp};
use roadstead_seal::Sealed;
use roadstead_store::{Key, Table};
use serde::{Deserialize, Serialize};

use crate::SecretsManager;
use crate::names;

const SECRETS: &str = "secretsmanager-secret";
const VALUES: &str = "secretsmanager-value";

/// A secret without its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) name: String,
    /// The end of its ARN.
    pub(crate) suffix: String,
    pub(crate) description: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    /// To the day.
    pub(crate) accessed: Option<Timestamp>,
    pub(crate) deletion: Option<Deletion>,
    pub(crate) versions: BTreeMap<String, Version>,
    /// Who else may use it, as the document that was given.
    #[serde(default)]
    pub(crate) policy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deletion {
    /// When it was asked for.
    pub(crate) at: Timestamp,
    /// From when on the secret is no more.
    pub(crate) until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) created: Timestamp,
    /// To the day.
    pub(crate) accessed: Option<Timestamp>,
    pub(crate) labels: BTreeSet<String>,
}

/// A version's value at rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ValueRecord {
    pub(crate) binary: bool,
    pub(crate) sealed: Sealed,
}

/// What a client gave.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) binary: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Secret {
    pub(crate) fn arn(&self, partition: &Partition) -> String {
        names::arn(partition, &self.name, &self.suffix)
    }
}

/// The day of a time, in UTC.
pub(crate) fn day(time: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000;
    Timestamp(time.0.div_euclid(DAY) * DAY)
}

impl SecretsManager {
    /// `secretsmanager-secret/<name>`
    pub(crate) fn secrets(&self) -> Table<Secret> {
        Table::new(self.store.clone(), SECRETS)
    }

    /// `secretsmanager-value/<name>/<suffix>/<version id>`
    pub(crate) fn values(&self) -> Table<ValueRecord> {
        Table::new(self.store.clone(), VALUES)
    }
}

/// Above the values of a secret.
pub(crate) fn values_of(partition: &Partition, secret: &Secret) -> Key {
    Key::of(partition)
        .child(VALUES)
        .child(&secret.name)
        .child(&secret.suffix)
}
