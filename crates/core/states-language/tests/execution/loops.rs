//! Parallel and Map.

use roadstead_states_language::{Failure, names};
use serde_json::{Value, json};

use crate::{FUNCTION, jsonata, output, result, run, single};

#[test]
fn branches_give_an_array_in_their_order() {
    let branch = |name: &str, seconds: u64| json!({"StartAt": name, "States": {(name): {"Type": "Wait", "Seconds": seconds, "Next": (format!("{name}2"))}, (format!("{name}2")): {"Type": "Pass", "Parameters": {"n": name, "in.$": "$.a"}, "End": true}}});
    let state = json!({"Type": "Parallel", "Branches": [branch("A", 3), branch("B", 1)], "Parameters": {"a.$": "$.x"}, "ResultSelector": {"all.$": "$[*].n"}, "ResultPath": "$.r"});
    let ran = run(&single(state), json!({"x": 5}), &mut |_, _| None);
    assert_eq!(ran.took, 3_000);
    assert_eq!(result(ran), Ok(json!({"x": 5, "r": {"all": ["A", "B"]}})));
}

#[test]
fn what_returns_nothing_has_come_to_its_end_all_the_same() {
    let task = |name: &str| json!({"StartAt": name, "States": {(name): {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    let both = json!({"Type": "Parallel", "Branches": [task("A"), task("B")]});
    let nothing = &mut |_: &roadstead_states_language::Order, _| Some(Ok(Value::Null));
    assert_eq!(
        result(run(&single(both), json!({}), nothing)),
        Ok(json!([null, null]))
    );
    let each = json!({"Type": "Map", "ItemProcessor": task("I"), "MaxConcurrency": 1});
    assert_eq!(
        result(run(&single(each), json!([1, 2]), nothing)),
        Ok(json!([null, null]))
    );
}

#[test]
fn a_map_works_on_each_item() {
    let processor = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let state = |extra: Value| {
        let mut state = json!({"Type": "Map", "ItemProcessor": processor});
        state
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        single(state)
    };
    let input = json!({"list": [{"v": 1}, {"v": 2}], "c": 1});
    let cases = [
        (
            json!({"ItemsPath": "$.list", "MaxConcurrencyPath": "$.c"}),
            json!([{"v": 1}, {"v": 2}]),
        ),
        (
            json!({"InputPath": "$.list[*].v", "MaxConcurrency": 1}),
            json!([1, 2]),
        ),
        (json!({"InputPath": "$.list"}), json!([{"v": 1}, {"v": 2}])),
        (
            json!({"ItemsPath": "$.list", "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value.v", "c.$": "$.c"}}),
            json!([{"i": 0, "v": 1, "c": 1}, {"i": 1, "v": 2, "c": 1}]),
        ),
        (
            json!({"InputPath": "$.list[5:]", "ResultPath": "$.list", "MaxConcurrency": 0}),
            json!({"list": [], "c": 1}),
        ),
    ];
    for (extra, expected) in cases {
        assert_eq!(
            output(&state(extra.clone()), input.clone()),
            Ok(expected),
            "{extra}"
        );
    }
    let failure = output(&state(json!({"ItemsPath": "$.c"})), input.clone()).unwrap_err();
    assert!(
        failure
            .cause
            .ends_with("Reference path \"$.c\" must point to array."),
        "{}",
        failure.cause
    );
    let failure = output(
        &state(json!({"ItemsPath": "$.list", "ItemSelector": {"x.$": "$.none"}})),
        input,
    )
    .unwrap_err();
    assert_eq!(failure.error, names::RUNTIME);
}

#[test]
fn a_jsonata_map_takes_arrays_and_objects() {
    let state = |items: Value| {
        jsonata(single(
            json!({"Type": "Map", "Items": items, "ItemSelector": "{% $states.context.Map.Item %}", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}}),
        ))
    };
    assert_eq!(
        output(&state(json!("{% [7] %}")), json!({})),
        Ok(json!([{"Index": 0, "Value": 7}]))
    );
    assert_eq!(
        output(&state(json!({"k": "{% 1 + 1 %}"})), json!({})),
        Ok(json!([{"Index": 0, "Value": 2, "Key": "k"}]))
    );
    let failure = output(&state(json!("{% 1 %}")), json!({})).unwrap_err();
    assert!(
        failure
            .cause
            .contains("Expected 'array', but was 'number' for value: 1"),
        "{}",
        failure.cause
    );
}

#[test]
fn no_more_iterations_run_at_once_than_may() {
    for (max, expected) in [(0, 40), (3, 3), (99, 40)] {
        let state = json!({"Type": "Map", "MaxConcurrency": max, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 10, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "J"}], "Next": "J"}, "J": {"Type": "Pass", "Result": 1, "End": true}}}});
        let mut at_once = std::collections::BTreeMap::new();
        let items: Vec<u64> = (0..100).collect();
        let ran = run(&single(state), json!(items), &mut |_, at| {
            *at_once.entry(at).or_insert(0u64) += 1;
            None
        });
        assert_eq!(at_once.values().max(), Some(&expected));
        assert_eq!(result(ran), Ok(json!(vec![1; 100])));
    }
}

#[test]
fn the_failure_of_one_can_be_handled_by_the_whole() {
    let mut state = json!({"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": FUNCTION, "End": true}}}});
    let fails = &mut |order: &roadstead_states_language::Order, _| match order.parameters.as_u64() {
        Some(2) => Some(Err(Failure::new("E", "two"))),
        _ => None,
    };
    let ran = run(&single(state.clone()), json!([1, 2, 3]), fails);
    assert_eq!(
        ran.types()[ran.types().len() - 7..],
        [
            "MapIterationFailed",
            "TaskStateAborted",
            "MapIterationAborted",
            "TaskStateAborted",
            "MapIterationAborted",
            "MapStateFailed",
            "ExecutionFailed"
        ]
    );
    assert_eq!(result(ran).unwrap_err(), Failure::new("E", "two"));
    state["Catch"] = json!([{"ErrorEquals": ["E"], "Next": "H"}]);
    state["End"] = json!(true);
    let definition = json!({"StartAt": "S", "States": {"S": state, "H": {"Type": "Pass", "OutputPath": "$.Cause", "End": true}}});
    assert_eq!(
        result(run(&definition, json!([1, 2, 3]), fails)),
        Ok(json!("two"))
    );
}

#[test]
fn the_whole_is_tried_again() {
    let mut state = json!({"Type": "Parallel", "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}], "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": FUNCTION, "End": true}}},
        {"StartAt": "B", "States": {"B": {"Type": "Pass", "Result": "b", "End": true}}}]});
    state["End"] = json!(true);
    let mut calls = 0;
    let ran = run(
        &json!({"StartAt": "S", "States": {"S": state}}),
        json!({}),
        &mut |_, _| {
            calls += 1;
            Some(if calls == 1 {
                Err(Failure::new("E", ""))
            } else {
                Ok(json!("a"))
            })
        },
    );
    assert_eq!((ran.took, result(ran)), (1_000, Ok(json!(["a", "b"]))));
}
