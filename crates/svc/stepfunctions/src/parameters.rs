//! Whether a task's parameters are those of what it calls: what is wrong with them is found before anything is called, and
//! fails the state for good. Source: the developer guide, "Passing parameters to a service API"; the names of members are in
//! Pascal case, whatever a service's own are.

use roadstead_protocol::{Kind, ServiceModel, ShapeId};
use roadstead_states_language::{Failure, Order, names as errors};
use serde_json::Value as Json;

use crate::sdk::{Operation, pascal};

/// # Errors
/// The parameters have a member that the operation does not have, or lack one that it needs.
pub(crate) fn check(operation: &Operation, order: &Order, parameters: &Json) -> Result<(), Failure> {
    let (model, shape) = operation.takes();
    let mut faults = Vec::new();
    if let Some(shape) = shape {
        find(model, shape, parameters, &mut faults);
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(unfit(order, &faults)),
    }
}

/// What a task fails with whose parameters are not taken.
pub(crate) fn unfit(order: &Order, faults: &[String]) -> Failure {
    let Order {
        state,
        entered,
        parameters,
        ..
    } = order;
    let cause = format!(
        "An error occurred while executing the state '{state}' (entered at the event id #{entered}). \
         The Parameters '{parameters}' could not be used to start the Task: [{}]",
        faults.join(", ")
    );
    Failure::new(errors::RUNTIME, cause)
}

fn find(model: &ServiceModel, shape: ShapeId, given: &Json, faults: &mut Vec<String>) {
    match (&model.shape(shape).kind, given) {
        (Kind::Structure { members, .. }, Json::Object(fields)) => {
            for (name, value) in fields {
                match members.iter().find(|member| pascal(member.name) == *name) {
                    Some(member) => find(model, member.shape, value, faults),
                    None => faults.push(format!("The field \"{name}\" is not supported by Step Functions")),
                }
            }
            let needed = members
                .iter()
                .filter(|member| member.required && !member.idempotency_token);
            faults.extend(
                needed
                    .map(|member| pascal(member.name))
                    .filter(|name| !fields.contains_key(name))
                    .map(|name| format!("The field '{name}' is required but was missing")),
            );
        }
        (Kind::List { member, .. }, Json::Array(items)) => {
            for item in items {
                find(model, member.shape, item, faults);
            }
        }
        (Kind::Map { value, .. }, Json::Object(entries)) => {
            for entry in entries.values() {
                find(model, value.shape, entry, faults);
            }
        }
        _ => {}
    }
}
