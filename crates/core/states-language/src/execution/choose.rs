//! Which rule of a Choice applies.

use serde_json::Value;

use crate::definition::{Comparison, Condition, Literal, timestamp};
use crate::failure::Failure;
use crate::path::Path;
use crate::template::Scope;

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, Failure> {
        match self {
            Condition::Not(inner) => inner.holds(scope).map(|holds| !holds),
            Condition::And(all) => {
                for one in all {
                    if !one.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(any) => {
                for one in any {
                    if one.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Query(template) => match template.fill(scope)? {
                Value::Bool(holds) => Ok(holds),
                other => Err(template.mismatch("boolean", &other)),
            },
            Condition::Test(variable, comparison) => {
                let value = found(variable, scope)?;
                if let Comparison::IsPresent(expected) = comparison {
                    return Ok(value.is_some() == *expected);
                }
                compare(&value.ok_or_else(|| invalid(variable))?, comparison, scope)
            }
        }
    }
}

fn found(path: &Path, scope: &Scope<'_>) -> Result<Option<Value>, Failure> {
    match path.find_within(&scope.view, scope.budget) {
        None if scope.budget.is_spent() => Err(scope.budget.spent(path.text(), "Choices")),
        None => Ok(None),
        Some(value) => scope.budget.hold(value).map(Some),
    }
}

fn invalid(path: &Path) -> Failure {
    Failure::runtime(format!(
        "Invalid path '{}': The choice state's condition path references an invalid value.",
        path.text()
    ))
}

/// Values of another type than the comparison is for are not compared: it does not hold.
fn compare(value: &Value, comparison: &Comparison, scope: &Scope<'_>) -> Result<bool, Failure> {
    let other = |literal: &Literal| match literal {
        Literal::Value(value) => Ok(value.clone()),
        Literal::Path(path) => found(path, scope)?.ok_or_else(|| invalid(path)),
    };
    let instant = |value: &Value| value.as_str().and_then(timestamp);
    Ok(match comparison {
        Comparison::String(order, literal) => {
            let other = other(literal)?;
            let order_is = |(left, right): (&str, &str)| order.accepts(left.cmp(right));
            value.as_str().zip(other.as_str()).is_some_and(order_is)
        }
        Comparison::Numeric(order, literal) => {
            let other = other(literal)?;
            let ordering = value
                .as_f64()
                .zip(other.as_f64())
                .and_then(|(left, right)| left.partial_cmp(&right));
            ordering.is_some_and(|ordering| order.accepts(ordering))
        }
        Comparison::Timestamp(order, literal) => {
            let other = other(literal)?;
            instant(value)
                .zip(instant(&other))
                .is_some_and(|(left, right)| order.accepts(left.cmp(&right)))
        }
        Comparison::BooleanEquals(literal) => value.is_boolean() && *value == other(literal)?,
        Comparison::StringMatches(pattern) => {
            let parts = parts(pattern).ok_or_else(|| {
                Failure::runtime(format!(
                    "The pattern '{pattern}' of 'StringMatches' has a backslash that neither '*' nor a backslash follows."
                ))
            })?;
            value.as_str().is_some_and(|text| matches(&parts, text))
        }
        Comparison::IsNull(expected) => value.is_null() == *expected,
        Comparison::IsPresent(expected) => *expected,
        Comparison::IsNumeric(expected) => value.is_number() == *expected,
        Comparison::IsString(expected) => value.is_string() == *expected,
        Comparison::IsBoolean(expected) => value.is_boolean() == *expected,
        Comparison::IsTimestamp(expected) => instant(value).is_some() == *expected,
    })
}

/// `*` stands for any characters, `\*` for itself and `\\` for a backslash. Nothing of a pattern with another backslash.
fn parts(pattern: &str) -> Option<Vec<Option<char>>> {
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(one) = characters.next() {
        parts.push(match one {
            '*' => None,
            '\\' => Some(characters.next().filter(|one| matches!(one, '*' | '\\'))?),
            other => Some(other),
        });
    }
    Some(parts)
}

fn matches(parts: &[Option<char>], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    // Where to go on if what follows the last star does not fit: time grows with the product of the lengths at most.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(None) => {
                part += 1;
                star = Some((part, at));
            }
            Some(Some(one)) if *one == text[at] => {
                part += 1;
                at += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    part = after;
                    at = from + 1;
                    star = Some((after, at));
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(Option::is_none)
}
