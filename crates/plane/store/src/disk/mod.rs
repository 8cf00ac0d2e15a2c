//! The durable store: redb's copy-on-write trees in one file. A write is one redb transaction with one fsync,
//! checksummed, so that after `kill -9` or a power cut the file opens at the last acknowledged state.

mod codec;
mod dir;
mod format;
mod image;
#[cfg(test)]
mod power;
mod tables;

use std::fs::File;
use std::path::Path;

use redb::{Database, ReadableDatabase as _, ReadableTable, TableDefinition};

use crate::api::LeaseId;
use crate::engine::{Backend, Keep, Marks, Tables, View};
use crate::error::{Error, Result};
use format::FORMAT;
use tables::{Reading, Writing};

type Bytewise = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// Key to record.
const KEYS: Bytewise = TableDefinition::new("keys");
/// Revision to the events of its commit.
const COMMITS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("commits");
/// Lease to its time to live in milliseconds.
const LEASES: TableDefinition<'static, u64, u64> = TableDefinition::new("leases");
/// Lease and a key that goes with it.
const LEASE_KEYS: TableDefinition<'static, (u64, &'static [u8]), ()> = TableDefinition::new("lease_keys");
/// Named numbers: the format, and the marks.
const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

const META_FORMAT: &str = "format";
const META_HEAD: &str = "head";
const META_COMPACTED: &str = "compacted";
const META_NEXT_LEASE: &str = "next_lease";

pub(crate) struct Disk {
    database: Database,
    // Released, with the lock on it, after the database is closed: fields drop in order.
    _lock: Option<File>,
}

impl Disk {
    pub(crate) fn open(dir: &Path, cache_bytes: usize) -> Result<Self> {
        let opened = dir::open(dir, cache_bytes)?;
        Ok(Self {
            database: opened.database,
            _lock: Some(opened.lock),
        })
    }
}

impl Backend for Disk {
    fn may_block(&self) -> bool {
        true
    }

    fn read(&self, read: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        let transaction = self
            .database
            .begin_read()
            .map_err(Error::storage("beginning a read"))?;
        read(&Reading(transaction))
    }

    fn write(&self, write: &mut dyn FnMut(&mut dyn Tables) -> Result<Keep>) -> Result<()> {
        let transaction = self
            .database
            .begin_write()
            .map_err(Error::storage("beginning a write"))?;
        let keep = write(&mut Writing::open(&transaction)?);
        match keep {
            Ok(Keep::Commit) => transaction.commit().map_err(Error::storage("writing to disk")),
            Ok(Keep::Nothing) => transaction.abort().map_err(Error::storage("ending a write")),
            Err(error) => {
                if let Err(abort) = transaction.abort() {
                    tracing::error!(error = %abort, "undoing a failed write failed too");
                }
                Err(error)
            }
        }
    }
}

/// Makes every table, so that reads need not ask whether they are there, and notes the format.
fn initialize(database: &Database) -> Result<()> {
    let doing = "making the tables";
    let transaction = database.begin_write().map_err(Error::storage(doing))?;
    {
        let mut tables = Writing::open(&transaction)?;
        tables.set_format(FORMAT)?;
        tables.set_marks(Marks::default())?;
    }
    transaction.commit().map_err(Error::storage(doing))
}

fn number(meta: &impl ReadableTable<&'static str, u64>, name: &'static str) -> Result<u64> {
    let found = meta.get(name).map_err(Error::storage("reading the marks"))?;
    found
        .map(|guard| guard.value())
        .ok_or_else(|| Error::corrupt("table of marks", format!("{name} is missing")))
}

fn format_of(meta: &impl ReadableTable<&'static str, u64>) -> Result<u64> {
    number(meta, META_FORMAT)
}

fn marks_of(meta: &impl ReadableTable<&'static str, u64>) -> Result<Marks> {
    Ok(Marks {
        head: crate::api::Revision(number(meta, META_HEAD)?),
        compacted: crate::api::Revision(number(meta, META_COMPACTED)?),
        next_lease: LeaseId(number(meta, META_NEXT_LEASE)?),
    })
}
