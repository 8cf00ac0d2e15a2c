//! GetMetricData: many metrics at once, page by page.

use roadstead_api_cloudwatch::{
    GetMetricDataInput, GetMetricDataOutput, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
    StatusCode,
};
use roadstead_base::{Ctx, Timestamp};
use roadstead_metrics::Statistic;

use crate::CloudWatch;
use crate::error::{Error, Result, refuse};
use crate::ops::{check_period, dimensions};

const MAX_QUERIES: usize = 500;
const MAX_POINTS: usize = 100_800;

/// What a query answers, before it is cut into pages.
struct Answer {
    id: String,
    label: String,
    points: Vec<(i64, f64)>,
}

pub(crate) fn get_metric_data(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: GetMetricDataInput,
) -> Result<GetMetricDataOutput> {
    let GetMetricDataInput {
        end_time,
        metric_data_queries,
        start_time,
        label_options,
        max_datapoints,
        next_token,
        scan_by,
    } = input;
    refuse("LabelOptions", label_options.as_ref())?;
    if metric_data_queries.len() > MAX_QUERIES {
        return Err(Error::value(format!(
            "The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
        )));
    }
    if start_time >= end_time {
        return Err(Error::value(
            "The parameter StartTime must be less than the parameter EndTime.",
        ));
    }
    let limit = match max_datapoints {
        None => MAX_POINTS,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=MAX_POINTS).contains(limit))
            .ok_or_else(|| {
                Error::value(format!(
                    "The parameter MaxDatapoints must be from 1 to {MAX_POINTS}."
                ))
            })?,
    };
    let ids: Vec<&str> = metric_data_queries
        .iter()
        .map(|query| query.id.as_str())
        .collect();
    for (index, id) in ids.iter().enumerate() {
        let first = id.chars().next().is_some_and(|first| first.is_ascii_lowercase());
        if !first || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Error::value(format!(
                "The value {id} for parameter Id must begin with a lower-case letter and have letters, digits and _ alone."
            )));
        }
        if ids[..index].contains(id) {
            return Err(Error::value(format!("The id {id} is there twice.")));
        }
    }
    let scope = format!(
        "cloudwatch/{}/{}/GetMetricData/{}",
        ctx.account,
        ctx.region,
        ids.join(",")
    );
    let skip = match next_token.as_deref() {
        None => 0,
        Some(token) => {
            let cursor = ctx.pager.decode(&scope, token).map_err(|_| Error::NextToken)?;
            cursor.parse().map_err(|_| Error::NextToken)?
        }
    };
    let ascending = scan_by == Some(ScanBy::TimestampAscending);
    let span = (start_time.0.div_euclid(1000), (end_time.0 + 999).div_euclid(1000));
    let mut answers = Vec::new();
    for query in metric_data_queries {
        answers.extend(answer(metrics, ctx, query, span, ascending)?);
    }
    let (results, more) = cut(answers, skip, limit);
    Ok(GetMetricDataOutput {
        messages: Some(Vec::new()),
        metric_data_results: Some(results),
        next_token: more.then(|| ctx.pager.encode(&scope, &(skip + limit).to_string())),
    })
}

/// None if the query's data is not to be returned.
fn answer(
    metrics: &CloudWatch,
    ctx: &Ctx,
    query: MetricDataQuery,
    (from, to): (i64, i64),
    ascending: bool,
) -> Result<Option<Answer>> {
    let MetricDataQuery {
        id,
        account_id,
        expression,
        label,
        metric_stat,
        period,
        return_data,
    } = query;
    refuse("MetricDataQueries.AccountId", account_id.as_ref())?;
    refuse("MetricDataQueries.Expression", expression.as_ref())?;
    if label.as_ref().is_some_and(|label| label.contains("${")) {
        return Err(Error::unsupported("A dynamic MetricDataQueries.Label"));
    }
    let Some(stat) = metric_stat else {
        return Err(Error::MissingParameter(format!(
            "The query {id} needs a MetricStat."
        )));
    };
    if period.is_some() {
        return Err(Error::Combination(format!(
            "The query {id} has a Period, which goes with an Expression; a MetricStat has its own."
        )));
    }
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
    let metric_name = metric_name.ok_or_else(|| missing("MetricName"))?;
    let namespace = namespace.ok_or_else(|| missing("Namespace"))?;
    let period = check_period(period)?;
    let statistic: Statistic = stat.parse().map_err(|error| {
        Error::value(format!(
            "The value {stat} for parameter Stat is not supported: {error}."
        ))
    })?;
    let dimensions = dimensions(given)?;
    if return_data == Some(false) {
        return Ok(None);
    }
    let unit = unit.map(|unit| unit.to_string());
    let series: Vec<u64> = metrics
        .samples
        .index(|index| {
            index.of_metric(
                &ctx.partition(),
                &namespace,
                &metric_name,
                &dimensions,
                unit.as_deref(),
            )
        })
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    let begin = |second: i64| second.div_euclid(period) * period;
    // A period belongs to the answer if it begins within.
    let first = if begin(from) == from {
        from
    } else {
        begin(from) + period
    };
    let summed = metrics
        .samples
        .summed(&series, first, begin(to - 1) + period, begin)?;
    let said = summed
        .iter()
        .filter_map(|(second, summary)| Some((*second, statistic.of(summary)?)));
    let mut points: Vec<(i64, f64)> = said.filter(|(second, _)| *second < to).collect();
    if !ascending {
        points.reverse();
    }
    Ok(Some(Answer {
        id,
        label: label.unwrap_or(metric_name),
        points,
    }))
}

/// The points of one page; whether there are more behind it.
fn cut(answers: Vec<Answer>, skip: usize, limit: usize) -> (Vec<MetricDataResult>, bool) {
    let (mut before, mut left, mut more) = (skip, limit, false);
    let mut results = Vec::new();
    for Answer { id, label, points } in answers {
        let skipped = before.min(points.len());
        before -= skipped;
        let page: Vec<(i64, f64)> = points[skipped..].iter().take(left).copied().collect();
        left -= page.len();
        let whole = skipped + page.len() == points.len();
        more |= !whole;
        results.push(MetricDataResult {
            id: Some(id),
            label: Some(label),
            messages: None,
            status_code: Some(if whole {
                StatusCode::Complete
            } else {
                StatusCode::PartialData
            }),
            timestamps: Some(page.iter().map(|(second, _)| Timestamp(second * 1000)).collect()),
            values: Some(page.iter().map(|(_, value)| *value).collect()),
        });
    }
    (results, more)
}
