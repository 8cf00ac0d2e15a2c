//! Date and time functions, in UTC.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::{Function, function};
use crate::period::Period;
use crate::value::Value;

pub(super) fn find(name: &str) -> Option<Function> {
    match name {
        "datefloor" => function(2, 2, |values, _| round(values, Period::floor)),
        "dateceil" => function(2, 2, |values, _| round(values, Period::ceil)),
        "frommillis" => function(1, 1, |values, _| match values[0].number() {
            Some(number) => Value::Time(number as i64),
            None => Value::Null,
        }),
        "tomillis" => function(1, 1, |values, _| match values[0].time() {
            Some(time) => Value::Number(time as f64),
            None => Value::Null,
        }),
        "now" => function(
            0,
            0,
            |_, window| Value::Number(window.now.div_euclid(1000) as f64),
        ),
        "querystarttime" => function(0, 0, |_, window| Value::Number(window.start as f64)),
        "queryendtime" => function(0, 0, |_, window| Value::Number(window.end as f64)),
        "querytimerange" => function(0, 0, |_, window| {
            Value::Number((window.end - window.start) as f64)
        }),
        // Without the third argument, a time zone: times are told in UTC here.
        "formatdate" | "strftime" => function(2, 2, |values, _| {
            let shown = match (values[0].time(), values[1].text()) {
                (Some(time), Some(format)) => shown(time, &format),
                _ => None,
            };
            shown.map_or(Value::Null, Value::Text)
        }),
        _ => None,
    }
}

fn round(values: &[Value], by: fn(Period, i64) -> i64) -> Value {
    match (values[0].time(), &values[1]) {
        (Some(time), Value::Period(period)) => Value::Time(by(*period, time)),
        _ => Value::Null,
    }
}

fn shown(time: i64, format: &str) -> Option<String> {
    let zoned = Timestamp::from_millisecond(time).ok()?.to_zoned(TimeZone::UTC);
    strtime::format(format, &zoned).ok()
}
