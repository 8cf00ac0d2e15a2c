//! An alarm as the API shows it.

use roadstead_api_cloudwatch as api;
use roadstead_base::{Partition, Timestamp};
use roadstead_protocol::{Value, Wire};
use serde_json::Value as Json;

use super::records::{AlarmRecord, Asked, CompositeRecord, MetricName, MetricRecord, Query, Source, Watched};
use super::{arn, told};

pub(crate) enum Shown {
    Metric(Box<api::MetricAlarm>),
    Composite(Box<api::CompositeAlarm>),
}

pub(crate) fn alarm(partition: &Partition, record: AlarmRecord) -> Shown {
    match record.watched.clone() {
        Watched::Metric(watched) => Shown::Metric(Box::new(metric(partition, record, watched))),
        Watched::Composite(watched) => Shown::Composite(Box::new(composite(partition, record, watched))),
    }
}

fn dimensions(all: Vec<(String, String)>) -> Vec<api::Dimension> {
    let dimension = |(name, value)| api::Dimension { name, value };
    all.into_iter().map(dimension).collect()
}

pub(crate) fn metric(partition: &Partition, record: AlarmRecord, watched: MetricRecord) -> api::MetricAlarm {
    let AlarmRecord {
        name,
        description,
        actions_enabled,
        ok_actions,
        alarm_actions,
        insufficient_data_actions,
        tags: _,
        configured_at,
        watched: _,
        state,
        version: _,
    } = record;
    let MetricRecord {
        source,
        evaluation_periods,
        datapoints_to_alarm,
        threshold,
        comparison,
        missing,
        low_samples,
    } = watched;
    let mut shown = api::MetricAlarm {
        actions_enabled: Some(actions_enabled),
        alarm_actions: Some(alarm_actions),
        alarm_arn: Some(arn(partition, &name)),
        alarm_configuration_updated_timestamp: Some(configured_at),
        alarm_description: description,
        alarm_name: Some(name),
        comparison_operator: api::ComparisonOperator::parse(&comparison),
        datapoints_to_alarm,
        evaluate_low_sample_count_percentile: low_samples,
        evaluation_periods: Some(evaluation_periods),
        insufficient_data_actions: Some(insufficient_data_actions),
        ok_actions: Some(ok_actions),
        state_reason: Some(state.reason),
        state_reason_data: state.reason_data,
        state_transitioned_timestamp: Some(state.transitioned_at),
        state_updated_timestamp: Some(state.updated_at),
        state_value: api::StateValue::parse(state.value.as_str()),
        threshold: Some(threshold),
        treat_missing_data: missing,
        ..Default::default()
    };
    match source {
        Source::One(one) => {
            shown.metric_name = Some(one.metric.name);
            shown.namespace = Some(one.metric.namespace);
            shown.dimensions = Some(dimensions(one.metric.dimensions));
            shown.statistic = one.statistic.as_deref().and_then(api::Statistic::parse);
            shown.extended_statistic = one.extended;
            shown.period = Some(one.period);
            shown.unit = one.unit.as_deref().and_then(api::StandardUnit::parse);
        }
        Source::Queries(queries) => {
            shown.dimensions = Some(Vec::new());
            shown.metrics = Some(queries.into_iter().map(query).collect());
        }
    }
    shown
}

pub(crate) fn query(query: Query) -> api::MetricDataQuery {
    let Query {
        id,
        label,
        return_data,
        period,
        what,
    } = query;
    let mut shown = api::MetricDataQuery {
        id,
        label,
        return_data,
        period,
        ..Default::default()
    };
    match what {
        Asked::Expression(expression) => shown.expression = Some(expression),
        Asked::Stat {
            metric,
            period,
            stat,
            unit,
        } => {
            let MetricName {
                namespace,
                name,
                dimensions: all,
            } = metric;
            shown.metric_stat = Some(api::MetricStat {
                metric: api::Metric {
                    dimensions: Some(dimensions(all)),
                    metric_name: Some(name),
                    namespace: Some(namespace),
                },
                period,
                stat,
                unit: unit.as_deref().and_then(api::StandardUnit::parse),
            });
        }
    }
    shown
}

pub(crate) fn composite(
    partition: &Partition,
    record: AlarmRecord,
    watched: CompositeRecord,
) -> api::CompositeAlarm {
    let AlarmRecord {
        name,
        description,
        actions_enabled,
        ok_actions,
        alarm_actions,
        insufficient_data_actions,
        tags: _,
        configured_at,
        watched: _,
        state,
        version: _,
    } = record;
    let CompositeRecord {
        rule,
        suppressor,
        seen: _,
        suppression,
        held_back: _,
    } = watched;
    let by = suppression.map(|by| by.as_str());
    api::CompositeAlarm {
        actions_enabled: Some(actions_enabled),
        actions_suppressed_by: by.and_then(api::ActionsSuppressedBy::parse),
        actions_suppressed_reason: by.map(suppressed),
        actions_suppressor: suppressor.as_ref().map(|by| by.alarm.clone()),
        actions_suppressor_extension_period: suppressor.as_ref().map(|by| by.extension),
        actions_suppressor_wait_period: suppressor.as_ref().map(|by| by.wait),
        alarm_actions: Some(alarm_actions),
        alarm_arn: Some(arn(partition, &name)),
        alarm_configuration_updated_timestamp: Some(configured_at),
        alarm_description: description,
        alarm_name: Some(name),
        alarm_rule: Some(rule),
        insufficient_data_actions: Some(insufficient_data_actions),
        ok_actions: Some(ok_actions),
        state_reason: Some(state.reason),
        state_reason_data: state.reason_data,
        state_transitioned_timestamp: Some(state.transitioned_at),
        state_updated_timestamp: Some(state.updated_at),
        state_value: api::StateValue::parse(state.value.as_str()),
    }
}

/// Why actions are held back, in words.
pub(crate) fn suppressed(by: &str) -> String {
    format!("Actions suppressed by {by}")
}

/// A structure of the API in JSON by the model's names.
pub(super) fn json(shown: impl Wire) -> Json {
    plain(shown.into_value())
}

/// The alarm as the API shows it, in JSON: what history keeps of a configuration.
pub(super) fn configuration(partition: &Partition, record: &AlarmRecord) -> Json {
    match alarm(partition, record.clone()) {
        Shown::Metric(shown) => json(*shown),
        Shown::Composite(shown) => json(*shown),
    }
}

fn plain(value: Value) -> Json {
    match value {
        Value::Bool(flag) => flag.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Str(text) => text.into(),
        Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into(),
        Value::Time(seconds) => told(Timestamp::from_seconds(seconds)).into(),
        Value::List(items) => items.into_iter().map(plain).collect(),
        Value::Map(fields) => {
            let fields = fields.into_iter();
            fields
                .map(|(name, value)| (name.to_string(), plain(value)))
                .collect()
        }
        Value::Document(document) => document,
        // No record has any.
        Value::Events(_) => Json::Null,
    }
}
