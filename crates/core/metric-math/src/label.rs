//! Labels with values in them ("Using dynamic labels"): `[max: ${MAX}] ${PROP('Dim.Host')}`. How numbers and times are
//! written is not documented; here numbers are as short as they can be, times are `2023-11-14 22:13:20` in the wanted
//! time zone, spans are `1h2m3s`, and what there is nothing to tell of is `-`.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::fault::Fault;

/// Values of the statistical kind in one label.
const MAX_STATISTICS: usize = 5;

#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Default,
    Property(Property),
    Statistic(Statistic),
}

/// What `${PROP('…')}` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    AccountId,
    Dimension(String),
    MetricName,
    Namespace,
    Period,
    Region,
    Stat,
}

macro_rules! statistics {
    ($($name:ident $text:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum Statistic { $($name,)* }

        impl Statistic {
            fn of(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

statistics! {
    Avg "AVG",
    DatapointCount "DATAPOINT_COUNT",
    First "FIRST",
    FirstLastRange "FIRST_LAST_RANGE",
    FirstLastTimeRange "FIRST_LAST_TIME_RANGE",
    FirstTime "FIRST_TIME",
    FirstTimeRelative "FIRST_TIME_RELATIVE",
    Last "LAST",
    LastTime "LAST_TIME",
    LastTimeRelative "LAST_TIME_RELATIVE",
    Max "MAX",
    MaxTime "MAX_TIME",
    MaxTimeRelative "MAX_TIME_RELATIVE",
    Min "MIN",
    MinMaxRange "MIN_MAX_RANGE",
    MinMaxTimeRange "MIN_MAX_TIME_RANGE",
    MinTime "MIN_TIME",
    MinTimeRelative "MIN_TIME_RELATIVE",
    Sum "SUM",
}

/// Ahead of UTC, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timezone(i32);

impl FromStr for Timezone {
    type Err = Fault;

    /// `+0130` is an hour and a half ahead of UTC.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let fault = || {
            Fault::syntax(
                1,
                format!("{text:?} is not + or - with four digits, hours and minutes"),
            )
        };
        let (sign, digits) = match text.split_at_checked(1) {
            Some(("+", digits)) => (1, digits),
            Some(("-", digits)) => (-1, digits),
            _ => return Err(fault()),
        };
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fault());
        }
        let number: i32 = digits.parse().map_err(|_| fault())?;
        let (hours, minutes) = (number / 100, number % 100);
        if hours > 23 || minutes > 59 {
            return Err(fault());
        }
        Ok(Self(sign * (hours * 3600 + minutes * 60)))
    }
}

impl FromStr for Label {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, tail) = rest.split_at(start);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let offset = text.len() - tail.len();
            let column = text.get(..offset).map_or(1, |before| before.chars().count() + 1);
            let (inside, behind) = tail[2..]
                .split_once('}')
                .ok_or_else(|| Fault::syntax(column, "The dynamic value is not closed with }"))?;
            parts.push(dynamic(inside, column)?);
            let statistics = parts
                .iter()
                .filter(|part| matches!(part, Part::Statistic(_)))
                .count();
            if statistics > MAX_STATISTICS {
                let words = format!("A label has at most {MAX_STATISTICS} dynamic statistical values");
                return Err(Fault::syntax(column, words));
            }
            if parts.iter().filter(|part| **part == Part::Default).count() > 1 {
                return Err(Fault::syntax(column, "A label has ${LABEL} at most once"));
            }
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }
}

fn dynamic(inside: &str, column: usize) -> Result<Part, Fault> {
    let unknown = || Fault::syntax(column, format!("There is no dynamic value ${{{inside}}}"));
    if inside == "LABEL" {
        return Ok(Part::Default);
    }
    if let Some(statistic) = Statistic::of(inside) {
        return Ok(Part::Statistic(statistic));
    }
    let quoted = inside
        .strip_prefix("PROP(")
        .and_then(|rest| rest.strip_suffix(')'));
    let quoted = quoted.map(str::trim).ok_or_else(unknown)?;
    let property = ['\'', '"']
        .into_iter()
        .find_map(|quote| quoted.strip_prefix(quote)?.strip_suffix(quote))
        .ok_or_else(unknown)?;
    Ok(Part::Property(match property {
        "AccountId" => Property::AccountId,
        "MetricName" => Property::MetricName,
        "Namespace" => Property::Namespace,
        "Period" => Property::Period,
        "Region" => Property::Region,
        "Stat" => Property::Stat,
        other => match other.strip_prefix("Dim.") {
            Some(name) if !name.is_empty() => Property::Dimension(name.to_owned()),
            _ => return Err(unknown()),
        },
    }))
}

impl Label {
    /// The label of a time series of these points, in order of time. `now` in seconds since 1970; of what `property` does
    /// not know, nothing is written.
    pub fn render(
        &self,
        default: &str,
        points: &[(i64, f64)],
        now: i64,
        timezone: Timezone,
        property: impl Fn(&Property) -> Option<String>,
    ) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Default => default.to_owned(),
            Part::Property(wanted) => property(wanted).unwrap_or_default(),
            Part::Statistic(statistic) => statistic
                .of_points(points, now, timezone)
                .unwrap_or_else(|| "-".to_owned()),
        };
        self.parts.iter().map(text).collect()
    }
}

impl Statistic {
    fn of_points(self, points: &[(i64, f64)], now: i64, timezone: Timezone) -> Option<String> {
        let sum = || points.iter().map(|(_, value)| value).sum::<f64>();
        if self == Self::DatapointCount {
            return Some(points.len().to_string());
        }
        let (first, last) = (points.first()?, points.last()?);
        // Of several alike, the earliest.
        let lowest = points
            .iter()
            .reduce(|best, point| if point.1 < best.1 { point } else { best })?;
        let highest = points
            .iter()
            .reduce(|best, point| if point.1 > best.1 { point } else { best })?;
        let moment = |point: &(i64, f64)| {
            let offset = Offset::from_seconds(timezone.0).unwrap_or(Offset::UTC);
            let time = Timestamp::from_second(point.0).ok()?;
            Some(offset.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string())
        };
        Some(match self {
            Self::Avg => (sum() / points.len() as f64).to_string(),
            Self::Sum => sum().to_string(),
            Self::DatapointCount => points.len().to_string(),
            Self::First => first.1.to_string(),
            Self::Last => last.1.to_string(),
            Self::Min => lowest.1.to_string(),
            Self::Max => highest.1.to_string(),
            Self::FirstLastRange => (last.1 - first.1).to_string(),
            Self::MinMaxRange => (highest.1 - lowest.1).to_string(),
            Self::FirstLastTimeRange => span(last.0 - first.0),
            Self::MinMaxTimeRange => span(highest.0 - lowest.0),
            Self::FirstTime => moment(first)?,
            Self::LastTime => moment(last)?,
            Self::MinTime => moment(lowest)?,
            Self::MaxTime => moment(highest)?,
            Self::FirstTimeRelative => span(now - first.0),
            Self::LastTimeRelative => span(now - last.0),
            Self::MinTimeRelative => span(now - lowest.0),
            Self::MaxTimeRelative => span(now - highest.0),
        })
    }
}

/// Without a sign: `1d2h3m4s`.
fn span(seconds: i64) -> String {
    let mut rest = seconds.unsigned_abs();
    let mut text = String::new();
    for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
