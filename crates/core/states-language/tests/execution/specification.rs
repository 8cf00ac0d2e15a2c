//! The specification of the language (states-language.net/spec.html, as of November 22, 2024): each of its examples, and what
//! it says must be or must not be. Definitions and data are its sample code, which is licensed under the Apache License 2.0
//! (© 2016-2024 Amazon.com Inc. or Affiliates). Where the developer guide of the service says otherwise, it is followed,
//! and the test says so.

mod choices;
mod errors;
mod examples;
mod fields;
mod functions;
mod paths;
mod processing;
mod refusals;

use roadstead_states_language::Machine;
use serde_json::{Map, Value, json};

/// A machine that starts at the state `name`, with states for all that it leads to.
fn around(name: &str, state: &Value) -> Value {
    let mut states = Map::new();
    targets(state, &mut states);
    states.insert(name.to_owned(), state.clone());
    json!({"StartAt": name, "States": states})
}

fn targets(value: &Value, states: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(target) if !target.is_empty() && matches!(name.as_str(), "Next" | "Default") => {
                        states.insert(target.to_owned(), json!({"Type": "Succeed"}));
                    }
                    _ if matches!(name.as_str(), "Branches" | "ItemProcessor") => {}
                    _ => targets(member, states),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| targets(item, states)),
        _ => {}
    }
}

/// Every diagnostic as text.
fn faults(definition: &Value) -> Vec<String> {
    let (_, diagnostics) = Machine::parse(&definition.to_string());
    diagnostics.iter().map(ToString::to_string).collect()
}
