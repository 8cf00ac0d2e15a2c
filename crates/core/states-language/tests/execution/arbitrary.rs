//! Definitions and texts that nobody would write: reading them neither panics nor comes out differently twice, and what is
//! valid among them runs to an end or stands still.

use proptest::prelude::*;
use proptest::sample::select;
use roadstead_states_language::{
    Dice, Execution, Input, Intrinsic, Jsonata, Machine, Path, Severity, Variables, View,
};
use serde_json::{Map, Value, json};

use crate::{FUNCTION, START, about};

const FIELDS: [&str; 54] = [
    "Type",
    "Next",
    "End",
    "Comment",
    "QueryLanguage",
    "Resource",
    "InputPath",
    "OutputPath",
    "Parameters",
    "Arguments",
    "ResultSelector",
    "ResultPath",
    "Result",
    "Output",
    "Assign",
    "Retry",
    "Catch",
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Choices",
    "Default",
    "Condition",
    "Variable",
    "And",
    "Or",
    "Not",
    "StringEquals",
    "NumericLessThanPath",
    "IsPresent",
    "StringMatches",
    "Seconds",
    "SecondsPath",
    "Timestamp",
    "TimestampPath",
    "TimeoutSeconds",
    "HeartbeatSeconds",
    "Error",
    "ErrorPath",
    "Cause",
    "Branches",
    "ItemProcessor",
    "Iterator",
    "Items",
    "ItemsPath",
    "ItemSelector",
    "MaxConcurrency",
    "StartAt",
    "States",
    "ProcessorConfig",
    "a.$",
];
const TEXTS: [&str; 30] = [
    "Task",
    "Pass",
    "Choice",
    "Wait",
    "Succeed",
    "Fail",
    "Parallel",
    "Map",
    "JSONata",
    "JSONPath",
    "A",
    "B",
    "States.ALL",
    "E",
    FUNCTION,
    "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "$",
    "$.a",
    "$$.Execution",
    "$v",
    "$.a[?(@.b == 1)]",
    "States.UUID()",
    "States.Format('{}', $.a)",
    "{% $states.input %}",
    "{% $v + 1 %}",
    "{% a %}",
    "{% (",
    "2016-03-14T01:59:00Z",
    "",
    "a*\\",
];

fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        6 => select(&TEXTS[..]).prop_map(Value::from),
        2 => (-2i64..5).prop_map(Value::from),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
    .boxed()
}

fn value() -> BoxedStrategy<Value> {
    scalar()
        .prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                4 => proptest::collection::vec((select(&FIELDS[..]), inner), 0..6).prop_map(|members| {
                    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
                }),
            ]
        })
        .boxed()
}

/// A machine whose states are those of the guide, each with fields taken out, put in and changed.
fn definition() -> BoxedStrategy<Value> {
    let state = select(vec![
        json!({"Type": "Task", "Resource": FUNCTION, "Retry": [{"ErrorEquals": ["States.ALL"]}], "Catch": [{"ErrorEquals": ["E"], "Next": "B"}], "Next": "B"}),
        json!({"Type": "Pass", "Parameters": {"a.$": "$.a"}, "Assign": {"v": 1}, "Next": "B"}),
        json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $v %}", "Next": "B"}),
        json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": true, "Next": "B"}], "Default": "B"}),
        json!({"Type": "Wait", "SecondsPath": "$.a", "Next": "B"}),
        json!({"Type": "Map", "ItemsPath": "$.l", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}, "Next": "B"}),
        json!({"Type": "Parallel", "Branches": [{"StartAt": "J", "States": {"J": {"Type": "Wait", "Seconds": 1, "End": true}}}], "Next": "B"}),
    ]);
    let changes = proptest::collection::vec(
        (select(&FIELDS[..]), proptest::option::weighted(0.8, value())),
        0..4,
    );
    (state, changes, value())
        .prop_map(|(mut state, changes, other)| {
            if let Value::Object(members) = &mut state {
                for (name, value) in changes {
                    match value {
                        Some(value) => members.insert(name.to_owned(), value),
                        None => members.remove(name),
                    };
                }
            }
            let last = if other.is_object() {
                other
            } else {
                json!({"Type": "Succeed"})
            };
            json!({"StartAt": "A", "States": {"A": state, "B": last}})
        })
        .boxed()
}

fn words(of: &'static [&'static str]) -> BoxedStrategy<String> {
    proptest::collection::vec(select(of), 0..14)
        .prop_map(|words| words.concat())
        .boxed()
}

const QUERY: &[&str] = &[
    "$",
    "$$",
    "$x",
    "$states",
    ".input",
    ".a",
    "a",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'k'",
    ":",
    ":=",
    ";",
    ",",
    " ",
    "1",
    "-1",
    "1e300",
    "0",
    "+",
    "*",
    "/",
    "%",
    "&",
    "=",
    "!=",
    "<",
    " in ",
    " and ",
    "?",
    "~>",
    "|",
    "^",
    "..",
    "function($y)",
    "$sum",
    "$map",
    "$string",
    "$match",
    "/a+/",
    "\"b\"",
    "null",
    "true",
    "$pad('x', 9999999)",
    "[1..9999999]",
    "**",
    "%",
    "@$z",
    "#$i",
    "`q`",
];
const PATH: &[&str] = &[
    "$", "$$", "$v", ".", "..", "a", "b", "*", "[", "]", "0", "-1", ":", ",", "'c'", "?(", "@", "(", ")",
    "==", "<", "&&", "||", "!", "1", "\\", "length()", " ", "in", "\"d\"",
];
const CALL: &[&str] = &[
    "States.",
    "Format",
    "Array",
    "ArrayRange",
    "MathAdd",
    "UUID",
    "(",
    ")",
    ",",
    "'{}'",
    "'",
    "\\",
    "{",
    "}",
    "$.a",
    "$$.b",
    "1",
    "-1.5",
    "true",
    "null",
    " ",
    "99999999999999999999",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_definition_is_read_the_same_way_twice(definition in prop_oneof![definition(), value()], input in value()) {
        let text = definition.to_string();
        let (machine, diagnostics) = Machine::parse(&text);
        prop_assert_eq!(&(machine.clone(), diagnostics.clone()), &Machine::parse(&text));
        prop_assert_eq!(machine.is_some(), diagnostics.iter().all(|one| one.severity() == Severity::Warning));
        // Wherever a fault is, there is something, or something was expected.
        for location in diagnostics.iter().filter_map(|one| one.location.as_deref()) {
            let above = location.rsplit_once('/').map_or("", |(above, _)| above);
            prop_assert!(definition.pointer(location).or(definition.pointer(above)).is_some(), "{}", location);
        }
        let Some(machine) = machine else { return Ok(()) };
        machine.variable_references();
        let mut execution = Execution::new(&machine, about(input), START, None, Some(200));
        let mut now = START;
        let mut events = 0;
        while let Some(due) = execution.due() {
            now = now.max(due);
            events += execution.step(&machine, Input::Proceed, now, &Dice::new(events as u128)).history.len();
            prop_assert!(events <= 200);
        }
    }

    #[test]
    fn an_expression_comes_to_an_end(text in words(QUERY), input in value()) {
        let Ok(query) = Jsonata::parse(&text) else { return Ok(()) };
        let variables: Map<String, Value> = Map::from_iter([("x".to_owned(), json!([1, {"a": "b"}]))]);
        let states = json!({"input": input});
        let evaluate = || query.evaluate(&states, &Variables(vec![&variables]), &Dice::new(1), START, "Output");
        prop_assert_eq!(evaluate(), evaluate());
    }

    #[test]
    fn a_path_finds_what_it_finds(text in words(PATH), input in value()) {
        let variables: Map<String, Value> = Map::from_iter([("v".to_owned(), input.clone())]);
        let view = View { input: &input, context: &input, variables: Variables(vec![&variables]) };
        for text in [text.clone(), format!("${text}"), format!("$.a[?(@{text})]")] {
            let Ok(path) = Path::parse(&text) else { continue };
            prop_assert_eq!(path.text(), text.as_str());
            prop_assert_eq!(path.find(&view), path.find(&view));
        }
    }

    #[test]
    fn a_call_gives_a_value_or_a_failure(text in words(CALL), input in value()) {
        let view = View { input: &input, context: &input, variables: Variables::default() };
        for text in [text.clone(), format!("States.Format({text})"), format!("States.Array('{text}')")] {
            let Ok(call) = Intrinsic::parse(&text) else { continue };
            prop_assert_eq!(call.call(&view, &Dice::new(1), "a.$"), call.call(&view, &Dice::new(1), "a.$"));
        }
    }
}
