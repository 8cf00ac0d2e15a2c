//! Evaluates a metric alarm: reads the last periods, lets `roadstead_alarms` judge, and changes the state if it says so.

use std::collections::BTreeMap;

use roadstead_alarms::{Missing, State, Verdict, judge, range};
use roadstead_base::{Partition, Timestamp};
use roadstead_metric_math::Timezone;
use roadstead_metrics::Statistic;

use super::change::Decided;
use super::reason::{self, Point, Said};
use super::records::{AlarmRecord, MetricName, MetricRecord, Source, Watched};
use super::show;
use crate::CloudWatch;
use crate::error::{Error, Result};
use crate::ops::reading;
use crate::queries::{Asked, Queries};
use crate::samples::Samples;

/// A time, in whole seconds, in which nobody could hand in samples: from when the service was last known to run until
/// it ran again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Down {
    pub from: i64,
    pub to: i64,
}

/// Evaluates an alarm as of a second. Whether its state changed.
pub(super) async fn evaluate(
    metrics: &CloudWatch,
    partition: &Partition,
    name: &str,
    second: i64,
    down: Option<Down>,
) -> Result<bool> {
    let key = super::key(partition, name);
    let Some(entry) = metrics.alarms.get(&key) else {
        return Ok(false);
    };
    let Watched::Metric(watched) = &entry.value.watched else {
        return Ok(false);
    };
    let question = Question {
        partition: partition.clone(),
        watched: watched.clone(),
        second,
        down,
        now: metrics.clock.now(),
    };
    // One alarm after the other is judged, so that there is one such read at a time.
    let judged = reading(metrics, move |samples| verdict(samples, &question)).await?;
    let Some((state, reason, data)) = judged else {
        return Ok(false);
    };
    if entry.value.state.value == state {
        return Ok(false);
    }
    let now = metrics.clock.now();
    let seen = &entry.value;
    let decide = |found: Option<&AlarmRecord>| {
        // What was judged must still be what is configured.
        let Some(found) = found.filter(|found| found.configured_at == seen.configured_at) else {
            return Ok(Decided::Keep);
        };
        if found.state.value == state {
            return Ok(Decided::Keep);
        }
        let mut after = found.clone();
        after.state = found.state.to(state, reason.clone(), Some(data.clone()), now);
        Ok(Decided::transition(found, after))
    };
    metrics.change(partition, name, decide).await
}

/// What is to be judged, where reading may take its time.
struct Question {
    partition: Partition,
    watched: MetricRecord,
    second: i64,
    down: Option<Down>,
    now: Timestamp,
}

/// The state that the points ask for, and why; none if it stays what it is.
fn verdict(samples: &Samples, question: &Question) -> Result<Option<(State, String, String)>> {
    let Question {
        partition,
        watched,
        second,
        down,
        now,
    } = question;
    let mut settings = watched.settings();
    let period = watched.period();
    let end = second.div_euclid(period) * period;
    let periods = i64::try_from(range(&settings)).unwrap_or(i64::MAX / period);
    let from = end - periods * period;
    let points = points(samples, partition, watched, (from, end), *now)?;
    if few(watched, &points, settings.evaluation_periods)? {
        return Ok(None);
    }
    let unseen = |point: &Point| {
        let overlaps = |down: &Down| point.second < down.to && point.second + period > down.from;
        point.value.is_none() && down.as_ref().is_some_and(overlaps)
    };
    if points.iter().any(unseen) {
        // Nothing follows from what nobody could hand in.
        settings.missing = Missing::Ignore;
    }
    let comparison = watched.comparison();
    let breaching: Vec<Option<bool>> = points
        .iter()
        .map(|point| {
            point
                .value
                .map(|value| comparison.breaches(value, watched.threshold))
        })
        .collect();
    let judged = judge(&breaching, &settings);
    let state = match judged.verdict {
        Verdict::Alarm => State::Alarm,
        Verdict::Ok => State::Ok,
        Verdict::InsufficientData => State::InsufficientData,
        Verdict::Unchanged => return Ok(None),
    };
    let said = Said {
        alarm: watched,
        settings,
        points: &points,
        judged: &judged,
        now: *now,
    };
    Ok(Some((state, reason::text(&said), reason::data(&said))))
}

fn statistic(text: &str) -> Result<Statistic> {
    text.parse()
        .map_err(|_| Error::Broken(format!("the statistic {text} of an alarm cannot be read")))
}

/// Each period from one second up to another, missing ones too.
fn points(
    samples: &Samples,
    partition: &Partition,
    watched: &MetricRecord,
    (from, to): (i64, i64),
    now: Timestamp,
) -> Result<Vec<Point>> {
    let single = |metric: &MetricName, stat: &str, unit: Option<&str>| {
        let series = samples.index(|index| {
            index.of_metric(
                partition,
                &metric.namespace,
                &metric.name,
                &metric.dimensions,
                unit,
            )
        });
        let series: Vec<u64> = series.into_iter().map(|(_, id)| id).collect();
        let period = watched.period();
        let begin = |second: i64| second.div_euclid(period) * period;
        let summed = samples.summed(&series, from, to, begin)?;
        let statistic = statistic(stat)?;
        let periods = (0..(to - from) / period).map(|index| from + index * period);
        let point = |second: i64| Point {
            second,
            value: summed.get(&second).and_then(|summary| statistic.of(summary)),
            samples: summed.get(&second).map(|summary| summary.count),
        };
        Ok(periods.map(point).collect())
    };
    match &watched.source {
        Source::One(one) => {
            let stat = one.statistic.as_deref().or(one.extended.as_deref());
            single(&one.metric, stat.unwrap_or_default(), one.unit.as_deref())
        }
        Source::Queries(queries) => {
            let period = watched.period();
            let queries = Queries::new(queries.iter().cloned().map(show::query).collect())?;
            let answers = queries.answer(&Asked {
                samples,
                partition,
                span: (from, to),
                now: now.0.div_euclid(1000),
                timezone: Timezone::default(),
            })?;
            // One of them returns data, and it is one time series.
            let told: BTreeMap<i64, f64> = answers.all.into_iter().flat_map(|answer| answer.points).collect();
            let point = |second: i64| Point {
                second,
                value: told.get(&second).copied(),
                samples: None,
            };
            let periods = (0..(to - from) / period).map(|index| from + index * period);
            Ok(periods.map(point).collect())
        }
    }
}

/// Whether there are too few samples for a percentile to mean anything, and the alarm is to stay as it is then.
/// "Percentile-based alarms and low data samples".
fn few(watched: &MetricRecord, points: &[Point], periods: usize) -> Result<bool> {
    let Source::One(one) = &watched.source else {
        return Ok(false);
    };
    let (Some("ignore"), Some(extended)) = (watched.low_samples.as_deref(), one.extended.as_deref()) else {
        return Ok(false);
    };
    let Statistic::Percentile(percent) = statistic(extended)? else {
        return Ok(false);
    };
    let share = percent / 100.0;
    let needed = if share >= 0.5 {
        10.0 / (1.0 - share)
    } else {
        10.0 / share
    };
    let there: f64 = points
        .iter()
        .rev()
        .take(periods)
        .filter_map(|point| point.samples)
        .sum();
    // A hundredth of a percentile is within what the division is off by.
    Ok(there > 0.0 && there < needed - 1e-6)
}
