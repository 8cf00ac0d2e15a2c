//! What a definition must not be: refused, with the place.

use serde_json::{Value, json};

use super::{around, faults};
use crate::FUNCTION;

fn state(state: Value) -> Vec<String> {
    faults(&around("X", &state))
}

fn schema(text: &str) -> String {
    format!("SCHEMA_VALIDATION_FAILED: {text}")
}

#[test]
fn what_jsonata_must_not_refer_to() {
    let top = |name: &str| {
        format!(
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '{name}' at the top level is not supported. at /States/X/Output"
        )
    };
    for (text, name) in [
        ("$", "$"),
        ("$.total", "$"),
        ("total", "total"),
        ("$$", "$$"),
        ("$$.total", "$$"),
        ("$order[$$.total > 10]", "$$"),
    ] {
        let found = state(
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": format!("{{% {text} %}}"), "Next": "E"}),
        );
        assert_eq!(found, [top(name)], "{text}");
    }
    for text in ["$order[$.total > 10]", "$order[total > 10]", "$order.total"] {
        let found = state(
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": format!("{{% {text} %}}"), "Next": "E"}),
        );
        assert_eq!(found, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn results_and_errors_are_referred_to_where_they_are() {
    let fault = |name: &str, at: &str| {
        let place = if name == "result" {
            "Output and Assign"
        } else {
            "a Catch"
        };
        format!(
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$states.{name}' is only supported in {place}. at /States/X/{at}"
        )
    };
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let of = |name: &str| format!("{{% $states.{name}.a %}}");
    let working = |text: &str| {
        [
            (
                json!({"Type": "Task", "Resource": FUNCTION, "Arguments": {"a": text}, "Next": "E"}),
                "Arguments/a",
            ),
            (
                json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": text, "Next": "E"}),
                "TimeoutSeconds",
            ),
            (
                json!({"Type": "Parallel", "Branches": [inner], "Arguments": text, "Next": "E"}),
                "Arguments",
            ),
            (
                json!({"Type": "Map", "ItemProcessor": inner, "Items": text, "Next": "E"}),
                "Items",
            ),
            (
                json!({"Type": "Map", "ItemProcessor": inner, "ItemSelector": {"a": text}, "Next": "E"}),
                "ItemSelector/a",
            ),
        ]
    };
    let others = |text: &str| {
        [
            (
                json!({"Type": "Task", "Resource": FUNCTION, "Output": text, "Next": "E"}),
                "Output",
            ),
            (
                json!({"Type": "Map", "ItemProcessor": inner, "Assign": {"a": text}, "Next": "E"}),
                "Assign/a",
            ),
            (
                json!({"Type": "Choice", "Choices": [{"Condition": text, "Next": "E"}]}),
                "Choices/0/Condition",
            ),
            (
                json!({"Type": "Choice", "Choices": [{"Condition": true, "Output": text, "Next": "E"}]}),
                "Choices/0/Output",
            ),
            (json!({"Type": "Wait", "Seconds": text, "Next": "E"}), "Seconds"),
            (
                json!({"Type": "Pass", "Assign": {"a": text}, "Next": "E"}),
                "Assign/a",
            ),
            (json!({"Type": "Succeed", "Output": text}), "Output"),
            (json!({"Type": "Fail", "Cause": text}), "Cause"),
        ]
    };
    let query = |mut one: Value| {
        one["QueryLanguage"] = json!("JSONata");
        state(one)
    };
    for (one, at) in working(&of("result")) {
        assert_eq!(query(one.clone()), [fault("result", at)], "{one}");
    }
    for (one, at) in working(&of("errorOutput"))
        .into_iter()
        .chain(others(&of("errorOutput")))
    {
        assert_eq!(query(one.clone()), [fault("errorOutput", at)], "{one}");
    }
    // A state that has no result fails when it runs, as any expression that gives nothing.
    for (one, _) in others(&of("result")) {
        assert_eq!(query(one.clone()), Vec::<String>::new(), "{one}");
    }
    let right = json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Output": "{% $states.result %}", "Assign": {"a": "{% $states.result %}"},
        "Catch": [{"ErrorEquals": ["E"], "Output": "{% $states.errorOutput %}", "Assign": {"b": "{% $states.errorOutput.Cause %}"}, "Next": "E"}]});
    assert_eq!(query(right), Vec::<String>::new());
}

#[test]
fn names_of_variables_are_identifiers() {
    let assign = |name: &str| state(json!({"Type": "Pass", "Assign": {(name): 1}, "Next": "E"}));
    let long = "v".repeat(80);
    for name in [
        "x",
        "x1",
        "camelCase",
        "snake_case",
        "größe",
        "变量",
        "a·b",
        long.as_str(),
    ] {
        assert_eq!(assign(name), Vec::<String>::new(), "{name}");
    }
    let longer = "v".repeat(81);
    for name in [
        "",
        "1x",
        "_x",
        "a-b",
        "a b",
        "$x",
        "states",
        "x.y",
        "·a",
        longer.as_str(),
    ] {
        assert_eq!(
            assign(name),
            [schema(&format!(
                "'{name}' is not a valid variable name: a letter, then letters, digits and '_', at most 80, and not 'states' at /States/X/Assign"
            ))],
            "{name}"
        );
    }
    // A variable can be referred to by any name that it can have.
    for name in ["größe", "变量", "a·b"] {
        let found = state(json!({"Type": "Pass", "Parameters": {"a.$": format!("${name}.b")}, "Next": "E"}));
        assert_eq!(found, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_variable_of_an_outer_scope_is_not_assigned_within() {
    let inner = |variable: &str| json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {(variable): 2}, "End": true}}});
    for (kind, place) in [("Parallel", "Branches/0"), ("Map", "ItemProcessor")] {
        let of = |variable: &str| match kind {
            "Map" => json!({"Type": "Map", "ItemProcessor": inner(variable), "Next": "E"}),
            _ => json!({"Type": "Parallel", "Branches": [inner(variable)], "Next": "E"}),
        };
        let machine = |variable: &str| json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "X"}, "X": of(variable), "E": {"Type": "Succeed"}}});
        assert_eq!(faults(&machine("y")), Vec::<String>::new());
        assert_eq!(
            faults(&machine("x")),
            [schema(&format!(
                "The variable 'x' is assigned in an outer scope and cannot be assigned here at /States/X/{place}/States/I"
            ))]
        );
    }
    let both = json!({"Type": "Parallel", "Next": "E", "Branches": [inner("x"), {"StartAt": "J", "States": {"J": {"Type": "Pass", "Assign": {"x": 3}, "End": true}}}]});
    assert_eq!(
        state(both),
        Vec::<String>::new(),
        "branches have scopes of their own"
    );
}

#[test]
fn fields_that_take_reference_paths_take_no_other() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let fault = |field: &str| {
        schema(&format!(
            "Value is not a Reference Path: it names exactly one place of the input at /States/X/{field}"
        ))
    };
    for text in ["$.a[*]", "$..a", "$.a[0:1]", "$.a[?(@.b)]", "$.a.length()"] {
        for (field, mut one) in [
            ("SecondsPath", json!({"Type": "Wait", "Next": "E"})),
            ("TimestampPath", json!({"Type": "Wait", "Next": "E"})),
            (
                "TimeoutSecondsPath",
                json!({"Type": "Task", "Resource": FUNCTION, "Next": "E"}),
            ),
            (
                "HeartbeatSecondsPath",
                json!({"Type": "Task", "Resource": FUNCTION, "Next": "E"}),
            ),
            (
                "MaxConcurrencyPath",
                json!({"Type": "Map", "ItemProcessor": inner, "Next": "E"}),
            ),
            (
                "ItemsPath",
                json!({"Type": "Map", "ItemProcessor": inner, "Next": "E"}),
            ),
            ("ErrorPath", json!({"Type": "Fail"})),
            ("CausePath", json!({"Type": "Fail"})),
        ] {
            one[field] = json!(text);
            assert_eq!(state(one), [fault(field)], "{field} {text}");
        }
    }
    // The context object is read by ItemsPath alone.
    let context = json!("$$.Execution.Input.a");
    for (field, mut one, taken) in [
        ("SecondsPath", json!({"Type": "Wait", "Next": "E"}), false),
        (
            "MaxConcurrencyPath",
            json!({"Type": "Map", "ItemProcessor": inner, "Next": "E"}),
            false,
        ),
        (
            "ItemsPath",
            json!({"Type": "Map", "ItemProcessor": inner, "Next": "E"}),
            true,
        ),
    ] {
        one[field] = context.clone();
        let expected = if taken { vec![] } else { vec![fault(field)] };
        assert_eq!(state(one), expected, "{field}");
    }
    for (text, why) in [
        ("$$.a", "a Reference Path starts with '$' at character 0"),
        ("$a.b", "a Reference Path starts with '$' at character 0"),
        (
            "$.a[*]",
            "a Reference Path names exactly one place at character 0",
        ),
    ] {
        let found = state(json!({"Type": "Task", "Resource": FUNCTION, "ResultPath": text, "Next": "E"}));
        assert_eq!(
            found,
            [schema(&format!(
                "Value is not a Reference Path: {why} at /States/X/ResultPath"
            ))]
        );
    }
}

#[test]
fn templates_are_objects_without_names_that_stand_twice() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    for (field, mut one) in [
        (
            "Parameters",
            json!({"Type": "Task", "Resource": FUNCTION, "Next": "E"}),
        ),
        (
            "ResultSelector",
            json!({"Type": "Task", "Resource": FUNCTION, "Next": "E"}),
        ),
        ("Parameters", json!({"Type": "Pass", "Next": "E"})),
        (
            "Parameters",
            json!({"Type": "Parallel", "Branches": [inner], "Next": "E"}),
        ),
        (
            "Parameters",
            json!({"Type": "Map", "ItemProcessor": inner, "Next": "E"}),
        ),
        (
            "ItemSelector",
            json!({"Type": "Map", "ItemProcessor": inner, "Next": "E"}),
        ),
        ("Assign", json!({"Type": "Pass", "Next": "E"})),
        (
            "Credentials",
            json!({"Type": "Task", "Resource": FUNCTION, "Next": "E"}),
        ),
    ] {
        one[field] = json!([1]);
        assert_eq!(
            state(one),
            [schema(&format!(
                "Expected value of type Object at /States/X/{field}"
            ))],
            "{field}"
        );
    }
    let twice = json!({"Type": "Pass", "Parameters": {"a": 1, "a.$": "$.b"}, "Next": "E"});
    assert_eq!(
        state(twice),
        [schema(
            "The fields 'a' and 'a.$' exclude each other at /States/X/Parameters/a.$"
        )]
    );
}

#[test]
fn handlers_choices_and_transitions_have_their_rules() {
    let retry =
        |retrier: Value| json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Retry": [retrier]});
    let choice = |rule: Value| json!({"Type": "Choice", "Choices": [rule], "Default": "E"});
    let test = json!({"Variable": "$.a", "IsNull": true});
    let nested = json!({"Variable": "$.a", "IsNull": true, "Next": "E"});
    let cases = [
        (
            retry(json!({})),
            "These fields are required: [ErrorEquals] at /States/X/Retry/0",
        ),
        (
            retry(json!({"ErrorEquals": []})),
            "The value of 'ErrorEquals' must not be empty at /States/X/Retry/0/ErrorEquals",
        ),
        (
            retry(json!({"ErrorEquals": [1]})),
            "Expected values of type String at /States/X/Retry/0/ErrorEquals",
        ),
        (
            retry(json!({"ErrorEquals": ["E"], "IntervalSeconds": 0})),
            "The value of 'IntervalSeconds' must be an integer from 1 to 99999999 at /States/X/Retry/0/IntervalSeconds",
        ),
        (
            retry(json!({"ErrorEquals": ["E"], "MaxAttempts": -1})),
            "The value of 'MaxAttempts' must be an integer from 0 to 99999999 at /States/X/Retry/0/MaxAttempts",
        ),
        (
            retry(json!({"ErrorEquals": ["E"], "MaxDelaySeconds": 0})),
            "The value of 'MaxDelaySeconds' must be an integer from 1 to 31622399 at /States/X/Retry/0/MaxDelaySeconds",
        ),
        (
            retry(json!({"ErrorEquals": ["E"], "BackoffRate": 0.9})),
            "The value of 'BackoffRate' must be a number of at least 1.0 at /States/X/Retry/0/BackoffRate",
        ),
        (
            retry(json!({"ErrorEquals": ["States.ALL", "E"]})),
            "'States.ALL' must appear alone and in the last of the handlers at /States/X/Retry/0/ErrorEquals",
        ),
        (
            json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E"}, {"ErrorEquals": ["A"], "Next": "E"}]}),
            "'States.ALL' must appear alone and in the last of the handlers at /States/X/Catch/0/ErrorEquals",
        ),
        (
            json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Catch": [{"ErrorEquals": ["A"]}]}),
            "These fields are required: [Next] at /States/X/Catch/0",
        ),
        (
            json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Catch": [{"ErrorEquals": ["A"], "Next": ""}]}),
            "The value of 'Next' must not be empty at /States/X/Catch/0/Next",
        ),
        (
            json!({"Type": "Choice", "Choices": [], "Default": "E"}),
            "The value of 'Choices' must not be empty at /States/X/Choices",
        ),
        (
            choice(test.clone()),
            "These fields are required: [Next] at /States/X/Choices/0",
        ),
        (
            choice(json!({"And": [nested], "Next": "E"})),
            "Field 'Next' is not supported at /States/X/Choices/0/And/0",
        ),
        (
            choice(json!({"Not": nested, "Next": "E"})),
            "Field 'Next' is not supported at /States/X/Choices/0/Not",
        ),
        (
            choice(json!({"Or": [], "Next": "E"})),
            "The value of 'Or' must not be empty at /States/X/Choices/0/Or",
        ),
        (
            choice(json!({"IsNull": true, "Next": "E"})),
            "These fields are required: [Variable] at /States/X/Choices/0",
        ),
        (
            choice(json!({"Variable": "$.a", "IsNull": true, "IsString": true, "Next": "E"})),
            "Each Choice Rule has exactly one comparison operator at /States/X/Choices/0",
        ),
        (
            json!({"Type": "Wait", "Seconds": 1, "Timestamp": "2016-03-14T01:59:00Z", "Next": "E"}),
            "Exactly one of the fields [Seconds, SecondsPath, Timestamp, TimestampPath] is required at /States/X",
        ),
        (
            json!({"Type": "Wait", "Seconds": -1, "Next": "E"}),
            "The value of 'Seconds' must be an integer from 0 to 99999999 at /States/X/Seconds",
        ),
        (
            json!({"Type": "Fail", "Error": "E", "ErrorPath": "$.e"}),
            "You cannot set more than one of the fields [Error, ErrorPath] at /States/X",
        ),
        (
            json!({"Type": "Fail", "Cause": "E", "CausePath": "$.e"}),
            "You cannot set more than one of the fields [Cause, CausePath] at /States/X",
        ),
        (
            json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 1, "TimeoutSecondsPath": "$.e", "Next": "E"}),
            "You cannot set more than one of the fields [TimeoutSeconds, TimeoutSecondsPath] at /States/X",
        ),
        (
            json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 5, "HeartbeatSeconds": 5, "Next": "E"}),
            "The value of 'HeartbeatSeconds' must be less than 'TimeoutSeconds' at /States/X/HeartbeatSeconds",
        ),
        (
            json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 0, "Next": "E"}),
            "The value of 'TimeoutSeconds' must be an integer from 1 to 99999999 at /States/X/TimeoutSeconds",
        ),
        (
            json!({"Type": "Parallel", "Branches": [], "Next": "E"}),
            "The value of 'Branches' must not be empty at /States/X/Branches",
        ),
        (
            json!({"Type": "Parallel", "Branches": [{"StartAt": "I"}], "Next": "E"}),
            "These fields are required: [States] at /States/X/Branches/0",
        ),
    ];
    for (one, expected) in cases {
        assert_eq!(state(one.clone()), [schema(expected)], "{one}");
    }
    // States of a branch lead to each other, and nobody else leads to them.
    let out = json!({"StartAt": "X", "States": {"X": {"Type": "Parallel", "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "E"}}}], "Next": "E"}, "E": {"Type": "Succeed"}}});
    let found = faults(&out);
    assert!(
        found.contains(
            &"MISSING_TRANSITION_TARGET: Missing 'Next' target: E at /States/X/Branches/0/States/I/Next"
                .to_owned()
        ),
        "{found:?}"
    );
    let within = json!({"StartAt": "X", "States": {"X": {"Type": "Parallel", "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}], "Next": "I"}}});
    let found = faults(&within);
    assert!(
        found.contains(&"MISSING_TRANSITION_TARGET: Missing 'Next' target: I at /States/X/Next".to_owned()),
        "{found:?}"
    );
}
