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
