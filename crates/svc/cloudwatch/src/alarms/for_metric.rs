//! DescribeAlarmsForMetric: the alarms on a metric by itself, not those on several.

use roadstead_api_cloudwatch::{DescribeAlarmsForMetricInput, DescribeAlarmsForMetricOutput};
use roadstead_base::Ctx;

use super::records::{AlarmRecord, One, Source, Watched};
use super::{all, show};
use crate::CloudWatch;
use crate::error::{Error, Result};
use crate::ops::dimensions;

pub(crate) fn describe_alarms_for_metric(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: DescribeAlarmsForMetricInput,
) -> Result<DescribeAlarmsForMetricOutput> {
    let DescribeAlarmsForMetricInput {
        metric_name,
        namespace,
        dimensions: given,
        extended_statistic,
        period,
        statistic,
        unit,
    } = input;
    if statistic.is_some() && extended_statistic.is_some() {
        return Err(Error::validation(
            "At most one of Statistic and ExtendedStatistic can be specified.",
        ));
    }
    let dimensions = dimensions(given)?;
    let statistic = statistic.map(|statistic| statistic.to_string());
    let unit = unit.map(|unit| unit.to_string());
    let fits = |one: &One| {
        one.metric.name == metric_name
            && one.metric.namespace == namespace
            && one.metric.dimensions == dimensions
            && (statistic.is_none() || one.statistic == statistic)
            && (extended_statistic.is_none() || one.extended == extended_statistic)
            && period.is_none_or(|period| one.period == period)
            && (unit.is_none() || one.unit == unit)
    };
    let partition = ctx.partition();
    let snapshot = metrics.alarms.snapshot();
    let shown = |record: &AlarmRecord| match &record.watched {
        Watched::Metric(watched) => match &watched.source {
            Source::One(one) if fits(one) => Some(show::metric(&partition, record.clone(), watched.clone())),
            Source::One(_) | Source::Queries(_) => None,
        },
        Watched::Composite(_) => None,
    };
    Ok(DescribeAlarmsForMetricOutput {
        metric_alarms: Some(
            snapshot
                .below(&all(&partition))
                .filter_map(|entry| shown(&entry.value))
                .collect(),
        ),
    })
}
