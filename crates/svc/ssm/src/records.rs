//! What is kept of a parameter: one record that says everything but the values, and a value for each version.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_api_ssm::{ParameterTier, ParameterType};
use roadstead_base::{Partition, Timestamp};
use roadstead_seal::Sealed;
use roadstead_store::{Key, Table};
use serde::{Deserialize, Serialize};

use crate::Ssm;

const PARAMETERS: &str = "ssm-parameter";
const VALUES: &str = "ssm-value";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    String,
    StringList,
    SecureString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tier {
    Standard,
    Advanced,
}

/// A parameter without its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) tags: BTreeMap<String, String>,
    /// The newest hundred; never without one.
    pub(crate) versions: BTreeMap<i64, Version>,
}

/// A version as it was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) modified: Timestamp,
    /// The ARN of whoever put it.
    pub(crate) by: String,
    pub(crate) description: Option<String>,
    pub(crate) pattern: Option<String>,
    pub(crate) tier: Tier,
    pub(crate) labels: BTreeSet<String>,
}

/// A version's value at rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ValueRecord {
    Plain(String),
    Sealed(Sealed),
}

impl Kind {
    pub(crate) fn of(kind: &ParameterType) -> Self {
        match kind {
            ParameterType::String => Self::String,
            ParameterType::StringList => Self::StringList,
            ParameterType::SecureString => Self::SecureString,
        }
    }

    pub(crate) fn shown(self) -> ParameterType {
        match self {
            Self::String => ParameterType::String,
            Self::StringList => ParameterType::StringList,
            Self::SecureString => ParameterType::SecureString,
        }
    }

    /// The key that values are sealed with, for those that are.
    pub(crate) fn key_id(self) -> Option<String> {
        (self == Self::SecureString).then(|| DEFAULT_KEY.to_owned())
    }
}

/// The one key there is.
pub(crate) const DEFAULT_KEY: &str = "alias/aws/ssm";
/// The one data type there is.
pub(crate) const TEXT: &str = "text";

impl Tier {
    pub(crate) fn shown(self) -> ParameterTier {
        match self {
            Self::Standard => ParameterTier::Standard,
            Self::Advanced => ParameterTier::Advanced,
        }
    }
}

impl Parameter {
    pub(crate) fn latest(&self) -> Option<(i64, &Version)> {
        self.versions
            .last_key_value()
            .map(|(number, version)| (*number, version))
    }

    pub(crate) fn labelled(&self, label: &str) -> Option<(i64, &Version)> {
        let found = self
            .versions
            .iter()
            .find(|(_, version)| version.labels.contains(label));
        found.map(|(number, version)| (*number, version))
    }
}

impl Ssm {
    /// `ssm-parameter/<name>`
    pub(crate) fn parameters(&self) -> Table<Parameter> {
        Table::new(self.store.clone(), PARAMETERS)
    }

    /// `ssm-value/<name>/<version>`
    pub(crate) fn values(&self) -> Table<ValueRecord> {
        Table::new(self.store.clone(), VALUES)
    }
}

/// Above the values of a parameter.
pub(crate) fn values_of(partition: &Partition, name: &str) -> Key {
    Key::of(partition).child(VALUES).child(name)
}
