//! What patterns match and what is refused where, by tables.

use roadstead_patterns::{Matcher, Pattern};
use serde_json::{Value, json};

fn event() -> Value {
    json!({
        "version": "0",
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "time": "2026-01-31T08:00:00Z",
        "resources": ["arn:aws:ecs:us-east-1:000000000000:task/default/1", "arn:second"],
        "detail": {
            "lastStatus": "RUNNING",
            "cpu": "256",
            "count": 5,
            "limit": 301.8,
            "zero": 0,
            "ip": "10.0.0.33",
            "ip6": "2001:db8::1",
            "empty": "",
            "none": null,
            "yes": true,
            "nothing": [],
            "nested": [["deep"]],
            "inner": { "leaf": 1 },
            "containers": [
                { "name": "web", "exitCode": 0 },
                { "name": "side", "exitCode": 137, "reason": "OutOfMemory" },
            ],
        },
    })
}

#[test]
fn patterns_match_what_is_documented() {
    let event = event();
    for (pattern, matches) in [
        (r#"{"source": ["aws.ecs"]}"#, true),
        (r#"{"source": ["aws.ec2"]}"#, false),
        (r#"{"source": ["aws.ec2", "aws.ecs"]}"#, true),
        (r#"{"source": [{"exactly": "aws.ecs"}]}"#, true),
        (
            r#"{"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}"#,
            true,
        ),
        (r#"{"source": ["aws.ecs"], "detail-type": ["other"]}"#, false),
        (r#"{"resources": ["arn:second"]}"#, true),
        (r#"{"resources": ["arn:third"]}"#, false),
        (r#"{"detail": {"nested": ["deep"]}}"#, true),
        // Strings and numbers are told apart, however a number is written.
        (r#"{"detail": {"cpu": [256]}}"#, false),
        (r#"{"detail": {"cpu": ["256"]}}"#, true),
        (r#"{"detail": {"count": [5.0]}}"#, true),
        (r#"{"detail": {"limit": [3.018e2]}}"#, true),
        (r#"{"detail": {"zero": [-0.0]}}"#, true),
        (r#"{"detail": {"empty": [""]}}"#, true),
        (r#"{"detail": {"none": [null]}}"#, true),
        (r#"{"detail": {"none": [""]}}"#, false),
        (r#"{"detail": {"yes": [true]}}"#, true),
        (r#"{"detail": {"yes": ["true"]}}"#, false),
        (r#"{"time": [{"prefix": "2026-01-31"}]}"#, true),
        (r#"{"time": [{"prefix": "2026-02"}]}"#, false),
        (
            r#"{"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}"#,
            true,
        ),
        (r#"{"source": [{"suffix": ".ecs"}]}"#, true),
        (
            r#"{"source": [{"suffix": {"equals-ignore-case": ".ECS"}}]}"#,
            true,
        ),
        (r#"{"source": [{"suffix": ".ECS"}]}"#, false),
        (r#"{"source": [{"equals-ignore-case": "AWS.ecs"}]}"#, true),
        (r#"{"resources": [{"wildcard": "arn:aws:ecs:*:task/*/1"}]}"#, true),
        (
            r#"{"resources": [{"wildcard": "arn:aws:ecs:*:task/*/2"}]}"#,
            false,
        ),
        (
            r#"{"detail": {"lastStatus": [{"anything-but": "STOPPED"}]}}"#,
            true,
        ),
        (
            r#"{"detail": {"lastStatus": [{"anything-but": ["STOPPED", "RUNNING"]}]}}"#,
            false,
        ),
        (r#"{"detail": {"count": [{"anything-but": [4, 6]}]}}"#, true),
        (r#"{"detail": {"count": [{"anything-but": 5}]}}"#, false),
        (
            r#"{"detail": {"lastStatus": [{"anything-but": {"prefix": "RUN"}}]}}"#,
            false,
        ),
        (
            r#"{"detail": {"lastStatus": [{"anything-but": {"suffix": ["ED", "NG"]}}]}}"#,
            false,
        ),
        (
            r#"{"detail": {"lastStatus": [{"anything-but": {"equals-ignore-case": ["running"]}}]}}"#,
            false,
        ),
        (
            r#"{"detail": {"lastStatus": [{"anything-but": {"wildcard": "*OP*"}}]}}"#,
            true,
        ),
        (r#"{"detail": {"missing": [{"anything-but": "x"}]}}"#, false),
        (r#"{"detail": {"count": [{"numeric": [">", 0, "<=", 5]}]}}"#, true),
        (r#"{"detail": {"count": [{"numeric": [">", 5]}]}}"#, false),
        (r#"{"detail": {"count": [{"numeric": ["<", 5]}]}}"#, false),
        (r#"{"detail": {"count": [{"numeric": [">=", 5]}]}}"#, true),
        (r#"{"detail": {"count": [{"numeric": ["=", 5]}]}}"#, true),
        (r#"{"detail": {"cpu": [{"numeric": [">", 0]}]}}"#, false),
        (r#"{"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}"#, true),
        (r#"{"detail": {"ip": [{"cidr": "10.0.1.0/24"}]}}"#, false),
        (r#"{"detail": {"ip6": [{"cidr": "2001:db8::/32"}]}}"#, true),
        (r#"{"detail": {"lastStatus": [{"cidr": "0.0.0.0/0"}]}}"#, false),
        (r#"{"detail": {"count": [{"exists": true}]}}"#, true),
        (r#"{"detail": {"count": [{"exists": false}]}}"#, false),
        (r#"{"detail": {"missing": [{"exists": true}]}}"#, false),
        (r#"{"detail": {"missing": [{"exists": false}]}}"#, true),
        (r#"{"missing": {"deeper": [{"exists": false}]}}"#, true),
        (r#"{"detail": {"missing": [{"exists": false}, "x"]}}"#, true),
        // Only leaves exist: neither objects nor empty lists are any.
        (r#"{"detail": {"inner": [{"exists": true}]}}"#, false),
        (r#"{"detail": {"inner": [{"exists": false}]}}"#, true),
        (r#"{"detail": {"nothing": [{"exists": false}]}}"#, true),
        (r#"{"detail": {"none": [{"exists": true}]}}"#, true),
        // Of objects in a list one and the same must match.
        (
            r#"{"detail": {"containers": {"name": ["side"], "exitCode": [137]}}}"#,
            true,
        ),
        (
            r#"{"detail": {"containers": {"name": ["web"], "exitCode": [137]}}}"#,
            false,
        ),
        (
            r#"{"detail": {"containers": {"name": ["web"], "reason": [{"exists": false}]}}}"#,
            false,
        ),
        (
            r#"{"detail": {"containers": {"name": ["web"], "other": [{"exists": false}]}}}"#,
            true,
        ),
        // One of several fields.
        (
            r#"{"source": ["aws.ecs"], "detail": {"$or": [{"count": [6]}, {"cpu": ["256"]}]}}"#,
            true,
        ),
        (
            r#"{"source": ["aws.ec2"], "detail": {"$or": [{"count": [5]}, {"cpu": ["256"]}]}}"#,
            false,
        ),
        (
            r#"{"$or": [{"source": ["x"]}, {"detail": {"$or": [{"count": [5]}, {"cpu": [0]}]}}]}"#,
            true,
        ),
        (
            r#"{"$or": [{"source": ["x"]}, {"detail": {"count": [6]}}]}"#,
            false,
        ),
        // With one alternative it is a field of that name.
        (r#"{"$or": {"source": ["aws.ecs"]}}"#, false),
    ] {
        let parsed: Pattern = pattern
            .parse()
            .unwrap_or_else(|fault| panic!("{pattern}: {fault}"));
        assert_eq!(parsed.matches(&event), matches, "{pattern}");
        let mut matcher = Matcher::default();
        matcher.insert("rule", parsed);
        assert_eq!(
            matcher.matching(&event).len(),
            usize::from(matches),
            "{pattern} by a matcher"
        );
    }
}

#[test]
fn faults_say_where_they_are() {
    for (pattern, line, column, words) in [
        ("", 1, 1, "ends too early"),
        ("[]", 1, 1, "Filter is not an object"),
        ("\"x\"", 1, 1, "Filter is not an object"),
        ("{}", 1, 1, "Empty objects are not allowed"),
        ("{\"a\": {}}", 1, 7, "Empty objects are not allowed"),
        ("{\"a\": []}", 1, 7, "Empty arrays are not allowed"),
        ("{\"a\": \"x\"}", 1, 7, "must be an object or an array"),
        ("{\n  \"a\": [[1]]\n}", 2, 9, "Match value must be"),
        ("{\"a\": [1],\n \"ü\": 5}", 2, 7, "must be an object or an array"),
        (
            "{\"a\": [{\"suffux\": \"x\"}]}",
            1,
            9,
            "Unrecognized match type suffux",
        ),
        ("{\"a\": [{}]}", 1, 8, "Empty match expression"),
        (
            "{\"a\": [{\"prefix\": \"x\", \"suffix\": \"y\"}]}",
            1,
            24,
            "Only one key allowed",
        ),
        (
            "{\"a\": [{\"prefix\": 5}]}",
            1,
            19,
            "prefix match pattern must be a string",
        ),
        ("{\"a\": [{\"prefix\": \"\"}]}", 1, 19, "not allowed"),
        (
            "{\"a\": [{\"prefix\": {\"suffix\": \"x\"}}]}",
            1,
            20,
            "Unrecognized match type suffix",
        ),
        ("{\"a\": [{\"exists\": \"true\"}]}", 1, 19, "either true or false"),
        ("{\"a\": [{\"cidr\": \"10.0.0.0\"}]}", 1, 17, "Malformed CIDR"),
        ("{\"a\": [{\"cidr\": \"10.0.0.0/33\"}]}", 1, 17, "Malformed CIDR"),
        (
            "{\"a\": [{\"wildcard\": \"a**\"}]}",
            1,
            21,
            "Consecutive wildcard",
        ),
        ("{\"a\": [{\"wildcard\": \"a\\\\b\"}]}", 1, 21, "Invalid escape"),
        ("{\"a\": [{\"numeric\": 5}]}", 1, 20, "must be an array"),
        ("{\"a\": [{\"numeric\": []}]}", 1, 20, "empty"),
        ("{\"a\": [{\"numeric\": [\">\"]}]}", 1, 20, "followed by a number"),
        (
            "{\"a\": [{\"numeric\": [5, \">\"]}]}",
            1,
            21,
            "expected an operator",
        ),
        (
            "{\"a\": [{\"numeric\": [\"~\", 5]}]}",
            1,
            21,
            "Unrecognized numeric range operator: ~",
        ),
        (
            "{\"a\": [{\"numeric\": [\">\", \"5\"]}]}",
            1,
            26,
            "must be numeric",
        ),
        ("{\"a\": [{\"numeric\": [\">\", 6e9]}]}", 1, 26, "between"),
        (
            "{\"a\": [{\"numeric\": [\">\", 5, \"<\", 5]}]}",
            1,
            20,
            "Bottom must be less than top",
        ),
        (
            "{\"a\": [{\"numeric\": [\">\", 5, \">\", 6]}]}",
            1,
            29,
            "Too many elements",
        ),
        (
            "{\"a\": [{\"numeric\": [\"=\", 5, \"<\", 6]}]}",
            1,
            29,
            "Too many elements",
        ),
        ("{\"a\": [{\"anything-but\": []}]}", 1, 25, "Empty arrays"),
        ("{\"a\": [{\"anything-but\": [1, \"x\"]}]}", 1, 29, "mixed type"),
        ("{\"a\": [{\"anything-but\": null}]}", 1, 25, "not supported"),
        (
            "{\"a\": [{\"anything-but\": {\"numeric\": [\">\", 5]}}]}",
            1,
            26,
            "Unrecognized match type numeric",
        ),
        ("{\"$or\": [{\"a\": [1]}]}", 1, 11, "Unrecognized match type a"),
        ("{\"a\": [1], \"a\": [2]}", 1, 12, "there twice"),
        ("{\"a\": [1}", 1, 9, "Expected a comma"),
        ("{\"a\": [1]} x", 1, 12, "Nothing may follow"),
        ("{\"a\" [1]}", 1, 6, "Expected a colon"),
        ("{a: [1]}", 1, 2, "field name"),
        ("{\"a\": [tru]}", 1, 8, "not a JSON value"),
        ("{\"a\": [\"x]}", 1, 8, "closing quote"),
    ] {
        let fault = pattern.parse::<Pattern>().expect_err(pattern);
        assert_eq!((fault.line, fault.column), (line, column), "{pattern}: {fault}");
        assert!(fault.reason.contains(words), "{pattern}: {fault}");
    }
    let deep = format!("{}[1]{}", "{\"a\":".repeat(100), "}".repeat(100));
    assert!(
        deep.parse::<Pattern>()
            .expect_err("deep")
            .reason
            .contains("deeply")
    );
}

#[test]
fn a_pattern_replaced_or_removed_is_gone() {
    let mut matcher = Matcher::default();
    let pattern = |text: &str| text.parse::<Pattern>().expect("a pattern");
    matcher.insert("a", pattern(r#"{"source": ["aws.ecs"]}"#));
    matcher.insert("b", pattern(r#"{"missing": [{"exists": false}]}"#));
    assert_eq!(matcher.matching(&event()).len(), 2);
    matcher.insert("a", pattern(r#"{"source": ["aws.ec2"]}"#));
    assert_eq!(matcher.matching(&event()), [&"b"]);
    assert!(matcher.remove(&"b"));
    assert!(!matcher.remove(&"b"));
    assert!(matcher.matching(&event()).is_empty());
    assert!(matcher.matching(&json!("no object")).is_empty());
    assert_eq!(matcher.len(), 1);
}
