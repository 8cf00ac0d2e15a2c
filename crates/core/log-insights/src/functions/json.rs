//! Functions of JSON in text.

use serde_json::Value as Json;

use super::{Function, function};
use crate::value::Value;

pub(super) fn find(name: &str) -> Option<Function> {
    match name {
        "jsonparse" => function(1, 1, |values, _| match structure(&values[0]) {
            Some(json) => Value::Json(json),
            None => Value::Null,
        }),
        "jsonstringify" => function(1, 1, |values, _| match &values[0] {
            Value::Json(json @ (Json::Array(_) | Json::Object(_))) => Value::Text(json.to_string()),
            _ => Value::Null,
        }),
        "jsonarraysize" => function(1, 1, |values, _| match structure(&values[0]) {
            Some(Json::Array(list)) => Value::Number(list.len() as f64),
            _ => Value::Null,
        }),
        "jsonarraycontains" => function(2, 2, |values, _| {
            let (list, wanted) = (structure(&values[0]), values[1].text());
            let found = match (&list, wanted) {
                (Some(Json::Array(list)), Some(wanted)) => list
                    .iter()
                    .any(|item| Value::of_json(item).shown().as_deref() == Some(&*wanted)),
                _ => false,
            };
            Value::Bool(found)
        }),
        _ => None,
    }
}

/// A map or a list, also as text.
fn structure(value: &Value) -> Option<Json> {
    let json = match value {
        Value::Json(json) => Some(json.clone()),
        Value::Text(text) => serde_json::from_str(text).ok(),
        _ => None,
    };
    json.filter(|json| json.is_array() || json.is_object())
}
