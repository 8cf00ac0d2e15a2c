//! Filters: `[?(@.price < 10 && @.kind == 'book')]`.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Selector, evaluate};
use crate::budget::Budget;

/// A condition on a candidate.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Literal(Value),
    /// `@…`: below the candidate.
    Candidate(Vec<Selector>),
    /// `$…`: below the whole.
    Whole(Vec<Selector>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    NotIn,
    Contains,
    Size,
    Empty,
}

impl Filter {
    pub(super) fn accepts(&self, candidate: &Value, whole: &Value, budget: &Budget) -> bool {
        if !budget.step(1) {
            return false;
        }
        let value = |operand: &Operand| operand.value(candidate, whole, budget);
        match self {
            Filter::Any(filters) => filters.iter().any(|one| one.accepts(candidate, whole, budget)),
            Filter::All(filters) => filters.iter().all(|one| one.accepts(candidate, whole, budget)),
            Filter::Not(filter) => !filter.accepts(candidate, whole, budget),
            Filter::Exists(operand) => value(operand).is_some(),
            Filter::Compare(left, comparison, right) => compare(value(left), *comparison, value(right)),
        }
    }
}

impl Operand {
    fn value(&self, candidate: &Value, whole: &Value, budget: &Budget) -> Option<Value> {
        let (root, steps) = match self {
            Operand::Literal(value) => {
                weigh(value, budget);
                return (!budget.is_spent()).then(|| value.clone());
            }
            Operand::Candidate(steps) => (candidate, steps),
            Operand::Whole(steps) => (whole, steps),
        };
        let found = evaluate::select(root, whole, steps, budget)?;
        // What is taken is copied and compared, item by item.
        for one in &found {
            weigh(one, budget);
        }
        if budget.is_spent() {
            return None;
        }
        if steps.iter().all(Selector::is_definite) {
            return found.first().map(|one| (*one).clone());
        }
        (!found.is_empty()).then(|| Value::Array(found.into_iter().cloned().collect()))
    }
}

/// Takes a step for each value within, and for each 64 bytes of a text.
fn weigh(value: &Value, budget: &Budget) {
    let text = value.as_str().map_or(0, str::len);
    if !budget.step(1 + (text / 64) as u64) {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| weigh(item, budget)),
        Value::Object(map) => map.values().for_each(|item| weigh(item, budget)),
        _ => {}
    }
}

fn compare(left: Option<Value>, comparison: Comparison, right: Option<Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return matches!(comparison, Comparison::Unequal | Comparison::NotIn);
    };
    match comparison {
        Comparison::Equal => equal(&left, &right),
        Comparison::Unequal => !equal(&left, &right),
        Comparison::Less => order(&left, &right) == Some(Ordering::Less),
        Comparison::AtMost => matches!(order(&left, &right), Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order(&left, &right) == Some(Ordering::Greater),
        Comparison::AtLeast => matches!(order(&left, &right), Some(Ordering::Greater | Ordering::Equal)),
        Comparison::In => holds(&right, &left),
        Comparison::NotIn => !holds(&right, &left),
        Comparison::Contains => holds(&left, &right),
        Comparison::Size => size(&left).is_some_and(|size| right.as_f64() == Some(size as f64)),
        Comparison::Empty => size(&left).is_some_and(|size| right.as_bool() == Some(size == 0)),
    }
}

fn holds(container: &Value, item: &Value) -> bool {
    match (container, item) {
        (Value::Array(items), _) => items.iter().any(|one| equal(one, item)),
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        _ => false,
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    }
}

/// 1 and 1.0 are the same number.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
