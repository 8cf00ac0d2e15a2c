//! What the service tells the world of its tasks and container instances: each change of state is an event on the
//! default bus. The event goes into the transaction that makes the change, so that neither is ever without the
//! other. Source: the developer guide, "Amazon ECS task state change events".

use std::sync::Arc;

use roadstead_base::{Partition, Timestamp};
use roadstead_outbox::{Event, Source};
use roadstead_protocol::Value;
use roadstead_store::Transaction;
use serde_json::Value as Json;

use crate::Ecs;
use crate::error::Result;
use crate::stored::{Shaped, shown};

/// A change of what an ARN names.
pub(crate) struct StateChange<'a, T> {
    pub(crate) partition: &'a Partition,
    pub(crate) detail_type: &'static str,
    pub(crate) arn: String,
    /// Of the record that the same transaction writes.
    pub(crate) version: i64,
    /// What it is now, as the API shows it.
    pub(crate) now: T,
}

/// Lets the transaction that makes a change tell of it.
pub(crate) fn tell<T: Shaped>(
    ecs: &Ecs,
    transaction: Transaction,
    change: StateChange<'_, T>,
) -> Result<Transaction> {
    let StateChange {
        partition,
        detail_type,
        arn,
        version,
        now,
    } = change;
    let at = ecs.clock.now();
    let event = Event {
        partition: partition.clone(),
        source: Source::Ecs,
        detail_type: detail_type.to_owned(),
        number: version.unsigned_abs(),
        at,
        detail: detail(&arn, at, now)?,
        subject: arn,
    };
    Ok(roadstead_outbox::add(transaction, &ecs.store, &event))
}

/// The API's structure with its times as text, which is how events tell time.
fn detail<T: Shaped>(arn: &str, at: Timestamp, now: T) -> Result<Json> {
    let shown = shown::<T>(dated(now.into_value()));
    let mut detail = shown.map_err(|source| roadstead_store::Error::Encode {
        key: format!("event of {arn}"),
        source: Arc::new(source),
    })?;
    detail["updatedAt"] = at.to_rfc3339().into();
    Ok(detail)
}

fn dated(value: Value) -> Value {
    match value {
        Value::Time(seconds) => Value::Str(Timestamp::from_seconds(seconds).to_rfc3339()),
        Value::List(items) => Value::List(items.into_iter().map(dated).collect()),
        Value::Map(fields) => Value::Map(
            fields
                .into_iter()
                .map(|(name, value)| (name, dated(value)))
                .collect(),
        ),
        scalar => scalar,
    }
}
