//! Alarms: what is watched, the state that it is in, what it did. An alarm is one record with its state; each change
//! of it is one transaction with what it leaves in the history, what it tells the event bus and the actions it owes.

pub(crate) mod accept;
pub(crate) mod actions;
pub(crate) mod change;
pub(crate) mod composite;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod for_metric;
pub(crate) mod history;
pub(crate) mod metric;
pub(crate) mod published;
pub(crate) mod put_composite;
pub(crate) mod put_metric;
pub(crate) mod reason;
pub(crate) mod records;
pub(crate) mod set_state;
pub(crate) mod show;
pub(crate) mod switch;
pub(crate) mod watch;

use std::sync::Arc;

use roadstead_base::{Arn, Partition, Timestamp};
use roadstead_store::{Key, Store, Table};

use self::actions::ActionRecord;
use self::history::HistoryRecord;
use self::records::AlarmRecord;

const ALARMS: &str = "cloudwatch-alarm";
const HISTORY: &str = "cloudwatch-history";
const ACTIONS: &str = "cloudwatch-action";

pub(crate) fn table(store: &Arc<dyn Store>) -> Table<AlarmRecord> {
    Table::new(Arc::clone(store), ALARMS)
}

pub(crate) fn histories(store: &Arc<dyn Store>) -> Table<HistoryRecord> {
    Table::new(Arc::clone(store), HISTORY)
}

pub(crate) fn owed(store: &Arc<dyn Store>) -> Table<ActionRecord> {
    Table::new(Arc::clone(store), ACTIONS)
}

/// Above every alarm of an account in a region.
pub(crate) fn all(partition: &Partition) -> Key {
    Key::of(partition).child(ALARMS)
}

pub(crate) fn key(partition: &Partition, name: &str) -> Key {
    all(partition).child(name)
}

/// Above the history of every alarm.
pub(crate) fn all_history(partition: &Partition) -> Key {
    Key::of(partition).child(HISTORY)
}

/// Above the actions that an alarm owes.
pub(crate) fn owed_of(partition: &Partition, name: &str) -> Key {
    Key::of(partition).child(ACTIONS).child(name)
}

pub(crate) fn arn(partition: &Partition, name: &str) -> String {
    Arn::new(
        "cloudwatch",
        &partition.region,
        &partition.account,
        format!("alarm:{name}"),
    )
    .to_string()
}

/// The name of an alarm of this account and region, from its name or its ARN; none if it is another's.
pub(crate) fn name_of<'a>(partition: &Partition, given: &'a str) -> Option<&'a str> {
    match given.strip_prefix("arn:") {
        None => Some(given),
        Some(_) => given.strip_prefix(arn(partition, "").as_str()),
    }
}

/// The account and region that a key lies in.
pub(crate) fn partition_of(key: &Key) -> Option<Partition> {
    let mut segments = key.segments();
    Some(Partition {
        account: segments.next()?.parse().ok()?,
        region: segments.next()?.parse().ok()?,
    })
}

/// As CloudWatch tells times in reasons, events and messages: `2026-11-24T10:00:00.000+0000`.
pub(crate) fn told(time: Timestamp) -> String {
    time.to_rfc3339().replace('Z', "+0000")
}
