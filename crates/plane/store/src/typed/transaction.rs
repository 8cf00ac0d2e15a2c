//! Several records changed together or not at all. The builder keeps the first error and reports it at the
//! commit, so that a service can say in one sentence what must hold and what is then written.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Compare, LeaseId, MAX_OPS, Op, Revision, Store, Txn};
use crate::error::{Error, Result};
use crate::range::KeyRange;
use crate::typed::key::Key;
use crate::typed::table::{Entry, Table, encode};

/// Conditions and writes, built up and committed once.
#[must_use = "a transaction does nothing until it is committed"]
pub struct Transaction {
    store: Arc<dyn Store>,
    txn: Txn,
    error: Option<Error>,
}

/// Whether the conditions held.
#[must_use = "a conflict means that nothing was written"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They did; all is written, in this revision.
    Committed(Revision),
    /// They did not; nothing is written. Read again and decide again.
    Conflict,
}

impl Transaction {
    pub fn new(store: &Arc<dyn Store>) -> Self {
        Self {
            store: Arc::clone(store),
            txn: Txn::default(),
            error: None,
        }
    }

    /// Only if the record is as it was read.
    pub fn compare_unmodified<T>(self, entry: &Entry<T>) -> Self {
        let revision = entry.revision;
        self.compare(Compare::unmodified(&entry.key, revision))
    }

    /// Only if there is no such record.
    pub fn compare_absent(self, key: &Key) -> Self {
        self.compare(Compare::absent(key))
    }

    /// Only if there is such a record.
    pub fn compare_exists(self, key: &Key) -> Self {
        self.compare(Compare::exists(key))
    }

    /// Only if there is no record below the key.
    pub fn compare_none_below(self, key: &Key) -> Self {
        self.compare(Compare::none_in(key.below()))
    }

    /// Only if this holds.
    pub fn compare(mut self, compare: Compare) -> Self {
        self.txn.compare.push(compare);
        self
    }

    /// Writes a record.
    pub fn put<T: Serialize + DeserializeOwned>(self, table: &Table<T>, key: &Key, value: &T) -> Self {
        self.write(table, key, value, None)
    }

    /// Writes a record that goes when the lease does.
    pub fn put_leased<T>(self, table: &Table<T>, key: &Key, value: &T, lease: LeaseId) -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        self.write(table, key, value, Some(lease))
    }

    /// Writes a record that must not exist yet.
    pub fn insert<T: Serialize + DeserializeOwned>(self, table: &Table<T>, key: &Key, value: &T) -> Self {
        self.compare_absent(key).put(table, key, value)
    }

    /// Writes a new value of a record that must be as it was read.
    pub fn replace<T: Serialize + DeserializeOwned>(
        self,
        table: &Table<T>,
        entry: &Entry<T>,
        value: &T,
    ) -> Self {
        self.compare_unmodified(entry).put(table, &entry.key, value)
    }

    /// Removes a record, if it is there.
    pub fn delete(mut self, key: &Key) -> Self {
        self.txn.then.push(Op::delete(key));
        self
    }

    /// Removes all records below a key.
    pub fn delete_below(mut self, key: &Key) -> Self {
        self.txn.then.push(Op::Delete { range: key.below() });
        self
    }

    /// Removes all records from a key up to, and without, another.
    pub fn delete_between(mut self, first: &Key, end: &Key) -> Self {
        self.txn.then.push(Op::Delete {
            range: KeyRange {
                start: first.to_bytes(),
                end: Some(end.to_bytes()),
            },
        });
        self
    }

    fn write<T>(mut self, table: &Table<T>, key: &Key, value: &T, lease: Option<LeaseId>) -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        let encoded = if table.owns(key) {
            encode(key, value)
        } else {
            Err(Error::WrongTable {
                key: key.to_string(),
                table: table.name(),
            })
        };
        match encoded {
            Ok(value) => self.txn.then.push(Op::Put {
                key: key.to_bytes(),
                value: value.into(),
                lease,
            }),
            Err(error) => self.error = self.error.or(Some(error)),
        }
        self
    }

    /// How many more writes fit.
    pub fn room(&self) -> usize {
        MAX_OPS.saturating_sub(self.txn.then.len())
    }

    /// Writes all of it if every condition holds. Durable when it returns.
    pub async fn commit(self) -> Result<Outcome> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let response = self.store.commit(self.txn).await?;
        Ok(if response.succeeded {
            Outcome::Committed(response.revision)
        } else {
            Outcome::Conflict
        })
    }
}
