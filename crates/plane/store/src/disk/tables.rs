//! redb's tables as the engine wants them. Reading and writing transactions have different table types that
//! share a trait, so each read is written once, generically, and lent to both.

use std::ops::{Bound, ControlFlow};
use std::time::Duration;

use bytes::Bytes;
use redb::{ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::api::{KeyValue, LeaseId, Revision};
use crate::disk::{
    COMMITS, KEYS, LEASE_KEYS, LEASES, META, META_COMPACTED, META_FORMAT, META_HEAD, META_NEXT_LEASE, codec,
    marks_of,
};
use crate::engine::{Commit, Marks, Tables, View, Visit};
use crate::error::{Error, Result};
use crate::range::KeyRange;

const READING: &str = "reading from disk";
const WRITING: &str = "writing a table";

fn record_in(
    keys: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<KeyValue>> {
    let Some(record) = keys.get(key).map_err(Error::storage(READING))? else {
        return Ok(None);
    };
    codec::decode_record(key, record.value()).map(|stored| Some(stored.to_key_value(false)))
}

fn scan_in(
    keys: &impl ReadableTable<&'static [u8], &'static [u8]>,
    range: &KeyRange,
    visit: &mut Visit<'_>,
) -> Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let end = range
        .end
        .as_ref()
        .map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_ref()));
    let bounds = (Bound::Included(range.start.as_ref()), end);
    for row in keys.range::<&[u8]>(bounds).map_err(Error::storage(READING))? {
        let (key, record) = row.map_err(Error::storage(READING))?;
        if let ControlFlow::Break(()) = visit(codec::decode_record(key.value(), record.value())?)? {
            break;
        }
    }
    Ok(())
}

fn commits_in(
    commits: &impl ReadableTable<u64, &'static [u8]>,
    from: Revision,
    limit: usize,
) -> Result<Vec<Commit>> {
    let mut found = Vec::new();
    for row in commits
        .range(from.0..)
        .map_err(Error::storage(READING))?
        .take(limit)
    {
        let (revision, events) = row.map_err(Error::storage(READING))?;
        let events = codec::decode_events(events.value())?.into();
        found.push(Commit {
            revision: Revision(revision.value()),
            events,
        });
    }
    Ok(found)
}

fn leases_in(leases: &impl ReadableTable<u64, u64>) -> Result<Vec<(LeaseId, Duration)>> {
    let mut found = Vec::new();
    for row in leases.range::<u64>(..).map_err(Error::storage(READING))? {
        let (lease, ttl) = row.map_err(Error::storage(READING))?;
        found.push((LeaseId(lease.value()), Duration::from_millis(ttl.value())));
    }
    Ok(found)
}

fn lease_in(leases: &impl ReadableTable<u64, u64>, lease: LeaseId) -> Result<Option<Duration>> {
    let found = leases.get(lease.0).map_err(Error::storage(READING))?;
    Ok(found.map(|ttl| Duration::from_millis(ttl.value())))
}

fn lease_keys_in(keys: &impl ReadableTable<(u64, &'static [u8]), ()>, lease: LeaseId) -> Result<Vec<Bytes>> {
    let mut found = Vec::new();
    let bounds = (
        Bound::Included((lease.0, &[][..])),
        Bound::Excluded((lease.0 + 1, &[][..])),
    );
    for row in keys
        .range::<(u64, &[u8])>(bounds)
        .map_err(Error::storage(READING))?
    {
        let (row, _) = row.map_err(Error::storage(READING))?;
        found.push(Bytes::copy_from_slice(row.value().1));
    }
    Ok(found)
}

/// A read transaction; its tables are opened as they are asked for.
pub(crate) struct Reading(pub(crate) ReadTransaction);

impl Reading {
    fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<redb::ReadOnlyTable<K, V>> {
        self.0.open_table(table).map_err(Error::storage(READING))
    }
}

impl View for Reading {
    fn marks(&self) -> Result<Marks> {
        marks_of(&self.table(META)?)
    }

    fn record(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        record_in(&self.table(KEYS)?, key)
    }

    fn scan(&self, range: &KeyRange, visit: &mut Visit<'_>) -> Result<()> {
        scan_in(&self.table(KEYS)?, range, visit)
    }

    fn commits(&self, from: Revision, limit: usize) -> Result<Vec<Commit>> {
        commits_in(&self.table(COMMITS)?, from, limit)
    }

    fn lease(&self, lease: LeaseId) -> Result<Option<Duration>> {
        lease_in(&self.table(LEASES)?, lease)
    }

    fn leases(&self) -> Result<Vec<(LeaseId, Duration)>> {
        leases_in(&self.table(LEASES)?)
    }

    fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>> {
        lease_keys_in(&self.table(LEASE_KEYS)?, lease)
    }
}

/// A write transaction with all its tables open.
pub(crate) struct Writing<'t> {
    keys: Table<'t, &'static [u8], &'static [u8]>,
    commits: Table<'t, u64, &'static [u8]>,
    leases: Table<'t, u64, u64>,
    lease_keys: Table<'t, (u64, &'static [u8]), ()>,
    meta: Table<'t, &'static str, u64>,
    buffer: Vec<u8>,
}

impl<'t> Writing<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self> {
        let doing = "opening the tables";
        Ok(Self {
            keys: transaction.open_table(KEYS).map_err(Error::storage(doing))?,
            commits: transaction.open_table(COMMITS).map_err(Error::storage(doing))?,
            leases: transaction.open_table(LEASES).map_err(Error::storage(doing))?,
            lease_keys: transaction
                .open_table(LEASE_KEYS)
                .map_err(Error::storage(doing))?,
            meta: transaction.open_table(META).map_err(Error::storage(doing))?,
            buffer: Vec::new(),
        })
    }

    pub(crate) fn set_format(&mut self, format: u64) -> Result<()> {
        self.set(META_FORMAT, format)
    }

    fn set(&mut self, name: &'static str, number: u64) -> Result<()> {
        self.meta.insert(name, number).map_err(Error::storage(WRITING))?;
        Ok(())
    }
}

impl View for Writing<'_> {
    fn marks(&self) -> Result<Marks> {
        marks_of(&self.meta)
    }

    fn record(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        record_in(&self.keys, key)
    }

    fn scan(&self, range: &KeyRange, visit: &mut Visit<'_>) -> Result<()> {
        scan_in(&self.keys, range, visit)
    }

    fn commits(&self, from: Revision, limit: usize) -> Result<Vec<Commit>> {
        commits_in(&self.commits, from, limit)
    }

    fn lease(&self, lease: LeaseId) -> Result<Option<Duration>> {
        lease_in(&self.leases, lease)
    }

    fn leases(&self) -> Result<Vec<(LeaseId, Duration)>> {
        leases_in(&self.leases)
    }

    fn lease_keys(&self, lease: LeaseId) -> Result<Vec<Bytes>> {
        lease_keys_in(&self.lease_keys, lease)
    }
}

impl Tables for Writing<'_> {
    fn set_marks(&mut self, marks: Marks) -> Result<()> {
        self.set(META_HEAD, marks.head.0)?;
        self.set(META_COMPACTED, marks.compacted.0)?;
        self.set(META_NEXT_LEASE, marks.next_lease.0)
    }

    fn put(&mut self, kv: &KeyValue) -> Result<()> {
        self.buffer.clear();
        codec::encode_record(kv, &mut self.buffer);
        self.keys
            .insert(kv.key.as_ref(), self.buffer.as_slice())
            .map_err(Error::storage(WRITING))?;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<()> {
        self.keys.remove(key).map_err(Error::storage(WRITING))?;
        Ok(())
    }

    fn append(&mut self, commit: &Commit) -> Result<()> {
        let row = codec::encode_events(&commit.events);
        self.commits
            .insert(commit.revision.0, row.as_slice())
            .map_err(Error::storage(WRITING))?;
        Ok(())
    }

    fn forget(&mut self, through: Revision) -> Result<()> {
        self.commits
            .retain_in(..=through.0, |_, _| false)
            .map_err(Error::storage(WRITING))
    }

    fn set_lease(&mut self, lease: LeaseId, ttl: Duration) -> Result<()> {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.leases
            .insert(lease.0, millis)
            .map_err(Error::storage(WRITING))?;
        Ok(())
    }

    fn remove_lease(&mut self, lease: LeaseId) -> Result<()> {
        self.leases.remove(lease.0).map_err(Error::storage(WRITING))?;
        Ok(())
    }

    fn attach(&mut self, lease: LeaseId, key: &[u8]) -> Result<()> {
        self.lease_keys
            .insert((lease.0, key), ())
            .map_err(Error::storage(WRITING))?;
        Ok(())
    }

    fn detach(&mut self, lease: LeaseId, key: &[u8]) -> Result<()> {
        self.lease_keys
            .remove((lease.0, key))
            .map_err(Error::storage(WRITING))?;
        Ok(())
    }

    fn view(&self) -> &dyn View {
        self
    }
}
