//! What is kept: functions with everything about them, and their published versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_base::{Partition, Timestamp};
use roadstead_functions::Architecture;
use roadstead_store::{Key, Store, Table};
use serde::{Deserialize, Serialize};

pub(crate) fn functions(store: &Arc<dyn Store>) -> Table<FunctionRecord> {
    Table::new(Arc::clone(store), "lambda-function")
}

/// Below the function's name, by number.
pub(crate) fn versions(store: &Arc<dyn Store>) -> Table<VersionRecord> {
    Table::new(Arc::clone(store), "lambda-version")
}

pub(crate) fn version_key(
    table: &Table<VersionRecord>,
    partition: &Partition,
    name: &str,
    number: u64,
) -> Key {
    table.key(partition, name).child(format!("{number:020}"))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FunctionRecord {
    pub name: String,
    pub latest: VersionRecord,
    /// The number of the last version that was published; none has it again.
    pub published: u64,
    pub tags: BTreeMap<String, String>,
}

/// A version, or what would become one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    /// None: `$LATEST`.
    pub number: Option<u64>,
    pub description: String,
    pub role: String,
    pub code: ArchiveRecord,
    pub settings: Settings,
    pub modified_at: Timestamp,
    /// `RevisionId`.
    pub revision: String,
    /// By which runtime it runs here, where that is not the one that was asked for.
    pub shifted: Option<String>,
}

/// An archive in the store of archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchiveRecord {
    /// Hexadecimal.
    pub sha256: String,
    /// Bytes of the archive, and of its files.
    pub size: u64,
    pub unpacked: u64,
}

/// What an execution environment is made by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub runtime: String,
    pub handler: String,
    pub timeout_seconds: u32,
    pub memory_mb: u32,
    pub tmp_mb: u32,
    pub environment: Option<BTreeMap<String, String>>,
    pub arm64: bool,
    /// Where it is not `/aws/lambda/<name>`.
    pub log_group: Option<String>,
    /// The queue or topic for asynchronous events that failed.
    pub dead_letters: Option<String>,
    pub layers: Vec<LayerUse>,
}

/// A version of a layer as a function has it, whatever becomes of the layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerUse {
    pub arn: String,
    pub archive: ArchiveRecord,
}

impl VersionRecord {
    /// `$LATEST` or the number.
    pub(crate) fn version(&self) -> String {
        self.number
            .map_or_else(|| LATEST.to_owned(), |number| number.to_string())
    }
}

impl Settings {
    pub(crate) fn architecture(&self) -> Architecture {
        match self.arm64 {
            true => Architecture::Arm64,
            false => Architecture::X86_64,
        }
    }

    pub(crate) fn log_group(&self, function: &str) -> String {
        let default = || format!("/aws/lambda/{function}");
        self.log_group.clone().unwrap_or_else(default)
    }
}

pub(crate) const LATEST: &str = "$LATEST";
