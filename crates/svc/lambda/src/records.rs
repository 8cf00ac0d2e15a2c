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
    #[serde(default)]
    pub aliases: BTreeMap<String, AliasRecord>,
    /// By version or alias; that of the function itself by an empty text.
    #[serde(default)]
    pub policies: BTreeMap<String, PolicyRecord>,
    /// Invocations at a time that are kept for this function, and the most that it has.
    #[serde(default)]
    pub reserved: Option<u32>,
    /// By version or alias.
    #[serde(default)]
    pub asynchronous: BTreeMap<String, AsynchronousRecord>,
}

/// A name for a version, or for two of them by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AliasRecord {
    pub version: String,
    pub description: String,
    /// Another version, and how many of a million invocations it gets.
    pub other: Option<(String, u32)>,
    pub revision: String,
}

impl AliasRecord {
    /// The published versions that it names.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        let other = self.other.as_ref().map(|(version, _)| version);
        let named = std::iter::once(&self.version).chain(other);
        named.filter_map(|version| version.parse().ok())
    }
}

/// Statements of a resource policy, by their ids, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
    pub statements: Vec<(String, serde_json::Value)>,
    pub revision: String,
}

/// What counts the versions of a layer; it outlives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    /// The number of the last version that was published; none has it again.
    pub published: u64,
}

pub(crate) fn layers(store: &Arc<dyn Store>) -> Table<LayerRecord> {
    Table::new(Arc::clone(store), "lambda-layer")
}

/// Below the layer's name, by number.
pub(crate) fn layer_versions(store: &Arc<dyn Store>) -> Table<LayerVersionRecord> {
    Table::new(Arc::clone(store), "lambda-layer-version")
}

pub(crate) fn layer_version_key(
    store: &Arc<dyn Store>,
    partition: &Partition,
    layer: &str,
    number: u64,
) -> Key {
    layer_versions(store)
        .key(partition, layer)
        .child(format!("{number:020}"))
}

/// A version of a layer. All but its policy stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayerVersionRecord {
    pub layer: String,
    pub number: u64,
    pub description: String,
    pub license: Option<String>,
    /// What it says that it fits.
    pub runtimes: Vec<String>,
    pub architectures: Vec<String>,
    pub archive: ArchiveRecord,
    pub created_at: Timestamp,
    pub policy: PolicyRecord,
}

/// How asynchronous invocations are dealt with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AsynchronousRecord {
    pub retries: Option<u32>,
    pub max_age_seconds: Option<u32>,
    pub modified_at: Timestamp,
    /// ARNs of where records of invocations go to.
    #[serde(default)]
    pub on_success: Option<String>,
    #[serde(default)]
    pub on_failure: Option<String>,
}

pub(crate) fn events(store: &Arc<dyn Store>) -> Table<EventRecord> {
    Table::new(Arc::clone(store), "lambda-event")
}

/// The account and region that a key lies in.
pub(crate) fn partition_of(key: &Key) -> Option<Partition> {
    let mut segments = key.segments();
    Some(Partition {
        account: segments.next()?.parse().ok()?,
        region: segments.next()?.parse().ok()?,
    })
}

/// An asynchronous invocation that is owed, or what is owed of its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventRecord {
    /// The request's, which all attempts have.
    pub id: String,
    pub function: String,
    pub qualifier: Option<String>,
    /// JSON: the event; or, once it is a record of the invocation that is owed, that.
    #[serde(with = "packed")]
    pub payload: String,
    pub accepted_at: Timestamp,
    pub due_at: Timestamp,
    /// Attempts in which the code ran and failed.
    pub failures: u32,
    /// Attempts in which it did not come to run, since the last in which it did.
    pub setbacks: u32,
    /// It is given up: from now on this is owed.
    pub owed: Option<OwedRecord>,
}

/// What goes to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwedRecord {
    /// Its ARN.
    pub target: String,
    /// The role it is sent as.
    pub role: String,
    pub kind: OwedKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OwedKind {
    /// A dead letter: the event, with what went wrong.
    Letter { code: u16, message: String },
    /// A record of the invocation.
    Result { success: bool },
}

/// Base64: the size that it is stored in does not depend on what is in it, as that of a text within JSON does.
mod packed {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(text))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let packed = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(packed).map_err(D::Error::custom)?;
        String::from_utf8(bytes).map_err(D::Error::custom)
    }
}

/// A version, or what would become one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    /// None: `$LATEST`.
    pub number: Option<u64>,
    pub description: String,
    /// Of a published version: what `$LATEST` was described as, where that is known.
    #[serde(default)]
    pub latest_description: Option<String>,
    pub role: String,
    pub code: Code,
    pub settings: Settings,
    pub modified_at: Timestamp,
    /// `RevisionId`.
    pub revision: String,
    /// By which runtime it runs here, where that is not the one that was asked for.
    pub shifted: Option<String>,
}

/// Where a version's code is. As its parts alone: so archives were kept before there were images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Code {
    Archive(ArchiveRecord),
    Image(ImageRecord),
}

impl Code {
    /// What it takes of what an account may store; images lie elsewhere.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Archive(archive) => archive.size,
            Self::Image(_) => 0,
        }
    }

    pub(crate) fn is_image(&self) -> bool {
        matches!(self, Self::Image(_))
    }
}

/// What a reference to an image led to when the function got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    /// As it was asked for.
    pub uri: String,
    /// Registry, repository and digest.
    pub resolved: String,
    /// Whether the image itself says what is to be run.
    pub has_command: bool,
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
    /// Both, unless the code is an image.
    pub runtime: Option<String>,
    pub handler: Option<String>,
    /// What is said over an image's own word.
    #[serde(default)]
    pub image: ImageSettings,
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

/// `ImageConfig`; what is empty says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageSettings {
    pub entry_point: Vec<String>,
    pub command: Vec<String>,
    pub working_directory: Option<String>,
}

impl ImageSettings {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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
