//! GetMetricData: many metrics at once and expressions over them, page by page.

use roadstead_api_cloudwatch::{
    GetMetricDataInput, GetMetricDataOutput, LabelOptions, MessageData, MetricDataResult, ScanBy, StatusCode,
};
use roadstead_base::{Ctx, Timestamp};
use roadstead_metric_math::Timezone;

use crate::CloudWatch;
use crate::error::{Error, Result};
use crate::ops::reading;
use crate::queries::{Answer, Answers, Asked, Queries};

const MAX_QUERIES: usize = 500;
const MAX_POINTS: usize = 100_800;

pub(crate) async fn get_metric_data(
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
    let timezone = timezone(label_options)?;
    let queries = Queries::new(metric_data_queries)?;
    let ids: Vec<&str> = queries.all().iter().map(|query| query.id.as_str()).collect();
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
    let with_expressions = queries.have_expressions();
    let (partition, now) = (ctx.partition(), metrics.clock.now().0.div_euclid(1000));
    let answering = reading(metrics, move |samples| {
        queries.answer(&Asked {
            samples,
            partition: &partition,
            span: (start_time.0.div_euclid(1000), (end_time.0 + 999).div_euclid(1000)),
            now,
            timezone,
        })
    });
    let Answers {
        mut all,
        cut: searched,
    } = answering.await?;
    if scan_by != Some(ScanBy::TimestampAscending) {
        all.iter_mut().for_each(|answer| answer.points.reverse());
    }
    let (results, more) = cut(all, skip, limit);
    // Documented: with math there is no next page, what is left out is only said.
    let more = more && !with_expressions;
    let messages = searched.then(|| MessageData {
        code: Some("MaxMetricsExceeded".into()),
        value: Some("Maximum number of allowed metrics exceeded".into()),
    });
    Ok(GetMetricDataOutput {
        messages: Some(messages.into_iter().collect()),
        metric_data_results: Some(results),
        next_token: more.then(|| ctx.pager.encode(&scope, &(skip + limit).to_string())),
    })
}

fn timezone(options: Option<LabelOptions>) -> Result<Timezone> {
    let Some(LabelOptions { timezone }) = options else {
        return Ok(Timezone::default());
    };
    let Some(text) = timezone else {
        return Ok(Timezone::default());
    };
    text.parse().map_err(|fault| {
        Error::value(format!(
            "The parameter LabelOptions.Timezone is invalid: {fault}."
        ))
    })
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
