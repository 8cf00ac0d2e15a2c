//! Metric filters: numbers made of lines, as these come in.

pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod put;
pub(crate) mod test;

use std::collections::BTreeMap;

use roadstead_base::Ctx;
use roadstead_log_patterns::{Match, Pattern};
use serde_json::{Value as Json, json};

use crate::records::{FilterRecord, GroupRecord};
use crate::{Logs, PRINCIPAL};

/// Values of one datum that PutMetricData takes.
const MAX_VALUES: usize = 150;
/// Data of one call.
const MAX_DATA: usize = 1000;

/// One number of one line.
#[derive(Clone, Debug, PartialEq)]
struct Point {
    dimensions: Vec<(String, String)>,
    /// The minute it counts for, in milliseconds.
    minute: i64,
    value: f64,
}

/// Dimensions and a minute: what points are counted together for.
type Series = (Vec<(String, String)>, i64);

/// Publishes what the filters of a group make of new lines. Lines are not held up by metrics that fail: that is told
/// in the log.
pub(crate) async fn publish(logs: &Logs, ctx: &Ctx, group: &GroupRecord, lines: &[(i64, &str)]) {
    for (name, filter) in &group.filters {
        let points = points(filter, lines);
        if points.is_empty() {
            continue;
        }
        let own = logs
            .dispatcher
            .internal_ctx(PRINCIPAL, ctx.account.clone(), ctx.region.clone());
        for data in data(filter, points).chunks(MAX_DATA) {
            let input = json!({"Namespace": filter.namespace, "MetricData": data});
            let put = logs
                .dispatcher
                .call_json("cloudwatch", "PutMetricData", &own, input)
                .await;
            if let Err(error) = put {
                tracing::warn!(group = group.name, filter = name, %error, "a metric filter could not publish");
            }
        }
    }
}

fn points(filter: &FilterRecord, lines: &[(i64, &str)]) -> Vec<Point> {
    let Ok(pattern) = filter.pattern.parse::<Pattern>() else {
        return Vec::new();
    };
    let minute = |time: i64| time.div_euclid(60_000) * 60_000;
    let found = lines.iter().filter_map(|(time, line)| {
        let found = pattern.find(line)?;
        Some(Point {
            value: number(&filter.value, &found)?,
            dimensions: dimensions(filter, &found)?,
            minute: minute(*time),
        })
    });
    let mut points: Vec<Point> = found.collect();
    if let (true, Some(value), Some((time, _))) = (points.is_empty(), filter.default, lines.last()) {
        points.push(Point {
            dimensions: Vec::new(),
            minute: minute(*time),
            value,
        });
    }
    points
}

/// A literal, or what a field holds if that is a number.
fn number(value: &str, found: &Match<'_>) -> Option<f64> {
    if let Ok(literal) = value.parse() {
        return Some(literal);
    }
    found
        .field(value)?
        .trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// None if a line lacks one of them, of which then no metric is made.
fn dimensions(filter: &FilterRecord, found: &Match<'_>) -> Option<Vec<(String, String)>> {
    let all = filter.dimensions.iter().map(|(name, field)| {
        let value = found.field(field).filter(|value| !value.is_empty())?;
        Some((name.clone(), value))
    });
    all.collect()
}

/// Points of one minute and the same dimensions together, each value with how often it came.
fn data(filter: &FilterRecord, points: Vec<Point>) -> Vec<Json> {
    let mut together: BTreeMap<Series, BTreeMap<u64, f64>> = BTreeMap::new();
    let mut values: BTreeMap<u64, f64> = BTreeMap::new();
    for Point {
        dimensions,
        minute,
        value,
    } in points
    {
        values.insert(value.to_bits(), value);
        *together
            .entry((dimensions, minute))
            .or_default()
            .entry(value.to_bits())
            .or_default() += 1.0;
    }
    let mut data = Vec::new();
    for ((dimensions, minute), counts) in together {
        let counts: Vec<(f64, f64)> = counts
            .iter()
            .map(|(bits, count)| (values[bits], *count))
            .collect();
        for part in counts.chunks(MAX_VALUES) {
            let named = |(name, value): &(String, String)| json!({"Name": name, "Value": value});
            data.push(json!({
                "MetricName": filter.metric,
                "Dimensions": dimensions.iter().map(named).collect::<Vec<_>>(),
                "Timestamp": minute / 1000,
                "Values": part.iter().map(|(value, _)| value).collect::<Vec<_>>(),
                "Counts": part.iter().map(|(_, count)| count).collect::<Vec<_>>(),
                "Unit": filter.unit.as_deref().unwrap_or("None"),
            }));
        }
    }
    data
}
