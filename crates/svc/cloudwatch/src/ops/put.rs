//! PutMetricData. All of the request is taken, or nothing.

use roadstead_api_cloudwatch::{MetricDatum, PutMetricDataInput, StatisticSet};
use roadstead_base::{Caller, Ctx, Timestamp};
use roadstead_metrics::Summary;

use crate::CloudWatch;
use crate::error::{Error, Result, refuse, refuse_set};
use crate::ops::dimensions;
use crate::samples::{Name, Sample};

const MAX_DATA: usize = 1000;
const MAX_VALUES: usize = 150;
const TWO_WEEKS: i64 = 14 * 86_400_000;
const TWO_HOURS: i64 = 2 * 3_600_000;

pub(crate) async fn put_metric_data(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: PutMetricDataInput,
) -> Result<()> {
    let PutMetricDataInput {
        namespace,
        entity_metric_data,
        metric_data,
        strict_entity_validation,
    } = input;
    refuse("EntityMetricData", entity_metric_data.as_ref())?;
    refuse_set("StrictEntityValidation", strict_entity_validation)?;
    if namespace.starts_with("AWS/") && !matches!(ctx.caller, Caller::Service(_)) {
        return Err(Error::value(format!(
            "The value {namespace} for parameter Namespace is invalid: AWS/ begins the platform's own namespaces."
        )));
    }
    let data = metric_data.unwrap_or_default();
    if data.is_empty() {
        return Err(Error::MissingParameter(
            "The parameter MetricData is required.".into(),
        ));
    }
    if data.len() > MAX_DATA {
        return Err(Error::value(format!(
            "The collection MetricData must not have a size greater than {MAX_DATA}."
        )));
    }
    let now = metrics.clock.now();
    let owner = (ctx.account.to_string(), ctx.region.to_string());
    let samples = (1..)
        .zip(data)
        .map(|(number, datum)| sample(&owner, &namespace, number, datum, now))
        .collect::<Result<Vec<_>>>()?;
    metrics
        .samples
        .put(samples, now, metrics.options.max_series)
        .await
}

fn sample(
    (account, region): &(String, String),
    namespace: &str,
    number: usize,
    datum: MetricDatum,
    now: Timestamp,
) -> Result<Sample> {
    let MetricDatum {
        metric_name,
        counts,
        dimensions: given,
        statistic_values,
        storage_resolution,
        timestamp,
        unit,
        value,
        values,
    } = datum;
    let at = format!("MetricData.member.{number}");
    let wrong = |error: &dyn std::fmt::Display| Error::value(format!("{at} is invalid: {error}."));
    let given_ways = usize::from(statistic_values.is_some())
        + usize::from(value.is_some())
        + usize::from(values.is_some());
    if given_ways == 0 {
        return Err(Error::MissingParameter(format!(
            "At least one of the parameters {at}.Value, {at}.Values or {at}.StatisticValues must be specified."
        )));
    }
    if given_ways > 1 {
        return Err(Error::Combination(format!(
            "The parameters {at}.Value, {at}.Values and {at}.StatisticValues are mutually exclusive and you have specified \
             more than one."
        )));
    }
    if counts.is_some() && values.is_none() {
        return Err(Error::Combination(format!("{at}.Counts goes with {at}.Values.")));
    }
    let summary = match (value, statistic_values, values) {
        (Some(value), _, _) => Summary::of(value, 1.0).map_err(|error| wrong(&error))?,
        (_, Some(set), _) => {
            let StatisticSet {
                maximum,
                minimum,
                sample_count,
                sum,
            } = set;
            Summary::of_set(sample_count, sum, minimum, maximum).map_err(|error| wrong(&error))?
        }
        (_, _, values) => counted(values.unwrap_or_default(), counts, &wrong)?,
    };
    let resolution = match storage_resolution {
        None | Some(60) => 60,
        Some(1) => 1,
        Some(other) => {
            return Err(Error::value(format!(
                "{at}.StorageResolution {other} must be 1 or 60."
            )));
        }
    };
    let time = timestamp.unwrap_or(now);
    if time.0 < now.0 - TWO_WEEKS || time.0 > now.0 + TWO_HOURS {
        return Err(Error::value(format!(
            "The parameter {at}.Timestamp must be at most two weeks in the past and two hours in the future."
        )));
    }
    let second = time.0.div_euclid(1000);
    Ok(Sample {
        name: Name {
            account: account.clone(),
            region: region.clone(),
            namespace: namespace.to_owned(),
            metric: metric_name,
            dimensions: dimensions(given)?,
            unit: unit.map_or_else(|| "None".to_owned(), |unit| unit.to_string()),
        },
        second: second.div_euclid(resolution) * resolution,
        summary,
    })
}

fn counted(
    values: Vec<f64>,
    counts: Option<Vec<f64>>,
    wrong: &dyn Fn(&dyn std::fmt::Display) -> Error,
) -> Result<Summary> {
    if values.is_empty() || values.len() > MAX_VALUES {
        return Err(wrong(&format!("Values has from 1 to {MAX_VALUES} members")));
    }
    let counts = counts.unwrap_or_else(|| vec![1.0; values.len()]);
    if counts.len() != values.len() {
        return Err(wrong(&"Counts has as many members as Values"));
    }
    let summaries = values
        .iter()
        .zip(counts)
        .map(|(value, count)| Summary::of(*value, count).map_err(|error| wrong(&error)))
        .collect::<Result<Vec<_>>>()?;
    Summary::merged(&summaries).ok_or_else(|| wrong(&"it has no values"))
}
