//! Pays what is owed: one reconciler over the deliveries that are written down. A delivery is gone once its target
//! took it, or once it is given up, which is said in the log.

mod ecs;
mod retry;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_dispatch::ActAs;
use roadstead_protocol::ApiError;
use roadstead_reconcile::{Action, Driver, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Transaction};
use serde_json::Value as Json;

use crate::envelope::seconds;
use crate::input::{Words, make};
use crate::names::rule_arn;
use crate::records::DeliveryRecord;
use crate::tables::{self, partition_of};
use crate::targets::accept::Kind;
use crate::{Events, PRINCIPAL};

/// Deliveries under way at a time.
const WORKERS: usize = 16;
/// A session that a delivery acts with lasts so many seconds.
const SESSION_SECONDS: u32 = 900;

/// How an attempt ended when it did not succeed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// May succeed later.
    ForNow(String),
    /// Will never succeed.
    ForGood(String),
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        let throttled = error.status == 429 || error.code.contains("Throttl");
        if error.status >= 500 || throttled {
            Self::ForNow(error.to_string())
        } else {
            Self::ForGood(error.to_string())
        }
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
            Ok(()) => finish(events, &entry).await,
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

async fn finish(
    events: &Events,
    entry: &Entry<DeliveryRecord>,
) -> Result<Action, roadstead_reconcile::Error> {
    // If somebody wrote it meanwhile, it was another who delivered it too; the target knows the delivery by its id.
    let _gone = Transaction::new(&events.store)
        .delete(&entry.key)
        .commit()
        .await?;
    Ok(Action::Done)
}

async fn failure(
    events: &Events,
    partition: &Partition,
    entry: &Entry<DeliveryRecord>,
    failed: Failed,
) -> Result<Action, roadstead_reconcile::Error> {
    let record = &entry.value;
    let now = events.clock.now();
    let (reason, due) = match failed {
        Failed::ForNow(reason) => {
            let due = retry::next(record, now);
            (reason, due)
        }
        Failed::ForGood(reason) => (reason, None),
    };
    let rule = rule_arn(partition, &record.bus, &record.rule);
    let Some(due_at) = due else {
        tracing::warn!(
            rule,
            target_id = record.target.id,
            target_arn = record.target.arn,
            attempts = record.failures + 1,
            reason,
            "an event could not be delivered and is given up"
        );
        return finish(events, entry).await;
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
        Outcome::Committed(_) => Ok(Action::Again(until(now, due_at))),
        Outcome::Conflict => Ok(Action::Done),
    }
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or_default())
}

/// Hands the event to its target, once.
async fn attempt(events: &Events, partition: &Partition, record: &DeliveryRecord) -> Result<(), Failed> {
    let event: Json = serde_json::from_str(&record.event)
        .map_err(|error| Failed::ForGood(format!("the event that was kept cannot be read: {error}")))?;
    let arn = rule_arn(partition, &record.bus, &record.rule);
    let ingestion_time = seconds(record.created_at);
    let words = Words {
        rule_arn: &arn,
        rule_name: &record.rule,
        ingestion_time: &ingestion_time,
    };
    let input = make(&record.target.input, &event, &words).map_err(Failed::ForGood)?;
    let own = events
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone());
    let kind = Kind::of(&own, &record.target.arn).map_err(|error| Failed::ForGood(error.to_string()))?;
    match kind {
        Kind::Ecs => {
            let ctx = as_role(events, &own, record, &arn)?;
            ecs::run(events, &ctx, record, &input).await
        }
        Kind::Bus(bus) => forward(events, &own, record, &bus, &event).await,
        Kind::Logs(group) => log(events, &own, record, &group, &input).await,
    }
}

/// The context of calls that the target's role makes.
fn as_role(events: &Events, own: &Ctx, record: &DeliveryRecord, rule: &str) -> Result<Ctx, Failed> {
    let Some(role) = &record.target.role_arn else {
        return Err(Failed::ForGood("the target needs a role and has none".into()));
    };
    let act = ActAs {
        role_arn: role,
        service: PRINCIPAL,
        session_name: &record.id,
        source_arn: Some(rule),
        seconds: SESSION_SECONDS,
    };
    events
        .dispatcher
        .assume_for_service(own, act)
        .map_err(|error| Failed::ForGood(error.to_string()))
}

/// To another bus: the event as it is, under the same id, which its rules' deliveries are known by.
async fn forward(
    events: &Events,
    own: &Ctx,
    record: &DeliveryRecord,
    bus: &str,
    event: &Json,
) -> Result<(), Failed> {
    events.bus(own, bus).await.map_err(|error| match error {
        crate::Error::Store(_) => Failed::ForNow(error.to_string()),
        other => Failed::ForGood(other.to_string()),
    })?;
    let id = event["id"].as_str().unwrap_or(&record.id);
    let owed = events.route(&own.partition(), bus, id, event);
    events
        .owe(&own.partition(), &owed)
        .await
        .map_err(|error| Failed::ForNow(error.to_string()))
}

/// To a log group: a stream of the rule's own, one line.
async fn log(
    events: &Events,
    own: &Ctx,
    record: &DeliveryRecord,
    group: &str,
    input: &str,
) -> Result<(), Failed> {
    let stream = format!("{}/{}", record.rule, record.target.id);
    let name =
        |group: &str, stream: &str| serde_json::json!({"logGroupName": group, "logStreamName": stream});
    let created = events
        .dispatcher
        .call_json("logs", "CreateLogStream", own, name(group, &stream))
        .await;
    match created {
        Ok(_) => {}
        Err(error) if error.code == "ResourceAlreadyExistsException" => {}
        Err(error) => return Err(error.into()),
    }
    let mut line = name(group, &stream);
    line["logEvents"] = serde_json::json!([{"timestamp": record.created_at.0, "message": input}]);
    events
        .dispatcher
        .call_json("logs", "PutLogEvents", own, line)
        .await?;
    Ok(())
}
