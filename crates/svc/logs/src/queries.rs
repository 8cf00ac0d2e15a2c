//! Queries of Insights. A query runs in the background; what it found lies in the volume for seven days, how it ended in
//! the store. A restart ends what runs: it has failed then, and is asked for again.

pub(crate) mod definitions;
pub(crate) mod describe;
pub(crate) mod fields;
mod found;
pub(crate) mod groups;
pub(crate) mod pointer;
pub(crate) mod record;
pub(crate) mod results;
mod search;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod sweep;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_store::{Change, Key, Mirror, Store, Table};
use roadstead_volume::Volume;
use tokio::sync::{Notify, Semaphore};

use crate::error::{Error, Result};
use crate::records::{QueryRecord, QueryStatus, Statistics};
use crate::{Logs, Options};
use found::Found;

const QUERIES: &str = "logs-query";

pub(crate) fn table(store: &Arc<dyn Store>) -> Table<QueryRecord> {
    Table::new(Arc::clone(store), QUERIES)
}

fn key(partition: &Partition, id: &str) -> Key {
    Key::of(partition).child(QUERIES).child(id)
}

/// What the service keeps of its queries.
pub(crate) struct Queries {
    records: Mirror<QueryRecord>,
    found: Found,
    /// By their keys.
    live: Mutex<HashMap<Key, Arc<Live>>>,
    /// For those that run; others are scheduled.
    places: Arc<Semaphore>,
}

/// A query that has not ended.
#[derive(Default)]
pub(crate) struct Live {
    running: AtomicBool,
    cancelled: AtomicBool,
    /// Told of a cancellation while it waits for its turn.
    stopped: Notify,
    scanned: AtomicU64,
    matched: AtomicU64,
    bytes: AtomicU64,
}

impl Live {
    fn status(&self) -> QueryStatus {
        match (
            self.cancelled.load(Ordering::Acquire),
            self.running.load(Ordering::Acquire),
        ) {
            (true, _) => QueryStatus::Cancelled,
            (false, true) => QueryStatus::Running,
            (false, false) => QueryStatus::Scheduled,
        }
    }

    fn statistics(&self, groups: usize) -> Statistics {
        Statistics {
            scanned: self.scanned.load(Ordering::Relaxed),
            matched: self.matched.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            groups: groups as u64,
        }
    }
}

impl Queries {
    /// Those that a former process did not end have failed.
    pub(crate) async fn open(store: &Arc<dyn Store>, volume: &Volume, options: &Options) -> Result<Self> {
        let table = table(store);
        let records = Mirror::of(&table).await?;
        let unended: Vec<Key> = records
            .snapshot()
            .iter()
            .filter(|entry| matches!(entry.value.status, QueryStatus::Scheduled | QueryStatus::Running))
            .map(|entry| entry.key.clone())
            .collect();
        for key in unended {
            let fail = |found: Option<&QueryRecord>| {
                Ok::<_, Error>(found.map_or(Change::Keep, |record| {
                    let status = QueryStatus::Failed;
                    Change::Put(QueryRecord {
                        status,
                        ..record.clone()
                    })
                }))
            };
            let failed = table.update(&key, fail).await?;
            records.wait_for(failed.revision).await?;
        }
        Ok(Self {
            records,
            found: Found::open(volume)?,
            live: Mutex::default(),
            places: Arc::new(Semaphore::new(options.queries_at_once)),
        })
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A query as it is now, with what is known of it while it runs. Those that live are to be looked at before the
    /// record: how a query ended is written before it lives no more.
    fn now(live: &HashMap<Key, Arc<Live>>, entry_key: &Key, record: &QueryRecord) -> QueryRecord {
        match live.get(entry_key) {
            Some(live) => QueryRecord {
                status: live.status(),
                statistics: live.statistics(record.groups.len()),
                ..record.clone()
            },
            None => record.clone(),
        }
    }

    /// Ends all that run, without a word in the store: the next process says that they failed.
    pub(crate) fn abandon(&self) {
        self.places.close();
        for live in self.live().values() {
            live.cancelled.store(true, Ordering::Release);
        }
    }
}

impl Logs {
    /// A query of the caller's account and region whose results are still kept.
    pub(crate) fn query(&self, ctx: &Ctx, id: &str) -> Result<QueryRecord> {
        let key = key(&ctx.partition(), id);
        let live = self.queries.live();
        let entry = self.queries.records.get(&key).ok_or(Error::NoSuchQuery)?;
        if self.is_stale(&entry.value, self.clock.now()) {
            return Err(Error::NoSuchQuery);
        }
        Ok(Queries::now(&live, &key, &entry.value))
    }

    fn is_stale(&self, record: &QueryRecord, now: Timestamp) -> bool {
        let kept = i64::try_from(self.options.results_kept.as_millis()).unwrap_or(i64::MAX);
        now.0.saturating_sub(record.created_at.0) > kept
    }
}

/// As the API calls it.
fn shown(status: QueryStatus) -> roadstead_api_logs::QueryStatus {
    use roadstead_api_logs::QueryStatus as Api;
    match status {
        QueryStatus::Scheduled => Api::Scheduled,
        QueryStatus::Running => Api::Running,
        QueryStatus::Complete => Api::Complete,
        QueryStatus::Failed => Api::Failed,
        QueryStatus::Cancelled => Api::Cancelled,
        QueryStatus::Timeout => Api::Timeout,
    }
}

/// Only the language of Insights is spoken here.
fn speaks(language: Option<roadstead_api_logs::QueryLanguage>) -> Result<()> {
    match language {
        None | Some(roadstead_api_logs::QueryLanguage::Cwli) => Ok(()),
        Some(other) => Err(Error::unsupported(format!("queryLanguage {other}"))),
    }
}
