//! What bounds an execution.

use roadstead_states_language::{DATA_LIMIT, Dice, EVENT_LIMIT, Execution, Input, Status, names};
use serde_json::json;

use crate::{FUNCTION, START, about, jsonata, machine, output, result, run, single};

#[test]
fn data_are_at_most_256_kib() {
    let large = "x".repeat(DATA_LIMIT - 2);
    let state = json!({"Type": "Task", "Resource": FUNCTION});
    let ran = run(&single(state.clone()), json!({}), &mut |_, _| {
        Some(Ok(json!(large)))
    });
    assert!(result(ran).is_ok(), "the quotes count");
    let ran = run(&single(state), json!({}), &mut |_, _| {
        Some(Ok(json!(format!("{large}y"))))
    });
    let failure = result(ran).unwrap_err();
    assert_eq!(failure.error, names::DATA_LIMIT);
    assert!(failure.cause.ends_with("The state/task 'S' returned a result with a size exceeding the maximum number of bytes service limit."));
    let assign = json!({"Type": "Pass", "Assign": {"a": "{% $pad('', 200000, 'x') %}", "b": "{% $pad('', 100000, 'x') %}"}});
    assert_eq!(
        output(&jsonata(single(assign)), json!({})).unwrap_err().error,
        names::DATA_LIMIT
    );
}

#[test]
fn a_loop_without_end_ends_with_the_history() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Choice", "Choices": [{"Variable": "$.go", "BooleanEquals": true, "Next": "A"}], "Default": "C"}, "C": {"Type": "Succeed"}}});
    let ran = run(&definition, json!({"go": true}), &mut |_, _| None);
    assert_eq!(ran.history.len() as u64, EVENT_LIMIT);
    let failure = result(ran).unwrap_err();
    assert_eq!(
        (failure.error.as_str(), failure.cause.as_str()),
        (
            names::RUNTIME,
            "The execution reached the maximum number of history events (25000)."
        )
    );
}

#[test]
fn the_last_event_of_a_full_history_is_the_end() {
    // ExecutionStarted, two of each Pass, ExecutionSucceeded.
    let machine = machine(
        &json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": true}}}),
    );
    for (limit, fits) in [(6, true), (5, false), (4, false), (2, false)] {
        let mut execution = Execution::new(&machine, about(json!({})), START, None, Some(limit));
        let step = execution.step(&machine, Input::Proceed, START, &Dice::new(0));
        assert_eq!(step.history.len() as u64, limit);
        assert_eq!(
            matches!(execution.status(), Status::Succeeded { .. }),
            fits,
            "{limit}"
        );
        assert_ne!(execution.status(), &Status::Running);
    }
}

#[test]
fn one_step_makes_a_bounded_number_of_transitions() {
    let machine = machine(
        &json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "C"}], "Default": "A"}, "C": {"Type": "Succeed"}}}),
    );
    let mut execution = Execution::new(&machine, about(json!({})), START, Some(START + 5_000), None);
    let step = execution.step(&machine, Input::Proceed, START, &Dice::new(0));
    assert!(step.history.len() < 1_000);
    assert!(execution.due().unwrap() <= START, "it goes on at once");
    execution.step(&machine, Input::Proceed, START + 5_000, &Dice::new(0));
    assert_eq!(execution.status(), &Status::TimedOut);
}

/// Without bounds each of these would take hours, or all of the memory.
#[test]
fn what_a_state_computes_is_bounded() {
    let mut deep = json!({"a": 1});
    for index in 0..60 {
        deep = json!({"a": deep, "b": [index, {"c": index}]});
    }
    let input = json!({"deep": deep, "big": "x".repeat(100_000), "list": vec![1; 30_000]});
    let many = |count: usize, name: &str, value: &str| {
        let members = (0..count).map(|index| (format!("m{index}{name}"), json!(value)));
        serde_json::Value::Object(members.collect())
    };
    let call = |function: &str, first: &str, argument: &str, count: usize| {
        format!("{function}({first}{})", vec![argument; count].join(", "))
    };
    let format = call(
        "States.Format",
        &format!("'{}', ", "{}".repeat(1_000)),
        "$.big",
        1_000,
    );
    let paths = [
        (json!({"Parameters": {"x.$": "$..*..*..*..*..*"}}), names::RUNTIME),
        (
            json!({"Parameters": {"x.$": "$.list[?($.deep..*..*..z == 1)]"}}),
            names::RUNTIME,
        ),
        (
            json!({"Parameters": {"x.$": "$.list[?($.list == $.deep)]"}}),
            names::RUNTIME,
        ),
        (
            json!({"Parameters": {"x.$": "$.list[?($.big == 'y')]"}}),
            names::RUNTIME,
        ),
        (
            json!({"Parameters": {"x.$": format!("$.list[?(@ == '{}')]", "y".repeat(100_000))}}),
            names::RUNTIME,
        ),
        (
            json!({"Parameters": {"x.$": format!("$.list[?(@ in [{}0])]", "0, ".repeat(10_000))}}),
            names::RUNTIME,
        ),
        (
            json!({"Parameters": many(2_000, ".$", "$.big")}),
            names::DATA_LIMIT,
        ),
        (
            json!({"Parameters": many(2_000, ".$", "States.ArrayLength($.list)")}),
            names::DATA_LIMIT,
        ),
        (
            json!({"Parameters": {"x.$": call("States.Array", "", "$.big", 2_000)}}),
            names::DATA_LIMIT,
        ),
        (json!({"Parameters": {"x.$": format}}), names::DATA_LIMIT),
        (json!({"Assign": many(2_000, ".$", "$.big")}), names::DATA_LIMIT),
    ];
    for (fields, error) in paths {
        let mut state = json!({"Type": "Pass"});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let failure = output(&single(state), input.clone()).unwrap_err();
        assert_eq!(failure.error, error, "{}", failure.cause);
        let cause = match error {
            names::RUNTIME => "took more than the 2000000 steps that the state may take.",
            _ => "The fields of the state were computed from more than 33554432 bytes.",
        };
        assert!(failure.cause.ends_with(cause), "{}", failure.cause);
    }
    let rule = json!({"Variable": "$..*..*..*", "StringEqualsPath": "$..*..*..*", "Next": "E"});
    let choice = json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": vec![rule; 500], "Default": "E"}, "E": {"Type": "Succeed"}}});
    assert_eq!(
        output(&choice, input.clone()).unwrap_err().error,
        names::DATA_LIMIT
    );
    let query = json!({"Type": "Pass", "Output": many(50, "", "{% $sum([1..100000].($ * 2)) %}")});
    let failure = output(&jsonata(single(query)), input).unwrap_err();
    assert_eq!(failure.error, names::QUERY);
    assert!(
        failure
            .cause
            .ends_with("took more than the steps that are left of those that the state may take."),
        "{}",
        failure.cause
    );
}

#[test]
fn the_fields_before_the_work_of_a_state_share_and_so_do_those_after_it() {
    // Each takes more than half of the steps.
    let path = "$.list[?($.big == 'y')]";
    let input = json!({"list": vec![1; 800], "big": "x".repeat(100_000)});
    let pass = |fields: serde_json::Value| {
        let mut state = json!({"Type": "Pass"});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        output(&single(state), input.clone())
    };
    let parameters = json!({"list.$": "$.list", "big.$": "$.big", "x.$": path});
    let one = pass(json!({"Parameters": parameters}));
    assert_eq!(one.unwrap()["x"], json!([]));
    let two = pass(json!({"Parameters": parameters, "OutputPath": path}));
    assert_eq!(two.unwrap_err().error, names::RUNTIME);
    let task = json!({"Type": "Task", "Resource": FUNCTION, "Parameters": {"x.$": path}, "ResultSelector": {"x.$": path}});
    let ran = run(&single(task), input.clone(), &mut |_, _| Some(Ok(input.clone())));
    assert_eq!(result(ran), Ok(json!({"x": []})));
}

#[test]
fn a_large_state_of_small_parts_is_within_the_bounds() {
    let members = (0..2_000).map(|index| {
        (
            format!("m{index}.$"),
            json!("States.Format('{}-{}', $.list[1], $$.Execution.Name)"),
        )
    });
    let members: serde_json::Map<String, serde_json::Value> = members.collect();
    let state = single(json!({"Type": "Pass", "Parameters": members}));
    let filled = output(&state, json!({"list": vec![1; 50_000]})).unwrap();
    assert_eq!(filled["m1999"], "1-x");
    let state = single(
        json!({"Type": "Pass", "Parameters": {"x.$": "$.list[?(@.v > 49998)]", "n.$": "$..v.length()"}}),
    );
    let list: Vec<_> = (0..15_000).map(|index| json!({"v": index + 35_000})).collect();
    assert_eq!(
        output(&state, json!({"list": list})),
        Ok(json!({"x": [{"v": 49_999}], "n": 15_000}))
    );
}
