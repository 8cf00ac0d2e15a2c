//! Variables: what is assigned, who sees it.

use serde_json::json;

use crate::{FUNCTION, jsonata, output, result, run};

#[test]
fn assigned_values_see_those_from_before() {
    let paths = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y.$": "$.in"}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x.$": "States.MathAdd($x, 1)", "old.$": "$x"}, "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"x.$": "$x", "old.$": "$old", "y.$": "$y.z"}, "End": true}}});
    assert_eq!(
        output(&paths, json!({"in": {"z": 9}})),
        Ok(json!({"x": 2, "old": 1, "y": 9}))
    );
    let queries = jsonata(json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "list": ["{% $states.input.in %}"]}, "Output": "{% $exists($x) %}", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Condition": "{% $x = 1 %}", "Next": "C", "Assign": {"x": "{% $x + 1 %}", "old": "{% $x %}"}}], "Default": "C", "Assign": {"x": 100}},
        "C": {"Type": "Pass", "Output": {"x": "{% $x %}", "old": "{% $old %}", "l": "{% $list[0] %}", "in": "{% $states.input %}"}, "End": true}}}));
    assert_eq!(
        output(&queries, json!({"in": 5})),
        Ok(json!({"x": 2, "old": 1, "l": 5, "in": false}))
    );
}

#[test]
fn what_the_dollar_means_in_assign() {
    let definition = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": FUNCTION, "InputPath": "$.in", "ResultSelector": {"only.$": "$.r"}, "ResultPath": "$.placed", "Assign": {"result.$": "$.r"}, "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 1, "InputPath": "$.placed", "Assign": {"waited.$": "$.only"}, "OutputPath": "$", "Next": "P"},
        "P": {"Type": "Pass", "Result": {"p": 3}, "Assign": {"passed.$": "$.p"}, "Next": "E"},
        "E": {"Type": "Pass", "Parameters": {"all.$": "States.Array($result, $waited, $passed)"}, "End": true}}});
    let ran = run(&definition, json!({"in": 1}), &mut |_, _| {
        Some(Ok(json!({"r": 7})))
    });
    assert_eq!(result(ran), Ok(json!({"all": [7, 7, 3]})));
}

#[test]
fn inner_scopes_see_outer_variables_and_keep_their_own() {
    let definition = jsonata(json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"outer": 10}, "Next": "M"},
        "M": {"Type": "Map", "Items": [1, 2, 3], "ItemProcessor": {"StartAt": "I", "States": {
            "I": {"Type": "Pass", "Assign": {"mine": "{% $states.input + $outer %}"}, "Next": "J"},
            "J": {"Type": "Pass", "Output": "{% $mine %}", "End": true}}}, "Assign": {"sum": "{% $sum($states.result) %}"}, "Next": "E"},
        "E": {"Type": "Pass", "Output": {"sum": "{% $sum %}", "mine": "{% $exists($mine) %}"}, "End": true}}}));
    // A variable takes the place of the function of its name.
    assert_eq!(
        output(&definition, json!({})),
        Ok(json!({"sum": 36, "mine": false}))
    );
}

#[test]
fn a_variable_that_is_not_there_fails_the_state() {
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"x.$": "$nope"}, "End": true}}});
    let cause = output(&definition, json!({"a": 1})).unwrap_err().cause;
    assert!(
        cause.ends_with(
            "The JSONPath '$nope' specified for the field 'x.$' could not be found in the input '{\"a\":1}'"
        ),
        "{cause}"
    );
}
