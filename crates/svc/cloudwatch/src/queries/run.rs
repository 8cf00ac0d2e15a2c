//! Answering queries over a span of time. What is needed is evaluated before what needs it, so that no chain of
//! expressions is deeper than one; what several need is evaluated once.

use std::collections::HashMap;

use roadstead_base::Partition;
use roadstead_metric_math::search::{self, Search};
use roadstead_metric_math::{Fault, Grid, Series, Source, Timezone, Value, evaluate};

use super::labels::{Origin, Scene, apart};
use super::{MetricQuery, Of, Queries, Query, wrong};
use crate::error::{Error, Result};
use crate::samples::Samples;

/// Time series that one search finds; the others are left out, and it is said.
const MAX_FOUND: usize = 500;
/// Points of one request, with those on the way to its answer. More are refused.
const MAX_POINTS: usize = 5_000_000;
/// A search finds what had data in the past two weeks, known to ten minutes; in seconds.
const RECENT: i64 = 14 * 86_400 + 600;

/// What is asked of the queries.
pub(crate) struct Asked<'a> {
    pub samples: &'a Samples,
    pub partition: &'a Partition,
    /// Seconds since 1970, the end left out. Of nothing is nothing evaluated but types.
    pub span: (i64, i64),
    /// Seconds since 1970.
    pub now: i64,
    pub timezone: Timezone,
}

/// A time series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub id: String,
    pub label: String,
    /// Seconds since 1970 in ascending order.
    pub points: Vec<(i64, f64)>,
}

pub(crate) struct Answers {
    /// In the order of the queries.
    pub all: Vec<Answer>,
    /// Whether a search found more than is looked at.
    pub cut: bool,
}

impl Queries {
    /// The time series of all queries whose data is to be returned. The others are checked.
    ///
    /// # Errors
    /// An expression means nothing; samples cannot be read.
    pub(crate) fn answer(&self, asked: &Asked<'_>) -> Result<Answers> {
        let mut run = Run::new(self, asked);
        let mut all = Vec::new();
        for (index, query) in self.all.iter().enumerate() {
            if query.returned {
                let value = run.value(index, asked.span)?;
                run.count_points(&value)?;
                run.tell(query, value, &mut all)?;
            }
        }
        // What is not returned, and maybe nobody looks at, must mean something as well.
        if self.all.iter().any(|query| !query.returned) {
            self.check(asked)?;
        }
        Ok(Answers { all, cut: run.cut })
    }

    /// Whether all queries come to time series, and to one or several: the type of each in order. Reads no samples.
    ///
    /// # Errors
    /// An expression means nothing, or a scalar.
    pub(crate) fn check(&self, asked: &Asked<'_>) -> Result<Vec<roadstead_metric_math::Type>> {
        let mut run = Run::new(self, asked);
        let types = self.all.iter().enumerate().map(|(index, query)| {
            let value = run.value(index, (0, 0))?;
            run.tell(query, value.clone(), &mut Vec::new())?;
            Ok(value.kind())
        });
        types.collect()
    }
}

struct Run<'r> {
    queries: &'r Queries,
    asked: &'r Asked<'r>,
    /// What queries came to, of one period at a time: that of the query that is asked for.
    known: HashMap<usize, Value>,
    grid: Grid,
    span: (i64, i64),
    origins: Vec<Origin>,
    points: usize,
    cut: bool,
}

impl<'r> Run<'r> {
    fn new(queries: &'r Queries, asked: &'r Asked<'r>) -> Self {
        Self {
            queries,
            asked,
            known: HashMap::new(),
            grid: Grid::new(0, 0, 1),
            span: (0, 0),
            origins: Vec::new(),
            points: 0,
            cut: false,
        }
    }

    fn value(&mut self, index: usize, span: (i64, i64)) -> Result<Value> {
        let queries = self.queries;
        let grid = Grid::new(span.0, span.1, queries.all[index].period);
        if (grid, span) != (self.grid, self.span) {
            self.known.clear();
            (self.grid, self.span) = (grid, span);
        }
        for index in queries.in_order(index)? {
            if self.known.contains_key(&index) {
                continue;
            }
            let query = &queries.all[index];
            let value = match &query.of {
                Of::Metric(metric) => Value::Series(self.metric(metric, query)?),
                Of::Expression(expression) => {
                    let grid = self.grid;
                    evaluate(expression, &grid, self).map_err(|failed| match failed {
                        Failed::Fault(fault) => wrong(&query.id, &fault),
                        Failed::Error(error) => error,
                    })?
                }
            };
            self.count_points(&value)?;
            self.known.insert(index, value);
        }
        self.known
            .get(&index)
            .cloned()
            .ok_or_else(|| Error::Broken(format!("the query {index} has no value")))
    }

    fn count_points(&mut self, value: &Value) -> Result<()> {
        self.points += match value {
            Value::Scalar(_) => 0,
            Value::Series(series) => series.points.len(),
            Value::Array(array) => array.iter().map(|series| series.points.len()).sum(),
        };
        if self.points > MAX_POINTS {
            return Err(Error::value(format!(
                "The queries would look at more than {MAX_POINTS} data points; ask for longer periods or a shorter time."
            )));
        }
        Ok(())
    }

    fn metric(&mut self, metric: &MetricQuery, query: &Query) -> Result<Series> {
        let origin = Origin {
            metric: metric.clone(),
            period: self.grid.period,
            label: query.label.clone(),
            default: metric.name.clone(),
        };
        self.series(origin)
    }

    /// The points of a metric at the periods that begin within the span.
    fn series(&mut self, origin: Origin) -> Result<Series> {
        let MetricQuery {
            namespace,
            name,
            dimensions,
            statistic,
            unit,
        } = &origin.metric;
        let Asked {
            samples, partition, ..
        } = self.asked;
        let Grid { first, slots, period } = self.grid;
        let series =
            samples.index(|index| index.of_metric(partition, namespace, name, dimensions, unit.as_deref()));
        let series: Vec<u64> = series.into_iter().map(|(_, id)| id).collect();
        let end = i64::try_from(slots)
            .ok()
            .and_then(|slots| slots.checked_mul(period)?.checked_add(first));
        let begin = |second: i64| second.div_euclid(period) * period;
        let summed = samples.summed(&series, first, end.unwrap_or(i64::MAX), begin)?;
        let points = summed
            .iter()
            .filter_map(|(second, summary)| Some((*second, statistic.of(summary)?)));
        let points = points.filter(|(_, value)| value.is_finite()).collect();
        self.origins.push(origin);
        Ok(Series {
            origin: Some(self.origins.len() - 1),
            points,
        })
    }

    /// What a query came to, as the time series of an answer.
    fn tell(&self, query: &Query, value: Value, answers: &mut Vec<Answer>) -> Result<()> {
        let scene = Scene {
            partition: self.asked.partition,
            now: self.asked.now,
            timezone: self.asked.timezone,
        };
        let origin = |series: &Series| series.origin.and_then(|origin| self.origins.get(origin));
        let answer = |label: String, series: Series| Answer {
            id: query.id.clone(),
            label,
            points: series.points,
        };
        match value {
            Value::Scalar(_) => {
                return Err(Error::Validation(format!(
                    "Error in expression '{}': it comes to a scalar, and must come to a time series or an array of time \
                     series.",
                    query.id
                )));
            }
            Value::Series(series) => {
                let label = scene.of_one(query, origin(&series), &series.points);
                answers.push(answer(label, series));
            }
            Value::Array(array) => answers.extend(array.into_iter().map(|series| {
                let label = scene.of_several(query, origin(&series), &series.points);
                answer(label, series)
            })),
        }
        Ok(())
    }
}

/// Why an evaluation ends: by what the expression says, or by what lies under it.
enum Failed {
    Fault(Fault),
    Error(Error),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Source for Run<'_> {
    type Error = Failed;

    fn named(&mut self, id: &str, _column: usize) -> Result<Option<Value>, Failed> {
        let known = self.queries.by_id.get(id).and_then(|index| self.known.get(index));
        Ok(known.cloned())
    }

    fn is_metric(&self, id: &str) -> bool {
        self.queries
            .get(id)
            .is_some_and(|query| matches!(query.of, Of::Metric(_)))
    }

    fn metrics(&mut self, containing: &str) -> Result<Vec<Series>, Failed> {
        let all = self
            .queries
            .all
            .iter()
            .enumerate()
            .filter(|(_, query)| query.id.contains(containing));
        let series = all.filter_map(|(index, query)| match (&query.of, self.known.get(&index)) {
            (Of::Metric(_), Some(Value::Series(series))) => Some(series.clone()),
            _ => None,
        });
        Ok(series.collect())
    }

    fn search(&mut self, search: &Search, statistic: &str, column: usize) -> Result<Vec<Series>, Failed> {
        let statistic = statistic.parse().map_err(|error| Fault {
            kind: roadstead_metric_math::FaultKind::Syntax,
            column,
            message: format!("{error}"),
        })?;
        let Asked {
            samples,
            partition,
            now,
            ..
        } = self.asked;
        let since = (now - RECENT).saturating_mul(1000);
        let mut found: Vec<MetricQuery> = samples.index(|index| {
            let within = index
                .within(partition, search.namespace.as_deref())
                .filter(|(_, series)| series.seen >= since);
            let fits = within.map(|(name, _)| name).filter(|name| {
                search.finds(&search::Metric {
                    namespace: &name.namespace,
                    name: &name.metric,
                    dimensions: &name.dimensions,
                })
            });
            let metric = fits.map(|name| MetricQuery {
                namespace: name.namespace.clone(),
                name: name.metric.clone(),
                dimensions: name.dimensions.clone(),
                statistic,
                unit: None,
            });
            metric.collect()
        });
        // In several units it is one metric.
        found.dedup_by(|a, b| {
            (&a.namespace, &a.name, &a.dimensions) == (&b.namespace, &b.name, &b.dimensions)
        });
        self.cut |= found.len() > MAX_FOUND;
        found.truncate(MAX_FOUND);
        let defaults = apart(&found);
        let period = self.grid.period;
        let origins = found.into_iter().zip(defaults).map(|(metric, default)| Origin {
            metric,
            period,
            label: None,
            default,
        });
        origins.map(|origin| Ok(self.series(origin)?)).collect()
    }
}
