//! Whether a mocked result is one that the mocked operation could give, by its model.

use roadstead_api_stepfunctions::MockResponseValidationMode as Mode;
use roadstead_protocol::{Kind as Shape, ServiceModel, ShapeId};
use roadstead_states_language::{Kind, Pattern, Resource, State};
use serde_json::Value as Json;

use crate::{States, integrations, sdk};

/// What results are held to.
struct Fit {
    model: &'static ServiceModel,
    /// Whether what an operation always gives must be there.
    whole: bool,
    /// Members that can be anything: what the integration reads as JSON.
    free: &'static [&'static str],
}

/// Of branches and iterations their number is known, or that they are many; what functions, activities and owners of tokens
/// give can be anything. A job (`.sync`) gives what describes it at its end.
///
/// # Errors
/// What does not fit, in words.
pub(super) fn check(states: &States, state: &State, result: &Json, mode: &Mode) -> Result<(), String> {
    if *mode == Mode::None {
        return Ok(());
    }
    let task = match &state.kind {
        Kind::Parallel { branches } => {
            return match result.as_array() {
                Some(results) if results.len() == branches.len() => Ok(()),
                _ => Err(format!("it must be an array of {} results", branches.len())),
            };
        }
        Kind::Map(_) if result.is_array() => return Ok(()),
        Kind::Map(_) => return Err("it must be an array".to_owned()),
        Kind::Task(task) => task,
        _ => return Ok(()),
    };
    let Resource::Integration {
        service,
        action,
        pattern,
        ..
    } = &task.resource
    else {
        return Ok(());
    };
    let called = match integrations::find(service, action) {
        Some(known) => known.operation(states),
        None => sdk::Operation::of(states, service, action),
    };
    let polled = |service, operation| sdk::Operation::named(states, service, operation);
    let (operation, member, free): (_, _, &'static [&'static str]) = match (pattern, service.as_str()) {
        (Pattern::WaitForTaskToken, _) => return Ok(()),
        (Pattern::Sync | Pattern::SyncAsJson, "ecs") => (polled("ecs", "DescribeTasks"), Some("tasks"), &[]),
        (Pattern::SyncAsJson, _) => {
            let free = &["input", "output"];
            (polled("stepfunctions", "DescribeExecution"), None, free)
        }
        (Pattern::Sync, _) => (polled("stepfunctions", "DescribeExecution"), None, &[]),
        (Pattern::RequestResponse, "lambda") => (called, None, &["Payload"]),
        (Pattern::RequestResponse, _) => (called, None, &[]),
    };
    let Some((model, Some(shape))) = operation.map(|operation| operation.answers()) else {
        return Ok(());
    };
    let fit = Fit {
        model,
        whole: *mode == Mode::Strict,
        free,
    };
    match member {
        Some(list) => fit.item(shape, list, result),
        None => fit.check(shape, result, ""),
    }
}

impl Fit {
    /// An item of the list that is a member of the shape.
    fn item(&self, shape: ShapeId, list: &str, value: &Json) -> Result<(), String> {
        let Shape::Structure { members, .. } = &self.model.shape(shape).kind else {
            return Ok(());
        };
        let found = members.iter().find(|member| member.name == list);
        match found.map(|member| &self.model.shape(member.shape).kind) {
            Some(Shape::List { member, .. }) => self.check(member.shape, value, ""),
            _ => Ok(()),
        }
    }

    fn check(&self, shape: ShapeId, value: &Json, at: &str) -> Result<(), String> {
        let what = if at.is_empty() { "it" } else { at };
        let kind = |fits: bool, kind: &str| match fits {
            true => Ok(()),
            false => Err(format!("{what} must be {kind}")),
        };
        match &self.model.shape(shape).kind {
            Shape::Structure { members, .. } => {
                let Json::Object(fields) = value else {
                    return kind(false, "an object");
                };
                for member in *members {
                    let shown = sdk::pascal(member.name);
                    let at = format!("{at}/{shown}");
                    match fields.get(member.name).or_else(|| fields.get(&shown)) {
                        None if self.whole && member.required => return Err(format!("{at} is missing")),
                        Some(field) if !self.free.contains(&member.name) => {
                            self.check(member.shape, field, &at)?;
                        }
                        Some(_) | None => {}
                    }
                }
                Ok(())
            }
            Shape::List { member, .. } => {
                let Json::Array(items) = value else {
                    return kind(false, "an array");
                };
                for (index, item) in items.iter().enumerate() {
                    self.check(member.shape, item, &format!("{at}/{index}"))?;
                }
                Ok(())
            }
            Shape::Map { value: member, .. } => {
                let Json::Object(fields) = value else {
                    return kind(false, "an object");
                };
                for (key, field) in fields {
                    self.check(member.shape, field, &format!("{at}/{key}"))?;
                }
                Ok(())
            }
            Shape::Text { values, .. } => match value.as_str() {
                Some(text) if values.is_empty() || values.contains(&text) => Ok(()),
                Some(_) => kind(false, &format!("one of {}", values.join(", "))),
                None => kind(false, "a string"),
            },
            Shape::Blob { .. } => kind(value.is_string(), "a string"),
            Shape::Integer { .. } | Shape::Long { .. } => {
                kind(value.is_i64() || value.is_u64(), "an integer")
            }
            Shape::Double { .. } => kind(value.is_number(), "a number"),
            Shape::Boolean => kind(value.is_boolean(), "a boolean"),
            Shape::Timestamp { .. } => kind(value.is_number() || value.is_string(), "a time"),
        }
    }
}
