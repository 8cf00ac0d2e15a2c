//! Why an alarm is in its state, in CloudWatch's words, and the same as data.

use roadstead_alarms::{Comparison, Judgement, Missing, Settings, Verdict};
use roadstead_base::Timestamp;
use serde_json::{Value as Json, json};

use super::records::{MetricRecord, Source};
use super::told;

pub(super) const CREATED: &str = "Unchecked: Initial alarm creation";
/// The longest that the API tells.
const MAX_REASON: usize = 1023;
const MAX_DATA: usize = 4000;

/// A period that was looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Its begin.
    pub second: i64,
    /// None: missing.
    pub value: Option<f64>,
    /// None: not known, as of expressions.
    pub samples: Option<f64>,
}

/// What an evaluation came to.
pub(super) struct Said<'a> {
    pub alarm: &'a MetricRecord,
    pub settings: Settings,
    /// All periods that were looked at, the newest last.
    pub points: &'a [Point],
    pub judged: &'a Judgement,
    pub now: Timestamp,
}

fn words(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::GreaterThanOrEqualTo => "greater than or equal to",
        Comparison::GreaterThan => "greater than",
        Comparison::LessThan => "less than",
        Comparison::LessThanOrEqualTo => "less than or equal to",
    }
}

fn many(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn was(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// A point as reasons tell it: `5.0 (24/11/26 10:00:00)`.
fn shown(point: &Point) -> String {
    let at = jiff::Timestamp::from_second(point.second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let at = at.strftime("%d/%m/%y %H:%M:%S");
    format!("{:?} ({at})", point.value.unwrap_or_default())
}

/// `StateReason`.
pub(super) fn text(said: &Said<'_>) -> String {
    let Said {
        alarm,
        settings,
        points,
        judged,
        now: _,
    } = said;
    let (n, m) = (settings.evaluation_periods, settings.datapoints_to_alarm);
    if judged.verdict == Verdict::InsufficientData {
        return format!("Insufficient Data: {} {} unknown.", many(n, "datapoint"), was(n));
    }
    let treated = match settings.missing {
        Missing::Breaching => "Breaching",
        Missing::NotBreaching => "NonBreaching",
        Missing::Missing | Missing::Ignore => "",
    };
    let received = judged.counted.len();
    if judged.filled > 0 && !treated.is_empty() {
        let received = match received {
            0 => "no datapoints were".to_owned(),
            _ => format!("{} {}", many(received, "datapoint"), was(received)),
        };
        return format!(
            "Threshold Crossed: {received} received for {} and {} {} treated as [{treated}].",
            many(n, "period"),
            many(judged.filled, "missing datapoint"),
            was(judged.filled),
        );
    }
    let comparison = alarm.comparison();
    let alarming = judged.verdict == Verdict::Alarm;
    let breaches = |point: &&Point| {
        let value = point.value.unwrap_or_default();
        comparison.breaches(value, alarm.threshold) == alarming
    };
    let told: Vec<String> = judged
        .counted
        .iter()
        .map(|at| &points[*at])
        .filter(breaches)
        .map(shown)
        .collect();
    let (not, least, transition) = if alarming {
        ("", m, "OK -> ALARM")
    } else {
        ("not ", n - m + 1, "ALARM -> OK")
    };
    let tail = format!(
        "{} {not}{} the threshold ({:?}) (minimum {} for {transition} transition).",
        was(told.len()),
        words(comparison),
        alarm.threshold,
        many(least, "datapoint"),
    );
    let head = format!(
        "Threshold Crossed: {} out of the last {received} datapoints ",
        told.len()
    );
    // A long row of points is cut, never the end of the sentence.
    let room = MAX_REASON.saturating_sub(head.len() + tail.len() + 8);
    let mut list = String::new();
    for point in told {
        if list.len() + point.len() + 2 > room {
            list.push_str(", ...");
            break;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(&point);
    }
    format!("{head}[{list}] {tail}")
}

/// `StateReasonData`.
pub(super) fn data(said: &Said<'_>) -> String {
    let Said {
        alarm,
        settings: _,
        points,
        judged,
        now,
    } = said;
    let at = |second: i64| told(Timestamp(second * 1000));
    let counted: Vec<&Point> = judged.counted.iter().map(|at| &points[*at]).collect();
    let recent: Vec<f64> = counted.iter().rev().filter_map(|point| point.value).collect();
    let mut data = json!({
        "version": "1.0",
        "queryDate": told(*now),
        "period": alarm.period(),
        "recentDatapoints": recent,
        "threshold": alarm.threshold,
    });
    if let Some(first) = counted.last() {
        data["startDate"] = at(first.second).into();
    }
    if let Source::One(one) = &alarm.source {
        if let Some(statistic) = one.statistic.as_ref().or(one.extended.as_ref()) {
            data["statistic"] = statistic.as_str().into();
        }
        if let Some(unit) = &one.unit {
            data["unit"] = unit.as_str().into();
        }
    }
    let evaluated = |point: &Point| {
        let mut told = json!({"timestamp": at(point.second)});
        if let Some(value) = point.value {
            told["value"] = value.into();
        }
        if let Some(samples) = point.samples {
            told["sampleCount"] = samples.into();
        }
        told
    };
    let mut all: Vec<Json> = points.iter().rev().map(evaluated).collect();
    loop {
        data["evaluatedDatapoints"] = all.clone().into();
        let text = data.to_string();
        if text.len() <= MAX_DATA {
            return text;
        }
        if all.is_empty() {
            data["recentDatapoints"] = Json::Array(Vec::new());
            return data.to_string();
        }
        all.truncate(all.len() / 2);
    }
}
