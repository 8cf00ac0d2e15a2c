//! What a call has decided to write, and under which conditions. Deciding reads the state in memory; the
//! conditions make sure that it was still so when the store wrote.

use roadstead_store::api::MAX_OPS;
use roadstead_store::{Compare, Entry, Key, Op, Revision, Txn};
use serde::Serialize;

use crate::error::{self, Result};

/// Conditions and writes of one transaction.
pub(crate) struct Plan {
    seen: Revision,
    compare: Vec<Compare>,
    then: Vec<Op>,
}

impl Plan {
    /// An empty plan, made while looking at the state as of a revision.
    pub(crate) fn as_of(seen: Revision) -> Self {
        Self {
            seen,
            compare: Vec::new(),
            then: Vec::new(),
        }
    }

    /// Writes what must not be there yet.
    pub(crate) fn insert<T: Serialize>(&mut self, key: &Key, value: &T) -> Result<()> {
        self.compare.push(Compare::absent(key));
        self.put(key, value)
    }

    /// Writes what must be as it was read.
    pub(crate) fn replace<T: Serialize>(&mut self, entry: &Entry<T>, value: &T) -> Result<()> {
        self.unmodified(entry);
        self.put(&entry.key, value)
    }

    /// Writes, whatever is there.
    pub(crate) fn put<T: Serialize>(&mut self, key: &Key, value: &T) -> Result<()> {
        let value = serde_json::to_vec(value)
            .map_err(|cause| error::other("InternalError", format!("cannot encode {key}: {cause}")))?;
        self.then.push(Op::put(key.to_bytes(), value));
        Ok(())
    }

    pub(crate) fn unmodified<T>(&mut self, entry: &Entry<T>) {
        self.compare.push(Compare::unmodified(&entry.key, entry.revision));
    }

    pub(crate) fn exists(&mut self, key: &Key) {
        self.compare.push(Compare::exists(key));
    }

    pub(crate) fn none_below(&mut self, key: &Key) {
        self.compare.push(Compare::none_in(key.below()));
    }

    /// Nothing was added below the key since the state that is looked at.
    pub(crate) fn none_newer_below(&mut self, key: &Key) {
        self.compare.push(Compare::none_newer_in(key.below(), self.seen));
    }

    pub(crate) fn delete(&mut self, key: &Key) {
        self.then.push(Op::delete(key));
    }

    pub(crate) fn delete_below(&mut self, key: &Key) {
        self.then.push(Op::Delete { range: key.below() });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.then.is_empty()
    }

    /// How many more writes fit.
    pub(crate) fn room(&self) -> usize {
        MAX_OPS.saturating_sub(self.then.len().max(self.compare.len()))
    }

    pub(crate) fn into_txn(self) -> Txn {
        Txn {
            compare: self.compare,
            then: self.then,
            otherwise: Vec::new(),
        }
    }
}
