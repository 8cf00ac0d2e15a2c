//! What each type of state gives, with the examples of the published specification.

use roadstead_states_language::{Order, TaskToken, names};
use serde_json::{Value, json};

use crate::{FUNCTION, START, jsonata, output, result, run, single};

#[test]
fn pass_shapes_its_input() {
    let input = json!({"a": 1, "list": [1, 2, 3], "who": {"name": "n"}});
    let cases = [
        (json!({"Type": "Pass"}), input.clone()),
        (json!({"Type": "Pass", "Result": {"x": 1}}), json!({"x": 1})),
        (
            json!({"Type": "Pass", "Result": 5, "ResultPath": "$.a"}),
            json!({"a": 5, "list": [1, 2, 3], "who": {"name": "n"}}),
        ),
        (
            json!({"Type": "Pass", "Result": 5, "ResultPath": null}),
            input.clone(),
        ),
        (
            json!({"Type": "Pass", "InputPath": "$.who"}),
            json!({"name": "n"}),
        ),
        (json!({"Type": "Pass", "InputPath": null}), json!({})),
        (json!({"Type": "Pass", "OutputPath": "$.list[0]"}), json!(1)),
        (json!({"Type": "Pass", "OutputPath": null}), json!({})),
        (
            json!({"Type": "Pass", "InputPath": "$.who", "ResultPath": "$.b"}),
            json!({"a": 1, "list": [1, 2, 3], "who": {"name": "n"}, "b": {"name": "n"}}),
        ),
        (
            json!({"Type": "Pass", "InputPath": "$.who", "Parameters": {"n.$": "$.name", "id.$": "$$.Execution.Name"}}),
            json!({"n": "n", "id": "x"}),
        ),
        (
            json!({"Type": "Pass", "Parameters": {"last.$": "$.list[-1]", "n.$": "States.ArrayLength($.list)", "fix": [1, {"y.$": "$.a"}]}}),
            json!({"last": 3, "n": 3, "fix": [1, {"y": 1}]}),
        ),
    ];
    for (state, expected) in cases {
        assert_eq!(
            output(&single(state.clone()), input.clone()),
            Ok(expected),
            "{state}"
        );
    }
}

#[test]
fn the_examples_of_the_specification() {
    // "Parameters" and "ResultSelector"
    let state = json!({"Type": "Task", "Resource": FUNCTION, "Parameters": {"flagged": true, "parts": {"first.$": "$.vals[0]", "last3.$": "$.vals[3:]"}, "weekday": "Wed"}});
    let ran = run(
        &single(state),
        json!({"flagged": 7, "vals": [0, 10, 20, 30, 40, 50]}),
        &mut |order, _| Some(Ok(order.parameters.clone())),
    );
    assert_eq!(
        result(ran),
        Ok(json!({"flagged": true, "parts": {"first": 0, "last3": [30, 40, 50]}, "weekday": "Wed"}))
    );
    let state = json!({"Type": "Task", "Resource": FUNCTION, "ResultSelector": {"flagged": true, "parts": {"first.$": "$.vals[0]"}}, "ResultPath": "$.sum", "InputPath": "$.numbers"});
    let ran = run(
        &single(state),
        json!({"title": "Numbers to add", "numbers": {"val1": 3}}),
        &mut |order, _| {
            assert_eq!(order.parameters, json!({"val1": 3}));
            Some(Ok(json!({"vals": [7]})))
        },
    );
    assert_eq!(
        result(ran),
        Ok(
            json!({"title": "Numbers to add", "numbers": {"val1": 3}, "sum": {"flagged": true, "parts": {"first": 7}}})
        )
    );
    // "Choice State"
    let choice = json!({"StartAt": "DispatchEvent", "States": {
        "DispatchEvent": {"Type": "Choice", "Choices": [
            {"Not": {"Variable": "$.type", "StringEquals": "Private"}, "Next": "Public"},
            {"And": [{"Variable": "$.value", "IsPresent": true}, {"Variable": "$.value", "IsNumeric": true},
                     {"Variable": "$.value", "NumericGreaterThanEquals": 20}, {"Variable": "$.value", "NumericLessThan": 30}], "Next": "ValueInTwenties"}],
            "Default": "RecordEvent"},
        "Public": {"Type": "Pass", "Result": "Public", "End": true},
        "ValueInTwenties": {"Type": "Pass", "Result": "Twenties", "End": true},
        "RecordEvent": {"Type": "Pass", "Result": "Record", "End": true}}});
    for (input, expected) in [
        (json!({"type": "x"}), "Public"),
        (json!({"type": "Private", "value": 22}), "Twenties"),
        (json!({"type": "Private", "value": "22"}), "Record"),
        (json!({"type": "Private"}), "Record"),
    ] {
        assert_eq!(output(&choice, input), Ok(json!(expected)));
    }
}

#[test]
fn comparisons_hold_or_not() {
    let input = json!({"s": "b", "s2": "b", "n": 5, "n2": 5.0, "t": "2016-08-18T17:33:00Z", "t2": "2016-08-18T19:33:00+02:00", "yes": true, "null": null, "file": "a*.log"});
    let cases = [
        (json!({"Variable": "$.s", "StringEquals": "b"}), true),
        (json!({"Variable": "$.s", "StringEqualsPath": "$.s2"}), true),
        (json!({"Variable": "$.s", "StringLessThan": "c"}), true),
        (json!({"Variable": "$.s", "StringGreaterThan": "b"}), false),
        (json!({"Variable": "$.s", "StringGreaterThanEquals": "b"}), true),
        (json!({"Variable": "$.n", "StringEquals": "5"}), false),
        (json!({"Variable": "$.n", "NumericEqualsPath": "$.n2"}), true),
        (json!({"Variable": "$.n", "NumericLessThanEquals": 4.9}), false),
        (json!({"Variable": "$.s", "NumericEquals": 5}), false),
        (json!({"Variable": "$.yes", "BooleanEquals": true}), true),
        (json!({"Variable": "$.yes", "BooleanEqualsPath": "$.s"}), false),
        (json!({"Variable": "$.t", "TimestampEqualsPath": "$.t2"}), true),
        (
            json!({"Variable": "$.t", "TimestampLessThan": "2016-08-18T17:33:00.001Z"}),
            true,
        ),
        (
            json!({"Variable": "$.s", "TimestampLessThan": "2016-08-18T17:33:00Z"}),
            false,
        ),
        (json!({"Variable": "$.null", "IsNull": true}), true),
        (json!({"Variable": "$.s", "IsNull": false}), true),
        (json!({"Variable": "$.absent", "IsPresent": false}), true),
        (json!({"Variable": "$.null", "IsPresent": true}), true),
        (json!({"Variable": "$.n", "IsNumeric": true}), true),
        (json!({"Variable": "$.n", "IsString": true}), false),
        (json!({"Variable": "$.yes", "IsBoolean": true}), true),
        (json!({"Variable": "$.t2", "IsTimestamp": true}), true),
        (json!({"Variable": "$.s", "IsTimestamp": false}), true),
        (json!({"Variable": "$.file", "StringMatches": "*.log"}), true),
        (json!({"Variable": "$.file", "StringMatches": "a\\*.*"}), true),
        (json!({"Variable": "$.file", "StringMatches": "a\\*"}), false),
        (json!({"Variable": "$.file", "StringMatches": "*l*g*"}), true),
        (json!({"Variable": "$.file", "StringMatches": ""}), false),
        (
            json!({"Or": [{"Variable": "$.s", "StringEquals": "x"}, {"Variable": "$.n", "NumericEquals": 5}]}),
            true,
        ),
        (json!({"Not": {"Variable": "$.n", "NumericEquals": 5}}), false),
        (
            json!({"Variable": "$$.Execution.Name", "StringEquals": "x"}),
            true,
        ),
    ];
    for (mut rule, expected) in cases {
        rule["Next"] = json!("Yes");
        let definition = json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [rule], "Default": "No"},
            "Yes": {"Type": "Pass", "Result": true, "End": true}, "No": {"Type": "Pass", "Result": false, "End": true}}});
        assert_eq!(output(&definition, input.clone()), Ok(json!(expected)), "{rule}");
    }
    let definition = json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [{"Variable": "$.absent", "IsNull": true, "Next": "E"}]}, "E": {"Type": "Succeed"}}});
    let failure = output(&definition, json!({})).unwrap_err();
    assert_eq!(
        (failure.error.as_str(), failure.cause.as_str()),
        (
            names::RUNTIME,
            "An error occurred while executing the state 'C' (entered at the event id #2). Invalid path '$.absent': The choice state's condition path references an invalid value."
        )
    );
    assert_eq!(
        output(&definition, json!({"absent": 1})).unwrap_err().error,
        names::NO_CHOICE
    );
}

#[test]
fn wait_goes_on_when_it_is_due() {
    let later = "2023-11-14T22:14:00Z"; // 40 s after the start
    let cases = [
        (json!({"Type": "Wait", "Seconds": 10}), 10_000),
        (json!({"Type": "Wait", "Seconds": 0}), 0),
        (json!({"Type": "Wait", "SecondsPath": "$.s"}), 7_000),
        (json!({"Type": "Wait", "Timestamp": later}), 40_000),
        (json!({"Type": "Wait", "TimestampPath": "$.t"}), 40_000),
        (json!({"Type": "Wait", "Timestamp": "2001-01-01T00:00:00Z"}), 0),
        (
            json!({"Type": "Wait", "QueryLanguage": "JSONata", "Seconds": "{% $states.input.s * 2 %}"}),
            14_000,
        ),
        (
            json!({"Type": "Wait", "QueryLanguage": "JSONata", "Timestamp": "{% $states.input.t %}"}),
            40_000,
        ),
    ];
    for (state, took) in cases {
        let input = json!({"s": 7, "t": later});
        let ran = run(&single(state.clone()), input.clone(), &mut |_, _| None);
        assert_eq!(ran.took, took, "{state}");
        assert_eq!(result(ran), Ok(input));
    }
    for (state, error) in [
        (json!({"Type": "Wait", "SecondsPath": "$.t"}), names::RUNTIME),
        (json!({"Type": "Wait", "TimestampPath": "$.s"}), names::RUNTIME),
        (
            json!({"Type": "Wait", "QueryLanguage": "JSONata", "Seconds": "{% -1 %}"}),
            names::QUERY,
        ),
    ] {
        assert_eq!(
            output(&single(state.clone()), json!({"s": 7, "t": "x"}))
                .unwrap_err()
                .error,
            error,
            "{state}"
        );
    }
}

#[test]
fn succeed_and_fail_end_it() {
    assert_eq!(
        output(
            &single(json!({"Type": "Succeed", "OutputPath": "$.a"})),
            json!({"a": 1})
        ),
        Ok(json!(1))
    );
    assert_eq!(
        output(
            &jsonata(single(
                json!({"Type": "Succeed", "Output": {"b": "{% $states.input.a %}"}})
            )),
            json!({"a": 1})
        ),
        Ok(json!({"b": 1}))
    );
    let cases = [
        (json!({"Type": "Fail", "Error": "E", "Cause": "C"}), ("E", "C")),
        (json!({"Type": "Fail"}), ("", "")),
        (
            json!({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('because {}', $.e)"}),
            ("mine", "because mine"),
        ),
        (
            json!({"Type": "Fail", "QueryLanguage": "JSONata", "Error": "{% $states.input.e %}", "Cause": "plain"}),
            ("mine", "plain"),
        ),
    ];
    for (state, (error, cause)) in cases {
        let failure = output(&single(state.clone()), json!({"e": "mine"})).unwrap_err();
        assert_eq!(
            (failure.error.as_str(), failure.cause.as_str()),
            (error, cause),
            "{state}"
        );
    }
}

#[test]
fn a_task_is_ordered_with_what_the_state_says() {
    let state = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSecondsPath": "$.t", "HeartbeatSeconds": 3,
        "Parameters": {"token.$": "$$.Task.Token", "at.$": "$$.State.EnteredTime", "name.$": "$$.State.Name"}, "Credentials": {"RoleArn.$": "$.role"}});
    let ran = run(
        &single(state),
        json!({"t": 9, "role": "arn:aws:iam::1:role/x"}),
        &mut |_, _| Some(Ok(json!(1))),
    );
    let [order] = ran.orders.as_slice() else {
        panic!("{:?}", ran.orders)
    };
    assert_eq!(
        (order.timeout, order.heartbeat, order.state.as_str()),
        (Some(9), Some(3), "S")
    );
    assert_eq!(
        order.credentials,
        Some(json!({"RoleArn": "arn:aws:iam::1:role/x"}))
    );
    let token = order.token.clone().unwrap();
    let read: TaskToken = token.parse().unwrap();
    assert_eq!(
        (read.machine.as_str(), read.execution.as_str(), read.task),
        ("M", "x", order.task)
    );
    for wrong in ["", "AAAA", &token[1..], &format!("{token}=")] {
        assert!(wrong.parse::<TaskToken>().is_err(), "{wrong}");
    }
    assert_eq!(
        order.parameters,
        json!({"token": token, "at": "2023-11-14T22:13:20.000Z", "name": "S"})
    );
    assert_eq!((order.given, START), (START, 1_700_000_000_000));
    let mut older = serde_json::to_value(order).unwrap();
    assert_eq!(older.as_object_mut().unwrap().remove("given"), Some(json!(START)));
    assert_eq!(serde_json::from_value::<Order>(older).unwrap().given, 0);
}

#[test]
fn jsonata_states_take_arguments_and_give_output() {
    let state = json!({"Type": "Task", "Resource": FUNCTION, "Arguments": {"x": "{% $states.input.a + 1 %}", "list": ["{% $states.context.Execution.Name %}", "{%$states.input%}"]},
        "Output": {"got": "{% $states.result.y %}", "was": "{% $states.input.a %}"}});
    let ran = run(&jsonata(single(state)), json!({"a": 1}), &mut |order, _| {
        assert_eq!(order.parameters, json!({"x": 2, "list": ["x", {"a": 1}]}));
        Some(Ok(json!({"y": 3})))
    });
    assert_eq!(result(ran), Ok(json!({"got": 3, "was": 1})));
    let choice = jsonata(json!({"StartAt": "C", "States": {
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.a > 5 %}", "Next": "E", "Output": {"rule": 0}}, {"Condition": "{% $states.input.a > 3 %}", "Next": "E"}], "Default": "E", "Output": "{% 'default' %}"},
        "E": {"Type": "Succeed"}}}));
    for (input, expected) in [
        (json!({"a": 6}), json!({"rule": 0})),
        (json!({"a": 4}), json!({"a": 4})),
        (json!({"a": 1}), json!("default")),
    ] {
        assert_eq!(output(&choice, input), Ok(expected));
    }
    let failed = |state: Value| output(&jsonata(single(state)), json!({"s": "x"})).unwrap_err();
    let head = "An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression";
    assert_eq!(
        failed(json!({"Type": "Pass", "Output": {"v": "{% $states.input.missing %}"}})).cause,
        format!(
            "{head} '$states.input.missing' specified for the field 'Output/v' returned nothing (undefined)."
        )
    );
    assert_eq!(
        failed(json!({"Type": "Wait", "Seconds": "{% $states.input.s %}"})).cause,
        format!(
            "{head} '$states.input.s' specified for the field 'Seconds' returned an unexpected result type. Expected 'number', but was 'string' for value: \"x\""
        )
    );
    assert_eq!(
        failed(json!({"Type": "Pass", "Output": "{% $states.result %}"})).error,
        names::QUERY
    );
}
