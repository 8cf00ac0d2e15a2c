//! "Choice State".

use roadstead_states_language::names;
use serde_json::{Value, json};

use super::around;
use crate::{output, run};

/// The state that a Choice goes to.
fn chosen(state: &Value, input: Value) -> String {
    let ran = run(&around("X", state), input, &mut |_, _| None);
    ran.history
        .iter()
        .filter_map(|event| match &event.what {
            roadstead_states_language::History::StateEntered { name, .. } => Some(name.clone()),
            _ => None,
        })
        .next_back()
        .unwrap()
}

/// Whether a rule without `Next` applies.
fn applies(rule: &Value, input: Value) -> bool {
    let mut rule = rule.clone();
    rule["Next"] = json!("Yes");
    chosen(
        &json!({"Type": "Choice", "Choices": [rule], "Default": "No"}),
        input,
    ) == "Yes"
}

#[test]
fn the_examples_go_where_they_say() {
    let paths = json!({"Type": "Choice", "Choices": [
        {"Not": {"Variable": "$.type", "StringEquals": "Private"}, "Next": "Public"},
        {"And": [{"Variable": "$.value", "IsPresent": true}, {"Variable": "$.value", "IsNumeric": true},
            {"Variable": "$.value", "NumericGreaterThanEquals": 20}, {"Variable": "$.value", "NumericLessThan": 30}],
            "Assign": {"range": "twenties"}, "Next": "ValueInTwenties"},
        {"Variable": "$.rating", "NumericGreaterThanPath": "$.auditThreshold", "Next": "StartAudit"}],
        "Default": "RecordEvent", "Assign": {"range": "default"}});
    let cases = [
        (json!({"type": "Private", "value": 22}), "ValueInTwenties"),
        (json!({"type": "Other"}), "Public"),
        (
            json!({"type": "Private", "rating": 5, "auditThreshold": 4}),
            "StartAudit",
        ),
        (
            json!({"type": "Private", "value": 31, "rating": 3, "auditThreshold": 4}),
            "RecordEvent",
        ),
        (
            json!({"type": "Private", "value": "22", "rating": 3, "auditThreshold": 4}),
            "RecordEvent",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(chosen(&paths, input.clone()), expected, "{input}");
    }
    let dispatch = json!({"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [
        {"Condition": "{% $states.input.type != 'Private' %}", "Next": "Public"},
        {"Condition": "{% $exists($value) and $type($value)='number' and $value>=20 and $value<30 %}", "Assign": {"range": "twenties"}, "Next": "ValueInTwenties"},
        {"Condition": "{% $states.input.rating >= $states.input.auditThreshold %}", "Output": {"excess": "{% $states.input.rating - $states.input.auditThreshold %}"}, "Next": "StartAudit"}],
        "Default": "RecordEvent", "Assign": {"range": "default"}});
    // Unless it is assigned, `$range` is the function of that name.
    let show = json!({"Type": "Pass", "QueryLanguage": "JSONata", "End": true,
        "Output": {"in": "{% $states.input %}", "range": "{% $type($range) = 'string' ? $range : 'none' %}", "at": "{% $states.context.State.Name %}"}});
    let private = json!({"type": "Private", "rating": 1, "auditThreshold": 4});
    let audited = json!({"type": "Private", "rating": 9, "auditThreshold": 4});
    let cases = [
        (
            json!(null),
            json!({"type": "Other"}),
            json!({"in": {"type": "Other"}, "range": "none", "at": "Public"}),
        ),
        (
            json!(23),
            private.clone(),
            json!({"in": private, "range": "twenties", "at": "ValueInTwenties"}),
        ),
        (
            json!(31),
            audited,
            json!({"in": {"excess": 5}, "range": "none", "at": "StartAudit"}),
        ),
        (
            json!("23"),
            private.clone(),
            json!({"in": private, "range": "default", "at": "RecordEvent"}),
        ),
    ];
    for (value, input, expected) in cases {
        let definition = json!({"StartAt": "Before", "States": {"Before": {"Type": "Pass", "Assign": {"value": value}, "Next": "DispatchEvent"},
            "DispatchEvent": dispatch, "Public": show, "ValueInTwenties": show, "StartAudit": show, "RecordEvent": show}});
        assert_eq!(output(&definition, input), Ok(expected), "{value}");
    }
}

#[test]
fn every_operator_compares_its_type_alone() {
    let less = json!({"String": "a", "Numeric": 1, "Timestamp": "2016-03-14T01:59:00Z"});
    let more = json!({"String": "b", "Numeric": 1.5, "Timestamp": "2016-03-14T03:59:00+01:00"});
    let orders = [
        ("Equals", [false, true, false]),
        ("LessThan", [true, false, false]),
        ("GreaterThan", [false, false, true]),
        ("LessThanEquals", [true, true, false]),
        ("GreaterThanEquals", [false, true, true]),
    ];
    for kind in ["String", "Numeric", "Timestamp"] {
        let (less, more) = (&less[kind], &more[kind]);
        for (order, holds) in orders {
            for ((left, right), expected) in [(less, more), (more, more), (more, less)].into_iter().zip(holds)
            {
                let literal = json!({"Variable": "$.v", (format!("{kind}{order}")): right});
                let by_path = json!({"Variable": "$.v", (format!("{kind}{order}Path")): "$.w"});
                let input = json!({"v": left, "w": right});
                assert_eq!(applies(&literal, input.clone()), expected, "{literal} {input}");
                assert_eq!(applies(&by_path, input.clone()), expected, "{by_path} {input}");
            }
            // Of another type than the operator is for: false, whichever side it is on.
            for other in [json!(true), json!(null), json!([1]), json!({})] {
                let by_path = json!({"Variable": "$.v", (format!("{kind}{order}Path")): "$.w"});
                assert!(
                    !applies(&by_path, json!({"v": other, "w": less})),
                    "{by_path} {other}"
                );
                assert!(
                    !applies(&by_path, json!({"v": less, "w": other})),
                    "{by_path} {other}"
                );
            }
        }
    }
    for (left, right) in [(true, true), (true, false), (false, false)] {
        let rule = json!({"Variable": "$.v", "BooleanEquals": right});
        assert_eq!(applies(&rule, json!({"v": left})), left == right);
        let rule = json!({"Variable": "$.v", "BooleanEqualsPath": "$.w"});
        assert_eq!(applies(&rule, json!({"v": left, "w": right})), left == right);
    }
    assert!(!applies(
        &json!({"Variable": "$.v", "BooleanEquals": true}),
        json!({"v": "true"})
    ));
    // What is a time can be compared as a text.
    assert!(applies(
        &json!({"Variable": "$.v", "StringEquals": "2016-03-14T01:59:00Z"}),
        json!({"v": "2016-03-14T01:59:00Z"})
    ));
}

#[test]
fn tests_of_a_type_tell_it_from_the_others() {
    let values = [
        ("IsNull", json!(null)),
        ("IsNumeric", json!(-1.5)),
        ("IsBoolean", json!(false)),
        ("IsString", json!("2016")),
        ("none", json!([])),
        ("none", json!({})),
    ];
    for operator in ["IsNull", "IsNumeric", "IsBoolean", "IsString"] {
        for (of, value) in &values {
            for expected in [true, false] {
                let rule = json!({"Variable": "$.v", (operator): expected});
                assert_eq!(
                    applies(&rule, json!({"v": value})),
                    (*of == operator) == expected,
                    "{rule} {value}"
                );
            }
        }
    }
    for (text, is) in [
        ("2016-03-14T01:59:00Z", true),
        ("2016-03-14T01:59:00.123+01:00", true),
        ("2016-03-14t01:59:00Z", false),
        ("2016-03-14T01:59:00z", false),
        ("2016-03-14T01:59:00", false),
        ("2016-03-14 01:59:00Z", false),
        ("2016-13-14T01:59:00Z", false),
        ("2016-03-14", false),
    ] {
        assert_eq!(
            applies(
                &json!({"Variable": "$.v", "IsTimestamp": true}),
                json!({"v": text})
            ),
            is,
            "{text}"
        );
    }
    let present = |expected: bool| json!({"Variable": "$.v", "IsPresent": expected});
    for (input, is) in [(json!({"v": null}), true), (json!({}), false), (json!(5), false)] {
        assert_eq!(applies(&present(true), input.clone()), is, "{input}");
        assert_eq!(applies(&present(false), input.clone()), !is, "{input}");
    }
}

#[test]
fn a_star_matches_any_characters() {
    for (pattern, text, expected) in [
        ("foo*.log", "foo23.log", true),
        ("*.log", "zebra.log", true),
        ("foo*.*", "foobar.zebra", true),
        ("foo*.log", "foo23.logs", false),
        ("*", "", true),
        ("a?c", "abc", false),
        ("a.c", "abc", false),
        (r"a\*c", "a*c", true),
        (r"a\*c", "abc", false),
        (r"a\\c", r"a\c", true),
        ("foo", "FOO", false),
    ] {
        let rule = json!({"Variable": "$.v", "StringMatches": pattern});
        assert_eq!(applies(&rule, json!({"v": text})), expected, "{pattern} {text}");
    }
    // An open backslash is an error of the run.
    for pattern in [r"a\b", "a\\"] {
        let state = json!({"Type": "Choice", "Choices": [{"Variable": "$.v", "StringMatches": pattern, "Next": "Y"}], "Default": "N"});
        assert_eq!(
            output(&around("X", &state), json!({"v": "ab"}))
                .unwrap_err()
                .error,
            names::RUNTIME,
            "{pattern}"
        );
    }
}

#[test]
fn rules_are_combined_and_end_once_decided() {
    let yes = json!({"Variable": "$.v", "NumericEquals": 1});
    let no = json!({"Variable": "$.v", "NumericEquals": 2});
    // Failing, were it looked at.
    let fails = json!({"Variable": "$.none", "NumericEquals": 2});
    for (rule, expected) in [
        (json!({"And": [yes, yes]}), true),
        (json!({"And": [yes, no]}), false),
        (json!({"And": [no, fails]}), false),
        (json!({"Or": [no, yes]}), true),
        (json!({"Or": [no, no]}), false),
        (json!({"Or": [yes, fails]}), true),
        (json!({"Not": no}), true),
        (json!({"Not": {"And": [yes, {"Not": no}]}}), false),
    ] {
        assert_eq!(applies(&rule, json!({"v": 1})), expected, "{rule}");
    }
    let state = json!({"Type": "Choice", "Choices": [{"Variable": "$.v", "NumericEquals": 1, "Next": "Y"}]});
    assert_eq!(
        output(&around("X", &state), json!({"v": 2})).unwrap_err().error,
        names::NO_CHOICE
    );
    assert_eq!(
        output(&around("X", &state), json!({})).unwrap_err().error,
        names::RUNTIME
    );
}
