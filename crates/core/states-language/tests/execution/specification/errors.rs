//! "Error Handling" and "Appendix A: Predefined Error Codes".

use roadstead_states_language::{Failure, names};
use serde_json::{Value, json};

use super::{around, faults};
use crate::{FUNCTION, Run, result, run};

/// A task that fails with those errors, one after another, and then gives "done".
fn failing(handlers: &Value, errors: &[&str]) -> Run {
    let mut state = json!({"Type": "Task", "Resource": FUNCTION, "Next": "Y"});
    state
        .as_object_mut()
        .unwrap()
        .extend(handlers.as_object().unwrap().clone());
    let mut errors = errors.iter();
    run(&around("X", &state), json!({"in": 1}), &mut |_, _| {
        Some(match errors.next() {
            Some(error) => Err(Failure::new(*error, "because")),
            None => Ok(json!("done")),
        })
    })
}

#[test]
fn retriers_wait_as_their_examples_say() {
    let timeouts = ["States.Timeout"; 3];
    let retry = |more: Value| {
        let mut retrier = json!({"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2.0});
        retrier
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"Retry": [retrier]})
    };
    // Retriers, errors; seconds until the end, attempts, the error in the end.
    let cases = [
        (retry(json!({})), &timeouts[..2], 3 + 6, 3, None),
        (retry(json!({})), &timeouts[..], 3 + 6, 3, Some("States.Timeout")),
        (
            retry(json!({"MaxDelaySeconds": 4})),
            &timeouts[..2],
            3 + 4,
            3,
            None,
        ),
        (
            retry(json!({"MaxAttempts": 0})),
            &timeouts[..1],
            0,
            1,
            Some("States.Timeout"),
        ),
        (
            json!({"Retry": [{"ErrorEquals": ["E"]}]}),
            &["E", "E", "E"][..],
            1 + 2 + 4,
            4,
            None,
        ),
        (
            json!({"Retry": [{"ErrorEquals": ["E"]}]}),
            &["E", "E", "E", "E"][..],
            1 + 2 + 4,
            4,
            Some("E"),
        ),
        (
            json!({"Retry": [{"ErrorEquals": ["E"]}]}),
            &["F"][..],
            0,
            1,
            Some("F"),
        ),
        (
            json!({"Retry": [{"ErrorEquals": ["E"]}]}),
            &["e"][..],
            0,
            1,
            Some("e"),
        ),
    ];
    for (handlers, errors, seconds, attempts, failed) in cases {
        let ran = failing(&handlers, errors);
        assert_eq!(ran.took, seconds * 1000, "{handlers} {errors:?}");
        assert_eq!(ran.orders.len(), attempts, "{handlers} {errors:?}");
        assert_eq!(
            result(ran).err().map(|failure| failure.error).as_deref(),
            failed,
            "{handlers} {errors:?}"
        );
    }
    // Every error but a timeout, with the default parameters.
    let handlers = json!({"Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]});
    assert_eq!(failing(&handlers, &["States.Timeout"]).orders.len(), 1);
    assert_eq!(failing(&handlers, &["Any"]).orders.len(), 2);
    // A strategy that the service has not is refused; FULL takes anything up to the interval.
    let sample = around(
        "X",
        &json!({"Type": "Task", "Resource": FUNCTION, "Next": "Y", "Retry": [{"ErrorEquals": ["States.Timeout"],
        "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 2.0, "JitterStrategy": "SAMPLE"}]}),
    );
    assert_eq!(
        faults(&sample),
        [
            "SCHEMA_VALIDATION_FAILED: Value is not one of the supported values: [FULL, NONE] at /States/X/Retry/0/JitterStrategy"
        ]
    );
    let ran = failing(&retry(json!({"JitterStrategy": "FULL"})), &timeouts[..2]);
    assert!(ran.took > 0 && ran.took < 9_000, "{}", ran.took);
}

#[test]
fn a_retrier_counts_across_its_visits() {
    let handlers = json!({
        "Retry": [{"ErrorEquals": ["ErrorA", "ErrorB"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 2}, {"ErrorEquals": ["ErrorC"], "IntervalSeconds": 5}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]});
    let ran = failing(&handlers, &["ErrorA", "ErrorB", "ErrorC", "ErrorB"]);
    assert_eq!((ran.took, ran.orders.len()), ((1 + 2 + 5) * 1000, 4));
    assert_eq!(result(ran), Ok(json!({"Error": "ErrorB", "Cause": "because"})));
}

#[test]
fn catchers_go_where_their_examples_say() {
    let paths = json!({"Catch": [
        {"ErrorEquals": ["java.lang.Exception"], "ResultPath": "$.error-info", "Next": "RecoveryState"},
        {"ErrorEquals": ["States.ALL"], "Assign": {"hasError": true}, "Next": "EndMachine"}]});
    let queries = json!({"QueryLanguage": "JSONata", "Catch": [
        {"ErrorEquals": ["java.lang.Exception"], "Output": "{% $merge([ $states.input, {'error-info': $states.errorOutput} ]) %}", "Next": "RecoveryState"},
        {"ErrorEquals": ["States.ALL"], "Assign": {"isCritical": "{% $contains($lowercase($states.errorOutput.Error), /.*fatal.*/)  %}"}, "Next": "EndMachine"}]});
    for handlers in [paths, queries] {
        let caught = |error: &str| result(failing(&handlers, &[error]));
        assert_eq!(
            caught("java.lang.Exception"),
            Ok(json!({"in": 1, "error-info": {"Error": "java.lang.Exception", "Cause": "because"}}))
        );
        assert_eq!(
            caught("Some.FATAL.Error"),
            Ok(json!({"Error": "Some.FATAL.Error", "Cause": "because"}))
        );
    }
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": FUNCTION, "Next": "E", "Assign": {"isCritical": "not evaluated"}, "Catch": [
            {"ErrorEquals": ["States.ALL"], "Assign": {"isCritical": "{% $contains($lowercase($states.errorOutput.Error), /.*fatal.*/) %}"}, "Next": "E"}]},
        "E": {"Type": "Succeed", "Output": "{% $isCritical %}"}}});
    for (error, critical) in [("Fatal", true), ("Mild", false)] {
        let ran = run(&definition, json!({}), &mut |_, _| {
            Some(Err(Failure::new(error, "")))
        });
        assert_eq!(result(ran), Ok(json!(critical)), "{error}");
    }
}

/// Which errors a handler means, by the specification and by "Error handling in Step Functions workflows".
#[test]
fn each_listed_name_means_its_errors() {
    let errors = [
        "Mine",
        names::TIMEOUT,
        names::HEARTBEAT_TIMEOUT,
        names::TASK_FAILED,
        names::PERMISSIONS,
        names::RESULT_PATH,
        names::NO_CHOICE,
        names::INTRINSIC,
        names::QUERY,
        names::BRANCH,
        names::DATA_LIMIT,
        names::RUNTIME,
    ];
    let all_but =
        |but: &[&str]| -> Vec<&str> { errors.into_iter().filter(|error| !but.contains(error)).collect() };
    let cases = [
        // Terminal errors are not caught by the wildcard.
        (names::ALL, all_but(&[names::DATA_LIMIT, names::RUNTIME])),
        (
            names::TASK_FAILED,
            all_but(&[
                names::TIMEOUT,
                names::HEARTBEAT_TIMEOUT,
                names::DATA_LIMIT,
                names::RUNTIME,
            ]),
        ),
        (names::TIMEOUT, vec![names::TIMEOUT, names::HEARTBEAT_TIMEOUT]),
        (names::HEARTBEAT_TIMEOUT, vec![names::HEARTBEAT_TIMEOUT]),
        (names::DATA_LIMIT, vec![names::DATA_LIMIT]),
        (names::RUNTIME, vec![]),
        ("Mine", vec!["Mine"]),
        ("mine", vec![]),
    ];
    for (listed, expected) in cases {
        let meant: Vec<&str> = errors
            .into_iter()
            .filter(|error| Failure::new(*error, "").is_meant_by(listed))
            .collect();
        assert_eq!(meant, expected, "{listed}");
    }
}

#[test]
fn timeouts_have_their_names() {
    let timed = |fields: Value| {
        let mut state = json!({"Type": "Task", "Resource": FUNCTION, "Next": "Y"});
        state
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let ran = run(&around("X", &state), json!({"t": 7, "h": 2}), &mut |_, _| None);
        (ran.took, result(ran).unwrap_err().error)
    };
    assert_eq!(
        timed(json!({"TimeoutSeconds": 5})),
        (5_000, names::TIMEOUT.to_owned())
    );
    assert_eq!(
        timed(json!({"TimeoutSecondsPath": "$.t"})),
        (7_000, names::TIMEOUT.to_owned())
    );
    // The service has a name of its own for a missing heartbeat, which handlers of States.Timeout mean, too.
    let beat = names::HEARTBEAT_TIMEOUT.to_owned();
    assert_eq!(
        timed(json!({"TimeoutSeconds": 5, "HeartbeatSeconds": 3})),
        (3_000, beat.clone())
    );
    assert_eq!(
        timed(json!({"TimeoutSecondsPath": "$.t", "HeartbeatSecondsPath": "$.h"})),
        (2_000, beat)
    );
}

#[test]
fn queries_that_fail_can_be_retried_and_caught() {
    let cases = [
        json!({"Arguments": "{% $x + 'a' %}"}),
        json!({"TimeoutSeconds": "{% 'a name' %}"}),
        json!({"TimeoutSeconds": "{% -1 %}"}),
        json!({"Arguments": "{% $states.input.thisFieldDoesNotExist %}"}),
        json!({"Output": "{% $states.result.thisFieldDoesNotExist %}"}),
    ];
    for fields in cases {
        let mut handlers = json!({"QueryLanguage": "JSONata", "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Output": "caught", "Next": "Z"}]});
        handlers
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let ran = failing(&handlers, &[]);
        assert_eq!(ran.took, 1_000, "{fields}: it was tried again");
        assert_eq!(result(ran), Ok(json!("caught")), "{fields}");
    }
}
