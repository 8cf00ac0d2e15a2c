//! Whether an expression holds for an instance.

use std::cmp::Ordering;

use crate::model::Candidate;
use crate::query::{Argument, Comparison, Node, Relation, Subject, Test};

pub(super) fn holds(node: &Node, candidate: &Candidate) -> bool {
    match node {
        Node::Not(inner) => !holds(inner, candidate),
        Node::And(parts) => parts.iter().all(|part| holds(part, candidate)),
        Node::Or(parts) => parts.iter().any(|part| holds(part, candidate)),
        Node::Test(test) => positive(test, candidate) != test.negated,
    }
}

/// Without the negation that the operator may have.
fn positive(test: &Test, candidate: &Candidate) -> bool {
    let says = |value: &Value<'_>| match &test.relation {
        Relation::Exists => true,
        Relation::Compare(comparison, argument) => compared(*comparison, value, argument),
        Relation::In(list) => {
            let mut list = list.iter();
            list.any(|argument| compared(Comparison::Equal, value, argument))
        }
        Relation::Matches(pattern) => matches!(value, Value::Text(text) if pattern.is_match(text)),
    };
    match &test.subject {
        Subject::AgentConnected => says(&Value::Text(if candidate.agent_connected {
            "true"
        } else {
            "false"
        })),
        Subject::AgentVersion => candidate
            .agent_version
            .as_deref()
            .is_some_and(|version| says(&Value::Text(version))),
        Subject::Attribute(name) => match candidate.attributes.get(name) {
            None => false,
            // There, and equal to nothing.
            Some(None) => matches!(test.relation, Relation::Exists),
            Some(Some(value)) => says(&Value::Text(value)),
        },
        Subject::Ec2InstanceId => candidate
            .ec2_instance_id
            .as_deref()
            .is_some_and(|id| says(&Value::Text(id))),
        Subject::RegisteredAt => says(&Value::Time(candidate.registered_at)),
        Subject::RunningTasksCount => says(&Value::Count(candidate.running)),
        // Any of its tasks may be of the group.
        Subject::TaskGroup => {
            let mut groups = candidate.groups.iter().filter(|(_, tasks)| **tasks > 0);
            groups.any(|(group, _)| says(&Value::Text(group)))
        }
    }
}

enum Value<'v> {
    Text(&'v str),
    Count(usize),
    Time(i64),
}

fn compared(comparison: Comparison, value: &Value<'_>, argument: &Argument) -> bool {
    let order = match (value, argument) {
        (Value::Text(value), Argument::Text(text)) => Some((*value).cmp(text.as_str())),
        (Value::Text(value), Argument::Number(number, text)) => {
            if comparison == Comparison::Equal {
                // Equality is of texts: 1.0 is not 1.
                Some((*value).cmp(text.as_str()))
            } else {
                match value.parse::<f64>() {
                    Ok(value) => value.partial_cmp(number),
                    Err(_) => Some((*value).cmp(text.as_str())),
                }
            }
        }
        (Value::Text(value), Argument::Version(version)) => version_of(value).map(|value| value.cmp(version)),
        (Value::Count(count), Argument::Number(number, _)) => (*count as f64).partial_cmp(number),
        (Value::Time(value), Argument::Time(start, length)) => Some(if value < start {
            Ordering::Less
        } else if *value < start + length {
            Ordering::Equal
        } else {
            Ordering::Greater
        }),
        _ => None,
    };
    let Some(order) = order else { return false };
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterEqual => order.is_ge(),
        Comparison::Less => order.is_lt(),
        Comparison::LessEqual => order.is_le(),
    }
}

/// `1.68.2` as its numbers, without zeros at the end: 1.68 is 1.68.0. What follows a hyphen does not count.
pub(super) fn version_of(text: &str) -> Option<Vec<u64>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split_once('-').map_or(text, |(numbers, _)| numbers);
    let mut version = numbers
        .split('.')
        .map(|part| part.parse().ok())
        .collect::<Option<Vec<u64>>>()?;
    while version.last() == Some(&0) {
        version.pop();
    }
    Some(version)
}
