//! What fields hold. Text that looks like a number counts as one wherever numbers are asked for, since logs are text.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::period::Period;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    /// Milliseconds since the epoch.
    Time(i64),
    Text(String),
    /// A map, a list, or one of JSON's `true` and `false`.
    Json(Json),
    /// Only ever an argument.
    Period(Period),
}

impl Value {
    pub(crate) fn of_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Number(number) => {
                // The digits as they stood, since some numbers do not fit.
                let exact = number.as_f64().filter(|float| float.abs() < 9e15);
                exact.map_or_else(|| Self::Text(number.to_string()), Self::Number)
            }
            Json::String(text) => Self::Text(text.clone()),
            other => Self::Json(other.clone()),
        }
    }

    pub(crate) fn text_of(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number, unless it is none, such as the square root of -1.
    pub(crate) fn number_of(number: f64) -> Self {
        if number.is_finite() {
            Self::Number(number)
        } else {
            Self::Null
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(flag) | Self::Json(Json::Bool(flag)) => Some(f64::from(u8::from(*flag))),
            Self::Number(number) => Some(*number),
            Self::Time(time) => Some(*time as f64),
            Self::Text(text) => number(text),
            Self::Null | Self::Json(_) | Self::Period(_) => None,
        }
    }

    /// Maps and lists are no text, as documented.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Null | Self::Period(_) | Self::Json(Json::Array(_) | Json::Object(_)) => None,
            other => other.shown().map(Cow::Owned),
        }
    }

    /// A time, or a number that is one.
    pub(crate) fn time(&self) -> Option<i64> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Text(text) if number(text).is_none() => {
                let civil = text.trim().replacen(' ', "T", 1);
                let utc = civil.parse::<Timestamp>().ok();
                let utc = utc.or_else(|| format!("{civil}Z").parse().ok());
                utc.map(Timestamp::as_millisecond)
            }
            other => other.number().map(|number| number as i64),
        }
    }

    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Null | Self::Period(_) => false,
            Self::Text(text) => !matches!(text.as_str(), "" | "0" | "false"),
            Self::Json(Json::Array(_) | Json::Object(_)) => false,
            other => other.number().is_some_and(|number| number != 0.0),
        }
    }

    /// As results show it; nothing for what is not there.
    pub(crate) fn shown(&self) -> Option<String> {
        match self {
            Self::Null | Self::Period(_) => None,
            Self::Bool(flag) => Some(u8::from(*flag).to_string()),
            Self::Number(number) => Some(digits(*number)),
            Self::Time(time) => Some(moment(*time)),
            Self::Text(text) => Some(text.clone()),
            Self::Json(json) => Some(json.to_string()),
        }
    }

    /// Bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) => text.len(),
                Self::Json(json) => json.to_string().len() * 4,
                _ => 0,
            }
    }
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    // What Rust takes for numbers besides: `inf`, `nan`, `infinity`.
    let plain = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    let found = text.parse::<f64>().ok().filter(|_| plain);
    found.filter(|number| number.is_finite())
}

/// Whole numbers whole, others with at most four decimals, as the service shows them.
fn digits(number: f64) -> String {
    if number.fract() == 0.0 || number.abs() >= 1e15 {
        return format!("{number}");
    }
    let text = format!("{number:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// `2024-02-29 13:47:31.250`, in UTC.
fn moment(time: i64) -> String {
    match Timestamp::from_millisecond(time) {
        Ok(time) => TimeZone::UTC
            .to_datetime(time)
            .strftime("%Y-%m-%d %H:%M:%S.%3f")
            .to_string(),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_the_service_shows_them() {
        for (value, shown) in [
            (Value::Number(3.0), "3"),
            (Value::Number(-2.5), "-2.5"),
            (Value::Number(1.0 / 3.0), "0.3333"),
            (Value::Number(-0.000_01), "0"),
            (Value::Bool(true), "1"),
            (Value::Json(Json::Bool(true)), "true"),
            (Value::Time(1_709_214_451_250), "2024-02-29 13:47:31.250"),
            (Value::Time(0), "1970-01-01 00:00:00.000"),
        ] {
            assert_eq!(value.shown().as_deref(), Some(shown));
        }
        assert_eq!(Value::Null.shown(), None);
    }

    #[test]
    fn text_counts_as_a_number_where_it_is_one() {
        for (text, wanted) in [
            ("12", Some(12.0)),
            (" -1.5e3 ", Some(-1500.0)),
            ("inf", None),
            ("12a", None),
            ("", None),
        ] {
            assert_eq!(Value::text_of(text).number(), wanted, "{text}");
        }
        assert_eq!(
            Value::text_of("2024-02-29 13:47:31.250").time(),
            Some(1_709_214_451_250)
        );
        assert_eq!(Value::text_of("1709214451250").time(), Some(1_709_214_451_250));
    }
}
