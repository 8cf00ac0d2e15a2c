//! What patterns match, what they take from lines, and what is refused where.

use proptest::prelude::*;
use roadstead_log_patterns::Pattern;

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

#[test]
fn terms_are_found_as_documented() {
    for (text, line, matches) in [
        ("", "anything", true),
        ("  ", "", true),
        ("ERROR", "[ERROR 400] BAD REQUEST", true),
        ("ERROR", "error", false),
        ("ERROR", "MYERRORS", true),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING", false),
        (
            "\"INTERNAL SERVER ERROR\"",
            "[ERROR 500] INTERNAL SERVER ERROR",
            true,
        ),
        ("\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR SERVER", false),
        ("\"a \\\"quoted\\\" b\"", "x a \"quoted\" b", true),
        ("?ERROR ?ARGUMENTS", "MISSING ARGUMENTS", true),
        ("?ERROR ?ARGUMENTS", "fine", false),
        ("?ERROR ?ARGUMENTS REQUEST", "BAD REQUEST", true),
        ("?ERROR ?ARGUMENTS REQUEST", "ERROR", false),
        ("ERROR -ARGUMENTS", "ERROR 400", true),
        ("ERROR -ARGUMENTS", "ERROR ARGUMENTS", false),
        ("-ARGUMENTS", "fine", true),
        ("-\"bad request\"", "a bad request", false),
        ("%ERR[A-Z]+%", "an ERROR", true),
        ("%^ERR%", "an ERROR", false),
        ("%50\\%% done", "50% done", true),
    ] {
        assert_eq!(pattern(text).matches(line), matches, "{text:?} on {line:?}");
    }
}

#[test]
fn conditions_on_json_are_met_as_documented() {
    let line = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "ThisFlag": true,
        "off": false, "latency": 12.5, "code": "404", "a b": 1, "nested": {"deep-key": {"x": "y"}}}"#;
    for (text, matches) in [
        (r#"{ $.eventType = "UpdateTrail" }"#, true),
        (r#"{ $.eventType = UpdateTrail }"#, true),
        (r#"{$.eventType="Other"}"#, false),
        (r#"{ $.eventType != "Other" }"#, true),
        (r#"{ $.missing != "Other" }"#, false),
        (r#"{ $.sourceIPAddress = 111.111.* }"#, true),
        (r#"{ $.sourceIPAddress != 123.123.* }"#, true),
        (r#"{ $.eventType = %^Update% }"#, true),
        (r#"{ $.eventType != %^Delete% }"#, true),
        (r#"{ $.arrayKey[0] = "value" }"#, true),
        (r#"{ $.arrayKey[1] = "value" }"#, false),
        (r#"{ $.objectList[1].id = 2 }"#, true),
        (r#"{ $.SomeObject IS NULL }"#, true),
        (r#"{ $.latency IS NULL }"#, false),
        (r#"{ $.SomeOtherObject NOT EXISTS }"#, true),
        (r#"{ $.SomeObject NOT EXISTS }"#, false),
        (r#"{ $.ThisFlag IS TRUE }"#, true),
        (r#"{ $.off is false }"#, true),
        (r#"{ $.latency > 10 }"#, true),
        (r#"{ $.latency >= 12.5 && $.latency <= 1.25e1 }"#, true),
        (r#"{ $.latency < 12 }"#, false),
        (r#"{ $.code = 404 }"#, true),
        (r#"{ $.code = 4* }"#, true),
        (r#"{ $['a b'] = 1 }"#, true),
        (r#"{ $.nested.deep-key.x = y }"#, true),
        (
            r#"{ ($.latency > 100) || ($.eventType = Update* && $.ThisFlag IS TRUE) }"#,
            true,
        ),
        (
            r#"{ $.latency > 100 || $.eventType = Update* && $.ThisFlag IS FALSE }"#,
            false,
        ),
        (r#"{ $.nested = "y" }"#, false),
    ] {
        assert_eq!(pattern(text).matches(line), matches, "{text}");
    }
    assert!(!pattern("{ $.a = 1 }").matches("not json"));
    assert!(!pattern("{ $.a NOT EXISTS }").matches("[1]"));
}

#[test]
fn columns_are_told_apart_and_compared() {
    let line = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    for (text, matches) in [
        (
            "[ip, user, username, timestamp, request, status_code, bytes]",
            true,
        ),
        ("[ip, user, username, timestamp, request, status_code]", false),
        (
            "[ip, user, username, timestamp, request, status_code=4*, bytes]",
            true,
        ),
        (
            "[ip, user, username, timestamp, request, status_code!=4*, bytes]",
            false,
        ),
        (
            "[ip, user, username, timestamp, request=*.html*, status_code=4*, bytes>1000]",
            true,
        ),
        (
            "[ip, user, username, timestamp, request=*.html*, status_code=4*, bytes>2000]",
            false,
        ),
        ("[..., status_code=404, bytes]", true),
        ("[ip, ...]", true),
        ("[ip=%127\\.%, ..., bytes]", true),
        ("[ip, ..., size=1534 && size!=7]", true),
        ("[ip, ..., status=5* || status=4*, bytes]", true),
        ("[ip, ..., (status=5* || status=4*) && status!=404, bytes]", false),
        ("[,,,,,,]", true),
        ("[a, b]", false),
    ] {
        assert_eq!(pattern(text).matches(line), matches, "{text}");
    }
}

#[test]
fn fields_are_taken_from_what_matched() {
    let columns = pattern("[ip, ..., status=4*, bytes]");
    let found = columns.find("1.2.3.4 - - 404 1534").expect("a match");
    assert_eq!(found.field("$bytes").as_deref(), Some("1534"));
    assert_eq!(found.field("$other"), None);
    assert_eq!(found.fields().len(), 3);
    let json = pattern("{ $.latency = * }");
    let found = json
        .find(r#"{"latency": 12.5, "who": {"name": "a"}, "none": null}"#)
        .expect("a match");
    assert_eq!(found.field("$.latency").as_deref(), Some("12.5"));
    assert_eq!(found.field("$.who.name").as_deref(), Some("a"));
    assert_eq!(found.field("$.none"), None);
    assert_eq!(found.field("latency"), None);
    for (name, is) in [
        ("$.a", true),
        ("$a", true),
        ("$.a[0].b", true),
        ("a", false),
        ("$", false),
        ("$a b", false),
    ] {
        assert_eq!(roadstead_log_patterns::is_field(name), is, "{name}");
    }
}

#[test]
fn faults_say_where_they_are() {
    for (text, position) in [
        ("ERROR:", 5),
        ("a.b", 1),
        ("-", 1),
        ("ok ?", 4),
        ("\"open", 0),
        ("%open", 0),
        ("%[%", 0),
        ("%a% %b% %c%", 8),
        ("{", 1),
        ("{ }", 2),
        ("{ $. = 1 }", 4),
        ("{ $ = 1 }", 3),
        ("{ status = 1 }", 2),
        ("{ $.a }", 6),
        ("{ $.a = }", 8),
        ("{ $.a > x }", 8),
        ("{ $.a IS MAYBE }", 9),
        ("{ $.a NOT THERE }", 10),
        ("{ $.a = 1 && }", 13),
        ("{ ($.a = 1 }", 11),
        ("{ $.a = 1 } x", 12),
        ("{ $.a = 1", 9),
        ("{ $.a[x] = 1 }", 6),
        ("[a, b", 5),
        ("[a b]", 3),
        ("[a, ..., ...]", 9),
        ("[a=1 || b=2]", 8),
        ("[a, b] x", 7),
    ] {
        let fault = text.parse::<Pattern>().expect_err(text);
        assert_eq!(fault.position, position, "{text}: {fault}");
    }
    assert_eq!(
        "x".repeat(1025).parse::<Pattern>().expect_err("long").position,
        1024
    );
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(100), ")".repeat(100));
    assert!(deep.parse::<Pattern>().is_err());
}

#[test]
fn regular_expressions_are_counted_in_each_kind_of_pattern() {
    for (text, regexes) in [
        ("", 0),
        ("a -b", 0),
        ("%a% -%b%", 2),
        ("?%a% ?b", 1),
        ("{ $.a = %x% && $.b = 1 }", 1),
        ("[a = %x%, b = 2 || b = %y%]", 2),
    ] {
        assert_eq!(pattern(text).regexes(), regexes, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_understood_or_refused_within_it(
        text in "[\\[\\]{}()$.,a1=<>!&|*%\"'\\\\ ?ü-]{0,24}", line in "[ -~]{0,40}",
    ) {
        match text.parse::<Pattern>() {
            Ok(pattern) => {
                let _ = pattern.find(&line).map(|found| found.fields());
            }
            Err(fault) => prop_assert!(fault.position <= text.len()),
        }
    }

    #[test]
    fn words_are_found_where_they_are(words in proptest::collection::vec("[a-z]{1,6}", 1..4), noise in "[0-9 ]{0,20}") {
        let line = format!("{noise}{}{noise}", words.join(" "));
        prop_assert!(pattern(&words.join(" ")).matches(&line));
        let excluded = format!("-{}", words[0]);
        prop_assert!(!pattern(&excluded).matches(&line));
    }
}
