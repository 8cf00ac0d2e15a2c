//! The functions of arrays.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::path::equal;

/// What a range may have.
const RANGE: i64 = 1000;

pub(super) fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("an array was expected, not {value}"))
}

/// Numbers are rounded to the nearest integer, as the developer guide says of each of these functions.
pub(super) fn integer(value: &Value) -> Result<i64, String> {
    let rounded = value.as_i64().or_else(|| {
        value
            .as_f64()
            .filter(|one| one.abs() < 9e15)
            .map(|one| one.round() as i64)
    });
    rounded.ok_or_else(|| format!("an integer was expected, not {value}"))
}

pub(crate) fn partition(items: &Value, size: &Value) -> Result<Value, String> {
    let size = usize::try_from(integer(size)?)
        .ok()
        .filter(|size| *size > 0)
        .ok_or("the size of a chunk is positive".to_owned())?;
    Ok(list(items)?
        .chunks(size)
        .map(|chunk| Value::Array(chunk.to_vec()))
        .collect())
}

pub(super) fn contains(items: &Value, value: &Value) -> Result<Value, String> {
    Ok(Value::Bool(list(items)?.iter().any(|item| equal(item, value))))
}

pub(crate) fn range(first: &Value, last: &Value, step: &Value) -> Result<Value, String> {
    let (first, last, step) = (integer(first)?, integer(last)?, integer(step)?);
    if step == 0 {
        return Err("the step is not 0".to_owned());
    }
    let count = last
        .checked_sub(first)
        .and_then(|width| width.checked_div(step))
        .unwrap_or(i64::MAX);
    if count >= RANGE {
        return Err(format!("a range has at most {RANGE} items"));
    }
    Ok((0..=count)
        .map(|index| Value::from(first + index * step))
        .collect())
}

pub(super) fn item(items: &Value, index: &Value) -> Result<Value, String> {
    let index = usize::try_from(integer(index)?).map_err(|_| "the index is negative".to_owned())?;
    list(items)?
        .get(index)
        .cloned()
        .ok_or_else(|| format!("there is no item {index}"))
}

/// The first of each, in their order.
pub(super) fn unique(items: &Value) -> Result<Value, String> {
    let mut kept: Vec<Value> = Vec::new();
    let mut known: HashMap<u64, Vec<usize>> = HashMap::new();
    for item in list(items)? {
        let mut hasher = DefaultHasher::new();
        digest(item, &mut hasher);
        let alike = known.entry(hasher.finish()).or_default();
        if !alike
            .iter()
            .any(|at| kept.get(*at).is_some_and(|one| equal(one, item)))
        {
            alike.push(kept.len());
            kept.push(item.clone());
        }
    }
    Ok(Value::Array(kept))
}

/// The same of what is [`equal`]: numbers by their value, objects whatever their order.
fn digest(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(value) => (1_u8, value).hash(hasher),
        // 0 and -0 are equal.
        Value::Number(value) => (2_u8, (value.as_f64().unwrap_or_default() + 0.0).to_bits()).hash(hasher),
        Value::String(value) => (3_u8, value).hash(hasher),
        Value::Array(items) => {
            (4_u8, items.len()).hash(hasher);
            items.iter().for_each(|item| digest(item, hasher));
        }
        Value::Object(members) => {
            let of = |(name, value): (&String, &Value)| {
                let mut hasher = DefaultHasher::new();
                name.hash(&mut hasher);
                digest(value, &mut hasher);
                hasher.finish()
            };
            let sum = members.iter().map(of).fold(0_u64, u64::wrapping_add);
            (5_u8, members.len(), sum).hash(hasher);
        }
    }
}
