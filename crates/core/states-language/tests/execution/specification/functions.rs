//! "Appendix B: List of JSONPath Intrinsic Functions", and the rules of "Intrinsic Functions".

use roadstead_states_language::{Failure, Intrinsic, names};
use serde_json::{Value, json};

use super::{around, faults};
use crate::output;

fn call(text: &str, input: &Value) -> Result<Value, Failure> {
    let state = json!({"Type": "Pass", "Parameters": {"out.$": text}, "End": true});
    output(&around("X", &state), input.clone()).map(|mut output| output["out"].take())
}

#[test]
fn each_function_gives_what_its_example_says() {
    let nine = json!({"inputArray": [1, 2, 3, 4, 5, 6, 7, 8, 9], "lookingFor": 5, "index": 5});
    let stripe = |name: &str, value: Value| json!({(name): value, "zebra": "stripe"});
    let cases = [
        (
            "States.Format('Your name is {}, we are in the year {}', $.name, 2020)",
            stripe("name", json!("Foo")),
            json!("Your name is Foo, we are in the year 2020"),
        ),
        (
            r"States.Format('Welcome to {} {}\'s playlist.', $.firstName, $.lastName)",
            json!({"firstName": "Ada", "lastName": "L"}),
            json!("Welcome to Ada L's playlist."),
        ),
        (
            "States.StringToJson($.someString)",
            stripe("someString", json!("{\"number\": 20}")),
            json!({"number": 20}),
        ),
        (
            "States.JsonToString($.someJson)",
            stripe("someJson", json!({"name": "Foo", "year": 2020})),
            json!("{\"name\":\"Foo\",\"year\":2020}"),
        ),
        (
            "States.Array('Foo', 2020, $.someJson, null)",
            stripe("someJson", json!({"random": "abcdefg"})),
            json!(["Foo", 2020, {"random": "abcdefg"}, null]),
        ),
        (
            "States.ArrayPartition($.inputArray,4)",
            nine.clone(),
            json!([[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ),
        (
            "States.ArrayContains($.inputArray, $.lookingFor)",
            nine.clone(),
            json!(true),
        ),
        ("States.ArrayRange(1, 9, 2)", json!({}), json!([1, 3, 5, 7, 9])),
        (
            "States.ArrayGetItem($.inputArray, $.index)",
            nine.clone(),
            json!(6),
        ),
        ("States.ArrayLength($.inputArray)", nine, json!(9)),
        (
            "States.ArrayUnique($.inputArray)",
            json!({"inputArray": [1, 2, 3, 3, 3, 3, 3, 3, 4]}),
            json!([1, 2, 3, 4]),
        ),
        (
            "States.Base64Encode($.input)",
            json!({"input": "Data to encode"}),
            json!("RGF0YSB0byBlbmNvZGU="),
        ),
        // The specification prints "Decoded data", which is not what was encoded.
        (
            "States.Base64Decode($.base64)",
            json!({"base64": "RGF0YSB0byBlbmNvZGU="}),
            json!("Data to encode"),
        ),
        // It prints the digest with a digit too few; the developer guide has them all.
        (
            "States.Hash($.Data, $.Algorithm)",
            json!({"Data": "input data", "Algorithm": "SHA-1"}),
            json!("aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ),
        (
            "States.JsonMerge($.json1, $.json2, false)",
            json!({"json1": {"a": {"a1": 1, "a2": 2}, "b": 2}, "json2": {"a": {"a3": 1, "a4": 2}, "c": 3}}),
            json!({"a": {"a3": 1, "a4": 2}, "b": 2, "c": 3}),
        ),
        (
            "States.MathAdd($.value1, $.step)",
            json!({"value1": 111, "step": -1}),
            json!(110),
        ),
        (
            "States.StringSplit($.inputString, $.splitter)",
            json!({"inputString": "1,2,3,4,5", "splitter": ","}),
            json!(["1", "2", "3", "4", "5"]),
        ),
    ];
    for (text, input, expected) in cases {
        assert_eq!(call(text, &input), Ok(expected), "{text}");
    }
    let random = call(
        "States.MathRandom($.start, $.end)",
        &json!({"start": 1, "end": 999}),
    )
    .unwrap();
    assert!((1..999).contains(&random.as_i64().unwrap()), "{random}");
    let seeded = |seed: u8| call(&format!("States.MathRandom(1, 1000000, {seed})"), &json!({}));
    assert_eq!(seeded(7), seeded(7), "the same seed gives the same");
    assert_ne!(seeded(7), seeded(8));
    let id = call("States.UUID()", &json!({})).unwrap();
    let id = id.as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
}

#[test]
fn reserved_characters_are_escaped_in_every_function() {
    let cases = [
        (
            r"States.Array('\'', '\{', '\}', '\\', '\\\'')",
            json!(["'", "{", "}", "\\", "\\'"]),
        ),
        (r"States.Format('\'\{\}\\{}', 1)", json!("'{}\\1")),
        (r"States.Format('{}', '\{\}')", json!("{}")),
        (r"States.StringSplit('a\{b', '\{')", json!(["a", "b"])),
    ];
    for (text, expected) in cases {
        assert_eq!(call(text, &json!({})), Ok(expected), "{text}");
    }
    // An open backslash is an error of the run.
    for text in [r"States.Array('a\b')", r"States.Format('\n')"] {
        assert!(Intrinsic::parse(text).is_ok(), "{text}");
        assert_eq!(
            call(text, &json!({})).unwrap_err().error,
            names::INTRINSIC,
            "{text}"
        );
    }
}

#[test]
fn values_that_a_function_must_not_take_fail_the_state() {
    let input = json!({"object": {"a": 1}, "array": [1], "text": "x", "long": "x".repeat(10_001)});
    for text in [
        "States.Format('{}', $.object)",
        "States.Format('{}', $.array)",
        "States.Format($.object)",
        "States.Format('{} {}', 1)",
        "States.StringToJson($.object)",
        "States.ArrayPartition($.text, 1)",
        "States.ArrayPartition($.array, 0)",
        "States.ArrayPartition($.array, -1)",
        "States.ArrayContains($.text, 'x')",
        "States.ArrayRange(1, 9, 0)",
        "States.ArrayRange(1, 1001, 1)",
        "States.ArrayLength($.text)",
        "States.ArrayUnique($.text)",
        "States.Base64Encode($.long)",
        "States.Base64Decode($.long)",
        "States.Hash($.long, 'MD5')",
        "States.Hash('x', 'SHA-3')",
        "States.MathRandom('a', 1)",
        "States.MathAdd($.text, 1)",
        "States.StringSplit($.array, ',')",
        // The service merges shallowly only, as the developer guide says; the specification knows a deep merge.
        "States.JsonMerge($.object, $.object, true)",
    ] {
        assert_eq!(call(text, &input).unwrap_err().error, names::INTRINSIC, "{text}");
    }
    assert_eq!(
        call("States.ArrayRange(1, 1000, 1)", &input)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        1000
    );
}

#[test]
fn what_is_no_call_makes_no_definition() {
    for text in [
        "States.Format ('a')",
        "States.Nothing()",
        "Mine.Format('a')",
        "States.Format('a'",
        "States.Format(\"a\")",
        "States.Array(1 2)",
        "Format('a')",
        "",
    ] {
        let state = json!({"Type": "Pass", "Parameters": {"a.$": text}, "End": true});
        let found = faults(&around("X", &state));
        assert!(
            found[0].starts_with("SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call")
                && found[0].ends_with("at /States/X/Parameters/a.$"),
            "{text}: {found:?}"
        );
    }
}
