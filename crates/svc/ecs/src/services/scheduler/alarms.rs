//! The alarms that a deployment is to fail by, as the alarms' service shows them now. Source: the developer guide, "How
//! CloudWatch alarms detect Amazon ECS deployment failures"; the announcement "Automate rollbacks for Amazon ECS rolling
//! deployments with CloudWatch alarms".

use std::collections::BTreeSet;
use std::time::Duration;

use roadstead_api_cloudwatch as api;
use roadstead_api_cloudwatch::{AlarmType, CompositeAlarm, MetricAlarm, StateValue};

use crate::error::Result;
use crate::services::ServiceRecord;
use crate::services::deployments::Status;
use crate::services::news::News;
use crate::{Ecs, PRINCIPAL};

/// Between two looks at the alarms, when nothing else happens.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// What the alarms' service says of the alarms of a deployment.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    ringing: Vec<String>,
    missing: Vec<String>,
    /// Milliseconds that the slowest of them needs to tell that something is wrong.
    slowest: i64,
}

/// Looks at the alarms of the deployment that is under way, if it is to fail by any; whether to look again later.
///
/// # Errors
/// The alarms cannot be told: nothing is decided without them.
pub(super) async fn watch(ecs: &Ecs, service: &mut ServiceRecord, news: &mut News) -> Result<bool> {
    let Some(rule) = service.rolling.alarms.clone().filter(|rule| rule.enable) else {
        return Ok(false);
    };
    let deployment = service
        .primary()
        .map(|primary| primary.id.clone())
        .unwrap_or_default();
    let current = service.current.as_ref();
    let Some(current) = current.filter(|it| it.status == Status::InProgress) else {
        return Ok(false);
    };
    let known = current.watch.clone();
    if known.as_ref().is_some_and(|watch| watch.ignored) {
        return Ok(false);
    }
    let seen = ask(ecs, service, &rule.names).await?;
    let mut watch = known.clone().unwrap_or_default();
    if known.is_none() {
        // What rings before anything was done does not speak of what is done now, which may be its cure.
        watch.ignored = !seen.ringing.is_empty();
        if watch.ignored {
            news.line(format!(
                "(deployment {deployment}) does not monitor its alarms because these were in the ALARM state when it \
                 started: {}.",
                seen.ringing.join(", ")
            ));
        }
    }
    if !seen.missing.is_empty() && seen.missing != watch.missing {
        news.line(format!(
            "(deployment {deployment}) was unable to find these CloudWatch alarms: {}.",
            seen.missing.join(", ")
        ));
    }
    watch.ringing = if watch.ignored { Vec::new() } else { seen.ringing };
    watch.missing = seen.missing;
    watch.lasts = seen.slowest;
    let again = !watch.ignored;
    if let Some(current) = service.current.as_mut() {
        current.watch = Some(watch);
    }
    Ok(again)
}

async fn ask(ecs: &Ecs, service: &ServiceRecord, names: &[String]) -> Result<Seen> {
    let partition = &service.partition;
    let ctx = ecs
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone());
    let client = api::Client(ecs.dispatcher.clone());
    let mut seen = Seen::default();
    let distinct: BTreeSet<&String> = names.iter().collect();
    let distinct: Vec<String> = distinct.into_iter().cloned().collect();
    let input = api::DescribeAlarmsInput {
        alarm_names: Some(distinct.clone()),
        alarm_types: Some(vec![AlarmType::MetricAlarm, AlarmType::CompositeAlarm]),
        max_records: Some(100),
        ..api::DescribeAlarmsInput::default()
    };
    let answer = client.describe_alarms(&ctx, input).await?;
    let metric = answer.metric_alarms.unwrap_or_default();
    let composite = answer.composite_alarms.unwrap_or_default();
    seen.slowest = metric.iter().map(slowness).max().unwrap_or_default();
    let states = metric
        .into_iter()
        .map(of_metric)
        .chain(composite.into_iter().map(of_composite));
    let states: Vec<(String, Option<StateValue>)> = states.collect();
    for name in distinct {
        match states.iter().find(|(known, _)| *known == name) {
            Some((_, Some(StateValue::Alarm))) => seen.ringing.push(name),
            Some(_) => {}
            None => seen.missing.push(name),
        }
    }
    Ok(seen)
}

fn of_metric(alarm: MetricAlarm) -> (String, Option<StateValue>) {
    (alarm.alarm_name.unwrap_or_default(), alarm.state_value)
}

fn of_composite(alarm: CompositeAlarm) -> (String, Option<StateValue>) {
    (alarm.alarm_name.unwrap_or_default(), alarm.state_value)
}

/// Milliseconds of all the periods that an alarm looks at.
fn slowness(alarm: &MetricAlarm) -> i64 {
    let metrics = alarm.metrics.as_deref().unwrap_or_default();
    let of_metrics = metrics.iter().filter_map(|metric| {
        let stat = metric.metric_stat.as_ref().map(|stat| stat.period);
        metric.period.or(stat)
    });
    let period = alarm
        .period
        .into_iter()
        .chain(of_metrics)
        .max()
        .unwrap_or_default();
    i64::from(period) * i64::from(alarm.evaluation_periods.unwrap_or(1)) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_as_slow_as_its_periods() {
        let plain = MetricAlarm {
            period: Some(60),
            evaluation_periods: Some(3),
            ..MetricAlarm::default()
        };
        assert_eq!(slowness(&plain), 180_000);
        let metric = |id: &str, period| api::MetricDataQuery {
            id: id.into(),
            period: Some(period),
            ..api::MetricDataQuery::default()
        };
        let math = MetricAlarm {
            metrics: Some(vec![metric("a", 60), metric("b", 300)]),
            evaluation_periods: Some(2),
            ..MetricAlarm::default()
        };
        assert_eq!(slowness(&math), 600_000);
        assert_eq!(slowness(&MetricAlarm::default()), 0);
    }
}
