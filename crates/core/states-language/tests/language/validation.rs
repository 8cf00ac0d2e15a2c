//! Which definitions are valid, and what the others are refused for.

use roadstead_states_language::{Machine, Severity, refusal};
use serde_json::{Value, json};

/// Every diagnostic as text.
fn faults(definition: &Value) -> Vec<String> {
    text_faults(&definition.to_string())
}

fn text_faults(definition: &str) -> Vec<String> {
    let (machine, diagnostics) = Machine::parse(definition);
    let errors = diagnostics
        .iter()
        .filter(|one| one.severity() == Severity::Error)
        .count();
    assert_eq!(
        machine.is_some(),
        errors == 0,
        "a machine comes without errors and only so: {diagnostics:?}"
    );
    diagnostics.iter().map(ToString::to_string).collect()
}

/// A machine of that state, `S`, and one after it, `E`.
fn state(state: Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state, "E": {"Type": "Succeed"}}})
}

fn jsonata(state: Value) -> Value {
    json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {"S": state, "E": {"Type": "Succeed"}}})
}

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:HelloWorld";

#[test]
fn valid_definitions_have_no_faults() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let other = json!({"StartAt": "J", "States": {"J": {"Type": "Pass", "End": true}}});
    let paths = [
        json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Comment": "c", "TimeoutSeconds": 10, "HeartbeatSeconds": 5,
            "Parameters": {"a.$": "$.x", "b": [{"c.$": "States.UUID()"}], "d.$": "$$.Execution.Id", "e.$": "$var"},
            "ResultSelector": {"r.$": "$.y"}, "ResultPath": "$.z", "InputPath": "$.in", "OutputPath": "$.out",
            "Retry": [{"ErrorEquals": ["A", "B"], "IntervalSeconds": 1, "MaxAttempts": 0, "BackoffRate": 1.5, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"},
                      {"ErrorEquals": ["States.ALL"]}],
            "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "E", "ResultPath": "$.error", "Assign": {"v.$": "$.Cause"}}],
            "Assign": {"v.$": "$.x", "w": 1}, "Credentials": {"RoleArn.$": "$.role"}}),
        json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Next": "E", "TimeoutSecondsPath": "$.t", "HeartbeatSecondsPath": "$.h"}),
        json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:describeClusters", "Next": "E"}),
        json!({"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Next": "E"}),
        json!({"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:A", "Next": "E"}),
        json!({"Type": "Pass", "Result": [1], "ResultPath": null, "InputPath": null, "OutputPath": null, "Next": "E"}),
        json!({"Type": "Wait", "Seconds": 0, "Next": "E"}),
        json!({"Type": "Wait", "SecondsPath": "$.s", "Next": "E"}),
        json!({"Type": "Wait", "Timestamp": "2016-03-14T01:59:00Z", "Next": "E"}),
        json!({"Type": "Wait", "TimestampPath": "$.t", "Next": "E"}),
        json!({"Type": "Choice", "Default": "E", "Choices": [
            {"Variable": "$.a", "NumericGreaterThanEqualsPath": "$.b", "Next": "E"},
            {"Not": {"Variable": "$.a", "StringMatches": "a*"}, "Next": "E"},
            {"And": [{"Variable": "$.a", "IsPresent": true}, {"Or": [{"Variable": "$.a", "BooleanEquals": false}]}], "Next": "E", "Assign": {"x": 1}},
            {"Variable": "$.t", "TimestampLessThan": "2016-03-14T01:59:00.5+01:00", "Next": "E"}]}),
        json!({"Type": "Parallel", "Branches": [inner.clone(), other.clone()], "Next": "E"}),
        json!({"Type": "Map", "ItemsPath": "$.list", "MaxConcurrency": 2, "ItemSelector": {"i.$": "$$.Map.Item.Value"}, "Next": "E",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}}),
        json!({"Type": "Map", "Iterator": inner, "Parameters": {"i": 1}, "MaxConcurrencyPath": "$.m", "Next": "E"}),
        json!({"QueryLanguage": "JSONata", "Type": "Pass", "Output": "{% $states.input %}", "Next": "E"}),
    ];
    for one in paths {
        assert_eq!(faults(&state(one.clone())), Vec::<String>::new(), "{one}");
    }
    let queries = [
        json!({"Type": "Task", "Resource": FUNCTION, "Arguments": {"a": "{% $states.input.a %}"}, "Output": "{% $states.result %}", "Next": "E",
            "Assign": {"v": "{% $states.result.x %}"}, "TimeoutSeconds": "{% $v %}",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "E", "Output": "{% $states.errorOutput.Cause %}"}]}),
        json!({"Type": "Choice", "Choices": [{"Condition": "{% $v > 1 %}", "Next": "E", "Output": 1}, {"Condition": true, "Next": "E"}]}),
        json!({"Type": "Wait", "Seconds": "{% $v %}", "Next": "E"}),
        json!({"Type": "Map", "Items": "{% $states.input.l %}", "ItemSelector": "{% $states.context.Map.Item %}", "ItemProcessor": other, "Next": "E"}),
        json!({"Type": "Map", "Items": [1, "{% $v %}"], "Iterator": {"StartAt": "K", "States": {"K": {"Type": "Fail", "Error": "{% $v %}"}}}, "Next": "E"}),
    ];
    for one in queries {
        assert_eq!(faults(&jsonata(one.clone())), Vec::<String>::new(), "{one}");
    }
}

#[test]
fn each_fault_has_its_code_and_place() {
    let schema = |text: &str| format!("SCHEMA_VALIDATION_FAILED: {text}");
    let cases = [
        (json!({"Type": "Pass"}), schema("These fields are required: [Next] or [End] at /States/S")),
        (json!({"Type": "Pass", "Next": "E", "End": true}), schema("You cannot set more than one of the fields [Next, End] at /States/S")),
        (json!({"Type": "Pass", "Next": 5}), schema("Expected value of type String at /States/S/Next")),
        (json!({"Type": "Pass", "Next": "E", "Catch": []}), schema("Field 'Catch' is not supported at /States/S")),
        (json!({"Type": "Pass", "Next": "E", "TimeoutSeconds": 1}), schema("Field 'TimeoutSeconds' is not supported at /States/S")),
        (json!({"Type": "Pass", "Next": "E", "Output": 1}), schema("The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/S")),
        (json!({"Type": "Pass", "Next": "E", "Parameters": {"a.$": "x"}}), schema("The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call: '$' was expected at character 0 at /States/S/Parameters/a.$")),
        (json!({"Type": "Pass", "Next": "E", "ResultPath": "$.a[*]"}), schema("Value is not a Reference Path: a Reference Path names exactly one place at character 0 at /States/S/ResultPath")),
        (json!({"Type": "Pass", "Next": "E", "Assign": {"states": 1}}), schema("'states' is not a valid variable name: a letter, then letters, digits and '_', at most 80, and not 'states' at /States/S/Assign")),
        (json!({"Type": "Nope", "Next": "E"}), schema("Value 'Nope' is not one of the supported values: [Task, Pass, Choice, Wait, Succeed, Fail, Parallel, Map] at /States/S/Type")),
        (json!({"Next": "E"}), schema("These fields are required: [Type] at /States/S")),
        (json!({"Type": "Task", "Next": "E"}), schema("These fields are required: [Resource] at /States/S")),
        (json!({"Type": "Task", "Resource": "hello", "Next": "E"}), "INVALID_RESOURCE: Value 'hello' is not a valid resource ARN at /States/S/Resource".to_owned()),
        (json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:runTask.sync", "Next": "E"}), "INVALID_RESOURCE: Value 'arn:aws:states:::aws-sdk:ecs:runTask.sync' is not a valid resource ARN at /States/S/Resource".to_owned()),
        (json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 5, "HeartbeatSeconds": 5, "Next": "E"}), schema("The value of 'HeartbeatSeconds' must be less than 'TimeoutSeconds' at /States/S/HeartbeatSeconds")),
        (json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 0, "Next": "E"}), schema("The value of 'TimeoutSeconds' must be an integer from 1 to 99999999 at /States/S/TimeoutSeconds")),
        (json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Retry": [{"ErrorEquals": []}]}), schema("The value of 'ErrorEquals' must not be empty at /States/S/Retry/0/ErrorEquals")),
        (json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Retry": [{"ErrorEquals": ["States.ALL", "A"]}]}), schema("'States.ALL' must appear alone and in the last of the handlers at /States/S/Retry/0/ErrorEquals")),
        (json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Retry": [{"ErrorEquals": ["A"], "BackoffRate": 0.5}]}), schema("The value of 'BackoffRate' must be a number of at least 1.0 at /States/S/Retry/0/BackoffRate")),
        (json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Retry": [{"ErrorEquals": ["A"], "IntervalSeconds": 5, "MaxDelaySeconds": 5}]}), schema("The value of 'MaxDelaySeconds' must be greater than 'IntervalSeconds' at /States/S/Retry/0/MaxDelaySeconds")),
        (json!({"Type": "Task", "Resource": FUNCTION, "Next": "E", "Catch": [{"ErrorEquals": ["A"], "Next": "X"}]}), "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/S/Catch/0/Next".to_owned()),
        (json!({"Type": "Pass", "Next": "X"}), "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/S/Next".to_owned()),
        (json!({"Type": "Wait", "Next": "E"}), schema("Exactly one of the fields [Seconds, SecondsPath, Timestamp, TimestampPath] is required at /States/S")),
        (json!({"Type": "Wait", "Timestamp": "2016-03-14 01:59:00Z", "Next": "E"}), schema("Value is not a valid timestamp: it looks like 2016-03-14T01:59:00Z at /States/S/Timestamp")),
        (json!({"Type": "Choice", "Default": "E", "Choices": []}), schema("The value of 'Choices' must not be empty at /States/S/Choices")),
        (json!({"Type": "Choice", "Default": "E", "Choices": [{"Variable": "$.a", "Next": "E"}]}), schema("Each Choice Rule has exactly one comparison operator at /States/S/Choices/0")),
        (json!({"Type": "Choice", "Default": "E", "Choices": [{"Variable": "$.a", "StringEquals": 1, "Next": "E"}]}), schema("Expected value of type String at /States/S/Choices/0/StringEquals")),
        (json!({"Type": "Choice", "Default": "X", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "E"}]}), "MISSING_TRANSITION_TARGET: Missing 'Default' target: X at /States/S/Default".to_owned()),
        (json!({"Type": "Map", "Next": "E", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": {"Type": "Succeed"}}}}), schema("A Map in 'DISTRIBUTED' mode is not supported; only 'INLINE' is at /States/S/ItemProcessor/ProcessorConfig/Mode")),
        (json!({"Type": "Map", "Next": "E", "ItemReader": {}, "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}}), schema("Field 'ItemReader' is only supported for a Map in 'DISTRIBUTED' mode, which is not supported at /States/S")),
        (json!({"Type": "Map", "Next": "E", "ItemProcessor": {"QueryLanguage": "JSONPath", "StartAt": "I", "States": {"I": {"Type": "Succeed"}}}}), schema("Field 'QueryLanguage' is not supported at /States/S/ItemProcessor")),
        (json!({"Type": "Map", "QueryLanguage": "JSONata", "Next": "E", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Output": 1, "End": true}}}}), schema("The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at /States/S/ItemProcessor/States/I")),
        (json!({"Type": "Parallel", "Next": "E", "Branches": [{"StartAt": "E", "States": {"E": {"Type": "Succeed"}}}]}), "DUPLICATE_STATE_NAME: The state name 'E' appears more than once at /States/E".to_owned()),
        (json!({"Type": "Parallel", "Next": "E", "Assign": {"x": 1}, "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {"x": 2}, "End": true}}}]}), schema("The variable 'x' is assigned in an outer scope and cannot be assigned here at /States/S/Branches/0/States/I")),
        (json!({"Type": "Pass", "Next": "E", "Parameters": {"a": "$.b"}}), "NO_DOLLAR: The value looks like a path or an intrinsic function, but the name of the field does not end with '.$' at /States/S/Parameters/a".to_owned()),
        (json!({"Type": "Pass", "Next": "E", "Result": {"a.$": "$.b"}}), "PASS_RESULT_IS_STATIC: The result of a Pass state is taken as it stands at /States/S/Result".to_owned()),
    ];
    for (one, expected) in cases {
        let found = faults(&state(one.clone()));
        assert!(
            found.contains(&expected),
            "{one}\nexpected {expected}\nfound {found:#?}"
        );
        assert!(
            found.len() <= 2,
            "one fault is told once, and what follows from it: {found:#?}"
        );
    }
}

#[test]
fn faults_of_jsonata_states() {
    let schema = |text: &str| format!("SCHEMA_VALIDATION_FAILED: {text}");
    let cases = [
        (json!({"Type": "Pass", "Next": "E", "Output": {"v": "{% phone %}"}}), "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at /States/S/Output/v".to_owned()),
        (json!({"Type": "Pass", "Next": "E", "Output": "{% 1 + %}"}), "INVALID_JSONATA_EXPRESSION: Unexpected end of expression at /States/S/Output".to_owned()),
        (json!({"Type": "Pass", "Next": "E", "Output": "{% 1"}), "INVALID_JSONATA_EXPRESSION: An expression that begins with '{%' ends with '%}' at /States/S/Output".to_owned()),
        (json!({"Type": "Pass", "Next": "E", "Output": "{% $states.errorOutput %}"}), "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$states.errorOutput' is only supported in a Catch. at /States/S/Output".to_owned()),
        (json!({"Type": "Pass", "Next": "E", "InputPath": "$"}), schema("The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the 'JSONPath' QueryLanguage at /States/S")),
        (json!({"Type": "Pass", "Next": "E", "QueryLanguage": "JSONPath"}), schema("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/S")),
        (json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "E"}]}), schema("These fields are required: [Condition] at /States/S/Choices/0")),
        (json!({"Type": "Wait", "Seconds": "5", "Next": "E"}), schema("Expected value of type Integer at /States/S/Seconds")),
    ];
    for (one, expected) in cases {
        let found = faults(&jsonata(one.clone()));
        assert!(
            found.contains(&expected),
            "{one}\nexpected {expected}\nfound {found:#?}"
        );
    }
}

#[test]
fn faults_of_the_whole() {
    let cases = [
        ("", "MISSING_DESCRIPTION: The definition is empty at null"),
        (
            "{\"StartAt\": }",
            "INVALID_JSON_DESCRIPTION: expected value at line 1 column 13 at null",
        ),
        (
            "{\n \"StartAt\": \"S\"\n \"x\"",
            "INVALID_JSON_DESCRIPTION: expected `,` or `}` at line 3 column 2 at null",
        ),
        (
            "[]",
            "SCHEMA_VALIDATION_FAILED: Expected value of type Object at ",
        ),
        (
            "{}",
            "SCHEMA_VALIDATION_FAILED: These fields are required: [StartAt, States] at ",
        ),
        (
            r#"{"StartAt":"X","States":{"S":{"Type":"Succeed"}}}"#,
            "MISSING_TRANSITION_TARGET: Missing 'StartAt' target: X at /StartAt",
        ),
        (
            r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"A"}}}"#,
            "MISSING_END_STATE: Workflow has no terminal state at null",
        ),
        (
            r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"A"},"C":{"Type":"Pass","End":true}}}"#,
            "MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C",
        ),
        (
            r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{"Type":"Succeed"}}}"#,
            "DUPLICATE_STATE_NAME: The field appears more than once at /States/A",
        ),
        (
            r#"{"StartAt":"A","Version":"2.0","States":{"A":{"Type":"Succeed"}}}"#,
            "SCHEMA_VALIDATION_FAILED: Value is not one of the supported values: [1.0] at /Version",
        ),
        (
            r#"{"StartAt":"A","Coment":"","States":{"A":{"Type":"Succeed"}}}"#,
            "SCHEMA_VALIDATION_FAILED: Field 'Coment' is not supported at ",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(text_faults(text), [expected], "{text}");
    }
    let long = "n".repeat(81);
    let text = json!({"StartAt": long, "States": {(long.clone()): {"Type": "Succeed"}}}).to_string();
    assert!(text_faults(&text)[0].starts_with("INVALID_STATE_NAME: "));
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    assert!(text_faults(&deep)[0].starts_with("TOO_DEEPLY_NESTED: "));
}

#[test]
fn a_refusal_lists_every_error_and_no_warning() {
    let definition = json!({"StartAt": "pass1", "States": {
        "pass1": {"Type": "Pass", "Next": "pass3", "Result": {"a.$": 1}}, "pass2": {"Type": "Pass", "End": true}}});
    let (_, diagnostics) = Machine::parse(&definition.to_string());
    assert_eq!(
        refusal(&diagnostics),
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at /States/pass1/Next, \
         MISSING_TRANSITION_TARGET: State \"pass2\" is not reachable. at /States/pass2'"
    );
}
