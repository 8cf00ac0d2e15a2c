//! Asynchronous invocations: written down before the caller is answered, tried until they succeed, failed three times or
//! are too old; then the event goes to the function's dead-letter queue and a record of the invocation to its
//! destination, where it has them. One reconciler over what is owed.
//! Source: "Invoking a Lambda function asynchronously" and its pages on errors and retries and on records, in the
//! developer guide.

mod attempt;
mod deliver;
mod owed;
mod record;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Ctx, Partition};
use roadstead_reconcile::{Action, Driver, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Transaction};

pub(crate) use self::owed::Owed;
use self::turns::Turns;
use crate::Lambda;
use crate::accept;
use crate::counts::{Metric, Of};
use crate::error::{Error, Result};
use crate::names::Named;
use crate::records::{self, EventRecord, partition_of};

/// Attempts under way at a time, of all functions.
const WORKERS: usize = 400;
/// Events of an account that wait; beyond that callers are told to slow down.
pub(crate) const MAX_OWED: usize = 100_000;
/// And bytes of them.
pub(crate) const MAX_OWED_BYTES: u64 = 256 * 1024 * 1024;
/// Between attempts in which the code did not come to run: doubling between these.
const SETBACK_MILLIS: [i64; 2] = [1_000, 300_000];
impl Lambda {
    /// Writes an event down.
    pub(crate) async fn owe(&self, ctx: &Ctx, named: &Named, payload: &[u8]) -> Result<()> {
        let now = self.clock.now();
        let record = EventRecord {
            id: ctx.request_id.clone(),
            function: named.name.clone(),
            qualifier: named.qualifier.clone(),
            payload: String::from_utf8_lossy(payload).into_owned(),
            accepted_at: now,
            due_at: now,
            failures: 0,
            setbacks: 0,
            owed: None,
        };
        let table = records::events(&self.store);
        // Its own, as a caller from within may have made several calls by one context.
        let key = table.key(&ctx.partition(), roadstead_base::random_uuid());
        if !self
            .owed
            .add(&key, &record, self.options.owed_events, self.options.owed_bytes)
        {
            return Err(Error::Throttled("ConcurrentInvocationLimitExceeded"));
        }
        let written = table.insert(&key, &record).await;
        written.inspect_err(|_| self.owed.set(&key, None))?;
        let of = Of::event(&ctx.partition(), &named.name, named.qualifier.as_deref());
        self.count(&of, Metric::AsyncEventsReceived, 1.0);
        Ok(())
    }
}

struct Events {
    lambda: Arc<Lambda>,
    turns: Turns,
}

pub(crate) fn start(lambda: &Arc<Lambda>) -> Driver<Key> {
    let options = roadstead_reconcile::Options {
        workers: WORKERS,
        max_keys: MAX_OWED,
        resync: Duration::from_secs(60),
        // What is run again has ended.
        timeout: roadstead_functions::longest(Duration::from_secs(accept::MAX_TIMEOUT.unsigned_abs().into())),
        ..Default::default()
    };
    let turns = Turns::default();
    let events = Events {
        lambda: Arc::clone(lambda),
        turns: turns.clone(),
    };
    let mut driver = Driver::new("lambda events", options, Arc::new(events));
    turns.tell(driver.handle());
    driver.follow(lambda.events.changes(), |changed| {
        changed.after.is_some().then(|| changed.key.clone())
    });
    driver
}

impl Reconciler for Events {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, roadstead_reconcile::Error> {
        let lambda = &self.lambda;
        let (Some(entry), Some(partition)) = (lambda.events.get(key), partition_of(key)) else {
            return Ok(Action::Done);
        };
        let wait = entry.value.due_at.0 - lambda.clock.now().0;
        if wait > 0 {
            return Ok(Action::Again(Duration::from_millis(
                u64::try_from(wait).unwrap_or_default(),
            )));
        }
        let later = match &entry.value.owed {
            Some(owed) => deliver::hand_over(lambda, &partition, &entry.value, owed).await,
            None => {
                let function = lambda.function_key(&partition, &entry.value.function);
                let Some(_turn) = self.turns.begin(&function, key) else {
                    return Ok(Action::Done);
                };
                attempt::attempt(lambda, &partition, &entry.value).await
            }
        };
        settle(lambda, &partition, &entry, later).await
    }

    fn keys(&self) -> Vec<Key> {
        self.lambda
            .events
            .snapshot()
            .iter()
            .map(|entry| entry.key.clone())
            .collect()
    }
}

/// Writes down what is left, each to be dealt with by itself; the first takes the event's place.
async fn settle(
    lambda: &Lambda,
    partition: &Partition,
    entry: &Entry<EventRecord>,
    later: Vec<EventRecord>,
) -> Result<Action, roadstead_reconcile::Error> {
    let table = records::events(&lambda.store);
    let mut later = later.into_iter();
    let first = later.next();
    // Before the event is gone, and under keys that a second time has again; two may be too large for one transaction.
    for (number, other) in later.enumerate() {
        let key = table.key(partition, format!("{}-{number}", entry.key.name()));
        lambda.owed.set(&key, Some(&other));
        let written = Transaction::new(&lambda.store).put(&table, &key, &other);
        let _put = written.commit().await?;
    }
    lambda.owed.set(&entry.key, first.as_ref());
    let Some(first) = first else {
        let gone = Transaction::new(&lambda.store).delete(&entry.key);
        if let Outcome::Committed(revision) = gone.commit().await? {
            // Nobody looks at it once more.
            lambda.events.wait_for(revision).await?;
        }
        return Ok(Action::Done);
    };
    let written = Transaction::new(&lambda.store)
        .replace(&table, entry, &first)
        .commit()
        .await?;
    if let Outcome::Committed(revision) = written {
        // What is looked at next is what was written.
        lambda.events.wait_for(revision).await?;
    }
    Ok(Action::Again(Duration::ZERO))
}

/// It did not come to anything: later again.
fn later(lambda: &Lambda, event: &EventRecord) -> EventRecord {
    let [first, longest] = SETBACK_MILLIS;
    let wait = first.saturating_mul(1 << event.setbacks.min(20)).min(longest);
    EventRecord {
        setbacks: event.setbacks + 1,
        due_at: lambda.clock.now().plus_millis(wait),
        ..event.clone()
    }
}
