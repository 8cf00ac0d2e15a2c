//! PutMetricAlarm. Makes an alarm, or overwrites its configuration and leaves its state.

mod queries;

use roadstead_alarms::State;
use roadstead_api_cloudwatch::{ComparisonOperator, PutMetricAlarmInput, StandardUnit};
use roadstead_base::Ctx;
use roadstead_metrics::Statistic;

use super::accept;
use super::change::{Act, Decided};
use super::records::{AlarmRecord, MetricName, MetricRecord, One, Source, StateRecord, Watched};
use super::{all, reason};
use crate::CloudWatch;
use crate::error::{Error, Result, refuse};
use crate::ops::dimensions;
use crate::tags;

const DAY: i64 = 86_400;

pub(crate) async fn put_metric_alarm(
    metrics: &CloudWatch,
    ctx: &Ctx,
    input: PutMetricAlarmInput,
) -> Result<()> {
    let PutMetricAlarmInput {
        alarm_name,
        actions_enabled,
        alarm_actions,
        alarm_description,
        comparison_operator,
        datapoints_to_alarm,
        dimensions: given,
        evaluate_low_sample_count_percentile,
        evaluation_criteria,
        evaluation_interval,
        evaluation_periods,
        extended_statistic,
        insufficient_data_actions,
        metric_name,
        metrics: given_queries,
        namespace,
        ok_actions,
        period,
        statistic,
        tags,
        threshold,
        threshold_metric_id,
        treat_missing_data,
        unit,
    } = input;
    refuse("EvaluationCriteria", evaluation_criteria.as_ref())?;
    refuse("EvaluationInterval", evaluation_interval.as_ref())?;
    refuse("ThresholdMetricId", threshold_metric_id.as_ref())?;
    accept::name(&alarm_name)?;
    let single = Single {
        metric_name,
        namespace,
        dimensions: given.map(|given| dimensions(Some(given))).transpose()?,
        period,
        statistic: statistic.map(|statistic| statistic.to_string()),
        extended: extended_statistic,
        unit,
    };
    let source = match given_queries {
        None => Source::One(single.accept()?),
        Some(given) => {
            single.absent()?;
            Source::Queries(queries::accept(metrics, ctx, given)?)
        }
    };
    let low_samples = evaluate_low_sample_count_percentile;
    check_low_samples(low_samples.as_deref(), &source)?;
    let missing = treat_missing_data;
    if let Some(other) = missing.as_deref().filter(|missing| !MISSING.contains(missing)) {
        return Err(Error::validation(format!(
            "Invalid option {other} for TreatMissingData: it is one of {}.",
            MISSING.join(", ")
        )));
    }
    let watched = MetricRecord {
        source,
        evaluation_periods: evaluation_periods.ok_or_else(|| required("EvaluationPeriods"))?,
        datapoints_to_alarm,
        threshold: accept_threshold(threshold)?,
        comparison: accept_comparison(comparison_operator)?.to_string(),
        missing,
        low_samples,
    };
    check_periods(&watched)?;
    let now = metrics.clock.now();
    let made = AlarmRecord {
        name: alarm_name.clone(),
        description: alarm_description,
        actions_enabled: actions_enabled.unwrap_or(true),
        ok_actions: accept::actions(ctx, "OKActions", ok_actions, false)?,
        alarm_actions: accept::actions(ctx, "AlarmActions", alarm_actions, false)?,
        insufficient_data_actions: accept::actions(
            ctx,
            "InsufficientDataActions",
            insufficient_data_actions,
            false,
        )?,
        tags: tags::of(tags)?,
        configured_at: now,
        watched: Watched::Metric(watched),
        state: StateRecord {
            value: State::InsufficientData,
            reason: reason::CREATED.to_owned(),
            reason_data: None,
            updated_at: now,
            transitioned_at: now,
        },
        version: 0,
    };
    check_instance(&made)?;
    metrics.put_alarm(ctx, made).await
}

const MISSING: [&str; 4] = ["breaching", "notBreaching", "ignore", "missing"];

fn required(member: &str) -> Error {
    Error::validation(format!("The parameter {member} is required."))
}

impl CloudWatch {
    /// Makes an alarm, or gives one that is there its new configuration.
    pub(super) async fn put_alarm(&self, ctx: &Ctx, made: AlarmRecord) -> Result<()> {
        let partition = ctx.partition();
        let decide = |found: Option<&AlarmRecord>| {
            let mut after = made.clone();
            if let Some(found) = found {
                if found.kind() != made.kind() {
                    return Err(Error::validation(format!(
                        "The alarm {} is there already, and is a {}.",
                        made.name,
                        found.kind()
                    )));
                }
                after.state = found.state.clone();
                // Each configuration has its own time: an evaluation is known by it.
                after.configured_at = made.configured_at.max(found.configured_at.plus_millis(1));
                // As documented: of an alarm that is there, tags are changed by TagResource alone.
                after.tags = found.tags.clone();
                if let (Watched::Composite(after), Watched::Composite(found)) =
                    (&mut after.watched, &found.watched)
                    && after.suppressor.is_some()
                {
                    after.suppression = found.suppression;
                    after.held_back = found.held_back.clone();
                }
            } else if self.alarms.snapshot().below(&all(&partition)).count() >= self.options.max_alarms {
                return Err(Error::Limit(format!(
                    "There are {} alarms, which is as many as can be.",
                    self.options.max_alarms
                )));
            }
            Ok(Decided::Put(Box::new(after), Act::Configured))
        };
        self.change(&partition, &made.name, decide).await?;
        Ok(())
    }
}

/// The members that say which metric, where there is only one.
struct Single {
    metric_name: Option<String>,
    namespace: Option<String>,
    dimensions: Option<Vec<(String, String)>>,
    period: Option<i32>,
    statistic: Option<String>,
    extended: Option<String>,
    unit: Option<StandardUnit>,
}

impl Single {
    fn accept(self) -> Result<One> {
        let name = self
            .metric_name
            .ok_or_else(|| Error::validation("Exactly one of MetricName and Metrics must be specified."))?;
        let namespace = self.namespace.ok_or_else(|| required("Namespace"))?;
        let period = self.period.ok_or_else(|| required("Period"))?;
        check_period("Period", period)?;
        if self.statistic.is_some() == self.extended.is_some() {
            return Err(Error::validation(
                "Exactly one of Statistic and ExtendedStatistic must be specified.",
            ));
        }
        if let Some(extended) = &self.extended {
            check_statistic("ExtendedStatistic", extended)?;
        }
        Ok(One {
            metric: MetricName {
                namespace,
                name,
                dimensions: self.dimensions.unwrap_or_default(),
            },
            statistic: self.statistic,
            extended: self.extended,
            period,
            unit: self.unit.map(|unit| unit.to_string()),
        })
    }

    fn absent(&self) -> Result<()> {
        let present = [
            ("MetricName", self.metric_name.is_some()),
            ("Namespace", self.namespace.is_some()),
            (
                "Dimensions",
                self.dimensions.as_ref().is_some_and(|all| !all.is_empty()),
            ),
            ("Period", self.period.is_some()),
            ("Statistic", self.statistic.is_some()),
            ("ExtendedStatistic", self.extended.is_some()),
            ("Unit", self.unit.is_some()),
        ];
        match present.iter().find(|(_, present)| *present) {
            Some((member, _)) => Err(Error::validation(format!(
                "{member} must not be specified together with Metrics."
            ))),
            None => Ok(()),
        }
    }
}

fn check_period(member: &str, period: i32) -> Result<()> {
    if matches!(period, 10 | 20 | 30) || (period > 0 && period % 60 == 0) {
        return Ok(());
    }
    Err(Error::validation(format!(
        "The value {period} for parameter {member} must be 10, 20, 30 or a multiple of 60."
    )))
}

fn check_statistic(member: &str, text: &str) -> Result<()> {
    let parsed: std::result::Result<Statistic, _> = text.parse();
    parsed.map(|_| ()).map_err(|error| {
        Error::validation(format!(
            "The value {text} for parameter {member} is not supported: {error}."
        ))
    })
}

fn check_low_samples(low_samples: Option<&str>, source: &Source) -> Result<()> {
    let Some(low_samples) = low_samples else {
        return Ok(());
    };
    if !matches!(low_samples, "evaluate" | "ignore") {
        return Err(Error::validation(format!(
            "Invalid option {low_samples} for EvaluateLowSampleCountPercentile: it is evaluate or ignore."
        )));
    }
    let percentile = match source {
        Source::One(one) => one.extended.as_deref().and_then(|extended| extended.parse().ok()),
        Source::Queries(_) => None,
    };
    match percentile {
        Some(Statistic::Percentile(_)) => Ok(()),
        _ => Err(Error::validation(
            "EvaluateLowSampleCountPercentile goes with an ExtendedStatistic that is a percentile.",
        )),
    }
}

fn accept_threshold(threshold: Option<f64>) -> Result<f64> {
    let threshold = threshold.ok_or_else(|| required("Threshold"))?;
    if threshold.is_finite() {
        return Ok(threshold);
    }
    Err(Error::validation(format!(
        "The value {threshold} for parameter Threshold is no number."
    )))
}

fn accept_comparison(given: Option<ComparisonOperator>) -> Result<ComparisonOperator> {
    use ComparisonOperator as Of;
    let given = given.ok_or_else(|| required("ComparisonOperator"))?;
    match given {
        Of::GreaterThanOrEqualToThreshold
        | Of::GreaterThanThreshold
        | Of::LessThanThreshold
        | Of::LessThanOrEqualToThreshold => Ok(given),
        Of::LessThanLowerOrGreaterThanUpperThreshold
        | Of::LessThanLowerThreshold
        | Of::GreaterThanUpperThreshold => Err(Error::unsupported(format!(
            "ComparisonOperator {given}, which is of anomaly detection,"
        ))),
    }
}

fn check_periods(watched: &MetricRecord) -> Result<()> {
    if let Some(points) = watched.datapoints_to_alarm
        && points > watched.evaluation_periods
    {
        return Err(Error::validation(format!(
            "DatapointsToAlarm {points} must be at most EvaluationPeriods {}.",
            watched.evaluation_periods
        )));
    }
    let period = watched.period();
    let most = if period < 3600 { DAY } else { 7 * DAY };
    if i64::from(watched.evaluation_periods) * period > most {
        return Err(Error::validation(format!(
            "Metrics cannot be checked across more than {} (EvaluationPeriods * Period must be <= {most}).",
            if period < 3600 { "a day" } else { "seven days" }
        )));
    }
    Ok(())
}

/// An action on an instance needs to know which one.
fn check_instance(alarm: &AlarmRecord) -> Result<()> {
    let named = match &alarm.watched {
        Watched::Metric(MetricRecord {
            source: Source::One(one),
            ..
        }) => one.metric.dimensions.iter().any(|(name, _)| name == "InstanceId"),
        Watched::Metric(_) | Watched::Composite(_) => false,
    };
    let all = [
        ("OKActions", &alarm.ok_actions),
        ("AlarmActions", &alarm.alarm_actions),
        ("InsufficientDataActions", &alarm.insufficient_data_actions),
    ];
    for (member, actions) in all {
        for (number, action) in (1..).zip(actions) {
            let place = format!("{member}.member.{number}");
            if !named && accept::kind(&place, action)? == accept::Kind::Instance {
                return Err(Error::validation(format!(
                    "{place} {action} needs a metric with the dimension InstanceId."
                )));
            }
        }
    }
    Ok(())
}
