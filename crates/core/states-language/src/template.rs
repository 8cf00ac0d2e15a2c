//! Values with computed parts: payload templates of JSONPath states, whose fields end in `.$`, and the arguments, outputs
//! and assignments of JSONata states, whose strings stand in `{% … %}`.

use serde_json::{Map, Value};

use crate::Dice;
use crate::budget::Budget;
use crate::failure::Failure;
use crate::intrinsic::{Intrinsic, missing};
use crate::jsonata::Jsonata;
use crate::path::{Path, View};

/// A value with computed parts. Each such part knows the field that it stands in.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// Taken as it stands.
    Literal(Value),
    /// Members of an object.
    Object(Vec<(String, Template)>),
    /// Items of an array.
    Array(Vec<Template>),
    /// A path, and its field.
    Path(Path, String),
    /// An intrinsic function, and its field.
    Call(Intrinsic, String),
    /// An expression, and its field.
    Query(Jsonata, String),
}

/// Everything that a template, a path or an expression is evaluated against.
#[derive(Debug)]
pub struct Scope<'a> {
    /// What paths see.
    pub view: View<'a>,
    /// `$states`, for JSONata.
    pub states: &'a Value,
    /// Randomness.
    pub dice: &'a Dice,
    /// Milliseconds since the epoch.
    pub now: i64,
    /// What may still be spent.
    pub budget: &'a Budget,
}

impl Template {
    /// The value.
    pub fn fill(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        match self {
            Template::Literal(value) => Ok(value.clone()),
            Template::Object(members) => {
                let mut map = Map::new();
                for (name, member) in members {
                    map.insert(name.clone(), member.fill(scope)?);
                }
                Ok(Value::Object(map))
            }
            Template::Array(items) => items.iter().map(|item| item.fill(scope)).collect(),
            Template::Path(path, field) => path
                .find_within(&scope.view, scope.budget)
                .ok_or_else(|| missing(path, &scope.view, field, scope.budget))
                .and_then(|found| scope.budget.hold(found)),
            Template::Call(call, field) => call.call_within(&scope.view, scope.dice, field, scope.budget),
            Template::Query(query, field) => {
                let variables = &scope.view.variables;
                let given = query.evaluate_within(
                    scope.states,
                    variables,
                    scope.dice,
                    scope.now,
                    field,
                    scope.budget,
                )?;
                scope.budget.hold(given)
            }
        }
    }

    /// Fails the state for a value of another kind than the field is for.
    pub fn mismatch(&self, expected: &str, value: &Value) -> Failure {
        match self {
            Template::Query(query, field) => Failure::query(
                field,
                format!(
                    "The JSONata expression '{}' specified for the field '{field}' returned an unexpected result type. \
                     Expected '{expected}', but was '{}' for value: {value}",
                    query.text(),
                    kind(value)
                ),
            ),
            Template::Path(path, field) => Failure::runtime(format!(
                "The JSONPath '{}' specified for the field '{field}' must give a value of type '{expected}', but gave: {value}",
                path.text()
            )),
            _ => Failure::runtime(format!(
                "a value of type '{expected}' was expected, but was: {value}"
            )),
        }
    }
}

/// The name of a value's type.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
