//! Pays what is owed: one reconciler over the deliveries that are written down. A delivery is gone once its target
//! took it, or once it is given up, which is said in the log.

mod bus;
mod dead;
mod ecs;
pub(crate) mod kinds;
mod lambda;
mod logs;
mod retry;
mod sns;
mod sqs;
mod states;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Arn, Ctx, Partition, Timestamp};
use roadstead_dispatch::ActAs;
use roadstead_protocol::ApiError;
use roadstead_reconcile::{Action, Driver, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Transaction};
use serde_json::Value as Json;

use crate::counts::Metric;
use crate::deliver::kinds::Kind;
use crate::envelope::seconds;
use crate::input::{Words, make};
use crate::names::rule_arn;
use crate::records::{DeadRecord, DeliveryRecord};
use crate::tables::{self, partition_of};
use crate::{Events, PRINCIPAL};

/// Deliveries under way at a time.
const WORKERS: usize = 16;
/// A session that a delivery acts with lasts so many seconds.
const SESSION_SECONDS: u32 = 900;

/// How an attempt ended when it did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// May succeed later.
    ForNow { code: String, reason: String },
    /// Will never succeed.
    ForGood { code: String, reason: String },
}

impl Failed {
    fn for_now(code: &str, reason: impl Into<String>) -> Self {
        Self::ForNow {
            code: code.to_owned(),
            reason: reason.into(),
        }
    }

    fn for_good(code: &str, reason: impl Into<String>) -> Self {
        Self::ForGood {
            code: code.to_owned(),
            reason: reason.into(),
        }
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        if error.is_throttling() || error.code == "LimitExceededException" {
            return Self::for_now("THROTTLING", error.to_string());
        }
        if error.status >= 500 {
            return Self::for_now("ERROR_FROM_TARGET", error.to_string());
        }
        let denied = error.code.contains("AccessDenied") || error.code.contains("Unauthorized");
        let missing = ["NotFound", "NonExistent", "DoesNotExist"];
        let missing = missing.iter().any(|word| error.code.contains(word));
        let code = match (denied, missing) {
            (true, _) => "NO_PERMISSIONS",
            (false, true) => "NO_RESOURCE",
            (false, false) => "SDK_CLIENT_ERROR",
        };
        Self::for_good(code, error.to_string())
    }
}

struct Deliveries(Arc<Events>);

pub(crate) fn start(events: &Arc<Events>) -> Driver<Key> {
    let options = roadstead_reconcile::Options {
        workers: WORKERS,
        max_keys: events.options.max_owed,
        resync: Duration::from_secs(60),
        ..Default::default()
    };
    let mut driver = Driver::new(
        "events deliveries",
        options,
        Arc::new(Deliveries(Arc::clone(events))),
    );
    driver.follow(events.owed.changes(), |changed| {
        changed.after.is_some().then(|| changed.key.clone())
    });
    driver
}

impl Reconciler for Deliveries {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, roadstead_reconcile::Error> {
        let events = &self.0;
        let (Some(entry), Some(partition)) = (events.owed.get(key), partition_of(key)) else {
            return Ok(Action::Done);
        };
        let now = events.clock.now();
        if entry.value.due_at > now {
            return Ok(Action::Again(until(now, entry.value.due_at)));
        }
        match attempt(events, &partition, &entry.value).await {
            Ok(()) => {
                finish(events, &entry).await?;
                let metric = match entry.value.dead {
                    Some(_) => Metric::InvocationsSentToDlq,
                    None => Metric::Invocations,
                };
                count(events, &partition, &entry.value, metric);
                Ok(Action::Done)
            }
            Err(failed) => failure(events, &partition, &entry, failed).await,
        }
    }

    fn keys(&self) -> Vec<Key> {
        self.0
            .owed
            .snapshot()
            .iter()
            .map(|entry| entry.key.clone())
            .collect()
    }
}

fn count(events: &Events, partition: &Partition, record: &DeliveryRecord, metric: Metric) {
    let now = events.clock.now();
    events
        .counts
        .add(partition, &record.bus, &record.rule, metric, 1, now);
}

async fn finish(events: &Events, entry: &Entry<DeliveryRecord>) -> Result<(), roadstead_reconcile::Error> {
    // If somebody wrote it meanwhile, it was another who delivered it too; the target knows the delivery by its id.
    let gone = Transaction::new(&events.store).delete(&entry.key);
    if let Outcome::Committed(revision) = gone.commit().await? {
        // Who is told late of an earlier change looks at it once more: it must not be there then.
        events.owed.wait_for(revision).await?;
    }
    Ok(())
}

async fn failure(
    events: &Events,
    partition: &Partition,
    entry: &Entry<DeliveryRecord>,
    failed: Failed,
) -> Result<Action, roadstead_reconcile::Error> {
    let record = &entry.value;
    let now = events.clock.now();
    let (code, reason, due) = match failed {
        Failed::ForNow { code, reason } => (code, reason, retry::next(record, now).map_err(Some)),
        Failed::ForGood { code, reason } => (code, reason, Err(None)),
    };
    let rule = rule_arn(partition, &record.bus, &record.rule);
    let due_at = match due {
        Ok(due_at) => due_at,
        Err(exhausted) => return give_up(events, partition, entry, (code, reason, exhausted)).await,
    };
    let later = DeliveryRecord {
        failures: record.failures + 1,
        due_at,
        ..record.clone()
    };
    tracing::debug!(rule, reason, due = %seconds(due_at), "an event could not be delivered yet");
    let written = Transaction::new(&events.store)
        .replace(&tables::deliveries(&events.store), entry, &later)
        .commit()
        .await?;
    match written {
        Outcome::Committed(revision) => {
            // What is looked at next is not due yet.
            events.owed.wait_for(revision).await?;
            Ok(Action::Again(until(now, due_at)))
        }
        Outcome::Conflict => Ok(Action::Done),
    }
}

/// Not to the target any more: to its dead-letter queue, if it has one and that is not what failed.
async fn give_up(
    events: &Events,
    partition: &Partition,
    entry: &Entry<DeliveryRecord>,
    (code, reason, exhausted): (String, String, Option<retry::Exhausted>),
) -> Result<Action, roadstead_reconcile::Error> {
    let record = &entry.value;
    let rule = rule_arn(partition, &record.bus, &record.rule);
    tracing::warn!(
        rule,
        target_id = record.target.id,
        target_arn = record.target.arn,
        dead_letters = record.target.dead_letters,
        attempts = record.failures + 1,
        code,
        reason,
        was_dead = record.dead.is_some(),
        "an event could not be delivered and is given up"
    );
    if record.dead.is_some() {
        finish(events, entry).await?;
        count(events, partition, record, Metric::InvocationsFailedToBeSentToDlq);
        return Ok(Action::Done);
    }
    if record.target.dead_letters.is_none() {
        finish(events, entry).await?;
        count(events, partition, record, Metric::Invocations);
        count(events, partition, record, Metric::FailedInvocations);
        return Ok(Action::Done);
    }
    let now = events.clock.now();
    let dead = DeliveryRecord {
        dead: Some(DeadRecord {
            code,
            message: reason,
            exhausted: exhausted.map(str::to_owned),
            retries: record.failures,
            at: now,
        }),
        failures: 0,
        due_at: now,
        ..record.clone()
    };
    let written = Transaction::new(&events.store)
        .replace(&tables::deliveries(&events.store), entry, &dead)
        .commit()
        .await?;
    if let Outcome::Committed(revision) = written {
        count(events, partition, record, Metric::Invocations);
        count(events, partition, record, Metric::FailedInvocations);
        // What is looked at next is the letter.
        events.owed.wait_for(revision).await?;
    }
    Ok(Action::Again(Duration::ZERO))
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or_default())
}

/// An event on its way to a target.
pub(crate) struct Delivery<'a> {
    events: &'a Events,
    /// The service itself.
    own: &'a Ctx,
    record: &'a DeliveryRecord,
    rule_arn: &'a str,
    event: &'a Json,
    /// What the target gets of it.
    input: &'a str,
}

impl Delivery<'_> {
    fn arn(&self) -> Result<Arn, Failed> {
        let arn = &self.record.target.arn;
        arn.parse()
            .map_err(|_| Failed::for_good("INVALID_PARAMETER", format!("{arn} is no ARN")))
    }

    /// Who calls a target that has a policy of its own: its role if it has one, otherwise the service for the rule.
    fn guest(&self) -> Result<Ctx, Failed> {
        match &self.record.target.role_arn {
            Some(_) => self.caller(),
            None => Ok(self.for_rule()),
        }
    }

    /// The service for the rule, which the target's policy must let in.
    fn for_rule(&self) -> Ctx {
        let Ctx { account, region, .. } = self.own;
        self.events
            .dispatcher
            .ctx_for_source(PRINCIPAL, account.clone(), region.clone(), self.rule_arn)
    }

    /// Who calls the target: its role if it has one, otherwise the service.
    fn caller(&self) -> Result<Ctx, Failed> {
        let Some(role) = &self.record.target.role_arn else {
            return Ok(self.own.clone());
        };
        let act = ActAs {
            role_arn: role,
            service: PRINCIPAL,
            session_name: &self.record.id,
            source_arn: Some(self.rule_arn),
            seconds: SESSION_SECONDS,
        };
        self.events
            .dispatcher
            .assume_for_service(self.own, act)
            .map_err(|error| Failed::for_good("FAILED_TO_ASSUME_ROLE", error.to_string()))
    }
}

/// Hands the event to its target, once.
async fn attempt(events: &Events, partition: &Partition, record: &DeliveryRecord) -> Result<(), Failed> {
    let invalid = |error: String| Failed::for_good("INVALID_PARAMETER", error);
    let event: Json = serde_json::from_str(&record.event)
        .map_err(|error| invalid(format!("the event that was kept cannot be read: {error}")))?;
    let rule_arn = rule_arn(partition, &record.bus, &record.rule);
    let ingestion_time = seconds(record.created_at);
    let words = Words {
        rule_arn: &rule_arn,
        rule_name: &record.rule,
        ingestion_time: &ingestion_time,
    };
    let own = events
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone());
    let mut delivery = Delivery {
        events,
        own: &own,
        record,
        rule_arn: &rule_arn,
        event: &event,
        input: "",
    };
    if let (Some(dead), Some(queue)) = (&record.dead, &record.target.dead_letters) {
        return dead::send(&delivery, queue, dead).await;
    }
    let input = make(&record.target.input, &event, &words).map_err(invalid)?;
    delivery.input = &input;
    let kind = Kind::of(&record.target.arn).map_err(|error| invalid(error.to_string()))?;
    (kind.deliver)(&delivery).await
}
