//! DescribeAlarms, by names or by what they have in common; by name, page by page.

use roadstead_api_cloudwatch::{
    AlarmType, CompositeAlarm, DescribeAlarmsInput, DescribeAlarmsOutput, MetricAlarm,
};
use roadstead_base::{Ctx, Partition};

use super::records::{AlarmRecord, Watched};
use super::show::{self, Shown};
use super::{all, key, name_of};
use crate::CloudWatch;
use crate::error::{Error, Result};

const PAGE: usize = 50;

pub(crate) fn describe_alarms(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: DescribeAlarmsInput,
) -> Result<DescribeAlarmsOutput> {
    let DescribeAlarmsInput {
        action_prefix,
        alarm_name_prefix,
        alarm_names,
        alarm_types,
        children_of_alarm_name,
        max_records,
        next_token,
        parents_of_alarm_name,
        state_value,
    } = input;
    let names = alarm_names.filter(|names| !names.is_empty());
    let types = alarm_types.filter(|types| !types.is_empty());
    if names.is_some() && alarm_name_prefix.is_some() {
        return Err(Error::validation(
            "AlarmNamePrefix and AlarmNames cannot be specified together.",
        ));
    }
    let family = match (&children_of_alarm_name, &parents_of_alarm_name) {
        (None, None) => None,
        (Some(of), None) => Some(Family::Children(of.clone())),
        (None, Some(of)) => Some(Family::Parents(of.clone())),
        (Some(_), Some(_)) => {
            return Err(Error::validation(
                "ChildrenOfAlarmName and ParentsOfAlarmName cannot be specified together.",
            ));
        }
    };
    let others = names.is_some()
        || alarm_name_prefix.is_some()
        || types.is_some()
        || state_value.is_some()
        || action_prefix.is_some();
    if family.is_some() && others {
        return Err(Error::validation(
            "ChildrenOfAlarmName and ParentsOfAlarmName go with MaxRecords and NextToken alone.",
        ));
    }
    let scope = format!(
        "cloudwatch/{}/{}/DescribeAlarms/{action_prefix:?}/{alarm_name_prefix:?}/{names:?}/{types:?}/{family:?}/{state_value:?}",
        ctx.account, ctx.region
    );
    let after = next_token
        .map(|token| ctx.pager.decode(&scope, &token).map_err(|_| Error::NextToken))
        .transpose()?;
    let partition = ctx.partition();
    let related = family
        .as_ref()
        .map(|family| related(metrics, &partition, family))
        .transpose()?;
    let types = types.unwrap_or_else(|| match related {
        Some(_) => vec![AlarmType::MetricAlarm, AlarmType::CompositeAlarm],
        None => vec![AlarmType::MetricAlarm],
    });
    let fits = |alarm: &AlarmRecord| {
        types.iter().any(|kind| kind.as_str() == alarm.kind())
            && related
                .as_ref()
                .is_none_or(|related| related.contains(&alarm.name))
            && names.as_ref().is_none_or(|names| names.contains(&alarm.name))
            && alarm_name_prefix
                .as_ref()
                .is_none_or(|prefix| alarm.name.starts_with(prefix.as_str()))
            && state_value.is_none_or(|state| state.as_str() == alarm.state.value.as_str())
            && action_prefix.as_ref().is_none_or(|prefix| acts(alarm, prefix))
    };
    let limit = max_records
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(PAGE);
    let (above, snapshot) = (all(&partition), metrics.alarms.snapshot());
    let mut found: Vec<&AlarmRecord> = snapshot
        .below(&above)
        .map(|entry| &entry.value)
        .filter(|alarm| fits(alarm))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let mut rest = found
        .into_iter()
        .filter(|alarm| after.as_ref().is_none_or(|after| alarm.name > *after));
    let page: Vec<&AlarmRecord> = rest.by_ref().take(limit).collect();
    let more = rest.next().is_some();
    let last = page.last().filter(|_| more).map(|last| last.name.clone());
    let (mut metric, mut composite) = (Vec::new(), Vec::new());
    for record in page {
        match show::alarm(&partition, record.clone()) {
            Shown::Metric(shown) => metric.push(match &family {
                None => *shown,
                Some(family) => brief_metric(family, *shown),
            }),
            Shown::Composite(shown) => composite.push(match &family {
                None => *shown,
                Some(family) => brief_composite(family, *shown),
            }),
        }
    }
    Ok(DescribeAlarmsOutput {
        composite_alarms: Some(composite),
        metric_alarms: Some(metric),
        next_token: last.map(|last| ctx.pager.encode(&scope, &last)),
    })
}

#[derive(Debug)]
enum Family {
    Children(String),
    Parents(String),
}

/// The names of the children or parents of an alarm.
fn related(metrics: &CloudWatch, partition: &Partition, family: &Family) -> Result<Vec<String>> {
    let (Family::Children(of) | Family::Parents(of)) = family;
    let missing = || Error::NoSuchAlarm(of.clone());
    let entry = metrics.alarms.get(&key(partition, of)).ok_or_else(missing)?;
    let name = |alarm: &String| name_of(partition, alarm).map(str::to_owned);
    if let Family::Children(_) = family {
        return match &entry.value.watched {
            Watched::Composite(composite) => Ok(composite.children().iter().filter_map(name).collect()),
            Watched::Metric(_) => Err(Error::validation(format!("{of} is no composite alarm."))),
        };
    }
    let (above, snapshot) = (all(partition), metrics.alarms.snapshot());
    let parents = snapshot.below(&above).filter(|entry| match &entry.value.watched {
        Watched::Composite(composite) => composite
            .children()
            .iter()
            .filter_map(name)
            .any(|child| child == *of),
        Watched::Metric(_) => false,
    });
    Ok(parents.map(|entry| entry.value.name.clone()).collect())
}

fn acts(alarm: &AlarmRecord, prefix: &str) -> bool {
    let all = alarm
        .ok_actions
        .iter()
        .chain(&alarm.alarm_actions)
        .chain(&alarm.insufficient_data_actions);
    all.into_iter().any(|action| action.starts_with(prefix))
}

/// Of relatives only so much is told.
fn brief_metric(family: &Family, shown: MetricAlarm) -> MetricAlarm {
    let child = matches!(family, Family::Children(_));
    MetricAlarm {
        alarm_name: shown.alarm_name,
        alarm_arn: shown.alarm_arn,
        state_value: shown.state_value.filter(|_| child),
        state_updated_timestamp: shown.state_updated_timestamp.filter(|_| child),
        ..Default::default()
    }
}

fn brief_composite(family: &Family, shown: CompositeAlarm) -> CompositeAlarm {
    let child = matches!(family, Family::Children(_));
    CompositeAlarm {
        alarm_name: shown.alarm_name,
        alarm_arn: shown.alarm_arn,
        state_value: shown.state_value.filter(|_| child),
        state_updated_timestamp: shown.state_updated_timestamp.filter(|_| child),
        ..Default::default()
    }
}
