//! GetMetricStatistics: one metric by one period, at most 1,440 points, each in the unit its samples came in.

use std::collections::BTreeMap;

use roadstead_api_cloudwatch::{
    Datapoint, GetMetricStatisticsInput, GetMetricStatisticsOutput, StandardUnit, Statistic as Plain,
};
use roadstead_base::{Ctx, Timestamp};
use roadstead_metrics::{Statistic, Summary};

use crate::CloudWatch;
use crate::error::{Error, Result};
use crate::ops::{check_period, dimensions, reading};

const MAX_POINTS: i64 = 1440;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

pub(crate) async fn get_metric_statistics(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: GetMetricStatisticsInput,
) -> Result<GetMetricStatisticsOutput> {
    let GetMetricStatisticsInput {
        end_time,
        metric_name,
        namespace,
        period,
        start_time,
        dimensions: given,
        extended_statistics,
        statistics,
        unit,
    } = input;
    let period = check_period(period)?;
    let plain = statistics.unwrap_or_default();
    let extended = extended_statistics.unwrap_or_default();
    if plain.is_empty() == extended.is_empty() {
        return Err(Error::Combination(
            "Either Statistics or ExtendedStatistics must be specified, but not both.".into(),
        ));
    }
    let extended = extended
        .into_iter()
        .map(|text| {
            let statistic: Statistic = text.parse().map_err(|error| {
                Error::value(format!(
                    "The value {text} for parameter ExtendedStatistics is not supported: {error}."
                ))
            })?;
            Ok((text, statistic))
        })
        .collect::<Result<Vec<_>>>()?;
    let now = metrics.clock.now().0.div_euclid(1000);
    let (from, to) = range(start_time, end_time, period, now)?;
    let dimensions = dimensions(given)?;
    let unit = unit.map(|unit| unit.to_string());
    let series = metrics.samples.index(|index| {
        index.of_metric(
            &ctx.partition(),
            &namespace,
            &metric_name,
            &dimensions,
            unit.as_deref(),
        )
    });
    let points = reading(metrics, move |samples| {
        let mut points = Vec::new();
        for (unit, id) in series {
            let begin = |second: i64| from + (second - from).div_euclid(period) * period;
            for (second, summary) in samples.summed(&[id], from, to, begin)? {
                points.push(point(second, &unit, &summary, &plain, &extended));
            }
        }
        Ok(points)
    });
    Ok(GetMetricStatisticsOutput {
        datapoints: Some(points.await?),
        label: Some(metric_name),
    })
}

/// The seconds that are looked at: the start rounded down as documented, by its age or the period.
fn range(start: Timestamp, end: Timestamp, period: i64, now: i64) -> Result<(i64, i64)> {
    let (start, end) = (start.0.div_euclid(1000), (end.0 + 999).div_euclid(1000));
    if start >= end {
        return Err(Error::value(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let age = now - start;
    let least = match age {
        _ if age > 63 * DAY => HOUR,
        _ if age > 15 * DAY => 300,
        _ if age > 3 * HOUR => 60,
        _ => 1,
    };
    if least > 1 && period % least != 0 {
        return Err(Error::value(format!(
            "The parameter Period {period} must be a multiple of {least} for a StartTime of that age."
        )));
    }
    let round = if period < 60 { period } else { least.max(60) };
    let from = start.div_euclid(round) * round;
    let points = (end - from + period - 1) / period;
    if points > MAX_POINTS {
        return Err(Error::Combination(format!(
            "You have requested up to {points} datapoints, which exceeds the limit of {MAX_POINTS}. You may reduce the \
             datapoints requested by increasing Period, or decreasing the time range."
        )));
    }
    Ok((from, end))
}

fn point(
    second: i64,
    unit: &str,
    summary: &Summary,
    plain: &[Plain],
    extended: &[(String, Statistic)],
) -> Datapoint {
    let wanted =
        |statistic: Plain, of: Statistic| plain.contains(&statistic).then(|| of.of(summary)).flatten();
    let extended: BTreeMap<String, f64> = extended
        .iter()
        .filter_map(|(text, statistic)| Some((text.clone(), statistic.of(summary)?)))
        .collect();
    Datapoint {
        average: wanted(Plain::Average, Statistic::Average),
        maximum: wanted(Plain::Maximum, Statistic::Maximum),
        minimum: wanted(Plain::Minimum, Statistic::Minimum),
        sample_count: wanted(Plain::SampleCount, Statistic::SampleCount),
        sum: wanted(Plain::Sum, Statistic::Sum),
        extended_statistics: Some(extended).filter(|extended| !extended.is_empty()),
        timestamp: Some(Timestamp(second * 1000)),
        unit: StandardUnit::parse(unit),
    }
}
