//! Takes events to the event service: one reconciler, whose keys are subjects. An event that was handed over and
//! not yet deleted when the daemon dies is handed over again.

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::SharedClock;
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::ApiError;
use roadstead_reconcile::{Action, Driver, Options, Reconciler};
use roadstead_store::{Entry, Key, Listing, Mirror, Store, Table, Transaction};
use serde_json::json;

use crate::{Event, lane, table};

const SERVICE: &str = "events";
/// Subjects that are worked on at a time.
const WORKERS: usize = 8;
const MAX_SUBJECTS: usize = 100_000;
/// Events of one subject in one look.
const AT_A_TIME: usize = 32;
/// Milliseconds for which an event waits first: what starts or stops a task makes several in a row, which then go
/// together, and no write of the outbox comes in between that it would have to wait for.
pub const LINGER: i64 = 200;
/// Milliseconds for which an event is tried when the event service fails: a day.
pub const MAX_AGE: i64 = 24 * 3_600_000;
/// While more events than this wait, those that fail are given up at once.
pub const MAX_WAITING: usize = 100_000;

struct Pump {
    store: Arc<dyn Store>,
    table: Table<Event>,
    waiting: Mirror<Event>,
    dispatcher: Arc<Dispatcher>,
    clock: SharedClock,
}

/// The pump at work. Dropping it stops it at once.
pub struct Running(Driver<Key>);

impl Running {
    /// Ends what is under way in order; what still waits is told after the next start.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}

/// Why an event was not taken.
enum Failed {
    ForNow(String),
    ForGood(String),
}

#[derive(Debug, thiserror::Error)]
#[error("handing the event {key} to the event service: {reason}; it is tried again")]
struct NotTaken {
    key: Key,
    reason: String,
}

/// Starts to empty the outbox, what an earlier daemon left in it first.
///
/// # Errors
/// The store cannot be read.
pub async fn start(
    store: &Arc<dyn Store>,
    dispatcher: &Arc<Dispatcher>,
    clock: SharedClock,
) -> roadstead_store::Result<Running> {
    let table = table(store);
    let waiting = Mirror::of(&table).await?;
    let changes = waiting.changes();
    let pump = Arc::new(Pump {
        store: store.clone(),
        table,
        waiting,
        dispatcher: dispatcher.clone(),
        clock,
    });
    let options = Options {
        workers: WORKERS,
        max_keys: MAX_SUBJECTS,
        resync: Duration::from_secs(60),
        ..Options::default()
    };
    let mut driver = Driver::new("outbox", options, pump);
    driver.follow(changes, |changed| {
        changed.after.is_some().then(|| lane(&changed.key))
    });
    Ok(Running(driver))
}

impl Reconciler for Pump {
    type Key = Key;

    async fn reconcile(&self, subject: &Key) -> Result<Action, roadstead_reconcile::Error> {
        // Of the store, not of the mirror: that may still show what the last look deleted.
        let listing = Listing {
            limit: Some(AT_A_TIME),
            ..Listing::default()
        };
        let page = self.table.list(subject, listing).await?;
        if let Some(first) = page.entries.first()
            && let Some(rest) = self.too_young(&first.value)
        {
            return Ok(Action::Again(rest));
        }
        let mut gone = Transaction::new(&self.store);
        let (mut failed, mut taken) = (None, 0);
        for entry in &page.entries {
            if let Err(error) = self.hand_over(entry).await {
                failed = Some(error);
                break;
            }
            gone = gone.delete(&entry.key);
            taken += 1;
        }
        if taken > 0 {
            let _unconditional = gone.commit().await?;
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        Ok(if page.next.is_some() {
            Action::Again(Duration::ZERO)
        } else {
            Action::Done
        })
    }

    fn keys(&self) -> Vec<Key> {
        let snapshot = self.waiting.snapshot();
        // In order of keys, so the events of a subject lie together.
        let mut subjects: Vec<Key> = snapshot.iter().map(|entry| lane(&entry.key)).collect();
        subjects.dedup();
        subjects
    }
}

impl Pump {
    /// How long the event is to wait still.
    fn too_young(&self, event: &Event) -> Option<Duration> {
        let age = self.clock.now().0 - event.at.0;
        let rest = (0..LINGER).contains(&age).then_some(LINGER - age)?;
        Some(Duration::from_millis(rest.unsigned_abs()))
    }

    /// Returns once the event service has the event, or it is given up, which is said in the log.
    async fn hand_over(&self, entry: &Entry<Event>) -> Result<(), NotTaken> {
        if !self.dispatcher.serves(SERVICE) {
            return Ok(());
        }
        let reason = match self.publish(&entry.value).await {
            Ok(()) => return Ok(()),
            Err(Failed::ForGood(reason)) => reason,
            Err(Failed::ForNow(reason)) => {
                let age = self.clock.now().0 - entry.value.at.0;
                if age < MAX_AGE && self.waiting.snapshot().len() <= MAX_WAITING {
                    let key = entry.key.clone();
                    return Err(NotTaken { key, reason });
                }
                reason
            }
        };
        tracing::warn!(
            subject = entry.value.subject,
            detail_type = entry.value.detail_type,
            reason,
            "the event service does not take an event, and it is given up"
        );
        Ok(())
    }

    async fn publish(&self, event: &Event) -> Result<(), Failed> {
        let Event {
            partition,
            source,
            detail_type,
            subject,
            number: _,
            at,
            detail,
        } = event;
        let ctx = self.dispatcher.internal_ctx(
            source.principal(),
            partition.account.clone(),
            partition.region.clone(),
        );
        let input = json!({"Entries": [{
            "Source": source.as_str(),
            "DetailType": detail_type,
            "Resources": [subject],
            "Time": at.as_seconds(),
            "Detail": detail.to_string(),
        }]});
        let answer = self
            .dispatcher
            .call_json(SERVICE, "PutEvents", &ctx, input)
            .await
            .map_err(refused)?;
        let result = &answer["Entries"][0];
        let Some(code) = result["ErrorCode"].as_str() else {
            return Ok(());
        };
        let reason = format!("{code}: {}", result["ErrorMessage"].as_str().unwrap_or_default());
        Err(match code {
            "ThrottlingException" | "InternalFailure" => Failed::ForNow(reason),
            _ => Failed::ForGood(reason),
        })
    }
}

fn refused(error: ApiError) -> Failed {
    let busy = error.status == 429 || error.code.contains("Throttl") || error.code.contains("LimitExceeded");
    let reason = error.to_string();
    if busy || error.status >= 500 {
        Failed::ForNow(reason)
    } else {
        Failed::ForGood(reason)
    }
}
