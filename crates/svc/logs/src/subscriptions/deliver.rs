//! Pays what is owed to subscriptions: one reconciler over the filters that are owed something, each its oldest first. As
//! documented, what may succeed later is tried for 24 hours, and what cannot is given up at once; either way it is counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use roadstead_protocol::ApiError;
use roadstead_reconcile::{Action, Driver, Reconciler};

use super::destination;
use super::metrics::Counts;
use crate::Logs;
use crate::error::Result;
use crate::groups::{group_key, table};
use crate::lines::{FilterKey, Owed};
use crate::records::{OwedRecord, SubscriptionRecord};

/// Filters that are delivered to at a time.
const WORKERS: usize = 8;
/// Filters that are remembered; a resync finds what is more.
const MAX_FILTERS: usize = 100_000;
/// Deliveries of one round of a filter.
const AT_ONCE: usize = 16;
/// For so long it is tried.
const MAX_AGE: i64 = 86_400_000;
/// The waits double from the first to the longest. They are not kept over a restart, whose first round is at once.
const FIRST_WAIT: i64 = 1_000;
const LONGEST_WAIT: i64 = 300_000;

/// A destination that did not take what it was sent.
#[derive(Clone, Copy, Debug)]
struct Wait {
    failures: u32,
    due_at: Timestamp,
}

pub(crate) struct Deliveries {
    logs: Arc<Logs>,
    waits: Mutex<HashMap<FilterKey, Wait>>,
}

pub(crate) fn start(logs: &Arc<Logs>) -> Driver<FilterKey> {
    let options = roadstead_reconcile::Options {
        workers: WORKERS,
        max_keys: MAX_FILTERS,
        resync: Duration::from_secs(60),
        ..Default::default()
    };
    let driver = Driver::new("log subscriptions", options, Arc::new(Deliveries::of(logs)));
    if logs.deliveries.set(driver.handle()).is_err() {
        tracing::warn!("subscriptions are delivered to already; the second driver is told of nothing new");
    }
    driver
}

/// There is something to deliver.
pub(crate) fn tell(logs: &Logs, owed: &[Owed]) {
    if let Some(deliveries) = logs.deliveries.get() {
        owed.iter().for_each(|owed| deliveries.tell(owed.to));
    }
}

impl Deliveries {
    pub(crate) fn of(logs: &Arc<Logs>) -> Self {
        Self {
            logs: Arc::clone(logs),
            waits: Mutex::default(),
        }
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<FilterKey, Wait>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The filter, as it is now.
    async fn filter(
        &self,
        key: FilterKey,
        partition: &Partition,
        record: &OwedRecord,
    ) -> Result<Option<SubscriptionRecord>> {
        let found = table(&self.logs.store)
            .get(&group_key(partition, &record.group))
            .await?;
        let group = found
            .map(|entry| entry.value)
            .filter(|group| group.id == key.group);
        let filter = group.and_then(|mut group| group.subscriptions.remove(&record.filter));
        Ok(filter.filter(|filter| filter.id == key.filter))
    }

    /// After a failure; how long it is until the next try.
    fn later(&self, key: FilterKey, now: Timestamp) -> Duration {
        let mut waits = self.waits();
        let wait = waits.entry(key).or_insert(Wait {
            failures: 0,
            due_at: now,
        });
        wait.due_at = now.plus_millis((FIRST_WAIT << wait.failures.min(16)).min(LONGEST_WAIT));
        wait.failures += 1;
        until(now, wait.due_at)
    }
}

impl Reconciler for Deliveries {
    type Key = FilterKey;

    async fn reconcile(&self, key: &FilterKey) -> Result<Action, roadstead_reconcile::Error> {
        let logs = &self.logs;
        let now = logs.clock.now();
        let due_at = self.waits().get(key).map(|wait| wait.due_at);
        if let Some(due_at) = due_at.filter(|due_at| *due_at > now) {
            return Ok(Action::Again(until(now, due_at)));
        }
        let owed = logs.lines.owed(*key, AT_ONCE)?;
        let Some((_, oldest)) = owed.first() else {
            self.waits().remove(key);
            return Ok(Action::Done);
        };
        let partition = Partition {
            account: oldest.account.parse()?,
            region: oldest.region.parse()?,
        };
        let Some(filter) = self.filter(*key, &partition, oldest).await? else {
            logs.lines.forget_owed(*key).await?;
            self.waits().remove(key);
            return Ok(Action::Done);
        };
        let (mut counts, mut settled, mut stuck) = (Counts::default(), Vec::new(), false);
        for (number, record) in &owed {
            match destination::deliver(logs, &partition, record, &filter.destination).await {
                Ok(bytes) => {
                    counts.forwarded_events += record.events.len();
                    counts.forwarded_bytes += bytes;
                }
                Err(error) => {
                    counts.errors += record.events.len();
                    if error.is_throttling() {
                        counts.throttled += record.events.len();
                    }
                    stuck = error.is_transient() && now.0 - record.created_at.0 < MAX_AGE;
                    told(record, &filter, &error, stuck);
                    if stuck {
                        break;
                    }
                }
            }
            settled.push(*number);
        }
        logs.lines.settle(*key, &settled).await?;
        counts
            .publish(logs, &partition, &oldest.group, &oldest.filter)
            .await;
        if !settled.is_empty() {
            self.waits().remove(key);
        }
        if stuck {
            return Ok(Action::Again(self.later(*key, now)));
        }
        match owed.len() {
            AT_ONCE => Ok(Action::Again(Duration::ZERO)),
            _ => Ok(Action::Done),
        }
    }

    fn keys(&self) -> Vec<FilterKey> {
        self.logs.lines.creditors().unwrap_or_else(|error| {
            tracing::error!(%error, "what is owed to subscriptions could not be read");
            Vec::new()
        })
    }
}

fn told(record: &OwedRecord, filter: &SubscriptionRecord, error: &ApiError, again: bool) {
    let OwedRecord {
        group, filter: name, ..
    } = record;
    let (destination, lines) = (&filter.destination, record.events.len());
    if again {
        tracing::debug!(group, filter = name, destination, %error, "a subscription could not be delivered to yet");
    } else {
        tracing::warn!(group, filter = name, destination, lines, %error, "lines of a subscription are given up");
    }
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or_default())
}
