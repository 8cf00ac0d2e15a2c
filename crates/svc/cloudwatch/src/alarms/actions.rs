//! Actions that alarms owe: written down with the change of state, tried by a reconciler until they are taken or given
//! up, and either way told in the alarm's history.

mod calls;
mod words;

use std::sync::Arc;
use std::time::Duration;

use roadstead_api_cloudwatch::HistoryItemType;
use roadstead_base::{Partition, Timestamp};
use roadstead_protocol::ApiError;
use roadstead_reconcile::{Action, Driver, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::history::HistoryRecord;
use super::records::{AlarmRecord, StateRecord};
use super::{owed, owed_of, partition_of};
use crate::CloudWatch;

/// Actions under way at a time.
const WORKERS: usize = 8;
const MAX_OWED: usize = 100_000;
/// An action is tried so often in all, with waits that double from the first.
const ATTEMPTS: u32 = 6;
const FIRST_WAIT: i64 = 2_000;

/// A call that is owed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ActionRecord {
    pub alarm: String,
    /// By the API's name.
    pub alarm_type: String,
    pub arn: String,
    /// Of the alarm's change.
    pub number: u64,
    pub call: Call,
    pub state_at: Timestamp,
    /// Attempts that failed.
    pub failures: u32,
    /// Not to be tried before.
    pub due_at: Timestamp,
}

/// A call by names, in JSON by the model of the service called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub service: String,
    pub operation: String,
    /// Who calls.
    pub principal: Principal,
    pub input: Json,
    /// What history tells of it.
    pub published: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Principal {
    CloudWatch,
    /// For functions.
    Alarms,
}

impl Principal {
    fn name(self) -> &'static str {
        match self {
            Self::CloudWatch => "cloudwatch.amazonaws.com",
            Self::Alarms => "lambda.alarms.cloudwatch.amazonaws.com",
        }
    }
}

/// Adds the actions of an alarm's state to the transaction that leads there.
pub(super) fn owe(
    mut transaction: Transaction,
    metrics: &CloudWatch,
    partition: &Partition,
    from: &StateRecord,
    alarm: &AlarmRecord,
    now: Timestamp,
) -> Transaction {
    if !alarm.actions_enabled {
        return transaction;
    }
    for (index, arn) in alarm.actions(alarm.state.value).iter().enumerate() {
        let record = ActionRecord {
            alarm: alarm.name.clone(),
            alarm_type: alarm.kind().to_owned(),
            arn: arn.clone(),
            number: alarm.version,
            call: calls::of(partition, arn, from, alarm),
            state_at: alarm.state.updated_at,
            failures: 0,
            due_at: now,
        };
        let key = owed_of(partition, &alarm.name).child(format!("{:020}-{index}", alarm.version));
        transaction = transaction.put(&owed(&metrics.store), &key, &record);
    }
    transaction
}

struct Actions(Arc<CloudWatch>);

pub(crate) fn start(metrics: &Arc<CloudWatch>) -> Driver<Key> {
    let options = roadstead_reconcile::Options {
        workers: WORKERS,
        max_keys: MAX_OWED,
        resync: Duration::from_secs(60),
        ..Default::default()
    };
    let mut driver = Driver::new("alarm actions", options, Arc::new(Actions(Arc::clone(metrics))));
    driver.follow(metrics.owed.changes(), |changed| {
        changed.after.is_some().then(|| changed.key.clone())
    });
    driver
}

/// Every action that is owed and due, once: what the driver does, for tests.
#[cfg(test)]
pub(crate) async fn once(metrics: &Arc<CloudWatch>) {
    let actions = Actions(Arc::clone(metrics));
    for key in actions.keys() {
        actions.reconcile(&key).await.expect("reconciled");
    }
}

impl Reconciler for Actions {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, roadstead_reconcile::Error> {
        let metrics = &self.0;
        let (found, partition) = (owed(&metrics.store).get(key).await?, partition_of(key));
        let (Some(entry), Some(partition)) = (found, partition) else {
            return Ok(Action::Done);
        };
        let now = metrics.clock.now();
        if entry.value.due_at > now {
            return Ok(Action::Again(until(now, entry.value.due_at)));
        }
        match attempt(metrics, &partition, &entry.value).await {
            Ok(()) => tell(metrics, &partition, &entry, None).await,
            Err(error) if error.is_transient() && entry.value.failures + 1 < ATTEMPTS => {
                later(metrics, &entry, now).await
            }
            Err(error) => tell(metrics, &partition, &entry, Some(&error)).await,
        }
    }

    fn keys(&self) -> Vec<Key> {
        let snapshot = self.0.owed.snapshot();
        snapshot.iter().map(|entry| entry.key.clone()).collect()
    }
}

async fn attempt(metrics: &CloudWatch, partition: &Partition, record: &ActionRecord) -> Result<(), ApiError> {
    let Call {
        service,
        operation,
        principal,
        input,
        published: _,
    } = &record.call;
    let dispatcher = &metrics.dispatcher;
    if !dispatcher.serves(service) {
        // Trying again would not make it run.
        return Err(ApiError::client(
            "ServiceUnavailable",
            format!("{service} is not running here"),
        ));
    }
    let (account, region) = (partition.account.clone(), partition.region.clone());
    let ctx = match service.as_str() {
        // Topics and functions say in their own policies which alarms they take.
        "sns" | "lambda" => {
            let alarm = super::arn(partition, &record.alarm);
            dispatcher.ctx_for_source(principal.name(), account, region, &alarm)
        }
        _ => dispatcher.internal_ctx(principal.name(), account, region),
    };
    dispatcher
        .call_json(service, operation, &ctx, input.clone())
        .await
        .map(|_| ())
}

async fn later(
    metrics: &CloudWatch,
    entry: &Entry<ActionRecord>,
    now: Timestamp,
) -> Result<Action, roadstead_reconcile::Error> {
    let mut record = entry.value.clone();
    record.due_at = now.plus_millis(FIRST_WAIT << record.failures.min(16));
    record.failures += 1;
    let written = Transaction::new(&metrics.store)
        .replace(&owed(&metrics.store), entry, &record)
        .commit()
        .await?;
    match written {
        Outcome::Committed(_) => Ok(Action::Again(until(now, record.due_at))),
        Outcome::Conflict => Ok(Action::Done),
    }
}

/// Ends an action, and says in the history how it went.
async fn tell(
    metrics: &CloudWatch,
    partition: &Partition,
    entry: &Entry<ActionRecord>,
    error: Option<&ApiError>,
) -> Result<Action, roadstead_reconcile::Error> {
    let record = &entry.value;
    let said = error.map(|error| format!("{}: {}", error.code, error.message));
    let summary = match &said {
        None => format!("Successfully executed action {}", record.arn),
        Some(said) => format!(
            "Failed to execute action {}. Received error: \"{said}\"",
            record.arn
        ),
    };
    let data = json!({
        "actionState": if said.is_none() { "Succeeded" } else { "Failed" },
        "notificationResource": record.arn,
        "stateUpdateTimestamp": record.state_at.0,
        "publishedMessage": record.call.published,
        "error": said,
    });
    let alarm = (record.alarm.as_str(), record.alarm_type.as_str());
    let history = HistoryRecord::new(alarm, HistoryItemType::Action, metrics.clock.now(), summary, data);
    let index = entry
        .key
        .name()
        .rsplit('-')
        .next()
        .and_then(|index| index.parse::<u64>().ok());
    let transaction = Transaction::new(&metrics.store)
        .compare_unmodified(entry)
        .delete(&entry.key);
    // If the alarm was deleted meanwhile, with what it owed, there is nothing left to tell.
    let _told_or_gone = history
        .add(
            transaction,
            metrics,
            partition,
            record.number + index.unwrap_or_default(),
        )
        .commit()
        .await?;
    Ok(Action::Done)
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(due.0 - now.0).unwrap_or_default())
}
