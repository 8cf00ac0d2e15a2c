//! What alarms tell the default event bus, in the transaction that makes the change. Source: the user guide, "Alarm
//! events and EventBridge".

use roadstead_base::{Partition, Timestamp, derived_hex};
use roadstead_outbox::{Event, Source as From};
use serde_json::{Map, Value as Json, json};

use super::records::{AlarmRecord, Asked, MetricName, One, Query, Source, StateRecord, Watched};
use super::{arn, show, told};

/// An alarm is in another state.
pub(super) fn state_change(
    partition: &Partition,
    before: &AlarmRecord,
    after: &AlarmRecord,
    at: Timestamp,
) -> Event {
    let detail = json!({
        "alarmName": after.name,
        "state": state(after, &after.state),
        "previousState": state(before, &before.state),
        "configuration": configuration(partition, after),
    });
    event(partition, after, "CloudWatch Alarm State Change", at, detail)
}

/// An alarm came, changed or went: `create`, `update`, `delete`.
pub(super) fn configuration_change(
    partition: &Partition,
    operation: &str,
    before: Option<&AlarmRecord>,
    alarm: &AlarmRecord,
    at: Timestamp,
) -> Event {
    let mut detail = json!({
        "alarmName": alarm.name,
        "operation": operation,
        "state": state(alarm, &alarm.state),
        "configuration": whole(partition, alarm),
    });
    if let Some(before) = before {
        detail["previousConfiguration"] = whole(partition, before);
    }
    event(
        partition,
        alarm,
        "CloudWatch Alarm Configuration Change",
        at,
        detail,
    )
}

fn event(partition: &Partition, alarm: &AlarmRecord, what: &str, at: Timestamp, detail: Json) -> Event {
    Event {
        partition: partition.clone(),
        source: From::CloudWatch,
        detail_type: what.to_owned(),
        subject: arn(partition, &alarm.name),
        number: alarm.version,
        at,
        detail,
    }
}

pub(super) fn state(alarm: &AlarmRecord, state: &StateRecord) -> Json {
    let mut told_state = json!({
        "value": state.value.as_str(),
        "reason": state.reason,
        "timestamp": told(state.updated_at),
    });
    if let Some(data) = &state.reason_data {
        told_state["reasonData"] = data.as_str().into();
    }
    if let Watched::Composite(composite) = &alarm.watched
        && let Some(by) = composite.suppression
    {
        told_state["actionsSuppressedBy"] = by.as_str().into();
        told_state["actionsSuppressedReason"] = show::suppressed(by.as_str()).into();
    }
    told_state
}

/// What an alarm watches, as state changes and functions are told.
pub(super) fn configuration(partition: &Partition, alarm: &AlarmRecord) -> Json {
    let mut told = Map::new();
    if let Some(description) = &alarm.description {
        told.insert("description".into(), description.as_str().into());
    }
    match &alarm.watched {
        Watched::Metric(watched) => {
            let metrics: Vec<Json> = match &watched.source {
                Source::One(one) => vec![one_metric(partition, &alarm.name, one)],
                Source::Queries(queries) => queries.iter().map(query).collect(),
            };
            told.insert("metrics".into(), metrics.into());
        }
        Watched::Composite(composite) => {
            told.insert("alarmRule".into(), composite.rule.as_str().into());
            if let Some(by) = &composite.suppressor {
                told.insert("actionsSuppressor".into(), by.alarm.as_str().into());
                told.insert("actionsSuppressorWaitPeriod".into(), by.wait.into());
                told.insert("actionsSuppressorExtensionPeriod".into(), by.extension.into());
            }
        }
    }
    told.into()
}

/// All that was configured.
fn whole(partition: &Partition, alarm: &AlarmRecord) -> Json {
    let mut told_whole = configuration(partition, alarm);
    told_whole["alarmName"] = alarm.name.as_str().into();
    told_whole["actionsEnabled"] = alarm.actions_enabled.into();
    told_whole["okActions"] = alarm.ok_actions.clone().into();
    told_whole["alarmActions"] = alarm.alarm_actions.clone().into();
    told_whole["insufficientDataActions"] = alarm.insufficient_data_actions.clone().into();
    told_whole["timestamp"] = told(alarm.configured_at).into();
    if let Watched::Metric(watched) = &alarm.watched {
        told_whole["threshold"] = watched.threshold.into();
        told_whole["comparisonOperator"] = watched.comparison.as_str().into();
        told_whole["evaluationPeriods"] = watched.evaluation_periods.into();
        let optional = [
            ("datapointsToAlarm", watched.datapoints_to_alarm.map(Json::from)),
            ("treatMissingData", watched.missing.clone().map(Json::from)),
            (
                "evaluateLowSampleCountPercentile",
                watched.low_samples.clone().map(Json::from),
            ),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                told_whole[name] = value;
            }
        }
    }
    told_whole
}

fn metric(metric: &MetricName, period: i32, stat: &str, unit: Option<&String>) -> Json {
    let dimensions: Map<String, Json> = metric
        .dimensions
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let mut told = json!({
        "metric": {"namespace": metric.namespace, "name": metric.name, "dimensions": dimensions},
        "period": period,
        "stat": stat,
    });
    if let Some(unit) = unit {
        told["unit"] = unit.as_str().into();
    }
    told
}

fn one_metric(partition: &Partition, alarm: &str, one: &One) -> Json {
    let stat = one.statistic.as_deref().or(one.extended.as_deref());
    // The request gave no id; the event's is always the same.
    let hex = derived_hex(&arn(partition, alarm), "metric", 32);
    let id = format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    );
    json!({
        "id": id,
        "metricStat": metric(&one.metric, one.period, stat.unwrap_or_default(), one.unit.as_ref()),
        "returnData": true,
    })
}

fn query(query: &Query) -> Json {
    let mut told = json!({"id": query.id, "returnData": query.return_data.unwrap_or(true)});
    if let Some(label) = &query.label {
        told["label"] = label.as_str().into();
    }
    if let Some(period) = query.period {
        told["period"] = period.into();
    }
    match &query.what {
        Asked::Expression(expression) => told["expression"] = expression.as_str().into(),
        Asked::Stat {
            metric: name,
            period,
            stat,
            unit,
        } => told["metricStat"] = metric(name, *period, stat, unit.as_ref()),
    }
    told
}
