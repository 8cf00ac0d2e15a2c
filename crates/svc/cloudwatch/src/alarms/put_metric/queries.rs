//! `Metrics` of an alarm: what GetMetricData would answer, of which one time series is watched.

use roadstead_api_cloudwatch::{Metric, MetricDataQuery, MetricStat};
use roadstead_base::Ctx;
use roadstead_metric_math::{Timezone, Type};

use super::check_period;
use crate::CloudWatch;
use crate::alarms::records::{Asked, MetricName, Query};
use crate::error::{Error, Result};
use crate::ops::dimensions;
use crate::queries::{Asked as Asking, Of, Queries};

/// Metrics that an alarm's expressions may be on.
const MAX_METRICS: usize = 10;

/// `Metrics`: metrics and expressions of one period, and the one of them that is watched.
pub(super) fn accept(metrics: &CloudWatch, ctx: &Ctx, given: Vec<MetricDataQuery>) -> Result<Vec<Query>> {
    let queries = Queries::new(given.clone())?;
    let returned: Vec<_> = queries.all().iter().filter(|query| query.returned).collect();
    let [watched] = returned.as_slice() else {
        return Err(Error::validation(format!(
            "Exactly one element of the metrics list should return data, and {} do.",
            returned.len()
        )));
    };
    let count = queries
        .all()
        .iter()
        .filter(|query| matches!(query.of, Of::Metric(_)))
        .count();
    if count > MAX_METRICS {
        return Err(Error::validation(format!(
            "Metrics has {count} metrics, and an alarm can be on at most {MAX_METRICS}."
        )));
    }
    for (number, query) in (1..).zip(queries.all()) {
        let place = format!("Metrics.member.{number}");
        if let Of::Expression(expression) = &query.of
            && !expression.searches().is_empty()
        {
            return Err(Error::validation(format!(
                "{place}.Expression has a SEARCH, which alarms cannot be on."
            )));
        }
        check_period(
            &format!("{place}.Period"),
            i32::try_from(query.period).unwrap_or(i32::MAX),
        )?;
        if query.period != watched.period {
            return Err(Error::validation(format!(
                "{place} has the period {} and {} the period {}: in an alarm all have the same.",
                query.period, watched.id, watched.period
            )));
        }
    }
    let types = queries.check(&Asking {
        samples: &metrics.samples,
        partition: &ctx.partition(),
        span: (0, 0),
        now: metrics.clock.now().0.div_euclid(1000),
        timezone: Timezone::default(),
    })?;
    for (query, kind) in queries.all().iter().zip(types) {
        if query.returned && kind != Type::Series {
            return Err(Error::validation(format!(
                "The query {} comes to several time series, and an alarm is on one.",
                query.id
            )));
        }
    }
    given.into_iter().map(kept).collect()
}

/// A query as it is kept, after it was understood.
fn kept(query: MetricDataQuery) -> Result<Query> {
    let MetricDataQuery {
        id,
        account_id: _,
        expression,
        label,
        metric_stat,
        period,
        return_data,
    } = query;
    let what = match (metric_stat, expression) {
        (None, expression) => Asked::Expression(expression.unwrap_or_default()),
        (Some(stat), _) => {
            let MetricStat {
                metric,
                period,
                stat,
                unit,
            } = stat;
            let Metric {
                dimensions: given,
                metric_name,
                namespace,
            } = metric;
            Asked::Stat {
                metric: MetricName {
                    namespace: namespace.unwrap_or_default(),
                    name: metric_name.unwrap_or_default(),
                    dimensions: dimensions(given)?,
                },
                period,
                stat,
                unit: unit.map(|unit| unit.to_string()),
            }
        }
    };
    Ok(Query {
        id,
        label,
        return_data,
        period,
        what,
    })
}
