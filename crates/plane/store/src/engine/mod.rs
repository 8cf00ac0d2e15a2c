//! The part that memory and disk share: what a transaction, a read, a lease and a watch mean. A backend only
//! keeps tables; since both run this same code, `--ephemeral` behaves exactly as the durable store does.

pub(crate) mod apply;
pub(crate) mod embedded;
pub(crate) mod hub;
pub(crate) mod lease;
pub(crate) mod read;
pub(crate) mod writer;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::api::{Event, KeyValue, LeaseId, Revision};
use crate::error::Result;
use crate::range::KeyRange;

/// Where the store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The revision of the last change.
    pub(crate) head: Revision,
    /// History through this revision is gone; zero at first.
    pub(crate) compacted: Revision,
    /// The id that the next lease gets.
    pub(crate) next_lease: LeaseId,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            head: Revision::FIRST,
            compacted: Revision(0),
            next_lease: LeaseId(1),
        }
    }
}

/// All that one revision changed.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) revision: Revision,
    pub(crate) events: Arc<[Event]>,
}

impl Commit {
    /// About how much memory or disk it holds.
    pub(crate) fn weight(&self) -> u64 {
        let of = |kv: &KeyValue| kv.key.len() + kv.value.len() + 40;
        let bytes: usize = self
            .events
            .iter()
            .map(|event| {
                let current = if let Event::Put { current, .. } = event {
                    of(current)
                } else {
                    event.key().len()
                };
                current + event.previous().map_or(0, of) + 16
            })
            .sum();
        bytes as u64
    }
}

/// A stored key with its value still in place, copied only by those who keep it.
pub(crate) struct Stored<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) create_revision: Revision,
    pub(crate) mod_revision: Revision,
    pub(crate) version: u64,
    pub(crate) lease: Option<LeaseId>,
    pub(crate) value: ValueRef<'a>,
}

pub(crate) enum ValueRef<'a> {
    Slice(&'a [u8]),
    Shared(&'a Bytes),
}

impl ValueRef<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            ValueRef::Slice(slice) => slice,
            ValueRef::Shared(bytes) => bytes,
        }
    }
}

impl<'a> Stored<'a> {
    pub(crate) fn of(kv: &'a KeyValue) -> Self {
        Self {
            key: &kv.key,
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            lease: kv.lease,
            value: ValueRef::Shared(&kv.value),
        }
    }

    pub(crate) fn to_key_value(&self, keys_only: bool) -> KeyValue {
        let value = match &self.value {
            _ if keys_only => Bytes::new(),
            ValueRef::Slice(slice) => Bytes::copy_from_slice(slice),
            ValueRef::Shared(bytes) => (*bytes).clone(),
        };
        KeyValue {
            key: Bytes::copy_from_slice(self.key),
            value,
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            lease: self.lease,
        }
    }
}

/// What a scan calls for each key in order, until it breaks.
pub(crate) type Visit<'v> = dyn FnMut(Stored<'_>) -> Result<ControlFlow<()>> + 'v;

/// One consistent state of a backend's tables.
pub(crate) trait View {
    fn marks(&self) -> Result<Marks>;
    fn record(&self, key: &[u8]) -> Result<Option<KeyValue>>;
    fn scan(&self, range: &KeyRange, visit: &mut Visit<'_>) -> Result<()>;
    /// The commits from a revision on, in order, at most `limit`.
    fn commits(&self, from: Revision, limit: usize) -> Result<Vec<Commit>>;
    fn lease(&self, lease: LeaseId) -> Result<Option<Duration>>;
    fn leases(&self) -> Result<Vec<(LeaseId, Duration)>>;
    fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>>;
}

/// The tables inside a write: what was written is seen at once by this value, by others after the write.
pub(crate) trait Tables: View {
    fn set_marks(&mut self, marks: Marks) -> Result<()>;
    fn put(&mut self, kv: &KeyValue) -> Result<()>;
    fn remove(&mut self, key: &[u8]) -> Result<()>;
    fn append(&mut self, commit: &Commit) -> Result<()>;
    /// Drops the commits through a revision.
    fn forget(&mut self, through: Revision) -> Result<()>;
    fn set_lease(&mut self, lease: LeaseId, ttl: Duration) -> Result<()>;
    fn remove_lease(&mut self, lease: LeaseId) -> Result<()>;
    fn attach(&mut self, lease: LeaseId, key: &[u8]) -> Result<()>;
    fn detach(&mut self, lease: LeaseId, key: &[u8]) -> Result<()>;
    /// The same tables, to read.
    fn view(&self) -> &dyn View;
}

/// Whether a write is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Commit,
    /// Nothing was written: do not trouble the disk.
    Nothing,
}

/// A keeper of tables. One write at a time, reads beside it see the state before.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Whether reads may touch a disk, so that long ones belong on another thread.
    fn may_block(&self) -> bool;
    fn read(&self, read: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()>;
    /// Durable when it returns. After an error nothing of it is seen by later reads.
    fn write(&self, write: &mut dyn FnMut(&mut dyn Tables) -> Result<Keep>) -> Result<()>;
}
