//! The store as everything above sees it. The trait has etcd v3's semantics, so that a cluster can put etcd
//! where one machine has an embedded database, and no service notices: one revision counts every change of the
//! whole store, a transaction compares and writes several keys at once, a watch replays from any revision that
//! was not compacted, a lease takes its keys with it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::range::KeyRange;

/// How many operations, and how many comparisons, one transaction may have; etcd's default.
pub const MAX_OPS: usize = 128;
/// How many bytes of keys and values one transaction may carry; etcd's default.
pub const MAX_TXN_BYTES: usize = 1536 * 1024;
/// How many keys the deletes of one transaction may remove together; of more, delete page by page.
pub const MAX_DELETED: usize = 10_000;

/// The count of changes of the whole store. An empty store is at 1; each transaction that writes adds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// What an empty store is at.
    pub const FIRST: Revision = Revision(1);

    #[must_use]
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a lease; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A key, its value, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    pub key: Bytes,
    pub value: Bytes,
    /// The revision that made the key since it was last absent.
    pub create_revision: Revision,
    /// The revision that wrote this value.
    pub mod_revision: Revision,
    /// How often the key was written since it was made; 1 when new.
    pub version: u64,
    /// The lease that the key goes with, if any.
    pub lease: Option<LeaseId>,
}

/// What to read. `RangeRequest::new(range)` asks for all of it, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRequest {
    pub range: KeyRange,
    /// At most so many keys, the first in order; none means all.
    pub limit: Option<usize>,
    /// As it was at this revision; none means now. Costs as much as what changed since, so it is meant for
    /// paging through one consistent state.
    pub revision: Option<Revision>,
    /// Values stay empty.
    pub keys_only: bool,
    /// Only `count` is filled.
    pub count_only: bool,
}

impl RangeRequest {
    pub fn new(range: KeyRange) -> Self {
        Self {
            range,
            limit: None,
            revision: None,
            keys_only: false,
            count_only: false,
        }
    }

    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        Self::new(KeyRange::prefix(prefix))
    }

    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    #[must_use]
    pub fn count_only(mut self) -> Self {
        self.count_only = true;
        self
    }
}

/// What was read, in order of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeResponse {
    pub kvs: Vec<KeyValue>,
    /// Whether the limit left some out.
    pub more: bool,
    /// For `count_only` the number of keys in the range (whatever the limit), otherwise the length of `kvs`.
    pub count: usize,
    /// The store's revision when it was read; for a read at a revision, still the current one.
    pub revision: Revision,
}

/// How a comparison relates what is stored (left) to what is given (right).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    Greater,
}

/// Which side of a key is compared, and with what. An absent key has zero for every number and no lease; its
/// value equals nothing and differs from nothing: a comparison of its value fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    CreateRevision(Revision),
    ModRevision(Revision),
    Version(u64),
    Value(Bytes),
    Lease(Option<LeaseId>),
}

/// A condition of a transaction. Of a range with several keys, each must meet it; a range without keys is
/// compared as one absent key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    pub range: KeyRange,
    pub relation: Relation,
    pub target: Target,
}

impl Compare {
    /// The key does not exist.
    pub fn absent(key: impl AsRef<[u8]>) -> Self {
        Self::none_in(KeyRange::key(key))
    }

    /// The key exists.
    pub fn exists(key: impl AsRef<[u8]>) -> Self {
        let target = Target::CreateRevision(Revision(0));
        Self {
            range: KeyRange::key(key),
            relation: Relation::NotEqual,
            target,
        }
    }

    /// The key was last written by this revision.
    pub fn unmodified(key: impl AsRef<[u8]>, revision: Revision) -> Self {
        let target = Target::ModRevision(revision);
        Self {
            range: KeyRange::key(key),
            relation: Relation::Equal,
            target,
        }
    }

    /// No key of the range exists.
    pub fn none_in(range: KeyRange) -> Self {
        Self {
            range,
            relation: Relation::Equal,
            target: Target::CreateRevision(Revision(0)),
        }
    }

    /// No key of the range was written after this revision. (A key that was deleted leaves no trace here.)
    pub fn none_newer_in(range: KeyRange, revision: Revision) -> Self {
        Self {
            range,
            relation: Relation::Less,
            target: Target::ModRevision(revision.next()),
        }
    }
}

/// A step of a transaction. Steps run in order and see what earlier ones did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Writes the key; a lease that is not given again is taken off it.
    Put {
        key: Bytes,
        value: Bytes,
        lease: Option<LeaseId>,
    },
    /// Removes every key of the range.
    Delete { range: KeyRange },
    /// Reads; `revision` must be none.
    Range(RangeRequest),
}

impl Op {
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Op::Put {
            key: key.into(),
            value: value.into(),
            lease: None,
        }
    }

    pub fn delete(key: impl AsRef<[u8]>) -> Self {
        Op::Delete {
            range: KeyRange::key(key),
        }
    }
}

/// If every comparison holds, `then`; if not, `otherwise`; all in one revision, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Txn {
    pub compare: Vec<Compare>,
    pub then: Vec<Op>,
    pub otherwise: Vec<Op>,
}

impl Txn {
    /// A transaction without conditions.
    pub fn of(then: impl Into<Vec<Op>>) -> Self {
        Self {
            then: then.into(),
            ..Self::default()
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpResult {
    Put { previous: Option<KeyValue> },
    Delete { previous: Vec<KeyValue> },
    Range(RangeResponse),
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnResponse {
    /// Whether the comparisons held, so that `then` ran.
    pub succeeded: bool,
    /// The revision after it: its own if it wrote.
    pub revision: Revision,
    /// One for each step that ran.
    pub results: Vec<OpResult>,
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Put {
        current: KeyValue,
        /// None if the key is new, or the backend no longer has it.
        previous: Option<KeyValue>,
    },
    Delete {
        key: Bytes,
        /// None if the backend no longer has it.
        previous: Option<KeyValue>,
    },
}

impl Event {
    pub fn key(&self) -> &Bytes {
        match self {
            Event::Put { current, .. } => &current.key,
            Event::Delete { key, .. } => key,
        }
    }

    pub fn previous(&self) -> Option<&KeyValue> {
        match self {
            Event::Put { previous, .. } | Event::Delete { previous, .. } => previous.as_ref(),
        }
    }
}

/// All that one revision changed in the watched range, in the order it was written. Without events it says
/// that everything through `revision` has been delivered: what read-your-writes waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchBatch {
    pub revision: Revision,
    pub events: Vec<Event>,
}

/// A running watch. Ends after an error and when the store stops; dropping it cancels it.
pub struct Watch {
    batches: BoxStream<'static, Result<WatchBatch>>,
}

impl Watch {
    /// For backends: the stream must end after its first error.
    pub fn new(batches: BoxStream<'static, Result<WatchBatch>>) -> Self {
        Self { batches }
    }

    /// Waits for the next batch. None: the store stopped, or an error came before. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<WatchBatch>> {
        self.batches.next().await
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// A lease and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseStatus {
    pub id: LeaseId,
    /// What it was granted for, and gets again with each keep-alive and after a restart of the store.
    pub ttl: Duration,
    pub remaining: Duration,
}

/// An ordered map of bytes with history. Every call may be cancelled; a `commit` whose future is dropped may
/// still take place.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// The key as it is now.
    async fn get(&self, key: &[u8]) -> Result<Option<KeyValue>>;

    /// Keys in order, now or at a revision that was not compacted.
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse>;

    /// Compares and writes. Durable when it returns, and seen by every read that begins afterwards.
    async fn commit(&self, txn: Txn) -> Result<TxnResponse>;

    /// Follows changes from a revision on, that one included; none means from now on. Nothing is lost to a
    /// slow reader: it is served from the stored events, or told `Compacted` if even those are gone.
    async fn watch(&self, range: KeyRange, from: Option<Revision>) -> Result<Watch>;

    /// Drops the history through `revision`: reads at it and later still work, watches begin after it.
    async fn compact(&self, revision: Revision) -> Result<()>;

    /// Makes a lease of at least `ttl`, one second to a year (etcd counts whole seconds).
    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseStatus>;

    /// Gives the lease its whole time again.
    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<LeaseStatus>;

    /// Ends the lease and deletes its keys in one revision, which is returned (the current one if none was).
    async fn lease_revoke(&self, lease: LeaseId) -> Result<Revision>;

    /// What is left of the lease.
    async fn lease_status(&self, lease: LeaseId) -> Result<LeaseStatus>;

    /// The keys that go with the lease, in order.
    async fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>>;

    /// Every lease, in order of ids.
    async fn leases(&self) -> Result<Vec<LeaseId>>;

    /// The current revision.
    async fn revision(&self) -> Result<Revision>;
}
