//! One error for every backend, because a service must be able to say "try again", "list again" or "this
//! daemon is broken" without knowing whether redb or etcd is underneath.

use std::path::PathBuf;
use std::sync::Arc;

use crate::api::{LeaseId, Revision};

/// The result of every store call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error from below, kept whole; shared because one failed disk write answers a whole group of callers.
pub type Source = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// Why a store call did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// History before the wanted revision is gone.
    #[error(
        "cannot read or watch from revision {wanted}: history through revision {compacted} was compacted; \
         list again at the current revision and watch from there"
    )]
    Compacted { wanted: Revision, compacted: Revision },
    /// The revision has not happened yet.
    #[error("cannot use revision {wanted}: the store is only at revision {current}; wait for it first")]
    FutureRevision { wanted: Revision, current: Revision },
    /// A limit of the store (the same as etcd's defaults) was exceeded; nothing was written.
    #[error("transaction refused: {what} is {got}, at most {limit} are allowed; split it into several")]
    TooLarge {
        what: &'static str,
        got: usize,
        limit: usize,
    },
    /// Keys are at least one byte.
    #[error("transaction refused: it writes or compares the empty key; give every key at least one byte")]
    EmptyKey,
    /// One transaction may write a key once.
    #[error("transaction refused: it writes the key {key:?} more than once; write each key once")]
    DuplicateKey { key: String },
    /// A read at an older revision was asked for inside a transaction.
    #[error(
        "transaction refused: it reads at revision {wanted}, but a read inside a transaction sees the present; \
         use range() for history"
    )]
    HistoryInTransaction { wanted: Revision },
    /// No such lease, or it expired.
    #[error("lease {lease} does not exist or has expired; grant a new one")]
    LeaseNotFound { lease: LeaseId },
    /// A lease must live for a while.
    #[error("cannot grant a lease of {asked:?}: its time to live must be between {min:?} and {max:?}")]
    LeaseTtl {
        asked: std::time::Duration,
        min: std::time::Duration,
        max: std::time::Duration,
    },
    /// The store was shut down, or its writer died.
    #[error("the store has stopped and takes no more calls; restart the daemon")]
    Stopped,
    /// Another process works on this data directory.
    #[error(
        "cannot open the store in {}: {holder} is using it; stop that one or choose another data directory",
        dir.display()
    )]
    Locked { dir: PathBuf, holder: String },
    /// Another server works on this store.
    #[error(
        "cannot use the store {place}: {holder} works on it and is alive; stop that one, or give this one a prefix \
         of its own (etcd://HOST:PORT/PREFIX)"
    )]
    Held { place: String, holder: String },
    /// Written by a newer release.
    #[error(
        "cannot open the store in {}: its data has format {found}, this release reads up to format {supported}; \
         run the newer release that wrote it",
        dir.display()
    )]
    NewerFormat {
        dir: PathBuf,
        found: u64,
        supported: u64,
    },
    /// What is on disk is not what was written.
    #[error("the store's {what} is damaged ({detail}); restore the data directory from a backup")]
    Corrupt { what: &'static str, detail: String },
    /// The disk or database failed. For a write: it may or may not be there after a restart.
    #[error("{doing} failed in the store; check the disk and restart the daemon")]
    Storage { doing: &'static str, source: Source },
    /// The store cannot be reached, or has no leader, and did not come back in time. Nothing was written.
    #[error(
        "{doing} failed: the store is not available ({detail}); try again, and see to etcd if it goes on"
    )]
    Unavailable { doing: &'static str, detail: String },
    /// The connection ended between a write and its answer.
    #[error(
        "{doing} may or may not have taken place, and may still: no answer came ({detail}); \
         read what it would have changed before trying again"
    )]
    OutcomeUnknown { doing: &'static str, detail: String },
    /// A mirror did not catch up in time. What was written before stays written.
    #[error(
        "gave up waiting for revision {wanted}: only {shown} is shown here; what was written is safe, read it again \
         once the store is reached again"
    )]
    Behind { wanted: Revision, shown: Revision },
    /// etcd refuses what it should serve; nothing was written.
    #[error("etcd refuses {doing}: {detail}; see to the cluster or to how it is reached")]
    Etcd { doing: &'static str, detail: String },
    /// The key is one of the backend's own.
    #[error(
        "transaction refused: the key {key:?} begins with a zero byte, which is reserved; use another key"
    )]
    ReservedKey { key: String },
    /// A value could not be written as JSON.
    #[error("cannot encode the record {key} as JSON")]
    Encode { key: String, source: Source },
    /// A stored value is not the JSON its table expects.
    #[error("cannot decode the record {key} from JSON; it was written by something else or is damaged")]
    Decode { key: String, source: Source },
    /// A record was put under a key that is not its table's.
    #[error("refused to write {key} as a record of the table {table}: make its key with that table")]
    WrongTable { key: String, table: &'static str },
    /// Others kept changing the record.
    #[error("gave up updating {key} after {tries} tries: others keep changing it; try again")]
    Contended { key: String, tries: usize },
}

impl Error {
    pub(crate) fn storage<E>(doing: &'static str) -> impl FnOnce(E) -> Error
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Error::Storage {
            doing,
            source: Arc::new(source),
        }
    }

    pub(crate) fn corrupt(what: &'static str, detail: impl Into<String>) -> Error {
        Error::Corrupt {
            what,
            detail: detail.into(),
        }
    }

    /// Whether the whole group of writes fails with it, not only the request that met it.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self, Error::Storage { .. } | Error::Corrupt { .. })
    }

    /// Whether the same call may succeed when tried again unchanged. Not so of `OutcomeUnknown`: a second try could
    /// do it twice.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Contended { .. } | Error::Unavailable { .. })
    }
}
