//! The statistics of CloudWatch ("CloudWatch statistics definitions") by their names, and what each says of a summary.

use std::fmt;
use std::str::FromStr;

use crate::summary::Summary;

/// One end of what a trimmed statistic looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// From 0 to 100.
    Percent(f64),
    Value(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    SampleCount,
    Sum,
    Average,
    Minimum,
    Maximum,
    /// `p99.9`
    Percentile(f64),
    /// `tm99`, `TM(10%:90%)`, `IQM`: the average of what lies above the first and not above the second.
    TrimmedMean(Option<Bound>, Option<Bound>),
    /// `wm98`: the average with what lies outside set to the ends.
    WinsorizedMean(Option<Bound>, Option<Bound>),
    TrimmedCount(Option<Bound>, Option<Bound>),
    TrimmedSum(Option<Bound>, Option<Bound>),
    /// `PR(:300)`: how many percent of the samples lie there.
    PercentileRank(Option<f64>, Option<f64>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a statistic at position {position}: expected {wanted}")]
pub struct StatisticError {
    pub text: String,
    pub position: usize,
    pub wanted: &'static str,
}

impl FromStr for Statistic {
    type Err = StatisticError;

    fn from_str(text: &str) -> Result<Self, StatisticError> {
        let fault = |position, wanted| StatisticError {
            text: text.chars().take(100).collect(),
            position,
            wanted,
        };
        match text {
            "SampleCount" => return Ok(Self::SampleCount),
            "Sum" => return Ok(Self::Sum),
            "Average" => return Ok(Self::Average),
            "Minimum" => return Ok(Self::Minimum),
            "Maximum" => return Ok(Self::Maximum),
            "IQM" | "iqm" => {
                return Ok(Self::TrimmedMean(
                    Some(Bound::Percent(25.0)),
                    Some(Bound::Percent(75.0)),
                ));
            }
            _ => {}
        }
        if let Some(percent) = text
            .strip_prefix(['p', 'P'])
            .filter(|rest| !rest.starts_with(['r', 'R']))
        {
            let percent =
                percent_of(percent).ok_or_else(|| fault(1, "a percentage from 0 to 100, as in p99.9"))?;
            return Ok(Self::Percentile(percent));
        }
        let known = "SampleCount, Sum, Average, Minimum, Maximum, IQM, p, tm, wm, tc, ts or PR with a number or range";
        let (kind, rest) = text.split_at_checked(2).ok_or_else(|| fault(0, known))?;
        let make: fn(Option<Bound>, Option<Bound>) -> Option<Self> = match kind {
            "tm" | "TM" => |low, high| Some(Self::TrimmedMean(low, high)),
            "wm" | "WM" => |low, high| Some(Self::WinsorizedMean(low, high)),
            "tc" | "TC" => |low, high| Some(Self::TrimmedCount(low, high)),
            "ts" | "TS" => |low, high| Some(Self::TrimmedSum(low, high)),
            "pr" | "PR" => |low, high| match (low, high) {
                (Some(Bound::Percent(_)), _) | (_, Some(Bound::Percent(_))) => None,
                (low, high) => Some(Self::PercentileRank(
                    low.map(Bound::number),
                    high.map(Bound::number),
                )),
            },
            _ => return Err(fault(0, known)),
        };
        if let Some(range) = rest.strip_prefix('(') {
            let range = range
                .strip_suffix(')')
                .ok_or_else(|| fault(text.len(), "a closing parenthesis"))?;
            let (low, high) = range
                .split_once(':')
                .ok_or_else(|| fault(3, "a colon between two bounds"))?;
            let bound = |text: &str, at: usize| match text {
                "" => Ok(None),
                _ => bound(text)
                    .map(Some)
                    .ok_or_else(|| fault(at, "a number or a percentage")),
            };
            let (low, high) = (bound(low, 3)?, bound(high, 4 + low.len())?);
            let ordered = match (low, high) {
                (None, None) => false,
                (Some(Bound::Percent(low)), Some(Bound::Percent(high))) => low < high,
                (Some(Bound::Value(low)), Some(Bound::Value(high))) => low < high,
                (Some(_), Some(_)) => false,
                _ => true,
            };
            if !ordered {
                return Err(fault(3, "two bounds of one kind, the first below the second"));
            }
            return make(low, high)
                .ok_or_else(|| fault(3, "values, as a rank of percentages is the percentage"));
        }
        if matches!(kind, "pr" | "PR") {
            return Err(fault(2, "a range in parentheses"));
        }
        let percent = percent_of(rest).ok_or_else(|| fault(2, "a percentage from 0 to 100, or a range"))?;
        // `wm98` cuts at both ends alike, the others above.
        let low = matches!(kind, "wm" | "WM").then(|| Bound::Percent(100.0 - percent));
        let high = Some(Bound::Percent(percent));
        make(low.filter(|_| percent > 50.0), high).ok_or_else(|| fault(2, "a range"))
    }
}

/// Digits with at most ten decimals, from 0 to 100.
fn percent_of(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = text.parse().ok()?;
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    (plain && decimals <= 10 && (0.0..=100.0).contains(&number)).then_some(number)
}

fn bound(text: &str) -> Option<Bound> {
    match text.strip_suffix('%') {
        Some(percent) => percent_of(percent).map(Bound::Percent),
        None => text
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
            .map(Bound::Value),
    }
}

impl Bound {
    fn number(self) -> f64 {
        match self {
            Self::Percent(number) | Self::Value(number) => number,
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |f: &mut fmt::Formatter<'_>, kind: &str, low: &Option<Bound>, high: &Option<Bound>| {
            let text = |bound: &Option<Bound>| match bound {
                None => String::new(),
                Some(Bound::Percent(percent)) => format!("{percent}%"),
                Some(Bound::Value(value)) => value.to_string(),
            };
            write!(f, "{kind}({}:{})", text(low), text(high))
        };
        match self {
            Self::SampleCount => f.write_str("SampleCount"),
            Self::Sum => f.write_str("Sum"),
            Self::Average => f.write_str("Average"),
            Self::Minimum => f.write_str("Minimum"),
            Self::Maximum => f.write_str("Maximum"),
            Self::Percentile(percent) => write!(f, "p{percent}"),
            Self::TrimmedMean(low, high) => range(f, "TM", low, high),
            Self::WinsorizedMean(low, high) => range(f, "WM", low, high),
            Self::TrimmedCount(low, high) => range(f, "TC", low, high),
            Self::TrimmedSum(low, high) => range(f, "TS", low, high),
            Self::PercentileRank(low, high) => {
                range(f, "PR", &low.map(Bound::Value), &high.map(Bound::Value))
            }
        }
    }
}

impl Statistic {
    /// Whether it needs to know the single values.
    pub fn needs_values(self) -> bool {
        !matches!(
            self,
            Self::SampleCount | Self::Sum | Self::Average | Self::Minimum | Self::Maximum
        )
    }

    /// What it says of the samples; none if they do not tell.
    pub fn of(self, summary: &Summary) -> Option<f64> {
        let values = || {
            summary.distribution.as_ref().map(|distribution| Values {
                pairs: distribution.iter().collect(),
                count: summary.count,
                min: summary.min,
                max: summary.max,
            })
        };
        match self {
            Self::SampleCount => Some(summary.count),
            Self::Sum => Some(summary.sum),
            Self::Average => Some(summary.sum / summary.count),
            Self::Minimum => Some(summary.min),
            Self::Maximum => Some(summary.max),
            Self::Percentile(percent) => values()?.percentile(percent),
            Self::TrimmedMean(low, high) => {
                let (count, sum) = values()?.trimmed(low, high);
                (count > 0.0).then(|| sum / count)
            }
            Self::TrimmedCount(low, high) => Some(values()?.trimmed(low, high).0),
            Self::TrimmedSum(low, high) => Some(values()?.trimmed(low, high).1),
            Self::WinsorizedMean(low, high) => values()?.winsorized(low, high),
            Self::PercentileRank(low, high) => {
                let values = values()?;
                let (low, high) = (low.map(Bound::Value), high.map(Bound::Value));
                Some(values.trimmed(low, high).0 / values.count * 100.0)
            }
        }
    }
}

/// Values in order, each with how often it came.
struct Values {
    pairs: Vec<(f64, f64)>,
    count: f64,
    min: f64,
    max: f64,
}

impl Values {
    /// The least value that so many percent of the samples do not exceed.
    fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = self.count * percent / 100.0;
        let mut seen = 0.0;
        let found = self.pairs.iter().find(|(_, count)| {
            seen += count;
            // Counts are sums of numbers that may be off in their last digits.
            seen >= rank - self.count * 1e-12
        });
        let (value, _) = found.or(self.pairs.last())?;
        // A bucket's middle may lie outside of what came.
        Some(value.clamp(self.min, self.max))
    }

    /// How many samples lie within, and their sum. Percentages cut samples, also in part; values are compared, the
    /// lower bound itself left out.
    fn trimmed(&self, low: Option<Bound>, high: Option<Bound>) -> (f64, f64) {
        let from = share(low, 0.0) * self.count;
        let to = share(high, 100.0) * self.count;
        let above = value(low, f64::NEG_INFINITY);
        let up_to = value(high, f64::INFINITY);
        let (mut seen, mut count, mut sum) = (0.0, 0.0, 0.0);
        for (value, times) in &self.pairs {
            let within = ((seen + times).min(to) - f64::max(seen, from)).max(0.0);
            seen += times;
            let value = value.clamp(self.min, self.max);
            if value > above && value <= up_to {
                count += within;
                sum += within * value;
            }
        }
        (count, sum)
    }

    fn winsorized(&self, low: Option<Bound>, high: Option<Bound>) -> Option<f64> {
        let end = |bound: Option<Bound>, none: f64| match bound {
            None => Some(none),
            Some(Bound::Value(value)) => Some(value),
            Some(Bound::Percent(percent)) => self.percentile(percent),
        };
        let (low, high) = (end(low, f64::NEG_INFINITY)?, end(high, f64::INFINITY)?);
        let clamped = self
            .pairs
            .iter()
            .map(|(value, times)| value.max(low).min(high) * times);
        (self.count > 0.0).then(|| clamped.sum::<f64>() / self.count)
    }
}

fn share(bound: Option<Bound>, none: f64) -> f64 {
    match bound {
        Some(Bound::Percent(percent)) => percent / 100.0,
        _ => none / 100.0,
    }
}

fn value(bound: Option<Bound>, none: f64) -> f64 {
    match bound {
        Some(Bound::Value(value)) => value,
        _ => none,
    }
}
