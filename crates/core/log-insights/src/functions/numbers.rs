//! Numeric functions. Of anything but numbers they are null.

use super::{ANY, Function, function};
use crate::value::Value;

pub(super) fn find(name: &str) -> Option<Function> {
    match name {
        "abs" => function(1, 1, |values, _| one(values, f64::abs)),
        "ceil" => function(1, 1, |values, _| one(values, f64::ceil)),
        "floor" => function(1, 1, |values, _| one(values, f64::floor)),
        "log" => function(1, 1, |values, _| one(values, f64::ln)),
        "sqrt" => function(1, 1, |values, _| one(values, f64::sqrt)),
        "tonumber" => function(1, 1, |values, _| one(values, |number| number)),
        "greatest" => function(1, ANY, |values, _| all(values, f64::max)),
        "least" => function(1, ANY, |values, _| all(values, f64::min)),
        "round" => function(1, 2, |values, _| {
            let places = values.get(1).map_or(Some(0.0), Value::number);
            match (values[0].number(), places) {
                (Some(number), Some(places)) => {
                    let scale = 10f64.powi(places.clamp(-15.0, 15.0) as i32);
                    Value::number_of((number * scale).round() / scale)
                }
                _ => Value::Null,
            }
        }),
        "hextodec" => function(1, 1, |values, _| {
            let text = values[0].text();
            let digits = text.as_deref().map(|text| text.trim().trim_start_matches("0x"));
            let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            number.map_or(Value::Null, |number| Value::Number(number as f64))
        }),
        "dectohex" => function(1, 1, |values, _| match values[0].number() {
            Some(number) if number < 0.0 => Value::Text(format!("-{:#x}", (-number) as u64)),
            Some(number) => Value::Text(format!("{:#x}", number as u64)),
            None => Value::Null,
        }),
        _ => None,
    }
}

fn one(values: &[Value], calculation: fn(f64) -> f64) -> Value {
    let number = values[0].number();
    number.map_or(Value::Null, |number| Value::number_of(calculation(number)))
}

fn all(values: &[Value], choice: fn(f64, f64) -> f64) -> Value {
    let numbers = values.iter().filter_map(Value::number);
    numbers.reduce(choice).map_or(Value::Null, Value::Number)
}
