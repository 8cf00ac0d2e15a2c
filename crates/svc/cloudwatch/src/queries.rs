//! Queries for data: metrics, and expressions over them that refer to each other by their Ids. GetMetricData answers
//! them, and alarms on expressions watch one of them.
//!
//! An expression is told by its own `Period`, or by the longest of the metrics that it comes from, also through other
//! expressions; within it every metric is told by that period, whatever its own.

mod labels;
mod run;

use std::collections::BTreeMap;

use roadstead_api_cloudwatch::{Metric, MetricDataQuery, MetricStat};
use roadstead_metric_math::{Expression, Fault, FaultKind, Label};
use roadstead_metrics::Statistic;

use crate::error::{Error, Result, refuse};
use crate::ops::{check_period, dimensions};

pub(crate) use run::{Answer, Answers, Asked};

/// Queries of one request, which know each other by their Ids.
#[derive(Clone, Debug)]
pub(crate) struct Queries {
    all: Vec<Query>,
    by_id: BTreeMap<String, usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub id: String,
    pub of: Of,
    /// In seconds.
    pub period: i64,
    label: Option<Label>,
    /// As it was given, which says whether a label goes before others.
    label_text: Option<String>,
    pub returned: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Of {
    Metric(MetricQuery),
    Expression(Expression),
}

#[derive(Clone, Debug)]
pub(crate) struct MetricQuery {
    pub namespace: String,
    pub name: String,
    pub dimensions: Vec<(String, String)>,
    pub statistic: Statistic,
    pub unit: Option<String>,
}

impl Queries {
    /// Takes queries apart.
    ///
    /// # Errors
    /// A member is missing, wrong or not supported; an expression is none, refers to itself or to what is not there.
    pub(crate) fn new(queries: Vec<MetricDataQuery>) -> Result<Self> {
        let mut by_id = BTreeMap::new();
        for (index, id) in queries.iter().map(|query| &query.id).enumerate() {
            check_id(id)?;
            if by_id.insert(id.clone(), index).is_some() {
                return Err(Error::value(format!("The id {id} is there twice.")));
            }
        }
        let mut periods = Vec::new();
        let mut all = Vec::new();
        for query in queries {
            let (query, period) = query_of(query)?;
            all.push(query);
            periods.push(period);
        }
        let mut queries = Self { all, by_id };
        queries.settle_periods(&periods)?;
        Ok(queries)
    }

    pub(crate) fn all(&self) -> &[Query] {
        &self.all
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Query> {
        self.by_id.get(id).and_then(|index| self.all.get(*index))
    }

    /// Whether there is any math among them.
    pub(crate) fn have_expressions(&self) -> bool {
        self.all.iter().any(|query| matches!(query.of, Of::Expression(_)))
    }

    /// The queries that one looks at directly, by their index.
    fn needs(&self, index: usize) -> Vec<usize> {
        let Some(Of::Expression(expression)) = self.all.get(index).map(|query| &query.of) else {
            return Vec::new();
        };
        let named = expression
            .names()
            .into_iter()
            .filter_map(|id| self.by_id.get(id).copied());
        let metrics = expression.metrics();
        let contained = (0..self.all.len()).filter(|index| {
            let Query { id, of, .. } = &self.all[*index];
            matches!(of, Of::Metric(_)) && metrics.iter().any(|text| id.contains(text))
        });
        named.chain(contained).collect()
    }

    /// A query and all that it comes from, what is needed before what needs it.
    fn in_order(&self, root: usize) -> Result<Vec<usize>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            Not,
            Begun,
            Done,
        }
        let mut seen = vec![Seen::Not; self.all.len()];
        let mut order = Vec::new();
        let mut stack = vec![(root, self.needs(root))];
        seen[root] = Seen::Begun;
        while let Some((index, needs)) = stack.last_mut() {
            match needs.pop() {
                None => {
                    seen[*index] = Seen::Done;
                    order.push(*index);
                    stack.pop();
                }
                Some(need) if seen[need] == Seen::Begun => {
                    return Err(Error::Validation(format!(
                        "Error in expression '{}': it refers to itself, directly or through others.",
                        self.all[need].id
                    )));
                }
                Some(need) if seen[need] == Seen::Done => {}
                Some(need) => {
                    seen[need] = Seen::Begun;
                    stack.push((need, self.needs(need)));
                }
            }
        }
        Ok(order)
    }

    /// Gives expressions without a period of their own the longest of what they come from.
    fn settle_periods(&mut self, given: &[Option<i64>]) -> Result<()> {
        for index in 0..self.all.len() {
            let order = self.in_order(index)?;
            let longest = || order.iter().filter_map(|index| *given.get(*index)?).max();
            let period = match (given.get(index).copied().flatten(), &self.all[index].of) {
                (Some(period), _) => Some(period),
                (None, Of::Expression(_)) => longest(),
                (None, Of::Metric(_)) => None,
            };
            let id = &self.all[index].id;
            self.all[index].period = period.ok_or_else(|| {
                Error::MissingParameter(format!(
                    "The query {id} comes from no metrics and needs a Period."
                ))
            })?;
        }
        Ok(())
    }
}

fn check_id(id: &str) -> Result<()> {
    let first = id.chars().next().is_some_and(|first| first.is_ascii_lowercase());
    if first && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Error::value(format!(
        "The value {id} for parameter Id must begin with a lower-case letter and have letters, digits and _ alone."
    )))
}

/// What is wrong with an expression becomes the service's word for it.
fn wrong(id: &str, fault: &Fault) -> Error {
    let message = format!("Error in expression '{id}': {fault}.");
    match fault.kind {
        FaultKind::Syntax | FaultKind::Meaning => Error::Validation(message),
        FaultKind::Unsupported => Error::Value(message),
    }
}

/// A query, and its period if it says one.
fn query_of(query: MetricDataQuery) -> Result<(Query, Option<i64>)> {
    let MetricDataQuery {
        id,
        account_id,
        expression,
        label: label_text,
        metric_stat,
        period,
        return_data,
    } = query;
    refuse("MetricDataQueries.AccountId", account_id.as_ref())?;
    let label = label_text.as_deref().map(str::parse).transpose();
    let label = label
        .map_err(|fault: Fault| Error::value(format!("The Label of the query {id} is wrong: {fault}.")))?;
    let (of, period) = match (metric_stat, expression) {
        (Some(_), Some(_)) => {
            return Err(Error::Combination(format!(
                "The query {id} has a MetricStat and an Expression, which are mutually exclusive."
            )));
        }
        (None, None) => {
            return Err(Error::MissingParameter(format!(
                "The query {id} needs a MetricStat or an Expression."
            )));
        }
        (Some(_), None) if period.is_some() => {
            return Err(Error::Combination(format!(
                "The query {id} has a Period, which goes with an Expression; a MetricStat has its own."
            )));
        }
        (Some(stat), None) => {
            let (metric, period) = metric_of(&id, stat)?;
            (Of::Metric(metric), Some(period))
        }
        (None, Some(text)) => {
            let expression: Expression = text.parse().map_err(|fault| wrong(&id, &fault))?;
            let period = expression_period(&id, &expression, period)?;
            (Of::Expression(expression), period)
        }
    };
    let query = Query {
        id,
        of,
        period: 0,
        label,
        label_text,
        returned: return_data != Some(false),
    };
    Ok((query, period))
}

fn metric_of(id: &str, stat: MetricStat) -> Result<(MetricQuery, i64)> {
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
    let missing =
        |member: &str| Error::MissingParameter(format!("The query {id} needs MetricStat.Metric.{member}."));
    let statistic = stat.parse().map_err(|error| {
        Error::value(format!(
            "The value {stat} for parameter Stat is not supported: {error}."
        ))
    })?;
    let metric = MetricQuery {
        name: metric_name.ok_or_else(|| missing("MetricName"))?,
        namespace: namespace.ok_or_else(|| missing("Namespace"))?,
        dimensions: dimensions(given)?,
        statistic,
        unit: unit.map(|unit| unit.to_string()),
    };
    Ok((metric, check_period(period)?))
}

/// The period that an expression says itself: as a member of its query, or as the last argument of its searches.
fn expression_period(id: &str, expression: &Expression, given: Option<i32>) -> Result<Option<i64>> {
    let given = given.map(check_period).transpose()?;
    let mut longest = given;
    for searched in expression.searches().into_iter().flatten() {
        let whole = (searched.fract() == 0.0 && (1.0..=f64::from(i32::MAX)).contains(&searched))
            .then_some(searched as i32);
        let period = match whole {
            Some(period) => check_period(period)?,
            None => {
                return Err(Error::value(format!(
                    "The period {searched} of a search must be a whole number."
                )));
            }
        };
        if given.is_some_and(|given| given != period) {
            return Err(Error::Combination(format!(
                "The query {id} has the Period {}, and a search in it another one, {period}.",
                given.unwrap_or_default()
            )));
        }
        longest = longest.max(Some(period));
    }
    Ok(longest)
}
