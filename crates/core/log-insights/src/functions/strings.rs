//! String functions. Indexes and lengths count Unicode code points.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value as Json;

use super::{ANY, Function, function};
use crate::value::Value;

/// Text that `replace` and `concat` make at most; longer is null.
const MAX_TEXT: usize = 1 << 20;
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) fn find(name: &str) -> Option<Function> {
    match name {
        "isempty" => function(1, 1, |values, _| {
            Value::Bool(absent_or(&values[0], str::is_empty))
        }),
        "isblank" => function(1, 1, |values, _| {
            Value::Bool(absent_or(&values[0], |text| text.trim().is_empty()))
        }),
        "concat" => function(1, ANY, |values, _| {
            let texts = values.iter().filter_map(Value::text);
            bounded(texts.fold(String::new(), |whole, part| whole + &part))
        }),
        "ltrim" => function(1, 2, |values, _| trim(values, true, false)),
        "rtrim" => function(1, 2, |values, _| trim(values, false, true)),
        "trim" => function(1, 2, |values, _| trim(values, true, true)),
        "strlen" => function(1, 1, |values, _| number(&values[0], |text| text.chars().count())),
        "messagesize" => function(1, 1, |values, _| number(&values[0], str::len)),
        "toupper" => function(1, 1, |values, _| text(&values[0], str::to_uppercase)),
        "tolower" => function(1, 1, |values, _| text(&values[0], str::to_lowercase)),
        "substr" => function(2, 3, |values, _| substr(values)),
        "replace" => function(3, 3, |values, _| replace(values)),
        "strcontains" => function(2, 3, |values, _| {
            let lower = values.get(2).is_some_and(Value::truth);
            two(values, |text, part| {
                if lower {
                    text.to_lowercase().contains(&part.to_lowercase())
                } else {
                    text.contains(part)
                }
            })
        }),
        "startswith" => function(2, 2, |values, _| two(values, |text, part| text.starts_with(part))),
        "endswith" => function(2, 2, |values, _| two(values, |text, part| text.ends_with(part))),
        "urlencode" => function(1, 1, |values, _| {
            text(&values[0], |text| {
                utf8_percent_encode(text, UNRESERVED).to_string()
            })
        }),
        "urldecode" => function(1, 1, |values, _| {
            text(&values[0], |text| {
                let spaced = text.replace('+', " ");
                percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
            })
        }),
        "base64encode" => function(1, 1, |values, _| text(&values[0], |text| STANDARD.encode(text))),
        "base64decode" => function(1, 1, |values, _| {
            let text = values[0].text();
            let bytes = text.and_then(|text| STANDARD.decode(text.trim()).ok());
            bytes
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .map_or(Value::Null, Value::Text)
        }),
        "hextoascii" => function(1, 1, |values, _| {
            let text = values[0].text();
            let text = text.and_then(|text| unhex(text.trim().trim_start_matches("0x")));
            text.map_or(Value::Null, Value::Text)
        }),
        "split" => function(2, 2, |values, _| match (values[0].text(), values[1].text()) {
            (Some(text), Some(by)) if !by.is_empty() => Value::Json(Json::Array(
                text.split(&*by)
                    .map(|part| Json::String(part.to_owned()))
                    .collect(),
            )),
            _ => Value::Null,
        }),
        _ => None,
    }
}

fn absent_or(value: &Value, test: impl Fn(&str) -> bool) -> bool {
    value.is_null() || value.text().is_some_and(|text| test(&text))
}

fn bounded(text: String) -> Value {
    if text.len() > MAX_TEXT {
        Value::Null
    } else {
        Value::Text(text)
    }
}

fn text(value: &Value, change: impl Fn(&str) -> String) -> Value {
    value.text().map_or(Value::Null, |text| bounded(change(&text)))
}

fn number(value: &Value, measure: impl Fn(&str) -> usize) -> Value {
    value
        .text()
        .map_or(Value::Null, |text| Value::Number(measure(&text) as f64))
}

fn two(values: &[Value], test: impl Fn(&str, &str) -> bool) -> Value {
    match (values[0].text(), values[1].text()) {
        (Some(text), Some(part)) => Value::Bool(test(&text, &part)),
        _ => Value::Bool(false),
    }
}

fn trim(values: &[Value], left: bool, right: bool) -> Value {
    let given = values.get(1).map(|value| value.text().unwrap_or_default());
    let gone = |c: char| {
        given
            .as_ref()
            .map_or(c.is_whitespace(), |given| given.contains(c))
    };
    text(&values[0], |text| {
        let text = if left { text.trim_start_matches(gone) } else { text };
        if right { text.trim_end_matches(gone) } else { text }.to_owned()
    })
}

fn substr(values: &[Value]) -> Value {
    let count = |value: &Value| {
        value
            .number()
            .filter(|number| *number >= 0.0)
            .map(|number| number as usize)
    };
    let Some(start) = count(&values[1]) else {
        return Value::Null;
    };
    let length = match values.get(2).map(count) {
        None => usize::MAX,
        Some(Some(length)) => length,
        Some(None) => return Value::Null,
    };
    text(&values[0], |text| text.chars().skip(start).take(length).collect())
}

fn replace(values: &[Value]) -> Value {
    match (values[0].text(), values[1].text(), values[2].text()) {
        (Some(text), Some(from), Some(to)) => {
            if from.is_empty() {
                return Value::Text(text.into_owned());
            }
            if text.matches(&*from).count().saturating_mul(to.len()) > MAX_TEXT {
                return Value::Null;
            }
            bounded(text.replace(&*from, &to))
        }
        _ => Value::Null,
    }
}

fn unhex(digits: &str) -> Option<String> {
    let bytes = digits.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let decoded: Option<Vec<u8>> = bytes
        .chunks(2)
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect();
    String::from_utf8(decoded?).ok()
}
