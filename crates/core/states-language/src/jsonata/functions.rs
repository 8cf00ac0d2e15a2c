//! The functions that the service adds to JSONata, and `$eval`, which it takes away.

use std::sync::Arc;

use jlens_core::{Bindings, Error, HostFunction};
use serde_json::Value;

use crate::Dice;
use crate::intrinsic::{hash, partition, range};

/// What they are called.
pub(super) const NAMES: [&str; 7] = ["partition", "range", "hash", "random", "uuid", "parse", "eval"];

/// Everything an expression may call beyond what JSONata has.
pub(super) fn bindings(dice: &Dice) -> Bindings {
    let numbers = Arc::new(Dice::new(u128::from(dice.bits())));
    let ids = Arc::clone(&numbers);
    let functions = [
        (
            "partition",
            HostFunction::new(2, |given, _| {
                gives(pair(given).and_then(|(items, size)| partition(items, size)))
            }),
        ),
        (
            "range",
            HostFunction::new(3, |given, _| match given {
                [Some(first), Some(last), Some(step)] => gives(range(first, last, step)),
                _ => gives(Err("three numbers were expected".to_owned())),
            }),
        ),
        (
            "hash",
            HostFunction::new(2, |given, _| {
                gives(pair(given).and_then(|(data, algorithm)| {
                    let algorithm = algorithm.as_str().ok_or("the algorithm is a string".to_owned())?;
                    let data = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
                    hash(data.as_bytes(), algorithm).map(Value::String)
                }))
            }),
        ),
        (
            "random",
            HostFunction::new(1, move |given, _| match given {
                [] | [None] => Ok(Some(Value::from(numbers.fraction()))),
                [Some(seed)] => match seed.as_f64() {
                    Some(seed) => Ok(Some(Value::from(
                        Dice::new(u128::from(seed.to_bits())).fraction(),
                    ))),
                    None => gives(Err("the seed is a number".to_owned())),
                },
                _ => gives(Err("one seed at most was expected".to_owned())),
            }),
        ),
        (
            "uuid",
            HostFunction::new(0, move |given, _| match given {
                [] => Ok(Some(Value::String(ids.uuid()))),
                _ => gives(Err("no argument was expected".to_owned())),
            }),
        ),
        (
            "parse",
            HostFunction::new(1, |given, _| match given {
                [Some(Value::String(text))] => gives(
                    serde_json::from_str(text).map_err(|fault| format!("the string is no JSON: {fault}")),
                ),
                _ => gives(Err("a string was expected".to_owned())),
            }),
        ),
        ("eval", HostFunction::new(0, |_, _| Err(Error::new("T1006")))),
    ];
    functions
        .into_iter()
        .fold(Bindings::new(), |bindings, (name, function)| {
            bindings.function(name, function.without_input())
        })
}

fn pair(given: &[Option<Value>]) -> Result<(&Value, &Value), String> {
    match given {
        [Some(first), Some(second)] => Ok((first, second)),
        _ => Err("two arguments were expected".to_owned()),
    }
}

fn gives(result: Result<Value, String>) -> jlens_core::Result<Option<Value>> {
    result
        .map(Some)
        .map_err(|message| Error::new("States.Function").with("message", message))
}
