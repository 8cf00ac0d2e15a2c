//! Walking a value along a path.

use serde_json::Value;

use super::Selector;
use crate::budget::Budget;

/// What the steps find below `root`; nothing if a member is missing that had to be there, or the budget is spent.
pub(super) fn select<'v>(
    root: &'v Value,
    whole: &'v Value,
    steps: &[Selector],
    budget: &Budget,
) -> Option<Vec<&'v Value>> {
    let mut found = vec![root];
    let mut certain = true;
    for step in steps {
        let mut next = Vec::new();
        for value in found {
            let before = next.len();
            apply(step, value, whole, &mut next, budget);
            if !budget.step(1 + (next.len() - before) as u64) {
                return None;
            }
            if certain && next.len() == before && misses(step, value) {
                return None;
            }
        }
        certain = certain && step.is_definite();
        found = next;
    }
    Some(found)
}

/// Whether finding nothing means that something is missing, not that nothing fits.
fn misses(step: &Selector, value: &Value) -> bool {
    match step {
        Selector::Names(names) => names.len() == 1 || !value.is_object(),
        Selector::Indices(indices) => indices.len() == 1 || !value.is_array(),
        Selector::Slice { .. } => !value.is_array(),
        Selector::Filter(_) | Selector::Wildcard | Selector::Descend(_) => false,
    }
}

fn apply<'v>(
    step: &Selector,
    value: &'v Value,
    whole: &'v Value,
    found: &mut Vec<&'v Value>,
    budget: &Budget,
) {
    match step {
        Selector::Names(names) => {
            if let Value::Object(map) = value {
                found.extend(names.iter().filter_map(|name| map.get(name)));
            }
        }
        Selector::Wildcard => found.extend(children(value)),
        Selector::Indices(indices) => {
            if let Value::Array(items) = value {
                found.extend(
                    indices
                        .iter()
                        .filter_map(|index| items.get(position(*index, items.len())?)),
                );
            }
        }
        Selector::Slice { start, end, step } => {
            if let Value::Array(items) = value {
                slice(items, *start, *end, *step, found);
            }
        }
        Selector::Filter(filter) => match value {
            Value::Array(items) => {
                found.extend(items.iter().filter(|item| filter.accepts(item, whole, budget)))
            }
            Value::Object(_) if filter.accepts(value, whole, budget) => found.push(value),
            _ => {}
        },
        Selector::Descend(inner) => descend(inner, value, whole, found, budget),
    }
}

/// In the order of the document. Its depth is that of JSON that was read, at most 128.
fn descend<'v>(
    inner: &Selector,
    value: &'v Value,
    whole: &'v Value,
    found: &mut Vec<&'v Value>,
    budget: &Budget,
) {
    if !budget.step(1) {
        return;
    }
    // A filter below `..` looks at members one by one when it comes to them as items of an array.
    if !(matches!(inner, Selector::Filter(_)) && value.is_object()) {
        apply(inner, value, whole, found, budget);
    }
    for child in children(value) {
        descend(inner, child, whole, found, budget);
    }
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// A negative index counts from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 {
        index.checked_add(length as i64)?
    } else {
        index
    };
    usize::try_from(index).ok()
}

fn slice<'v>(
    items: &'v [Value],
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
    found: &mut Vec<&'v Value>,
) {
    let length = items.len() as i64;
    let place = |index: i64| {
        if index < 0 {
            (index + length).max(0)
        } else {
            index.min(length)
        }
    };
    let (from, to) = (place(start.unwrap_or(0)), place(end.unwrap_or(length)));
    let mut index = from;
    while index < to {
        found.push(&items[index as usize]);
        index = index.saturating_add(step);
    }
}
