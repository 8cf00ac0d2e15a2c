//! The example machines and states: all of them are valid, and do what the text around them says.

use roadstead_states_language::Failure;
use serde_json::{Value, json};

use super::{around, faults};
use crate::{FUNCTION, output, result, run};

fn states() -> Vec<(&'static str, Value)> {
    let task = "arn:aws:states:us-east-1:123456789012:task:X";
    vec![
        (
            "States",
            json!({"Type": "Task", "QueryLanguage": "JSONPath", "Resource": FUNCTION, "Next": "NextState", "Comment": "Executes the HelloWorld Lambda function"}),
        ),
        (
            "Reserved variable",
            json!({"Type": "Task", "QueryLanguage": "JSONata", "Resource": FUNCTION,
                "Output": {"customer": "{% $states.input.customer %}", "resultStatus": "{% $states.result.status %}", "elapsedTime": "{% $states.context.ElapsedTime %}"},
                "Catch": [{"ErrorEquals": ["States.ALL"], "Output": {"errorDetails": "{% $states.errorOutput %}", "input": "{% $states.input %}"}, "Next": "Handle Error"}],
                "End": true}),
        ),
        (
            "Payload Template",
            json!({"Type": "Task", "Resource": task, "Next": "Y", "Parameters": {"first": 88, "second": 99}}),
        ),
        (
            "Payload Template with paths",
            json!({"Type": "Task", "Resource": task, "Next": "Y", "Parameters": {"flagged": true,
                "parts": {"first.$": "$.vals[0]", "last3.$": "$.vals[-3:]"}, "weekday.$": "$$.DayOfWeek",
                "formattedOutput.$": "States.Format('Today is {}', $$.DayOfWeek)"}}),
        ),
        (
            "Intrinsic Functions",
            json!({"Type": "Task", "Resource": task, "Next": "Y", "Parameters": {"greeting.$": "States.Format('Welcome to {} {}\\'s playlist.', $.firstName, $.lastName)"}}),
        ),
        (
            "Complex retry scenarios",
            json!({"Type": "Task", "Resource": task, "Next": "Y",
                "Retry": [{"ErrorEquals": ["ErrorA", "ErrorB"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 2}, {"ErrorEquals": ["ErrorC"], "IntervalSeconds": 5}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]}),
        ),
        (
            "JSONata Pass State",
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"coords": {"x-datum": 0.381018, "y-datum": 622.2269926397355,
                "additional": "{% $exists($states.input.moreData) ? $states.input.moreData : {} %}"}}, "Next": "End"}),
        ),
        (
            "JSONPath Pass State",
            json!({"Type": "Pass", "Result": {"x-datum": 0.381018, "y-datum": 622.2269926397355}, "ResultPath": "$.coords", "Next": "End"}),
        ),
        (
            "Task State",
            json!({"Comment": "Task State example", "Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:task:HelloWorld", "Next": "NextState", "TimeoutSeconds": 300, "HeartbeatSeconds": 60}),
        ),
        (
            "Wait for seconds",
            json!({"Type": "Wait", "Seconds": 10, "Next": "NextState"}),
        ),
        (
            "Wait until",
            json!({"Type": "Wait", "Timestamp": "2016-03-14T01:59:00Z", "Next": "NextState"}),
        ),
        (
            "JSONata Wait State",
            json!({"Type": "Wait", "QueryLanguage": "JSONata", "Timestamp": "{% $states.input.expirydate %}", "Next": "NextState"}),
        ),
        (
            "JSONPath Wait State",
            json!({"Type": "Wait", "TimestampPath": "$.expirydate", "Next": "NextState"}),
        ),
        ("Succeed State", json!({"Type": "Succeed"})),
        (
            "Fail State",
            json!({"Type": "Fail", "Error": "ErrorA", "Cause": "Kaiju attack"}),
        ),
        (
            "JSONata Fail State",
            json!({"Type": "Fail", "QueryLanguage": "JSONata", "Comment": "my error comment", "Error": "{% $states.input.Error %}", "Cause": "{% $states.input.Cause %}"}),
        ),
        (
            "JSONPath Fail State",
            json!({"Type": "Fail", "Comment": "my error comment", "ErrorPath": "$.Error", "CausePath": "$.Cause"}),
        ),
        (
            "Parallel State",
            json!({"Type": "Parallel", "Next": "NextState", "Branches": [
                {"StartAt": "LookupAddress", "States": {"LookupAddress": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:AddressFinder", "End": true}}},
                {"StartAt": "LookupPhone", "States": {"LookupPhone": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:PhoneFinder", "End": true}}}]}),
        ),
    ]
}

#[test]
fn every_example_state_is_valid() {
    for (section, state) in states() {
        assert_eq!(faults(&around("X", &state)), Vec::<String>::new(), "{section}");
    }
}

#[test]
fn two_numbers_are_added() {
    let definition = json!({"StartAt": "Add", "States": {"Add": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:Add", "End": true}}});
    let ran = run(&definition, json!({"val1": 3, "val2": 4}), &mut |order, _| {
        let number = |name: &str| order.parameters[name].as_i64().unwrap();
        Some(Ok(json!(number("val1") + number("val2"))))
    });
    assert_eq!(result(ran), Ok(json!(7)));
}

#[test]
fn languages_are_chosen_for_the_machine_and_for_a_state() {
    let whole = json!({"QueryLanguage": "JSONata", "StartAt": "Hello World", "States": {"Hello World": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    assert_eq!(faults(&whole), Vec::<String>::new());
    let each = json!({"QueryLanguage": "JSONPath", "StartAt": "JSONPath state", "States": {
        "JSONPath state": {"Type": "Pass", "Parameters": {"total.$": "$.transaction.total"}, "Next": "JSONata state"},
        "JSONata state": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"total": "{% $states.input.transaction.total %}"}, "End": true}}});
    assert_eq!(faults(&each), Vec::<String>::new());
    let failure = output(&each, json!({"transaction": {"total": 5}})).unwrap_err();
    assert_eq!(
        failure.error, "States.QueryEvaluationError",
        "the first state dropped it"
    );
    // The states of a Map have the machine's language, not the Map's.
    let inner = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "QueryLanguage": "JSONata", "Items": [{"a": 1}], "End": true,
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {"b.$": "$.a"}, "End": true}}}}}});
    assert_eq!(output(&inner, json!({})), Ok(json!([{"b": 1}])));
}

#[test]
fn variables_are_assigned_and_referred_to() {
    let definition = json!({"StartAt": "FirstState", "States": {
        "FirstState": {"Type": "Pass", "Assign": {"make": "Infiniti", "model": "G35", "year": 2006}, "Next": "SecondState"},
        "SecondState": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $year & ' ' & $make & ' ' & $model %}", "Next": "ThirdState"},
        "ThirdState": {"Type": "Succeed"}}});
    assert_eq!(output(&definition, json!({})), Ok(json!("2006 Infiniti G35")));
    let definition = json!({"StartAt": "Before", "States": {
        "Before": {"Type": "Pass", "Assign": {"x": 5}, "Next": "Assigning"},
        "Assigning": {"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"x": 42, "newOrOld": "{% $x %}"}, "Next": "Referencing"},
        "Referencing": {"Type": "Pass", "Parameters": {"x.$": "$x", "newOrOld.$": "$newOrOld"}, "End": true}}});
    assert_eq!(
        output(&definition, json!({})),
        Ok(json!({"x": 42, "newOrOld": 5}))
    );
}

#[test]
fn a_scope_is_that_of_its_states() {
    let definition = json!({"QueryLanguage": "JSONata", "StartAt": "Get Greeting", "States": {
        "Get Greeting": {"Type": "Pass", "Assign": {"outer": "hello"}, "Next": "Greet Everyone"},
        "Greet Everyone": {"Type": "Map", "ItemProcessor": {"StartAt": "Begin", "States": {
            "Begin": {"Type": "Pass", "Assign": {"inner": "world", "hi": "{% $outer %}"}, "Next": "End"},
            "End": {"Type": "Succeed", "Output": "{% $hi %}"}}}, "Assign": {"outer": 2}, "Next": "Goodbye"},
        "Goodbye": {"Type": "Succeed", "Output": "{% $outer %}"}}});
    assert_eq!(output(&definition, json!([1, 2])), Ok(json!(2)));
    let mut greeting = definition;
    greeting["States"]["Goodbye"]["Output"] = json!("{% $states.input %}");
    assert_eq!(output(&greeting, json!([1, 2])), Ok(json!(["hello", "hello"])));
    // Once an iteration is over, its variables are not there any more.
    greeting["States"]["Goodbye"]["Output"] = json!("{% $exists($inner) or $exists($hi) %}");
    assert_eq!(output(&greeting, json!([1, 2])), Ok(json!(false)));
}

#[test]
fn arguments_and_output_are_evaluated_wherever_a_string_stands() {
    let definition = json!({"StartAt": "GetSampleData", "States": {
        "GetSampleData": {"Type": "Pass", "Assign": {"student": {"name": "Scotland", "course": [{"grade": 34}, {"grade": 99}, {"grade": 76}, {"grade": 96}]},
            "class": {"teacher": "Bert"}, "two": "the number 2"}, "Next": "A Task"},
        "A Task": {"Type": "Task", "QueryLanguage": "JSONata", "Resource": FUNCTION,
            "Arguments": {"student": "{% $student.name %}", "classInfo": {"teacher": "{% $class.teacher %}"}, "values": [1, "{% $two %}", "three"]},
            "Output": "{% { 'avg': $average($student.course.grade), 'num': $count($student.course) }  %}", "Next": "Process the result"},
        "Process the result": {"Type": "Succeed"}}});
    let ran = run(&definition, json!({}), &mut |_, _| Some(Ok(json!(null))));
    let sent = json!({"student": "Scotland", "classInfo": {"teacher": "Bert"}, "values": [1, "the number 2", "three"]});
    assert_eq!(ran.orders[0].parameters, sent);
    assert_eq!(result(ran), Ok(json!({"avg": 76.25, "num": 4})));
    let factorial = json!({"Type": "Pass", "QueryLanguage": "JSONata", "End": true,
        "Output": "{% ($product := function($x, $y) {$x * $y}; $reduce([1..5], $product)) %}"});
    assert_eq!(output(&around("X", &factorial), json!({})), Ok(json!(120)));
}

#[test]
fn what_a_task_gives_and_what_it_fails_with_are_told_apart() {
    let (_, task) = states().swap_remove(1);
    let mut task = task;
    task["Output"]["elapsedTime"] = json!("{% $states.context.Execution.Name %}");
    let definition = around("My Task", &task);
    let input = json!({"customer": 7});
    let ran = run(&definition, input.clone(), &mut |_, _| {
        Some(Ok(json!({"status": "fine"})))
    });
    assert_eq!(
        result(ran),
        Ok(json!({"customer": 7, "resultStatus": "fine", "elapsedTime": "x"}))
    );
    let ran = run(&definition, input.clone(), &mut |_, _| {
        Some(Err(Failure::new("E", "C")))
    });
    assert_eq!(
        result(ran),
        Ok(json!({"errorDetails": {"Error": "E", "Cause": "C"}, "input": input}))
    );
}

#[test]
fn waits_fails_and_branches_do_what_is_said() {
    let input = json!({"expirydate": "2023-11-14T22:13:27Z", "Error": "Mine", "Cause": "because"});
    let find = |section: &str| {
        let (_, state) = states().into_iter().find(|(name, _)| *name == section).unwrap();
        around("X", &state)
    };
    for (section, took) in [
        ("Wait for seconds", 10_000),
        ("Wait until", 0),
        ("JSONata Wait State", 7_000),
        ("JSONPath Wait State", 7_000),
    ] {
        let ran = run(&find(section), input.clone(), &mut |_, _| None);
        assert_eq!(ran.took, took, "{section}");
        assert_eq!(result(ran), Ok(input.clone()), "{section}");
    }
    for (section, error, cause) in [
        ("Fail State", "ErrorA", "Kaiju attack"),
        ("JSONata Fail State", "Mine", "because"),
        ("JSONPath Fail State", "Mine", "because"),
    ] {
        assert_eq!(
            output(&find(section), input.clone()),
            Err(Failure::new(error, cause))
        );
    }
    let math = json!({"Type": "Parallel", "Next": "NextState", "Branches": [
        {"StartAt": "Add", "States": {"Add": {"Type": "Task", "Resource": "arn:aws:states:::task:Add", "End": true}}},
        {"StartAt": "Subtract", "States": {"Subtract": {"Type": "Task", "Resource": "arn:aws:states:::task:Subtract", "End": true}}}]});
    let ran = run(&around("FunWithMath", &math), json!([3, 2]), &mut |order, _| {
        assert_eq!(order.parameters, json!([3, 2]));
        Some(Ok(json!(if order.state == "Add" { 5 } else { 1 })))
    });
    assert_eq!(result(ran), Ok(json!([5, 1])));
}
