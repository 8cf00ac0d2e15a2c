//! Records instead of bytes: one table is one type under one name in every account and region, as JSON, so
//! that a person can read what is stored and a later release can add a member.

use std::marker::PhantomData;
use std::sync::Arc;

use roadstead_base::Partition;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{KeyValue, RangeRequest, Revision, Store};
use crate::error::{Error, Result};
use crate::range::KeyRange;
use crate::typed::key::Key;
use crate::typed::transaction::{Outcome, Transaction};

/// The most records one page has.
pub const MAX_PAGE: usize = 1000;
/// How often an update is tried before it gives up. Of the callers that update one record at the same time one
/// succeeds in each round, so this is how many may.
const MAX_TRIES: usize = 128;
/// How often a list of everything begins again when compaction overtakes it.
const MAX_RESTARTS: usize = 4;
/// In `account/region/table/...` the table is segment 2.
const TABLE_SEGMENT: usize = 2;

/// Records of one type. Its keys are `account/region/<table name>/<id>...`.
pub struct Table<T> {
    store: Arc<dyn Store>,
    name: &'static str,
    record: PhantomData<fn() -> T>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            name: self.name,
            record: PhantomData,
        }
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    pub key: Key,
    pub value: T,
    /// The revision that last wrote it: what `compare_unmodified` compares.
    pub revision: Revision,
    /// The revision that made it.
    pub created: Revision,
}

/// Part of a table, in order of keys.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub entries: Vec<Entry<T>>,
    /// Where the next page begins; none if this was the last.
    pub next: Option<Key>,
    /// The store's revision when this was read; give it to `Listing::revision` of the next page for one
    /// consistent list.
    pub revision: Revision,
}

/// Which part of a table to list.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Only keys after this one: a page's `next`.
    pub after: Option<Key>,
    /// At most so many records; none, or more than `MAX_PAGE`, means `MAX_PAGE`.
    pub limit: Option<usize>,
    /// As of this revision; none means now.
    pub revision: Option<Revision>,
}

/// What to make of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    Put(T),
    Delete,
    Keep,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated<T> {
    /// The record now; none if there is none.
    pub value: Option<T>,
    /// The revision to wait for to see it: its own if it was changed, otherwise the one that last wrote it.
    pub revision: Revision,
    pub changed: bool,
}

impl<T: Serialize + DeserializeOwned> Table<T> {
    /// The table of that name, one segment such as `ecs-task`, whoever asks for it: it holds nothing itself.
    pub fn new(store: Arc<dyn Store>, name: &'static str) -> Self {
        Self {
            store,
            name,
            record: PhantomData,
        }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Above all records of an account and region.
    pub fn within(&self, partition: &Partition) -> Key {
        Key::of(partition).child(self.name)
    }

    /// The record with that id. Records with ids of several segments are below `within`.
    pub fn key(&self, partition: &Partition, id: impl AsRef<str>) -> Key {
        self.within(partition).child(id)
    }

    /// Whether the key is one of this table's.
    pub fn owns(&self, key: &Key) -> bool {
        owns(self.name, key)
    }

    pub async fn get(&self, key: &Key) -> Result<Option<Entry<T>>> {
        self.store.get(key.as_bytes()).await?.map(decode).transpose()
    }

    /// One page of the records below a key.
    pub async fn list(&self, below: &Key, listing: Listing) -> Result<Page<T>> {
        let limit = listing.limit.map_or(MAX_PAGE, |limit| limit.min(MAX_PAGE));
        let range = below.below();
        let range = match &listing.after {
            Some(after) => range.after(after.as_bytes()),
            None => range,
        };
        let request = RangeRequest {
            limit: Some(limit),
            revision: listing.revision,
            ..RangeRequest::new(range)
        };
        let response = self.store.range(request).await?;
        let entries = response
            .kvs
            .into_iter()
            .map(decode)
            .collect::<Result<Vec<Entry<T>>>>()?;
        let next = if response.more {
            entries.last().map(|entry| entry.key.clone())
        } else {
            None
        };
        Ok(Page {
            entries,
            next,
            revision: response.revision,
        })
    }

    /// All records below a key as of one revision, which is returned with them.
    pub async fn all(&self, below: &Key) -> Result<(Vec<Entry<T>>, Revision)> {
        let (kvs, revision) = everything(self.store.as_ref(), &below.below()).await?;
        Ok((kvs.into_iter().map(decode).collect::<Result<_>>()?, revision))
    }

    /// The accounts and regions that anything is kept of, with or without records of this table: what goes over all
    /// of a table without holding all of it steps through these.
    pub async fn partitions(&self) -> Result<Vec<Key>> {
        let (mut found, mut rest) = (Vec::new(), KeyRange::all());
        loop {
            let request = RangeRequest::new(rest.clone()).limit(1).keys_only();
            let Some(kv) = self.store.range(request).await?.kvs.into_iter().next() else {
                return Ok(found);
            };
            let key = Key::from_bytes(kv.key);
            match key
                .first(TABLE_SEGMENT)
                .filter(|partition| key.is_below(partition))
            {
                Some(partition) => {
                    rest = partition.behind();
                    found.push(partition);
                }
                None => rest = rest.after(key.as_bytes()),
            }
        }
    }

    /// Makes a record; none if there is one already.
    pub async fn insert(&self, key: &Key, value: &T) -> Result<Option<Revision>> {
        match Transaction::new(&self.store)
            .insert(self, key, value)
            .commit()
            .await?
        {
            Outcome::Committed(revision) => Ok(Some(revision)),
            Outcome::Conflict => Ok(None),
        }
    }

    /// Reads a record, lets `change` decide, and writes what it decided if nobody wrote in between; if somebody
    /// did, from the start, at most 128 times. `change` must therefore have no effects of its own.
    pub async fn update<F, E>(&self, key: &Key, mut change: F) -> Result<Updated<T>, E>
    where
        F: FnMut(Option<&T>) -> Result<Change<T>, E>,
        E: From<Error>,
    {
        for _ in 0..MAX_TRIES {
            let entry = self.get(key).await?;
            let decided = change(entry.as_ref().map(|entry| &entry.value))?;
            let transaction = match &entry {
                Some(entry) => Transaction::new(&self.store).compare_unmodified(entry),
                None => Transaction::new(&self.store).compare_absent(key),
            };
            let (transaction, value) = match decided {
                Change::Keep => {
                    let revision = entry.as_ref().map_or(Revision(0), |entry| entry.revision);
                    return Ok(Updated {
                        value: entry.map(|entry| entry.value),
                        revision,
                        changed: false,
                    });
                }
                Change::Put(value) => (transaction.put(self, key, &value), Some(value)),
                Change::Delete => (transaction.delete(key), None),
            };
            if let Outcome::Committed(revision) = transaction.commit().await? {
                return Ok(Updated {
                    changed: entry.is_some() || value.is_some(),
                    value,
                    revision,
                });
            }
        }
        Err(Error::Contended {
            key: key.to_string(),
            tries: MAX_TRIES,
        }
        .into())
    }
}

pub(crate) fn owns(table: &str, key: &Key) -> bool {
    key.has_segment(TABLE_SEGMENT, table)
}

pub(crate) fn encode<T: Serialize>(key: &Key, value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Encode {
        key: key.to_string(),
        source: Arc::new(error),
    })
}

pub(crate) fn decode<T: DeserializeOwned>(kv: KeyValue) -> Result<Entry<T>> {
    let key = Key::from_bytes(kv.key);
    match serde_json::from_slice(&kv.value) {
        Ok(value) => Ok(Entry {
            key,
            value,
            revision: kv.mod_revision,
            created: kv.create_revision,
        }),
        Err(error) => Err(Error::Decode {
            key: key.to_string(),
            source: Arc::new(error),
        }),
    }
}

/// A whole range as of one revision, page by page.
pub(crate) async fn everything(store: &dyn Store, range: &KeyRange) -> Result<(Vec<KeyValue>, Revision)> {
    let mut restarts = 0;
    loop {
        match pages(store, range).await {
            Err(Error::Compacted { .. }) if restarts < MAX_RESTARTS => restarts += 1,
            done => return done,
        }
    }
}

async fn pages(store: &dyn Store, range: &KeyRange) -> Result<(Vec<KeyValue>, Revision)> {
    let first = store
        .range(RangeRequest::new(range.clone()).limit(MAX_PAGE))
        .await?;
    let (mut kvs, mut more, revision) = (first.kvs, first.more, first.revision);
    while more {
        let Some(last) = kvs.last() else { break };
        let rest = RangeRequest::new(range.after(&last.key))
            .limit(MAX_PAGE)
            .at(revision);
        let page = store.range(rest).await?;
        more = page.more;
        kvs.extend(page.kvs);
    }
    Ok((kvs, revision))
}

/// All keys of a table in every account and region as of one revision. The keys of a table do not lie together,
/// so this steps from one account and region to the next.
pub(crate) async fn everywhere(store: &dyn Store, table: &str) -> Result<(Vec<KeyValue>, Revision)> {
    let mut restarts = 0;
    loop {
        match partitions(store, table).await {
            Err(Error::Compacted { .. }) if restarts < MAX_RESTARTS => restarts += 1,
            done => return done,
        }
    }
}

async fn partitions(store: &dyn Store, table: &str) -> Result<(Vec<KeyValue>, Revision)> {
    let (mut kvs, mut revision, mut rest) = (Vec::new(), None, KeyRange::all());
    loop {
        let mut request = RangeRequest::new(rest.clone()).limit(1).keys_only();
        request.revision = revision;
        let response = store.range(request).await?;
        let at = *revision.get_or_insert(response.revision);
        let Some(kv) = response.kvs.into_iter().next() else {
            return Ok((kvs, at));
        };
        let key = Key::from_bytes(kv.key);
        let Some(partition) = key
            .first(TABLE_SEGMENT)
            .filter(|partition| key.is_below(partition))
        else {
            rest = rest.after(key.as_bytes());
            continue;
        };
        let mut within = Some(partition.child(table).below());
        while let Some(range) = within.take() {
            let page = store
                .range(RangeRequest::new(range.clone()).limit(MAX_PAGE).at(at))
                .await?;
            if page.more {
                within = page.kvs.last().map(|last| range.after(&last.key));
            }
            kvs.extend(page.kvs);
        }
        rest = partition.behind();
    }
}
