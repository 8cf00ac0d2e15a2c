//! The variables that states read.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_states_language::Machine;
use serde_json::{Value, json};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:F";

/// The variables that the state `S` of such a machine reads.
fn reads(state: Value, jsonata: bool) -> Vec<String> {
    let mut definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"sum": 1, "range": 2, "other": 3}, "Next": "S"},
        "S": state, "E": {"Type": "Succeed"}}});
    if jsonata {
        definition["States"]["S"]["QueryLanguage"] = json!("JSONata");
    }
    let (machine, diagnostics) = Machine::parse(&definition.to_string());
    let machine = machine.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let mut references = machine.variable_references();
    let names = references.remove("S").unwrap_or_default();
    assert!(
        references.is_empty(),
        "the other states read none: {references:?}"
    );
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_field_is_looked_at() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let paths = [
        (
            json!({"Type": "Task", "Resource": FUNCTION, "InputPath": "$a", "OutputPath": "$b", "TimeoutSecondsPath": "$c", "HeartbeatSecondsPath": "$d",
                "Parameters": {"x": [{"y.$": "$e.f[0]"}], "z.$": "States.Array(States.Format('{}', $f), $$.Execution.Id)"}, "ResultSelector": {"x.$": "$g"},
                "Credentials": {"RoleArn.$": "$h"}, "Assign": {"x.$": "$i"}, "Catch": [{"ErrorEquals": ["E"], "Assign": {"y.$": "$j"}, "Next": "E"}], "Next": "E"}),
            "abcdefghij",
        ),
        (
            json!({"Type": "Choice", "Default": "E", "Assign": {"x.$": "$e"}, "Choices": [{"Variable": "$a", "IsNull": true, "Next": "E"},
                {"And": [{"Not": {"Variable": "$b", "NumericEqualsPath": "$c"}}], "Next": "E", "Assign": {"y.$": "$d"}}]}),
            "abcde",
        ),
        (json!({"Type": "Wait", "SecondsPath": "$a", "Next": "E"}), "a"),
        (
            json!({"Type": "Map", "ItemsPath": "$a", "MaxConcurrencyPath": "$b", "ItemSelector": {"x.$": "$c"}, "ItemProcessor": inner, "Next": "E"}),
            "abc",
        ),
        (
            json!({"Type": "Pass", "Parameters": {"x.$": "$.a", "y": "$b"}, "Next": "E"}),
            "",
        ),
    ];
    for (state, expected) in paths {
        assert_eq!(reads(state.clone(), false).concat(), expected, "{state}");
    }
    let queries = [
        (
            json!({"Type": "Task", "Resource": FUNCTION, "Arguments": {"x": ["{% $a.b %}"]}, "Output": "{% $b + $states.input.c %}", "TimeoutSeconds": "{% $c %}",
                "Assign": {"x": "{% $d %}"}, "Catch": [{"ErrorEquals": ["E"], "Output": "{% $e %}", "Next": "E"}], "Next": "E"}),
            "abcde",
        ),
        (json!({"Type": "Wait", "Timestamp": "{% $a %}", "Next": "E"}), "a"),
        (
            json!({"Type": "Choice", "Choices": [{"Condition": "{% $a > 1 %}", "Output": "{% $b %}", "Next": "E"}]}),
            "ab",
        ),
    ];
    for (state, expected) in queries {
        assert_eq!(reads(state.clone(), true).concat(), expected, "{state}");
    }
}

#[test]
fn what_an_expression_binds_and_calls_is_no_reference() {
    let cases: [(&str, &[&str]); 8] = [
        ("($x := 1; $x + $y)", &["y"]),
        (
            "$map($list, function($v, $i) { $v * $i * $factor })",
            &["factor", "list"],
        ),
        ("$count($states.input.a)", &[]),
        ("$uuid() & $hash('a', 'MD5')", &[]),
        ("$states.input.list[$ > $limit]", &["limit"]),
        // Names of functions that the machine assigns are its variables.
        ("$sum + 1", &["sum"]),
        ("$range", &["range"]),
        ("$partition([1], 1)", &[]),
    ];
    for (text, expected) in cases {
        let state = json!({"Type": "Pass", "Output": format!("{{% {text} %}}"), "Next": "E"});
        assert_eq!(reads(state, true), expected, "{text}");
    }
}

#[test]
fn states_within_states_are_told_of_by_their_names() {
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [
        {"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "InputPath": "$i", "End": true}}}}}},
        {"StartAt": "B", "States": {"B": {"Type": "Pass", "InputPath": "$b", "OutputPath": "$b", "End": true}}}]}}});
    let (machine, _) = Machine::parse(&definition.to_string());
    let references = machine.as_ref().map(Machine::variable_references);
    let expected = BTreeMap::from([("B", BTreeSet::from(["b"])), ("I", BTreeSet::from(["i"]))]);
    assert_eq!(references, Some(expected));
}
