//! One schedule at one moment.

use jiff::SignedDuration;
use roadstead_base::{Partition, Timestamp, derived_hex};
use roadstead_schedule::{Due, Schedule, due};
use roadstead_store::{Entry, Outcome, Transaction};
use serde_json::json;

use crate::Events;
use crate::counts::Metric;
use crate::envelope::Event;
use crate::error::Result;
use crate::names::rule_arn;
use crate::records::{CursorRecord, DeliveryRecord, RuleRecord};
use crate::tables::{self, cursor_key, delivery_key, partition_of};

/// Owes what ticked up to now. When to ask again; none if there is no further tick.
pub(crate) async fn answer(
    events: &Events,
    entry: &Entry<RuleRecord>,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let Some(partition) = partition_of(&entry.key) else {
        return Ok(None);
    };
    let rule = &entry.value;
    let key = cursor_key(&partition, &rule.bus, &rule.name);
    let cursors = tables::cursors(&events.store);
    let cursor = cursors.get(&key).await?;
    let mark = cursor
        .as_ref()
        .filter(|cursor| cursor.value.anchor == rule.anchor)
        .map_or(rule.anchor, |cursor| cursor.value.mark);
    let patience = SignedDuration::try_from(events.options.patience).unwrap_or(SignedDuration::MAX);
    let most = events.options.most_late_ticks;
    let Due {
        fire,
        missed,
        mark: answered,
        next,
    } = due(
        schedule,
        moment(rule.anchor),
        moment(mark),
        moment(now),
        patience,
        most,
    );
    let next = next.map(|next| Timestamp(next.as_millisecond()));
    let Some(answered) = answered else {
        return Ok(next);
    };
    let owed: Vec<DeliveryRecord> = fire
        .iter()
        .flat_map(|tick| owed(events, &partition, rule, Timestamp(tick.as_millisecond())))
        .collect();
    let record = CursorRecord {
        anchor: rule.anchor,
        mark: Timestamp(answered.as_millisecond()),
    };
    // Only if the rule is still what was looked at, and nobody else answered.
    let mut transaction = Transaction::new(&events.store).compare_unmodified(entry);
    transaction = match &cursor {
        Some(cursor) => transaction.compare_unmodified(cursor),
        None => transaction.compare_absent(&key),
    };
    transaction = transaction.put(&cursors, &key, &record);
    let deliveries = tables::deliveries(&events.store);
    for record in &owed {
        transaction = transaction.put(&deliveries, &delivery_key(&partition, &record.id), record);
    }
    match transaction.commit().await? {
        Outcome::Committed(_) => {
            let ran = fire.len() as u64;
            let (bus, name) = (&rule.bus, &rule.name);
            events.counts.add(
                &partition,
                bus,
                name,
                Metric::TriggeredRules,
                ran,
                events.clock.now(),
            );
            if missed > 0 {
                tracing::warn!(rule = %entry.key, missed, "ticks of a schedule were missed and are too old to make up for");
            }
            Ok(next)
        }
        // Look again at once.
        Outcome::Conflict => Ok(Some(now)),
    }
}

fn owed(events: &Events, partition: &Partition, rule: &RuleRecord, tick: Timestamp) -> Vec<DeliveryRecord> {
    let arn = rule_arn(partition, &rule.bus, &rule.name);
    // The same for the same tick, so that nothing can make two of it.
    let hex = derived_hex(&arn, &format!("tick {}", tick.0), 32);
    let id = format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    );
    let event = Event {
        id: id.clone(),
        source: "aws.events".into(),
        detail_type: "Scheduled Event".into(),
        time: tick,
        resources: vec![arn],
        detail: json!({}),
    };
    events.deliveries(partition, rule, &id, &event.to_json(partition))
}

fn moment(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
