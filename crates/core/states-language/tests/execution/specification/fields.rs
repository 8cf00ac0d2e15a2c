//! "Table of State Types and Fields": which type of state has which field, in each language.

use serde_json::{Map, Value, json};

use super::{around, faults};
use crate::FUNCTION;

const TYPES: [&str; 8] = [
    "Task", "Parallel", "Map", "Pass", "Wait", "Choice", "Succeed", "Fail",
];

/// A state of that type with what it must have.
fn least(kind: &str, jsonata: bool) -> Map<String, Value> {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let mut state = match kind {
        "Task" => json!({"Resource": FUNCTION, "Next": "E"}),
        "Parallel" => json!({"Branches": [inner], "Next": "E"}),
        "Map" => json!({"ItemProcessor": inner, "Next": "E"}),
        "Pass" => json!({"Next": "E"}),
        "Wait" => json!({"Seconds": 1, "Next": "E"}),
        "Choice" if jsonata => json!({"Choices": [{"Condition": true, "Next": "E"}]}),
        "Choice" => json!({"Choices": [{"Variable": "$.a", "IsNull": true, "Next": "E"}]}),
        _ => json!({}),
    };
    state["Type"] = json!(kind);
    if jsonata {
        state["QueryLanguage"] = json!("JSONata");
    }
    match state {
        Value::Object(state) => state,
        _ => Map::new(),
    }
}

fn check(jsonata: bool, field: &str, value: &Value, allowed: &[&str]) {
    for kind in TYPES {
        let mut state = least(kind, jsonata);
        state.insert(field.to_owned(), value.clone());
        let found = faults(&around("X", &Value::Object(state)));
        if allowed.contains(&kind) {
            assert_eq!(found, Vec::<String>::new(), "{kind} has {field}");
            continue;
        }
        assert!(
            found
                .iter()
                .any(|fault| fault.starts_with("SCHEMA_VALIDATION_FAILED: ")
                    && fault.ends_with(" at /States/X")
                    && fault.contains(&format!("'{field}'"))),
            "{kind} has no {field}: {found:?}"
        );
    }
}

#[test]
fn the_type_must_be_there_and_a_comment_may() {
    for jsonata in [false, true] {
        check(jsonata, "Comment", &json!("c"), &TYPES);
        for kind in TYPES {
            let mut state = least(kind, jsonata);
            state.remove("Type");
            let found = faults(&around("X", &Value::Object(state)));
            assert_eq!(
                found,
                ["SCHEMA_VALIDATION_FAILED: These fields are required: [Type] at /States/X"]
            );
        }
    }
}

#[test]
fn fields_of_jsonata_states() {
    check(true, "Output", &json!("{% 1 %}"), &TYPES[..7]);
    check(true, "Assign", &json!({"a": 1}), &TYPES[..6]);
    check(true, "Arguments", &json!({"a": 1}), &["Task", "Parallel"]);
    check(true, "Retry", &json!([{"ErrorEquals": ["E"]}]), &TYPES[..3]);
    check(
        true,
        "Catch",
        &json!([{"ErrorEquals": ["E"], "Next": "E"}]),
        &TYPES[..3],
    );
    check(true, "Items", &json!([1]), &["Map"]);
    for (field, value) in [
        ("InputPath", json!("$")),
        ("OutputPath", json!("$")),
        ("Parameters", json!({})),
        ("ResultSelector", json!({})),
        ("ResultPath", json!("$")),
        ("Result", json!(1)),
        ("ItemsPath", json!("$")),
        ("MaxConcurrencyPath", json!("$.a")),
        ("TimeoutSecondsPath", json!("$.a")),
        ("HeartbeatSecondsPath", json!("$.a")),
        ("SecondsPath", json!("$.a")),
        ("TimestampPath", json!("$.a")),
        ("ErrorPath", json!("$.a")),
        ("CausePath", json!("$.a")),
    ] {
        check(true, field, &value, &[]);
    }
}

#[test]
fn fields_of_jsonpath_states() {
    check(false, "InputPath", &json!("$"), &TYPES[..7]);
    check(false, "OutputPath", &json!("$"), &TYPES[..7]);
    check(false, "Assign", &json!({"a": 1}), &TYPES[..6]);
    check(false, "ResultPath", &json!("$.a"), &TYPES[..4]);
    check(false, "Parameters", &json!({"a": 1}), &TYPES[..4]);
    check(false, "ResultSelector", &json!({"a": 1}), &TYPES[..3]);
    check(false, "Retry", &json!([{"ErrorEquals": ["E"]}]), &TYPES[..3]);
    check(
        false,
        "Catch",
        &json!([{"ErrorEquals": ["E"], "Next": "E"}]),
        &TYPES[..3],
    );
    check(false, "Result", &json!(1), &["Pass"]);
    for (field, value) in [
        ("Output", json!(1)),
        ("Arguments", json!({})),
        ("Items", json!([])),
    ] {
        check(false, field, &value, &[]);
    }
}

#[test]
fn one_of_next_and_end_must_be_there() {
    for jsonata in [false, true] {
        for kind in &TYPES[..5] {
            let mut state = least(kind, jsonata);
            state.insert("End".to_owned(), json!(true));
            let both = faults(&around("X", &Value::Object(state.clone())));
            assert!(both[0].contains("[Next, End]"), "{kind}: {both:?}");
            state.remove("Next");
            assert_eq!(
                faults(&around("X", &Value::Object(state.clone()))),
                Vec::<String>::new(),
                "{kind}"
            );
            state.insert("End".to_owned(), json!(false));
            let none = faults(&around("X", &Value::Object(state)));
            assert!(none[0].contains("[Next] or [End]"), "{kind}: {none:?}");
        }
        for (field, value) in [("Next", json!("E")), ("End", json!(true))] {
            for kind in &TYPES[5..] {
                let mut state = least(kind, jsonata);
                state.insert(field.to_owned(), value.clone());
                let found = faults(&around("X", &Value::Object(state)));
                assert!(
                    found
                        .iter()
                        .any(|fault| fault.contains(&format!("Field '{field}' is not supported"))),
                    "{kind}: {found:?}"
                );
            }
        }
    }
}
