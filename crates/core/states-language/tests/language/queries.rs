//! JSONata as the service speaks it.

use roadstead_states_language::{Code, Dice, Jsonata, Variables, names};
use serde_json::{Map, Value, json};

const NOW: i64 = 1_700_000_000_000;

fn evaluate(text: &str) -> Result<Value, String> {
    let states = json!({"input": {"a": 1, "list": [3, 1, 2], "text": "x,y"}, "context": {"Execution": {"Id": "arn:x"}}});
    let variables: Map<String, Value> = serde_json::from_value(json!({"v": {"w": [1, 2]}})).unwrap();
    let query = Jsonata::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
    query
        .evaluate(
            &states,
            &Variables(vec![&variables]),
            &Dice::new(3),
            NOW,
            "Output/x",
        )
        .map_err(|failure| {
            assert_eq!(
                (failure.error.as_str(), failure.location.as_deref()),
                (names::QUERY, Some("Output/x"))
            );
            failure.cause
        })
}

#[test]
fn an_expression_reads_states_and_variables() {
    let cases = [
        ("$states.input.a + 1", json!(2)),
        ("$states.input.list[$ > 1]", json!([3, 2])),
        ("$sort($states.input.list)", json!([1, 2, 3])),
        ("$states.context.Execution.Id", json!("arn:x")),
        ("$v.w[1]", json!(2)),
        ("($x := 5; $x * $states.input.a)", json!(5)),
        (
            "$map($states.input.list, function($n) { $n * 2 })",
            json!([6, 2, 4]),
        ),
        (
            "{'k': $states.input.a, 'l': [$v.w]}",
            json!({"k": 1, "l": [1, 2]}),
        ),
        ("$partition([1,2,3,4,5], 2)", json!([[1, 2], [3, 4], [5]])),
        ("$range(0, 10, 5)", json!([0, 5, 10])),
        (
            "$hash('input data', 'SHA-1')",
            json!("aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ),
        ("$parse('{\"a\": [1]}').a", json!([1])),
        ("$millis()", json!(NOW)),
        ("$random(7) = $random(7)", json!(true)),
        ("$random() < 1 and $random() >= 0", json!(true)),
        ("$length($uuid())", json!(36)),
        ("$split($states.input.text, ',')", json!(["x", "y"])),
        ("null", Value::Null),
    ];
    for (text, expected) in cases {
        assert_eq!(evaluate(text), Ok(expected), "{text}");
    }
    assert_eq!(
        evaluate("$uuid() & $random()"),
        evaluate("$uuid() & $random()"),
        "the seed decides"
    );
}

#[test]
fn what_fails_says_the_expression_and_the_field() {
    let head = |text: &str| format!("The JSONata expression '{text}' specified for the field 'Output/x' ");
    let nothing = "$states.input.missing";
    assert_eq!(
        evaluate(nothing),
        Err(format!("{}returned nothing (undefined).", head(nothing)))
    );
    for (text, code) in [
        ("1 + 'a'", "T2002"),
        ("$sum('a')", "T0412"),
        ("$nope()", "T1006"),
        ("$eval('1')", "T1006"),
        ("$error('mine')", "mine"),
    ] {
        let cause = evaluate(text).expect_err(text);
        assert!(cause.starts_with(&head(text)) && cause.contains(code), "{cause}");
    }
}

#[test]
fn no_evaluation_runs_without_end() {
    let endless = [
        "($f := function() { $f() }; $f())",
        "($f := function($n) { 1 + $f($n) }; $f(1))",
        "($d := function($s) { $d($s & $s) }; $d('x'))",
        "$sum([1..5000000])",
        "$reduce([1..500000], function($a, $b) { $append($a, [1..1000]) })",
    ];
    for text in endless {
        assert!(evaluate(text).is_err(), "{text}");
    }
}

#[test]
fn what_refers_to_no_context_item_is_refused() {
    let unsupported = [
        ("phone", "phone"),
        ("phone.number", "phone"),
        ("$states.input.a + b", "b"),
        ("$map([1], f)", "f"),
        ("$", "$"),
        ("$$", "$$"),
        ("$$.a", "$$"),
        ("*", "*"),
        ("**.a", "**"),
        ("[a]", "a"),
    ];
    for (text, name) in unsupported {
        let fault = Jsonata::parse(text).expect_err(text);
        let message = format!("Reference to '{name}' at the top level is not supported.");
        assert_eq!(
            (fault.code, fault.message),
            (Code::UnsupportedJsonataExpression, message),
            "{text}"
        );
    }
    let invalid = [
        ("1 +", "Unexpected end of expression"),
        (
            "\"unterminated",
            "String literal must be terminated by a matching quote",
        ),
        ("$match(\"a\", /abc", "No terminating / in regular expression"),
        ("$v ?? 1", "The operator '??' is not supported"),
    ];
    for (text, message) in invalid {
        let fault = Jsonata::parse(text).expect_err(text);
        assert_eq!(
            (fault.code, fault.message.as_str()),
            (Code::InvalidJsonataExpression, message),
            "{text}"
        );
    }
    for text in [
        "$states.input.list[a = 1].b",
        "$filter([1], function($x) { $x > 0 })",
        "[1,2][$ > 1]",
        "$states.input ~> |$|{'b': a}|",
    ] {
        assert!(Jsonata::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn an_expression_stands_between_its_marks() {
    assert_eq!(Jsonata::within("{% 1 %}"), Some("1"));
    assert_eq!(Jsonata::within("{%%}"), Some(""));
    for text in ["{% 1", " {% 1 %}", "{% 1 %} ", "1", "{%}"] {
        assert_eq!(Jsonata::within(text), None, "{text}");
    }
}
