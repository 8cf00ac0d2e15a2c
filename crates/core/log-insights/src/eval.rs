//! What an expression is worth for a row.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::ast::{Expr, Operator};
use crate::row::Row;
use crate::run::Window;
use crate::value::Value;

/// What an expression is looked at with.
pub(crate) struct Scope<'a> {
    pub row: &'a Row,
    pub window: &'a Window,
    /// The results of the aggregates of a group.
    pub aggregates: &'a [Value],
}

impl Expr {
    pub(crate) fn eval<'a>(&'a self, scope: &Scope<'a>) -> Cow<'a, Value> {
        let value = match self {
            Self::Literal(value) => return Cow::Borrowed(value),
            Self::Field(field) => return scope.row.get(field),
            Self::Aggregate(index) => {
                let found = scope.aggregates.get(*index);
                return found.map_or(Cow::Owned(Value::Null), Cow::Borrowed);
            }
            Self::Call(function, arguments) => {
                let arguments: Vec<Value> = arguments
                    .iter()
                    .map(|argument| argument.eval(scope).into_owned())
                    .collect();
                (function.call)(&arguments, scope.window)
            }
            Self::Bin(period) => match scope.row.get(&crate::row::Field::plain("@timestamp")).time() {
                Some(time) => Value::Time(period.floor(time)),
                None => Value::Null,
            },
            Self::RegexReplace(text, pattern, by) => match (text.eval(scope).text(), by.eval(scope).text()) {
                (Some(text), Some(by)) => Value::text_of(pattern.replace_all(&text, &*by)),
                _ => Value::Null,
            },
            Self::Not(inner) => Value::Bool(!inner.eval(scope).truth()),
            Self::Negative(inner) => {
                let number = inner.eval(scope).number();
                number.map_or(Value::Null, |number| Value::Number(-number))
            }
            Self::Binary(Operator::And, a, b) => Value::Bool(a.eval(scope).truth() && b.eval(scope).truth()),
            Self::Binary(Operator::Or, a, b) => Value::Bool(a.eval(scope).truth() || b.eval(scope).truth()),
            Self::Binary(operator, a, b) => binary(*operator, &a.eval(scope), &b.eval(scope)),
            Self::Matches(text, pattern) => {
                let text = text.eval(scope);
                Value::Bool(text.text().is_some_and(|text| pattern.is_match(&text)))
            }
            Self::Contains(text, part) => {
                let (text, part) = (text.eval(scope), part.eval(scope));
                Value::Bool(match (text.text(), part.text()) {
                    (Some(text), Some(part)) => text.contains(&*part),
                    _ => false,
                })
            }
            Self::In(wanted, list) => {
                let wanted = wanted.eval(scope);
                Value::Bool(list.iter().any(|item| equal(&wanted, &item.eval(scope))))
            }
        };
        Cow::Owned(value)
    }
}

/// Numbers by their value, all else by its text. What is not there equals nothing.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(a.text()?.cmp(&b.text()?)),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    order(a, b) == Some(Ordering::Equal)
}

fn binary(operator: Operator, a: &Value, b: &Value) -> Value {
    let compare = |test: fn(Ordering) -> bool| Value::Bool(order(a, b).is_some_and(test));
    let calculate = |calculation: fn(f64, f64) -> f64| match (a.number(), b.number()) {
        (Some(a), Some(b)) => Value::number_of(calculation(a, b)),
        _ => Value::Null,
    };
    match operator {
        Operator::Equal => Value::Bool(equal(a, b)),
        // The contrary of `=`, so also of what is not there. Maps and lists compare as false, as documented.
        Operator::Unequal => {
            let structure = |value: &Value| !value.is_null() && value.text().is_none();
            Value::Bool(!equal(a, b) && !structure(a) && !structure(b))
        }
        Operator::Less => compare(Ordering::is_lt),
        Operator::AtMost => compare(Ordering::is_le),
        Operator::Greater => compare(Ordering::is_gt),
        Operator::AtLeast => compare(Ordering::is_ge),
        Operator::Add => calculate(|a, b| a + b),
        Operator::Subtract => calculate(|a, b| a - b),
        Operator::Multiply => calculate(|a, b| a * b),
        Operator::Divide => calculate(|a, b| a / b),
        Operator::Remainder => calculate(|a, b| a % b),
        Operator::Power => calculate(f64::powf),
        Operator::And => Value::Bool(a.truth() && b.truth()),
        Operator::Or => Value::Bool(a.truth() || b.truth()),
    }
}
