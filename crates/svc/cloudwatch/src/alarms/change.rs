//! The one way an alarm changes: decided on what is there, written only if that is still so, together with its
//! history, the event that tells of it and the actions that it owes.

use roadstead_api_cloudwatch::HistoryItemType;
use roadstead_base::{Partition, Timestamp};
use roadstead_store::{Entry, Key, Outcome, Revision, Transaction};
use serde_json::json;

use super::history::{self, HistoryRecord};
use super::records::{AlarmRecord, StateRecord};
use super::{actions, key, owed_of, published, table};
use crate::CloudWatch;
use crate::error::{Error, Result};

/// So often is a change decided anew when others changed the alarm meanwhile.
const MAX_TRIES: usize = 32;

/// What is to become of an alarm.
pub(super) enum Decided {
    Keep,
    Put(Box<AlarmRecord>, Act),
    Delete,
}

/// Whether the actions of its state are to be taken.
pub(super) enum Act {
    No,
    /// They are not, and it is the configuration that is new.
    Configured,
    /// It came from this state.
    From(StateRecord),
}

impl Decided {
    /// Another state, whose actions are taken.
    pub(super) fn transition(before: &AlarmRecord, after: AlarmRecord) -> Self {
        let act = if after.state.value == before.state.value {
            Act::No
        } else {
            Act::From(before.state.clone())
        };
        Self::Put(Box::new(after), act)
    }
}

impl StateRecord {
    /// The state with a new value, and when it came.
    pub(super) fn to(
        &self,
        value: roadstead_alarms::State,
        reason: String,
        reason_data: Option<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            value,
            reason,
            reason_data,
            updated_at: now,
            transitioned_at: if value == self.value {
                self.transitioned_at
            } else {
                now
            },
        }
    }
}

impl CloudWatch {
    /// Changes an alarm. The mirror shows it when this returns. Whether anything changed.
    pub(super) async fn change(
        &self,
        partition: &Partition,
        name: &str,
        mut decide: impl FnMut(Option<&AlarmRecord>) -> Result<Decided>,
    ) -> Result<bool> {
        let key = key(partition, name);
        for _ in 0..MAX_TRIES {
            let entry = table(&self.store).get(&key).await?;
            let decided = decide(entry.as_ref().map(|entry| &entry.value))?;
            let written = match decided {
                Decided::Keep => return Ok(false),
                Decided::Put(after, act) => self.put(partition, &key, entry.as_ref(), *after, act).await?,
                Decided::Delete => match &entry {
                    Some(entry) => self.delete(partition, entry).await?,
                    None => return Ok(false),
                },
            };
            if let Some(revision) = written {
                self.alarms.wait_for(revision).await?;
                return Ok(true);
            }
        }
        Err(Error::Contended)
    }

    /// None if somebody else was faster.
    async fn put(
        &self,
        partition: &Partition,
        key: &Key,
        before: Option<&Entry<AlarmRecord>>,
        mut after: AlarmRecord,
        act: Act,
    ) -> Result<Option<Revision>> {
        let now = self.clock.now();
        let version = before.map_or(0, |entry| entry.value.version);
        after.version = (version + 1).max(now.0.unsigned_abs());
        let alarms = table(&self.store);
        let mut transaction = match before {
            Some(entry) => Transaction::new(&self.store).replace(&alarms, entry, &after),
            None => Transaction::new(&self.store).insert(&alarms, key, &after),
        };
        let before = before.map(|entry| &entry.value);
        if matches!(act, Act::Configured) {
            let (what, operation) = match before {
                None => ("Create", "create"),
                Some(_) => ("Update", "update"),
            };
            let record = history::configured(partition, &after, what, now);
            transaction = record.add(transaction, self, partition, after.version);
            let event = published::configuration_change(partition, operation, before, &after, now);
            transaction = roadstead_outbox::add(transaction, &self.store, &event);
        }
        if let Some(before) = before
            && before.state.value != after.state.value
        {
            transaction = moved(before, &after, now).add(transaction, self, partition, after.version);
            let event = published::state_change(partition, before, &after, now);
            transaction = roadstead_outbox::add(transaction, &self.store, &event);
        }
        if let Act::From(from) = act {
            transaction = actions::owe(transaction, self, partition, &from, &after, now);
        }
        Ok(committed(transaction.commit().await?))
    }

    async fn delete(&self, partition: &Partition, entry: &Entry<AlarmRecord>) -> Result<Option<Revision>> {
        let now = self.clock.now();
        let mut gone = entry.value.clone();
        gone.version = (gone.version + 1).max(now.0.unsigned_abs());
        let mut transaction = Transaction::new(&self.store)
            .compare_unmodified(entry)
            .delete(&entry.key)
            .delete_below(&owed_of(partition, &gone.name));
        transaction = history::configured(partition, &gone, "Delete", now).add(
            transaction,
            self,
            partition,
            gone.version,
        );
        let event = published::configuration_change(partition, "delete", None, &gone, now);
        transaction = roadstead_outbox::add(transaction, &self.store, &event);
        Ok(committed(transaction.commit().await?))
    }
}

fn committed(outcome: Outcome) -> Option<Revision> {
    match outcome {
        Outcome::Committed(revision) => Some(revision),
        Outcome::Conflict => None,
    }
}

fn moved(before: &AlarmRecord, after: &AlarmRecord, at: Timestamp) -> HistoryRecord {
    let data = json!({
        "version": "1.0",
        "oldState": history::state(&before.state),
        "newState": history::state(&after.state),
    });
    let (from, to) = (before.state.value.as_str(), after.state.value.as_str());
    let summary = format!("Alarm updated from {from} to {to}");
    HistoryRecord::of(after, HistoryItemType::StateUpdate, at, summary, data)
}
