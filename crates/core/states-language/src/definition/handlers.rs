//! `Retry` and `Catch`.

use serde_json::Value;

use super::fields::{assign, place};
use super::reader::Reader;
use super::templates::Reading;
use super::{Catcher, QueryLanguage, Retrier};
use crate::failure::names;

/// The largest number of seconds and of attempts.
pub(super) const MOST: u64 = 99_999_999;
/// `MaxDelaySeconds` is less than that.
const DELAY: u64 = 31_622_400;

pub(super) fn retry(reader: &Reader<'_>, reading: Reading<'_>) -> Vec<Retrier> {
    each(reader, "Retry", |index, count, one| {
        let errors = errors(&one, index + 1 == count);
        let interval = one.integer("IntervalSeconds", 1, MOST).unwrap_or(1);
        let max_delay = one.integer("MaxDelaySeconds", 1, DELAY - 1);
        if max_delay.is_some_and(|most| most <= interval) {
            one.schema(
                "MaxDelaySeconds",
                "The value of 'MaxDelaySeconds' must be greater than 'IntervalSeconds'",
            );
        }
        let backoff = one
            .get("BackoffRate")
            .map(|value| value.as_f64().filter(|rate| *rate >= 1.0 && rate.is_finite()));
        if backoff == Some(None) {
            one.schema(
                "BackoffRate",
                "The value of 'BackoffRate' must be a number of at least 1.0",
            );
        }
        let jitter = match one.string("JitterStrategy") {
            None | Some("NONE") => false,
            Some("FULL") => true,
            Some(_) => {
                one.schema(
                    "JitterStrategy",
                    "Value is not one of the supported values: [FULL, NONE]",
                );
                false
            }
        };
        one.string("Comment");
        let attempts = one.integer("MaxAttempts", 0, MOST).unwrap_or(3);
        one.finish(reading.language);
        Retrier {
            errors,
            interval,
            attempts,
            backoff: backoff.flatten().unwrap_or(2.0),
            max_delay,
            jitter,
        }
    })
}

pub(super) fn catch(reader: &Reader<'_>, reading: Reading<'_>) -> Vec<Catcher> {
    let reading = Reading {
        caught: true,
        working: false,
        ..reading
    };
    each(reader, "Catch", |index, count, one| {
        let errors = errors(&one, index + 1 == count);
        let next = one.next();
        one.string("Comment");
        let (mut result_path, mut output) = (None, None);
        match reading.language {
            QueryLanguage::JsonPath => result_path = place(&one),
            QueryLanguage::Jsonata => {
                let field = format!("Catch[{index}]/Output");
                output = one
                    .get("Output")
                    .map(|value| reading.template(value, &field, &one.below("Output")));
            }
        }
        let assign = assign(&one, reading, &format!("Catch[{index}]/Assign"));
        one.finish(reading.language);
        Catcher {
            errors,
            next,
            result_path,
            output,
            assign,
        }
    })
}

fn each<'a, T>(
    reader: &Reader<'a>,
    name: &'static str,
    read: impl Fn(usize, usize, Reader<'a>) -> T,
) -> Vec<T> {
    let Some(all) = reader.array(name) else {
        return Vec::new();
    };
    let at = reader.below(name);
    let readers = all.iter().enumerate().filter_map(|(index, one)| {
        Reader::of(one, &format!("{at}/{index}"), reader.report).map(|one| read(index, all.len(), one))
    });
    readers.collect()
}

/// `States.ALL` stands alone, and in the last of them.
fn errors(reader: &Reader<'_>, last: bool) -> Vec<String> {
    reader.require(&["ErrorEquals"]);
    let Some(listed) = reader.array("ErrorEquals") else {
        return Vec::new();
    };
    let errors: Vec<String> = listed
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if errors.len() != listed.len() {
        reader.schema("ErrorEquals", "Expected values of type String");
    }
    if listed.is_empty() {
        reader.schema("ErrorEquals", "The value of 'ErrorEquals' must not be empty");
    }
    if errors.iter().any(|error| error == names::ALL) && (!last || errors.len() > 1) {
        reader.schema(
            "ErrorEquals",
            "'States.ALL' must appear alone and in the last of the handlers",
        );
    }
    errors
}
