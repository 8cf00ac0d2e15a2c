//! JSONata: strings in `{% … %}` ("Transforming data with JSONata in Step Functions"). The language is that of JSONata
//! 2.0.6 without `$eval`, with functions of the service's own; there is no context item, so that an expression reads
//! `$states` and variables only.
//!
//! An evaluation is bounded in steps, depth and size, none of which depends on the machine. Only a regular expression that
//! goes astray is stopped by the time it takes.

mod functions;
mod references;
#[cfg(test)]
mod suite;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jlens_core::audit::{Tracer, ValueRef};
use jlens_core::{Bindings, CancelToken, Expression, Node, Options};
use serde_json::Value;

use crate::Dice;
use crate::budget::Budget;
use crate::diagnostic::Code;
use crate::failure::Failure;
use crate::path::Variables;

/// Nodes that one evaluation may visit.
const STEPS: u64 = 1_000_000;
/// How deep calls may go.
const DEPTH: usize = 1_000;
/// What a string, and a result as text, may have: four times what a state may hand on.
const BYTES: usize = 1024 * 1024;
/// Items of an array on the way: what a state may hand on, 256 KiB, has no more.
const ITEMS: usize = 256 * 1024;
/// For a regular expression that backtracks without end.
const ASTRAY: Duration = Duration::from_secs(5);

/// An expression that was read.
#[derive(Debug, Clone)]
pub struct Jsonata {
    text: Arc<str>,
    expression: Expression,
    /// The variables that it reads, so that only those are handed to it.
    variables: Arc<BTreeSet<String>>,
}

/// Why an expression was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonataFault {
    /// What kind of fault.
    pub code: Code,
    /// In words.
    pub message: String,
}

impl Jsonata {
    /// What stands between `{%` and `%}`, if that is how the text begins and ends.
    pub fn within(text: &str) -> Option<&str> {
        text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
    }

    /// Reads an expression, without its `{%` and `%}`.
    pub fn parse(text: &str) -> Result<Jsonata, JsonataFault> {
        let invalid = |message: String| JsonataFault {
            code: Code::InvalidJsonataExpression,
            message,
        };
        let expression = Expression::compile(text).map_err(|fault| invalid(fault.message()))?;
        let variables = references::check(expression.ast())?;
        Ok(Jsonata {
            text: text.into(),
            expression,
            variables: Arc::new(variables),
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The variables that it reads and does not bind itself, without `states`. A function's name is a variable where the
    /// machine assigns it, as `known` says.
    pub(crate) fn references<'a>(&'a self, known: &BTreeSet<&str>) -> Vec<&'a str> {
        let reads = self.expression.reads();
        let builtin = |name: &str| jlens_core::function_catalog().iter().any(|one| one.name == name);
        let names = self.variables.iter().map(String::as_str);
        let free = names.filter(|name| match reads.binding(name) {
            Some(_) => *name != "states" && (known.contains(name) || !functions::NAMES.contains(name)),
            None => known.contains(name) && builtin(name),
        });
        free.collect()
    }

    /// Whether it names that member of `$states`.
    pub(crate) fn reads(&self, member: &str) -> bool {
        references::reads(self.expression.ast(), member)
    }

    /// What it gives. `field` is where it stands, for the cause of a failure.
    pub fn evaluate(
        &self,
        states: &Value,
        variables: &Variables<'_>,
        dice: &Dice,
        now: i64,
        field: &str,
    ) -> Result<Value, Failure> {
        self.evaluate_within(states, variables, dice, now, field, &Budget::default())
    }

    /// The same, with the steps that are left, if those are fewer.
    pub(crate) fn evaluate_within(
        &self,
        states: &Value,
        variables: &Variables<'_>,
        dice: &Dice,
        now: i64,
        field: &str,
        budget: &Budget,
    ) -> Result<Value, Failure> {
        let mut bindings = functions::bindings(dice);
        for name in self.variables.iter() {
            if name == "states" {
                bindings = bindings.var("states", states.clone());
            } else if let Some(value) = variables.get(name) {
                bindings = bindings.var(name.as_str(), value.clone());
            }
        }
        let fail = |what: String| {
            let text = &self.text;
            Failure::query(
                field,
                format!("The JSONata expression '{text}' specified for the field '{field}' {what}"),
            )
        };
        match run(&self.expression, None, &bindings, dice, now, budget) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(fail("returned nothing (undefined).".to_owned())),
            Err(fault) if fault.code() == "U1003" && budget.is_spent() => Err(fail(
                "took more than the steps that are left of those that the state may take.".to_owned(),
            )),
            Err(fault) if fault.code() == "U1003" => Err(fail(format!("took more than {STEPS} steps."))),
            Err(fault) => Err(fail(format!(
                "threw an error during evaluation. {}: {}",
                fault.code(),
                fault.message()
            ))),
        }
    }
}

/// Evaluates within the bounds. Expressions of states have no `input`; those of JSONata's own tests do.
fn run(
    expression: &Expression,
    input: Option<&Value>,
    bindings: &Bindings,
    dice: &Dice,
    now: i64,
    budget: &Budget,
) -> jlens_core::Result<Option<Value>> {
    let token = CancelToken::new();
    let most = STEPS.min(budget.steps());
    let mut meter = Meter {
        left: most,
        token: token.clone(),
    };
    let options = Options::new()
        .now(now)
        .seed(dice.bits())
        .max_depth(DEPTH)
        .max_string_length(BYTES)
        .max_array_length(ITEMS)
        .max_result_size(BYTES)
        .timeout(ASTRAY)
        .cancel_token(token);
    let given = expression.evaluate_traced(input, bindings, &options, &mut meter);
    budget.step(most - meter.left);
    given
}

/// Two expressions are the same when their texts are.
impl PartialEq for Jsonata {
    fn eq(&self, other: &Jsonata) -> bool {
        self.text == other.text
    }
}

/// Counts steps and ends the evaluation when there were enough.
struct Meter {
    left: u64,
    token: CancelToken,
}

impl Tracer for Meter {
    fn enter(&mut self, _node: &Node, _input: ValueRef<'_>) {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => self.token.cancel(),
        }
    }
}
