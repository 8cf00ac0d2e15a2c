//! The context object, and what templates of a state see.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::stepper::Stepper;
use super::{Execution, Item};
use crate::failure::Failure;
use crate::path::{Variables, View};
use crate::template::{Scope, Template};

/// What a state's templates see beyond its variables.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen<'v> {
    /// `$`; without it the state's input.
    pub(super) input: Option<&'v Value>,
    /// `$states.result`
    pub(super) result: Option<&'v Value>,
    /// `$states.errorOutput`
    pub(super) error: Option<&'v Value>,
    /// `$$.Task.Token`
    pub(super) token: Option<&'v str>,
    /// `$$.Map.Item`, where it is not the thread's own.
    pub(super) item: Option<&'v Item>,
}

impl Stepper<'_> {
    /// The value of a template of the state that the thread is in.
    pub(super) fn fill(&self, id: u64, template: &Template, seen: Seen<'_>) -> Result<Value, Failure> {
        if let Template::Literal(value) = template {
            return Ok(value.clone());
        }
        self.with_scope(id, seen, |scope| template.fill(scope))
    }

    /// Hands `act` what the templates of the state see.
    pub(super) fn with_scope<T>(&self, id: u64, seen: Seen<'_>, act: impl FnOnce(&Scope<'_>) -> T) -> T {
        let execution = &*self.execution;
        let raw = execution
            .threads
            .get(&id)
            .map_or(&Value::Null, |thread| &thread.input);
        let context = match self.context {
            Some(given) => Cow::Borrowed(given),
            None => Cow::Owned(execution.context(id, seen)),
        };
        let mut states = json!({"input": raw, "context": context.as_ref()});
        for (name, value) in [("result", seen.result), ("errorOutput", seen.error)] {
            if let Some(value) = value {
                states[name] = value.clone();
            }
        }
        let view = View {
            input: seen.input.unwrap_or(raw),
            context: &context,
            variables: execution.variables(id),
        };
        act(&Scope {
            view,
            states: &states,
            dice: self.dice,
            now: self.now,
            budget: &self.budget,
        })
    }
}

impl Execution {
    /// The variables that a thread sees, nearest first.
    pub(super) fn variables(&self, id: u64) -> Variables<'_> {
        let mut scopes = Vec::new();
        let mut at = self.threads.get(&id);
        while let Some(thread) = at {
            scopes.push(&thread.variables);
            at = thread.parent.and_then(|(parent, _)| self.threads.get(&parent));
        }
        Variables(scopes)
    }

    /// The innermost item that is being worked on.
    fn item(&self, id: u64) -> Option<&Item> {
        let mut at = self.threads.get(&id);
        while let Some(thread) = at {
            if thread.item.is_some() {
                return thread.item.as_ref();
            }
            at = thread.parent.and_then(|(parent, _)| self.threads.get(&parent));
        }
        None
    }

    fn context(&self, id: u64, seen: Seen<'_>) -> Value {
        let about = &self.about;
        let mut context = Map::new();
        context.insert(
            "Execution".to_owned(),
            json!({
                "Id": about.execution_arn,
                "Input": about.input,
                "StartTime": time(self.started),
                "Name": about.execution_name,
                "RoleArn": about.role_arn,
                "RedriveCount": self.redrives,
            }),
        );
        if let Some(at) = self.redriven {
            context["Execution"]["RedriveTime"] = json!(time(at));
        }
        context.insert(
            "StateMachine".to_owned(),
            json!({"Id": about.state_machine_arn, "Name": about.state_machine_name}),
        );
        if let Some(thread) = self.threads.get(&id) {
            let (_, entered) = thread.entered.unwrap_or((0, self.started));
            let retries: u64 = thread.tries.iter().sum();
            context.insert(
                "State".to_owned(),
                json!({"Name": thread.state, "EnteredTime": time(entered), "RetryCount": retries}),
            );
        }
        if let Some(item) = seen.item.or_else(|| self.item(id)) {
            let mut shown = json!({"Index": item.index, "Value": item.value});
            if let Some(key) = &item.key {
                shown["Key"] = json!(key);
            }
            context.insert("Map".to_owned(), json!({"Item": shown}));
        }
        if let Some(token) = seen.token {
            context.insert("Task".to_owned(), json!({"Token": token}));
        }
        Value::Object(context)
    }
}

/// `2019-03-26T20:14:13.192Z`
fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |at| format!("{at:.3}"))
}
