//! What operators make of numbers and time series ("Basic arithmetic functions", "Comparison and logical operators").

use crate::fault::Fault;
use crate::series::{Series, Value, together};
use crate::syntax::Operator;

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Not a number if either is none: that point is dropped.
fn number(operator: Operator, left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() {
        return f64::NAN;
    }
    match operator {
        Operator::Or => truth(left != 0.0 || right != 0.0),
        Operator::And => truth(left != 0.0 && right != 0.0),
        Operator::Equal => truth(left == right),
        Operator::Unequal => truth(left != right),
        Operator::LessOrEqual => truth(left <= right),
        Operator::GreaterOrEqual => truth(left >= right),
        Operator::Less => truth(left < right),
        Operator::Greater => truth(left > right),
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide if right == 0.0 => f64::NAN,
        Operator::Divide => left / right,
        Operator::Power => left.powf(right),
    }
}

/// Where either has a point; what the other lacks is 0.
fn both(operator: Operator, left: &Series, right: &Series) -> Vec<(i64, f64)> {
    let mut points = Vec::new();
    together(&[left, right], |time, row| {
        let value = number(operator, row[0].unwrap_or(0.0), row[1].unwrap_or(0.0));
        if value.is_finite() {
            points.push((time, value));
        }
    });
    points
}

pub(crate) fn binary(column: usize, operator: Operator, left: Value, right: Value) -> Result<Value, Fault> {
    let array = matches!(left, Value::Array(_)) || matches!(right, Value::Array(_));
    let illegal = |left: &Value, right: &Value| {
        let (left, right) = (left.kind().text(), right.kind().text());
        Err(Fault::meaning(
            column,
            format!(
                "The operator {} does not go with {left} and {right}",
                operator.text()
            ),
        ))
    };
    if array && !operator.is_arithmetic() {
        return illegal(&left, &right);
    }
    Ok(match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => Value::Scalar(number(operator, left, right)),
        (Value::Series(left), Value::Scalar(right)) => {
            Value::Series(left.map(|value| number(operator, value, right)))
        }
        (Value::Scalar(left), Value::Series(right)) => {
            Value::Series(right.map(|value| number(operator, left, value)))
        }
        (Value::Series(left), Value::Series(right)) => {
            Value::Series(Series::of(both(operator, &left, &right)))
        }
        (Value::Array(left), Value::Scalar(right)) => {
            each(left, |series| series.map(|value| number(operator, value, right)))
        }
        (Value::Scalar(left), Value::Array(right)) => {
            each(right, |series| series.map(|value| number(operator, left, value)))
        }
        (Value::Array(left), Value::Series(right)) => each(left, |series| Series {
            points: both(operator, &series, &right),
            ..series
        }),
        (Value::Series(left), Value::Array(right)) => each(right, |series| Series {
            points: both(operator, &left, &series),
            ..series
        }),
        (left @ Value::Array(_), right @ Value::Array(_)) => return illegal(&left, &right),
    })
}

pub(crate) fn negative(value: Value) -> Value {
    match value {
        Value::Scalar(number) => Value::Scalar(-number),
        Value::Series(series) => Value::Series(series.map(|value| -value)),
        Value::Array(array) => each(array, |series| series.map(|value| -value)),
    }
}

pub(crate) fn each(array: Vec<Series>, of: impl Fn(Series) -> Series) -> Value {
    Value::Array(array.into_iter().map(of).collect())
}
