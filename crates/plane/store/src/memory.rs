//! The store of `--ephemeral`: ordered maps behind a lock. It shares everything but the tables with the
//! durable store, so what works here works there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;

use crate::api::{KeyValue, LeaseId, Revision};
use crate::engine::{Backend, Commit, Keep, Marks, Stored, Tables, View, Visit};
use crate::error::Result;
use crate::range::KeyRange;

#[derive(Default)]
pub(crate) struct Memory(RwLock<Maps>);

#[derive(Default)]
struct Maps {
    marks: Marks,
    keys: BTreeMap<Bytes, KeyValue>,
    commits: BTreeMap<Revision, Commit>,
    leases: BTreeMap<LeaseId, Duration>,
    lease_keys: BTreeSet<(LeaseId, Bytes)>,
}

impl Backend for Memory {
    fn may_block(&self) -> bool {
        false
    }

    fn read(&self, read: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        read(&*self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, write: &mut dyn FnMut(&mut dyn Tables) -> Result<Keep>) -> Result<()> {
        // No table operation here can fail, and the engine refuses a transaction before its first write: there
        // is never anything to roll back.
        write(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner)).map(|_| ())
    }
}

impl View for Maps {
    fn marks(&self) -> Result<Marks> {
        Ok(self.marks)
    }

    fn record(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        Ok(self.keys.get(key).cloned())
    }

    fn scan(&self, range: &KeyRange, visit: &mut Visit<'_>) -> Result<()> {
        if range.is_empty() {
            return Ok(()); // BTreeMap::range panics on these
        }
        let end = range
            .end
            .as_ref()
            .map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_ref()));
        for kv in self
            .keys
            .range::<[u8], _>((Bound::Included(range.start.as_ref()), end))
            .map(|(_, kv)| kv)
        {
            if let ControlFlow::Break(()) = visit(Stored::of(kv))? {
                break;
            }
        }
        Ok(())
    }

    fn commits(&self, from: Revision, limit: usize) -> Result<Vec<Commit>> {
        Ok(self
            .commits
            .range(from..)
            .take(limit)
            .map(|(_, commit)| commit.clone())
            .collect())
    }

    fn lease(&self, lease: LeaseId) -> Result<Option<Duration>> {
        Ok(self.leases.get(&lease).copied())
    }

    fn leases(&self) -> Result<Vec<(LeaseId, Duration)>> {
        Ok(self.leases.iter().map(|(lease, ttl)| (*lease, *ttl)).collect())
    }

    fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>> {
        let from = self.lease_keys.range((lease, Bytes::new())..);
        Ok(from
            .take_while(|(owner, _)| *owner == lease)
            .map(|(_, key)| key.clone())
            .collect())
    }
}

impl Tables for Maps {
    fn set_marks(&mut self, marks: Marks) -> Result<()> {
        self.marks = marks;
        Ok(())
    }

    fn put(&mut self, kv: &KeyValue) -> Result<()> {
        self.keys.insert(kv.key.clone(), kv.clone());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.keys.remove(key);
        Ok(())
    }

    fn append(&mut self, commit: &Commit) -> Result<()> {
        self.commits.insert(commit.revision, commit.clone());
        Ok(())
    }

    fn forget(&mut self, through: Revision) -> Result<()> {
        self.commits = self.commits.split_off(&through.next());
        Ok(())
    }

    fn set_lease(&mut self, lease: LeaseId, ttl: Duration) -> Result<()> {
        self.leases.insert(lease, ttl);
        Ok(())
    }

    fn remove_lease(&mut self, lease: LeaseId) -> Result<()> {
        self.leases.remove(&lease);
        Ok(())
    }

    fn attach(&mut self, lease: LeaseId, key: &[u8]) -> Result<()> {
        self.lease_keys.insert((lease, Bytes::copy_from_slice(key)));
        Ok(())
    }

    fn detach(&mut self, lease: LeaseId, key: &[u8]) -> Result<()> {
        self.lease_keys.remove(&(lease, Bytes::copy_from_slice(key)));
        Ok(())
    }

    fn view(&self) -> &dyn View {
        self
    }
}
