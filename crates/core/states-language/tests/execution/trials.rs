//! One state by itself: what its filters make of the data, and how it ends.

use roadstead_states_language::{
    About, Dice, Failure, Handled, Input, Inspection, Machine, Order, Outcome, Trial, names,
};
use serde_json::{Map, Value, json};

use crate::{FUNCTION, START, about};

const MINUTE: i64 = 60_000;

fn trial(state: &Value, input: Value) -> Trial {
    let (machine, diagnostics) = Machine::parse_state(&state.to_string(), "S");
    let machine = machine.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    let variables = Map::from_iter([("v".to_owned(), json!(7))]);
    let about = About {
        input: input.clone(),
        ..about(input)
    };
    Trial::new(machine, about, variables, START, START + 5 * MINUTE)
}

fn begun(state: &Value, input: Value) -> (Trial, Vec<Order>) {
    let mut trial = trial(state, input);
    let orders = trial.step(Input::Proceed, START, &Dice::new(0));
    (trial, orders)
}

fn left(output: Value, next: Option<&str>) -> Option<Outcome> {
    let next = next.map(str::to_owned);
    Some(Outcome::Left {
        output,
        next,
        caught: None,
    })
}

fn mocked(state: &Value, input: Value, result: Result<Value, Failure>, tried: u64) -> Trial {
    let mut trial = trial(state, input);
    trial.mock(result, tried, START, &Dice::new(0));
    trial
}

/// For each item by itself it would take as often as long.
#[test]
fn what_the_items_of_a_mocked_map_are_made_of_is_bounded_for_all_of_them() {
    let state = json!({"Type": "Map", "End": true, "ItemsPath": "$.list",
        "ItemSelector": {"x.$": "$.list[?($.big == 'y')]"},
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}});
    let input = json!({"list": vec![1; 800], "big": "x".repeat(100_000)});
    let trial = mocked(&state, input, Ok(json!([])), 0);
    match trial.outcome() {
        Some(Outcome::Failed { failure }) => assert_eq!(failure.error, names::RUNTIME),
        other => panic!("{other:?}"),
    }
}

#[test]
fn states_without_work_end_at_once() {
    let choice = json!({"Type": "Choice", "Default": "D", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "One"}]});
    for (state, input, outcome) in [
        (
            json!({"Type": "Pass", "Next": "Elsewhere"}),
            json!({"a": 1}),
            left(json!({"a": 1}), Some("Elsewhere")),
        ),
        (
            json!({"Type": "Pass", "End": true, "QueryLanguage": "JSONata", "Output": "{% $v + $states.input.a %}"}),
            json!({"a": 1}),
            left(json!(8), None),
        ),
        (
            choice.clone(),
            json!({"a": 1}),
            left(json!({"a": 1}), Some("One")),
        ),
        (choice, json!({"a": 2}), left(json!({"a": 2}), Some("D"))),
        (json!({"Type": "Succeed"}), json!([]), left(json!([]), None)),
        (
            json!({"Type": "Fail", "Error": "E", "Cause": "C"}),
            json!({}),
            Some(Outcome::Failed {
                failure: Failure::new("E", "C"),
            }),
        ),
    ] {
        let (trial, orders) = begun(&state, input);
        assert_eq!((trial.outcome(), orders), (outcome, Vec::new()), "{state}");
    }
}

#[test]
fn a_task_is_seen_between_each_of_its_filters() {
    let state = json!({"Type": "Task", "Resource": FUNCTION, "InputPath": "$.in", "Parameters": {"p.$": "$.x"},
        "ResultSelector": {"s.$": "$.r"}, "ResultPath": "$.out", "OutputPath": "$.out", "Assign": {"w.$": "$.r"}, "Next": "N"});
    let input = json!({"in": {"x": 1}});
    let (mut trial, orders) = begun(&state, input);
    assert_eq!(trial.outcome(), None);
    assert_eq!(orders[0].parameters, json!({"p": 1}));
    let succeeded = Input::TaskSucceeded {
        task: orders[0].task,
        output: json!({"r": 2}),
    };
    let more = trial.step(succeeded, START + 1, &Dice::new(0));
    assert_eq!(
        (more, trial.outcome()),
        (Vec::new(), left(json!({"s": 2}), Some("N")))
    );
    let Inspection {
        after_arguments,
        after_input_path,
        after_parameters,
        after_items_path,
        after_item_selector,
        max_concurrency,
        result,
        after_result_selector,
        after_result_path,
        variables,
        handled,
        ..
    } = trial.inspection();
    assert_eq!(
        [
            after_input_path,
            after_parameters,
            result,
            after_result_selector,
            after_result_path
        ],
        [
            json!({"x": 1}),
            json!({"p": 1}),
            json!({"r": 2}),
            json!({"s": 2}),
            json!({"in": {"x": 1}, "out": {"s": 2}})
        ]
        .map(Some)
    );
    assert_eq!(
        [after_arguments, after_items_path, after_item_selector],
        [None, None, None]
    );
    assert_eq!((max_concurrency, handled), (None, None));
    assert_eq!(Value::Object(variables), json!({"v": 7, "w": 2}));
}

#[test]
fn a_task_in_jsonata_is_seen_after_its_arguments() {
    let state = json!({"Type": "Task", "Resource": FUNCTION, "QueryLanguage": "JSONata", "Arguments": {"p": "{% $v %}"},
        "Output": "{% $states.result * 2 %}", "End": true});
    let (mut trial, orders) = begun(&state, json!({}));
    let task = orders[0].task;
    let output = json!(21);
    trial.step(Input::TaskSucceeded { task, output }, START, &Dice::new(0));
    assert_eq!(trial.outcome(), left(json!(42), None));
    let seen = trial.inspection();
    assert_eq!(
        (seen.after_arguments, seen.result),
        (Some(json!({"p": 7})), Some(json!(21)))
    );
    assert_eq!(
        (
            seen.after_input_path,
            seen.after_parameters,
            seen.after_result_path
        ),
        (None, None, None)
    );
}

#[test]
fn errors_are_retried_caught_or_the_end() {
    let state = json!({"Type": "Task", "Resource": FUNCTION, "End": true,
        "Retry": [{"ErrorEquals": ["Other"]}, {"ErrorEquals": ["E"], "IntervalSeconds": 3, "BackoffRate": 2, "MaxAttempts": 2}],
        "Catch": [{"ErrorEquals": ["Another"], "Next": "A"}, {"ErrorEquals": ["E"], "Next": "C", "ResultPath": "$.e"}]});
    let failure = |name: &str| Failure::new(name, "why");
    for (tried, delay) in [(0, 3_000), (1, 6_000)] {
        let trial = mocked(&state, json!({}), Err(failure("E")), tried);
        assert_eq!(
            trial.outcome(),
            Some(Outcome::Retriable {
                failure: failure("E")
            })
        );
        let handled = trial.inspection().handled;
        assert_eq!(
            handled,
            Some((failure("E"), Handled::Retried { index: 1, delay }))
        );
    }
    let caught = mocked(&state, json!({"a": 1}), Err(failure("E")), 2);
    assert_eq!(
        caught.outcome(),
        Some(Outcome::Left {
            output: json!({"a": 1, "e": {"Error": "E", "Cause": "why"}}),
            next: Some("C".to_owned()),
            caught: Some(failure("E")),
        })
    );
    let handled = caught.inspection().handled;
    assert_eq!(handled, Some((failure("E"), Handled::Caught { index: 1 })));
    let failed = mocked(&state, json!({}), Err(failure("Odd")), 0);
    assert_eq!(
        failed.outcome(),
        Some(Outcome::Failed {
            failure: failure("Odd")
        })
    );
    // What the state itself cannot do comes before its work.
    let impossible = json!({"Type": "Task", "Resource": FUNCTION, "InputPath": "$.missing", "End": true});
    let failed = mocked(&impossible, json!({}), Ok(json!(1)), 0);
    let Some(Outcome::Failed { failure }) = failed.outcome() else {
        panic!("{:?}", failed.outcome());
    };
    assert_eq!(failure.error, names::RUNTIME);
}

#[test]
fn mocks_stand_for_what_cannot_be_waited_for() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let activity = "arn:aws:states:us-east-1:123456789012:activity:A";
    for state in [
        json!({"Type": "Task", "Resource": activity, "End": true}),
        json!({"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": true}),
        json!({"Type": "Parallel", "Branches": [inner], "End": true}),
    ] {
        let trial = mocked(&state, json!({"a": 1}), Ok(json!(["r"])), 0);
        assert_eq!(trial.outcome(), left(json!(["r"]), None), "{state}");
        assert_eq!(
            trial.inspection().after_parameters,
            Some(json!({"a": 1})),
            "{state}"
        );
    }
    let map = json!({"Type": "Map", "ItemsPath": "$.all", "ItemSelector": {"n.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index"},
        "MaxConcurrency": 2, "ItemProcessor": inner, "ResultPath": "$.all", "Next": "N"});
    let trial = mocked(&map, json!({"all": [5, 6]}), Ok(json!([1])), 0);
    assert_eq!(trial.outcome(), left(json!({"all": [1]}), Some("N")));
    let seen = trial.inspection();
    assert_eq!(seen.after_items_path, Some(json!([5, 6])));
    assert_eq!(
        seen.after_item_selector,
        Some(json!([{"n": 5, "at": 0}, {"n": 6, "at": 1}]))
    );
    assert_eq!(seen.max_concurrency, Some(2));
}

#[test]
fn a_given_context_is_all_that_is_seen_of_it() {
    let state = json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"t.$": "$$.Task.Token", "m.$": "$$.Mine"}, "End": true});
    let mut trial = trial(&state, json!({})).in_context(json!({"Task": {"Token": "T"}, "Mine": 3}));
    trial.mock(Ok(json!(1)), 0, START, &Dice::new(0));
    assert_eq!(
        trial.inspection().after_parameters,
        Some(json!({"t": "T", "m": 3}))
    );
}

#[test]
fn a_test_takes_five_minutes_at_most() {
    let wait = |seconds: u64| json!({"Type": "Wait", "Seconds": seconds, "Next": "N"});
    let (mut trial, _) = begun(&wait(60), json!(1));
    assert_eq!((trial.due(), trial.outcome()), (Some(START + MINUTE), None));
    trial.step(Input::Proceed, START + MINUTE, &Dice::new(0));
    assert_eq!(trial.outcome(), left(json!(1), Some("N")));
    let (mut trial, _) = begun(&wait(301), json!(1));
    trial.step(Input::Proceed, START + 5 * MINUTE, &Dice::new(0));
    assert_eq!(
        trial.outcome(),
        Some(Outcome::Failed {
            failure: Failure::new(names::TIMEOUT, "")
        })
    );
}

#[test]
fn a_state_is_found_wherever_it_stands() {
    let inner = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "Result": name, "End": true}}});
    let definition = json!({"StartAt": "P", "States": {
        "P": {"Type": "Parallel", "Branches": [inner("A"), inner("B")], "Next": "M"},
        "M": {"Type": "Map", "ItemProcessor": inner("C"), "End": true}}});
    let (machine, _) = Machine::parse(&definition.to_string());
    let machine = machine.unwrap();
    for name in ["P", "M", "A", "B", "C"] {
        assert!(machine.state(name).is_some(), "{name}");
    }
    assert!(machine.state("D").is_none());
    for (text, words) in [
        (definition.to_string(), "Type"),
        (r#"{"Type": "Pass"}"#.to_owned(), "[Next] or [End]"),
        (
            r#"{"Type": "Succeed", "Odd": 1}"#.to_owned(),
            "Field 'Odd' is not supported",
        ),
        ("{".to_owned(), "EOF"),
    ] {
        let (found, diagnostics) = Machine::parse_state(&text, "S");
        assert!(found.is_none(), "{text}");
        assert!(
            diagnostics.iter().any(|one| one.message.contains(words)),
            "{diagnostics:?}"
        );
    }
}
