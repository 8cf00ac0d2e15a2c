//! Decides a composite alarm: its state follows those of the alarms in its rule when one of them changes, and a
//! suppressor may hold its actions back.

use roadstead_alarms::{Look, Rule, State, suppression};
use roadstead_base::{Partition, Timestamp};
use serde_json::json;

use super::change::{Act, Decided};
use super::records::{AlarmRecord, CompositeRecord, StateRecord, Watched};
use super::{arn, key, name_of, told};
use crate::CloudWatch;
use crate::error::{Error, Result};

/// The state of another alarm, by name or ARN.
fn state_of(metrics: &CloudWatch, partition: &Partition, given: &str) -> Option<StateRecord> {
    let name = name_of(partition, given)?;
    let entry = metrics.alarms.get(&key(partition, name))?;
    Some(entry.value.state.clone())
}

/// Looks at a composite alarm. Whether it changed.
pub(super) async fn settle(metrics: &CloudWatch, partition: &Partition, name: &str) -> Result<bool> {
    let now = metrics.clock.now();
    let decide = |found: Option<&AlarmRecord>| match found {
        None => Ok(Decided::Keep),
        Some(found) => decide(metrics, partition, found, now),
    };
    // What the mirror shows is enough to see that nothing is to be done.
    let entry = metrics.alarms.get(&key(partition, name));
    match decide(entry.as_ref().map(|entry| &entry.value))? {
        Decided::Keep => Ok(false),
        Decided::Put(..) | Decided::Delete => metrics.change(partition, name, decide).await,
    }
}

/// When something about a composite alarm changes by itself.
pub(super) fn due(alarm: &AlarmRecord) -> Option<Timestamp> {
    match &alarm.watched {
        Watched::Composite(composite) => composite.suppression?.until().map(Timestamp),
        Watched::Metric(_) => None,
    }
}

fn decide(
    metrics: &CloudWatch,
    partition: &Partition,
    before: &AlarmRecord,
    now: Timestamp,
) -> Result<Decided> {
    let Watched::Composite(composite) = &before.watched else {
        return Ok(Decided::Keep);
    };
    let rule = Rule::parse(&composite.rule)
        .map_err(|_| Error::Broken(format!("the rule of the alarm {} cannot be read", before.name)))?;
    let mut after = before.clone();
    let seen = seen(metrics, partition, &rule);
    if composite.seen.as_ref() != Some(&seen) {
        let holds = rule.holds(&|alarm| Some(state_of(metrics, partition, alarm)?.value));
        let value = if holds { State::Alarm } else { State::Ok };
        if value != before.state.value {
            let (reason, data) = why(metrics, partition, before, &rule, value);
            after.state = before.state.to(value, reason, data, now);
        }
        if let Watched::Composite(composite) = &mut after.watched {
            composite.seen = Some(seen);
        }
    }
    let act = hold_back(metrics, partition, before, &mut after, now);
    if matches!(act, Act::No) && after == *before {
        return Ok(Decided::Keep);
    }
    Ok(Decided::Put(Box::new(after), act))
}

/// The states of the alarms in a rule.
fn seen(metrics: &CloudWatch, partition: &Partition, rule: &Rule) -> String {
    let state = |alarm: &str| Some(state_of(metrics, partition, alarm)?.value);
    let states = rule.alarms().into_iter().map(|alarm| line(alarm, state(alarm)));
    states.collect::<Vec<String>>().join("\n")
}

fn line(alarm: &str, state: Option<State>) -> String {
    format!("{alarm}={}", state.map_or("", State::as_str))
}

/// The reason, and the same as data.
fn why(
    metrics: &CloudWatch,
    partition: &Partition,
    alarm: &AlarmRecord,
    rule: &Rule,
    value: State,
) -> (String, Option<String>) {
    let before = match &alarm.watched {
        Watched::Composite(composite) => composite.seen.as_deref(),
        Watched::Metric(_) => None,
    };
    let moved = |alarm: &str, state: &StateRecord| {
        let now = line(alarm, Some(state.value));
        before.is_some_and(|before| before.lines().all(|then| then != now))
    };
    let states = rule.alarms().into_iter().filter_map(|alarm| {
        let state = state_of(metrics, partition, alarm)?;
        let name = name_of(partition, alarm)?;
        moved(alarm, &state).then_some((name, state))
    });
    // The alarm whose change it was.
    let latest = states.max_by_key(|(_, state)| state.transitioned_at);
    let Some((name, state)) = latest else {
        let made = if alarm.state.reason == super::reason::CREATED {
            "created"
        } else {
            "updated"
        };
        let arn = arn(partition, &alarm.name);
        return (
            format!(
                "{arn} was {made} and its alarm rule evaluates to {}",
                value.as_str()
            ),
            None,
        );
    };
    let at =
        jiff::Timestamp::from_millisecond(state.transitioned_at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let at = at.strftime("%A %d %B, %Y %H:%M:%S UTC");
    let child = arn(partition, name);
    let data = json!({"triggeringAlarms": [{
        "arn": child,
        "state": {"value": state.value.as_str(), "timestamp": told(state.transitioned_at)},
    }]});
    let reason = format!("{child} transitioned to {} at {at}", state.value.as_str());
    (reason, Some(data.to_string()))
}

/// Lets the suppressor hold actions back, or lets go of those it held back. What actions are taken.
pub(super) fn hold_back(
    metrics: &CloudWatch,
    partition: &Partition,
    before: &AlarmRecord,
    after: &mut AlarmRecord,
    now: Timestamp,
) -> Act {
    let moved = before.state.value != after.state.value;
    let into_alarm = moved && after.state.value == State::Alarm;
    let Watched::Composite(CompositeRecord {
        rule: _,
        suppressor,
        seen: _,
        suppression: by,
        held_back,
    }) = &mut after.watched
    else {
        return if moved {
            Act::From(before.state.clone())
        } else {
            Act::No
        };
    };
    *by = suppressor.as_ref().and_then(|suppressor| {
        let state = state_of(metrics, partition, &suppressor.alarm);
        suppression(&Look {
            before: *by,
            into_alarm,
            suppressor: state.as_ref().map_or(State::Ok, |state| state.value),
            since: state.as_ref().map_or(now.0, |state| state.transitioned_at.0),
            now: now.0,
            wait: i64::from(suppressor.wait) * 1000,
            extension: i64::from(suppressor.extension) * 1000,
        })
    });
    match (by, moved) {
        (Some(_), true) => {
            held_back.get_or_insert_with(|| before.state.clone());
            Act::No
        }
        (Some(_), false) => Act::No,
        (None, true) => {
            *held_back = None;
            Act::From(before.state.clone())
        }
        // "Composite alarms take actions that are based on their current states" when the time is over.
        (None, false) => held_back.take().map_or(Act::No, Act::From),
    }
}
