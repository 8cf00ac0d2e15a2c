//! Functions at the end of a path, as Jayway's library has them.

use serde_json::{Value, json};

/// A function of what the path found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Length,
    Minimum,
    Maximum,
    Average,
    Deviation,
    Sum,
    Keys,
    First,
    Last,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        Some(match name {
            "length" => Function::Length,
            "min" => Function::Minimum,
            "max" => Function::Maximum,
            "avg" => Function::Average,
            "stddev" => Function::Deviation,
            "sum" => Function::Sum,
            "keys" => Function::Keys,
            "first" => Function::First,
            "last" => Function::Last,
            _ => return None,
        })
    }

    /// Nothing where the value is not of the kind that the function is for.
    pub(super) fn apply(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Function::Length, Value::Array(items)) => Some(json!(items.len())),
            (Function::Length, Value::Object(map)) => Some(json!(map.len())),
            (Function::Length, Value::String(text)) => Some(json!(text.chars().count())),
            (Function::Keys, Value::Object(map)) => Some(map.keys().cloned().collect()),
            (Function::First, Value::Array(items)) => items.first().cloned(),
            (Function::Last, Value::Array(items)) => items.last().cloned(),
            (_, Value::Array(items)) => self.number(items).map(|number| json!(number)),
            _ => None,
        }
    }

    fn number(self, items: &[Value]) -> Option<f64> {
        let numbers: Vec<f64> = items.iter().filter_map(Value::as_f64).collect();
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        let number = match self {
            Function::Minimum => numbers.iter().copied().reduce(f64::min)?,
            Function::Maximum => numbers.iter().copied().reduce(f64::max)?,
            Function::Sum => sum,
            Function::Average if count > 0.0 => sum / count,
            Function::Deviation if count > 0.0 => {
                let mean = sum / count;
                (numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count).sqrt()
            }
            _ => return None,
        };
        number.is_finite().then_some(number)
    }
}
