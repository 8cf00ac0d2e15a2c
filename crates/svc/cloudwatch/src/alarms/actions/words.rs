//! What those who take actions are told, as documented for each.

use roadstead_base::Partition;
use serde_json::{Value as Json, json};

use crate::alarms::records::{AlarmRecord, MetricName, Source, StateRecord, Watched};
use crate::alarms::{arn, published, show, told};

/// The longest subject that a topic takes.
const MAX_SUBJECT: usize = 100;

/// Regions by their long names, as messages tell them.
const REGIONS: [(&str, &str); 18] = [
    ("us-east-1", "US East (N. Virginia)"),
    ("us-east-2", "US East (Ohio)"),
    ("us-west-1", "US West (N. California)"),
    ("us-west-2", "US West (Oregon)"),
    ("af-south-1", "Africa (Cape Town)"),
    ("ap-east-1", "Asia Pacific (Hong Kong)"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)"),
    ("ap-northeast-2", "Asia Pacific (Seoul)"),
    ("ap-northeast-3", "Asia Pacific (Osaka)"),
    ("ap-south-1", "Asia Pacific (Mumbai)"),
    ("ap-southeast-1", "Asia Pacific (Singapore)"),
    ("ap-southeast-2", "Asia Pacific (Sydney)"),
    ("ca-central-1", "Canada (Central)"),
    ("eu-central-1", "EU (Frankfurt)"),
    ("eu-north-1", "EU (Stockholm)"),
    ("eu-west-1", "EU (Ireland)"),
    ("eu-west-2", "EU (London)"),
    ("eu-west-3", "EU (Paris)"),
];

fn region(partition: &Partition) -> &str {
    let code = partition.region.as_str();
    let known = REGIONS.iter().find(|(region, _)| *region == code);
    known.map_or(code, |(_, name)| name)
}

/// `ALARM: "name" in US East (N. Virginia)`.
pub(super) fn subject(partition: &Partition, alarm: &AlarmRecord) -> String {
    let tail = format!("\" in {}", region(partition));
    let head = format!("{}: \"", alarm.state.value.as_str());
    let room = MAX_SUBJECT.saturating_sub(head.len() + tail.len());
    // Topics take subjects of plain text alone.
    let name = alarm.name.chars().map(|c| if c.is_ascii() { c } else { '?' });
    if alarm.name.chars().count() <= room {
        return format!("{head}{}{tail}", name.collect::<String>());
    }
    format!("{head}{}...{tail}", name.take(room - 3).collect::<String>())
}

/// What a topic gets.
pub(super) fn message(partition: &Partition, from: &StateRecord, alarm: &AlarmRecord) -> Json {
    let mut told_message = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": partition.account.as_str(),
        "AlarmConfigurationUpdatedTimestamp": told(alarm.configured_at),
        "NewStateValue": alarm.state.value.as_str(),
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": told(alarm.state.updated_at),
        "Region": region(partition),
        "AlarmArn": arn(partition, &alarm.name),
        "OldStateValue": from.value.as_str(),
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    });
    match &alarm.watched {
        Watched::Metric(_) => told_message["Trigger"] = trigger(alarm),
        Watched::Composite(composite) => {
            told_message["AlarmRule"] = composite.rule.as_str().into();
            if let Some(data) = &alarm.state.reason_data {
                told_message["NewStateReasonData"] = data.as_str().into();
            }
        }
    }
    told_message
}

fn trigger(alarm: &AlarmRecord) -> Json {
    let Watched::Metric(watched) = &alarm.watched else {
        return Json::Null;
    };
    let mut trigger = json!({
        "Period": watched.period(),
        "EvaluationPeriods": watched.evaluation_periods,
        "DatapointsToAlarm": watched.datapoints_to_alarm.unwrap_or(watched.evaluation_periods),
        "ComparisonOperator": watched.comparison,
        "Threshold": watched.threshold,
        "TreatMissingData": watched.missing.as_deref().unwrap_or_default(),
        "EvaluateLowSampleCountPercentile": watched.low_samples.as_deref().unwrap_or_default(),
    });
    match &watched.source {
        Source::One(one) => {
            let MetricName {
                namespace,
                name,
                dimensions,
            } = &one.metric;
            trigger["MetricName"] = name.as_str().into();
            trigger["Namespace"] = namespace.as_str().into();
            let dimension = |(name, value): &(String, String)| json!({"name": name, "value": value});
            trigger["Dimensions"] = dimensions.iter().map(dimension).collect();
            trigger["Unit"] = one.unit.clone().into();
            match (&one.statistic, &one.extended) {
                (Some(statistic), _) => {
                    trigger["StatisticType"] = "Statistic".into();
                    trigger["Statistic"] = shouted(statistic).into();
                }
                (None, extended) => {
                    trigger["StatisticType"] = "ExtendedStatistic".into();
                    trigger["ExtendedStatistic"] = extended.clone().into();
                }
            }
        }
        Source::Queries(queries) => {
            let shown = queries.iter().cloned().map(show::query);
            trigger["Metrics"] = shown.map(show::json).collect();
        }
    }
    trigger
}

/// `SAMPLE_COUNT` of `SampleCount`.
fn shouted(statistic: &str) -> String {
    let mut shouted = String::new();
    for (at, c) in statistic.chars().enumerate() {
        if at > 0 && c.is_ascii_uppercase() {
            shouted.push('_');
        }
        shouted.push(c.to_ascii_uppercase());
    }
    shouted
}

/// What a function gets.
pub(super) fn payload(partition: &Partition, from: &StateRecord, alarm: &AlarmRecord) -> Json {
    json!({
        "source": "aws.cloudwatch",
        "alarmArn": arn(partition, &alarm.name),
        "accountId": partition.account.as_str(),
        "time": told(alarm.state.updated_at),
        "region": partition.region.as_str(),
        "alarmData": {
            "alarmName": alarm.name,
            "state": published::state(alarm, &alarm.state),
            "previousState": published::state(alarm, from),
            "configuration": published::configuration(partition, alarm),
        },
    })
}
