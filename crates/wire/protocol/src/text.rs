//! Scalars as text, as forms, XML, headers, query strings and paths carry them. One place, because the
//! protocols agree on everything but the default form of a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::fmt::rfc2822;
use roadstead_base::Timestamp;

use crate::check::{Violation, kind_name};
use crate::model::Kind;
use crate::value::Value;

/// 0001-01-01 to 9999-12-31, in seconds since 1970: what every form of a time can say.
const TIMES: std::ops::RangeInclusive<f64> = -62_135_596_800.0..=253_402_207_199.0;

/// The forms of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-01-02T03:04:05.000Z`
    DateTime,
    /// `Fri, 02 Jan 2026 03:04:05 GMT`
    HttpDate,
    /// Seconds since 1970.
    Epoch,
}

impl TimeFormat {
    /// The member's own format, else its shape's, else the protocol's.
    pub fn of(member: Option<&str>, kind: &Kind, default: Self) -> Self {
        let shape = match kind {
            Kind::Timestamp { format } => *format,
            _ => None,
        };
        match member.or(shape) {
            Some("iso8601") => Self::DateTime,
            Some("rfc822") => Self::HttpDate,
            Some("unixTimestamp") => Self::Epoch,
            _ => default,
        }
    }

    /// Seconds since 1970, whichever form the text has: clients are known to mix them.
    pub fn parse(text: &str) -> Option<f64> {
        let text = text.trim();
        let time = text
            .parse::<jiff::Timestamp>()
            .or_else(|_| rfc2822::DateTimeParser::new().parse_timestamp(text));
        match time {
            Ok(time) => in_range(time.as_millisecond() as f64 / 1000.0),
            Err(_) => text.parse().ok().and_then(in_range),
        }
    }

    pub fn print(self, seconds: f64) -> String {
        let time = Timestamp::from_seconds(seconds);
        match self {
            Self::DateTime => time.to_rfc3339(),
            Self::Epoch if seconds.fract() == 0.0 => format!("{seconds:.0}"),
            Self::Epoch => format!("{seconds}"),
            Self::HttpDate => jiff::Timestamp::from_millisecond(time.0)
                .ok()
                .and_then(|time| {
                    rfc2822::DateTimePrinter::new()
                        .timestamp_to_rfc9110_string(&time)
                        .ok()
                })
                .unwrap_or_else(|| time.to_rfc3339()),
        }
    }
}

/// A time that can be written in every form.
pub(crate) fn in_range(seconds: f64) -> Option<f64> {
    TIMES.contains(&seconds).then_some(seconds)
}

/// A number of clients' JSON, XML and forms, the three that are no digits included.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text if text.bytes().any(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

pub(crate) fn print_float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        number.to_string()
    }
}

/// A scalar from its text. `None` for structures, lists and maps too.
pub(crate) fn scalar(kind: &Kind, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    match kind {
        Kind::Text { .. } => Some(Value::Str(text.to_owned())),
        Kind::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Integer { .. } | Kind::Long { .. } => trimmed.parse().ok().map(Value::Int),
        Kind::Double { .. } => parse_float(trimmed).map(Value::Float),
        Kind::Blob { .. } => STANDARD.decode(trimmed).ok().map(Value::Blob),
        Kind::Timestamp { .. } => TimeFormat::parse(trimmed).map(Value::Time),
        Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. } => None,
    }
}

/// The same, or the violation that says what was wanted.
pub(crate) fn scalar_at(kind: &Kind, text: &str, path: &str) -> Result<Value, Violation> {
    scalar(kind, text).ok_or_else(|| Violation::Type {
        path: path.to_owned(),
        wanted: kind_name(kind),
        found: text.chars().take(64).collect(),
    })
}

/// A scalar's text, or nothing for a value that is none.
pub(crate) fn print(value: &Value, time: TimeFormat) -> Option<String> {
    Some(match value {
        Value::Str(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => print_float(*number),
        Value::Blob(bytes) => STANDARD.encode(bytes),
        Value::Time(seconds) => time.print(*seconds),
        Value::List(_) | Value::Map(_) | Value::Document(_) | Value::Events(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_and_written_in_the_one_asked_for() {
        for (text, seconds) in [
            ("2014-04-29T18:30:38Z", 1_398_796_238.0),
            ("2014-04-29T19:30:38.5+01:00", 1_398_796_238.5),
            ("Tue, 29 Apr 2014 18:30:38 GMT", 1_398_796_238.0),
            ("1398796238", 1_398_796_238.0),
            ("-1.5", -1.5),
        ] {
            assert_eq!(TimeFormat::parse(text), Some(seconds), "{text}");
        }
        for text in ["", "x", "NaN", "inf", "1e300", "2014-13-01T00:00:00Z", "tomorrow"] {
            assert_eq!(TimeFormat::parse(text), None, "{text}");
        }
        for (format, text) in [
            (TimeFormat::DateTime, "2014-04-29T18:30:38.000Z"),
            (TimeFormat::HttpDate, "Tue, 29 Apr 2014 18:30:38 GMT"),
            (TimeFormat::Epoch, "1398796238"),
        ] {
            assert_eq!(format.print(1_398_796_238.0), text);
        }
        assert_eq!(TimeFormat::Epoch.print(0.25), "0.25");
    }

    #[test]
    fn numbers_are_digits_or_one_of_three_words() {
        for (text, expected) in [
            ("1.5", Some(1.5)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("nan", None),
            ("", None),
        ] {
            assert_eq!(parse_float(text), expected, "{text}");
        }
        assert_eq!(print_float(f64::INFINITY), "Infinity");
        assert_eq!(print_float(1.0), "1");
    }
}
