//! Retry, Catch, timeouts and heartbeats.

use roadstead_states_language::{Dice, Execution, Failure, Input, Status, names};
use serde_json::{Value, json};

use crate::{FUNCTION, START, about, jsonata, machine, output, result, run, single};

fn failing(
    error: &'static str,
    times: usize,
) -> impl FnMut(&roadstead_states_language::Order, i64) -> Option<Result<Value, Failure>> {
    let mut left = times;
    move |_, _| {
        if left == 0 {
            return Some(Ok(json!("done")));
        }
        left -= 1;
        Some(Err(Failure::new(error, "why")))
    }
}

fn task(extra: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": FUNCTION});
    state
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    single(state)
}

#[test]
fn a_retrier_waits_longer_each_time() {
    let cases = [
        (json!({"ErrorEquals": ["E"]}), 3, Ok(1_000 + 2_000 + 4_000)),
        (
            json!({"ErrorEquals": ["E"], "IntervalSeconds": 3, "BackoffRate": 1.5, "MaxAttempts": 2}),
            2,
            Ok(3_000 + 4_500),
        ),
        (
            json!({"ErrorEquals": ["E"], "MaxAttempts": 4, "MaxDelaySeconds": 3}),
            4,
            Ok(1_000 + 2_000 + 3_000 + 3_000),
        ),
        (json!({"ErrorEquals": ["E"], "MaxAttempts": 1}), 2, Err(1_000)),
        (json!({"ErrorEquals": ["E"], "MaxAttempts": 0}), 1, Err(0)),
        (json!({"ErrorEquals": ["Other"]}), 1, Err(0)),
        (json!({"ErrorEquals": ["States.ALL"]}), 1, Ok(1_000)),
        (json!({"ErrorEquals": ["States.TaskFailed"]}), 1, Ok(1_000)),
        (json!({"ErrorEquals": ["States.Timeout"]}), 1, Err(0)),
    ];
    for (retrier, fails, expected) in cases {
        let ran = run(
            &task(json!({"Retry": [retrier]})),
            json!({}),
            &mut failing("E", fails),
        );
        let took = ran.took;
        let outcome = result(ran).map(|_| took).map_err(|_| took);
        assert_eq!(outcome, expected, "{retrier}");
    }
}

#[test]
fn each_retrier_counts_for_itself_and_jitter_waits_less() {
    let retry = json!({"Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["B"], "MaxAttempts": 1, "IntervalSeconds": 5}]});
    let mut errors = vec!["A", "B", "A"];
    let ran = run(&task(retry), json!({}), &mut |_, _| {
        Some(Err(Failure::new(errors.remove(0), "")))
    });
    assert_eq!((ran.took, result(ran).unwrap_err().error.as_str()), (6_000, "A"));
    let ran = run(
        &task(json!({"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}]})),
        json!({}),
        &mut failing("E", 1),
    );
    assert!(ran.took < 100_000 && ran.took > 0, "{}", ran.took);
}

#[test]
fn the_context_tells_of_retries() {
    let mut seen = Vec::new();
    let definition =
        task(json!({"Parameters": {"n.$": "$$.State.RetryCount"}, "Retry": [{"ErrorEquals": ["E"]}]}));
    run(&definition, json!({}), &mut |order, _| {
        seen.push(order.parameters["n"].clone());
        Some(if seen.len() < 3 {
            Err(Failure::new("E", ""))
        } else {
            Ok(json!(1))
        })
    });
    assert_eq!(seen, [json!(0), json!(1), json!(2)]);
}

#[test]
fn a_catcher_goes_on_with_the_error() {
    let caught = |catcher: Value, error: &'static str| {
        let definition = json!({"StartAt": "T", "States": {
            "T": {"Type": "Task", "Resource": FUNCTION, "Catch": [catcher], "OutputPath": "$.never", "End": true}, "H": {"Type": "Succeed"}}});
        result(run(&definition, json!({"in": 1}), &mut failing(error, 9)))
    };
    let error = json!({"Error": "E", "Cause": "why"});
    assert_eq!(
        caught(json!({"ErrorEquals": ["E"], "Next": "H"}), "E"),
        Ok(error.clone())
    );
    assert_eq!(
        caught(
            json!({"ErrorEquals": ["E"], "ResultPath": "$.error", "Next": "H"}),
            "E"
        ),
        Ok(json!({"in": 1, "error": error}))
    );
    assert_eq!(
        caught(
            json!({"ErrorEquals": ["E"], "ResultPath": null, "Next": "H"}),
            "E"
        ),
        Ok(json!({"in": 1}))
    );
    assert_eq!(
        caught(json!({"ErrorEquals": ["States.ALL"], "Next": "H"}), "E"),
        Ok(error)
    );
    assert_eq!(
        caught(json!({"ErrorEquals": ["X"], "Next": "H"}), "E")
            .unwrap_err()
            .error,
        "E"
    );
    for terminal in [names::RUNTIME, names::DATA_LIMIT] {
        assert_eq!(
            caught(json!({"ErrorEquals": ["States.ALL"], "Next": "H"}), terminal)
                .unwrap_err()
                .error,
            terminal
        );
        assert_eq!(
            caught(
                json!({"ErrorEquals": ["States.TaskFailed"], "Next": "H"}),
                terminal
            )
            .unwrap_err()
            .error,
            terminal
        );
    }
    assert!(
        caught(
            json!({"ErrorEquals": [names::DATA_LIMIT], "Next": "H"}),
            names::DATA_LIMIT
        )
        .is_ok()
    );
    assert!(
        caught(
            json!({"ErrorEquals": [names::RUNTIME], "Next": "H"}),
            names::RUNTIME
        )
        .is_err(),
        "it always ends the execution"
    );
    let queries = jsonata(json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": FUNCTION, "End": true, "Catch": [{"ErrorEquals": ["E"], "Next": "H", "Output": {"c": "{% $states.errorOutput.Cause %}", "in": "{% $states.input.in %}"}, "Assign": {"v": "{% $states.errorOutput.Error %}"}}]},
        "H": {"Type": "Pass", "Output": {"in": "{% $states.input %}", "v": "{% $v %}"}, "End": true}}}));
    assert_eq!(
        result(run(&queries, json!({"in": 1}), &mut failing("E", 1))),
        Ok(json!({"in": {"c": "why", "in": 1}, "v": "E"}))
    );
}

#[test]
fn a_failed_evaluation_can_be_caught_in_jsonata() {
    let definition = jsonata(json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": FUNCTION, "Output": "{% $states.result.missing %}", "End": true, "Catch": [{"ErrorEquals": [names::QUERY], "Next": "H"}]},
        "H": {"Type": "Pass", "Output": "{% $states.input.Error %}", "End": true}}}));
    let ran = run(&definition, json!({}), &mut |_, _| Some(Ok(json!({}))));
    assert!(ran.types().contains(&"EvaluationFailed".to_owned()));
    assert_eq!(result(ran), Ok(json!(names::QUERY)));
}

#[test]
fn a_task_that_takes_too_long_times_out() {
    let never = &mut |_: &roadstead_states_language::Order, _| None;
    let ran = run(&task(json!({"TimeoutSeconds": 5})), json!({}), never);
    assert_eq!(
        (ran.took, result(ran).unwrap_err().error.as_str()),
        (5_000, names::TIMEOUT)
    );
    let ran = run(
        &task(json!({"TimeoutSeconds": 60, "HeartbeatSeconds": 5})),
        json!({}),
        never,
    );
    assert_eq!(
        (ran.took, result(ran).unwrap_err().error.as_str()),
        (5_000, names::HEARTBEAT_TIMEOUT)
    );
    let definition = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": FUNCTION, "HeartbeatSeconds": 5, "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "H"}], "End": true}, "H": {"Type": "Succeed"}}});
    assert_eq!(
        result(run(&definition, json!({}), never)),
        Ok(json!({"Error": names::HEARTBEAT_TIMEOUT, "Cause": ""}))
    );
}

#[test]
fn heartbeats_keep_a_task_alive_and_late_results_are_none() {
    let machine = machine(&task(json!({"TimeoutSeconds": 60, "HeartbeatSeconds": 5})));
    let mut execution = Execution::new(&machine, about(json!({})), START, None, None);
    let task = execution
        .step(&machine, Input::Proceed, START, &Dice::new(0))
        .orders[0]
        .task;
    for beat in 1..4 {
        let step = execution.step(
            &machine,
            Input::Heartbeat { task },
            START + beat * 4_000,
            &Dice::new(0),
        );
        assert!(step.history.is_empty() && step.cancelled.is_empty());
    }
    assert_eq!(execution.due(), Some(START + 17_000));
    let mut late = execution.clone();
    late.step(
        &machine,
        Input::TaskSucceeded {
            task,
            output: json!(1),
        },
        START + 17_000,
        &Dice::new(0),
    );
    assert!(matches!(late.status(), Status::Failed { failure } if failure.error == names::HEARTBEAT_TIMEOUT));
    execution.step(
        &machine,
        Input::TaskSucceeded {
            task,
            output: json!(1),
        },
        START + 16_999,
        &Dice::new(0),
    );
    assert_eq!(execution.status(), &Status::Succeeded { output: json!(1) });
    let nothing = execution.step(
        &machine,
        Input::TaskSucceeded {
            task,
            output: json!(2),
        },
        START + 17_000,
        &Dice::new(0),
    );
    assert_eq!(nothing, roadstead_states_language::Step::default());
}

#[test]
fn the_execution_times_out_or_is_stopped_as_a_whole() {
    let mut definition = single(json!({"Type": "Wait", "Seconds": 100}));
    definition["TimeoutSeconds"] = json!(30);
    let ran = run(&definition, json!({}), &mut |_, _| None);
    assert_eq!((ran.took, ran.status.clone()), (30_000, Status::TimedOut));
    assert_eq!(
        ran.types(),
        ["ExecutionStarted", "WaitStateEntered", "ExecutionTimedOut"]
    );
    let machine = machine(&task(json!({})));
    let mut execution = Execution::new(&machine, about(json!({})), START, None, None);
    let task = execution
        .step(&machine, Input::Proceed, START, &Dice::new(0))
        .orders[0]
        .task;
    let stop = Input::Stop {
        error: Some("mine".to_owned()),
        cause: None,
    };
    let step = execution.step(&machine, stop, START + 1, &Dice::new(0));
    assert_eq!(step.cancelled, [task]);
    assert_eq!(
        execution.status(),
        &Status::Aborted {
            error: Some("mine".to_owned()),
            cause: None
        }
    );
    assert_eq!(execution.due(), None);
}

#[test]
fn a_result_without_a_place_fails_the_state() {
    let definition = json!({"StartAt": "T", "States": {
        "T": {"Type": "Pass", "Result": 1, "ResultPath": "$.a.b", "End": true}}});
    assert_eq!(
        output(&definition, json!({"a": "text"})).unwrap_err().error,
        names::RESULT_PATH
    );
}
