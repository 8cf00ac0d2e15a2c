//! Every operator, alone and with what may stand before and behind it, against a key that is there, is not there,
//! or has several values.

use roadstead_policy::{Context, Kind, Policies, Principal, Request, decide, parse};

fn allows(condition: &str, context: &Context, resource: &str, in_policy: &str) -> bool {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"a:b","Resource":"{in_policy}","Condition":{condition}}}}}"#
    );
    let policy = parse(&text, Kind::Identity).expect(&text);
    let request = Request {
        principal: Principal::User {
            account: "123456789012",
            arn: "arn:aws:iam::123456789012:user/ann",
        },
        action: "a:b",
        resource,
        resource_account: None,
        context,
    };
    let identity = [&policy];
    let policies = Policies {
        identity: &identity,
        ..Policies::default()
    };
    decide(policies, &request).is_allowed()
}

/// `values`: none means that the key is not there.
fn check(operator: &str, wanted: &str, values: Option<&[&str]>, expected: bool) {
    let mut context = Context::default();
    if let Some(values) = values {
        context.set("x:Key", values.iter().map(|value| (*value).to_owned()));
    }
    let condition = format!(r#"{{"{operator}":{{"x:key":{wanted}}}}}"#);
    assert_eq!(
        allows(&condition, &context, "*", "*"),
        expected,
        "{operator} {wanted} {values:?}"
    );
}

#[test]
fn operators_compare_as_their_types_do() {
    const ARN: &str = "arn:aws:ecs:us-east-1:123456789012:cluster/web";
    for (operator, wanted, value, expected) in [
        ("StringEquals", r#""a""#, "a", true),
        ("StringEquals", r#""a""#, "A", false),
        ("StringEquals", r#""a*""#, "ab", false),
        ("StringEquals", r#"["a","b"]"#, "b", true),
        ("StringNotEquals", r#"["a","b"]"#, "b", false),
        ("StringNotEquals", r#"["a","b"]"#, "c", true),
        ("StringEqualsIgnoreCase", r#""Ä""#, "ä", true),
        ("StringNotEqualsIgnoreCase", r#""A""#, "a", false),
        ("StringLike", r#""a*c?""#, "abbcd", true),
        ("StringLike", r#""a${*}""#, "a*", true),
        ("StringLike", r#""a${*}""#, "ab", false),
        ("StringNotLike", r#""a*""#, "b", true),
        ("NumericEquals", "10", "10.0", true),
        ("NumericEquals", r#""10""#, "ten", false),
        ("NumericNotEquals", "10", "11", true),
        ("NumericLessThan", "10", "9", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "10", "10", false),
        ("NumericGreaterThanEquals", "10", "10", true),
        (
            "DateEquals",
            r#""2026-01-01T00:00:00Z""#,
            "2026-01-01T01:00:00+01:00",
            true,
        ),
        ("DateNotEquals", r#""2026-01-01""#, "2026-01-02", true),
        ("DateLessThan", r#""2026-01-01T00:00:00Z""#, "1767225599", true),
        (
            "DateLessThanEquals",
            r#""2026-01-01T00:00:00Z""#,
            "1767225600",
            true,
        ),
        (
            "DateGreaterThan",
            r#""2026-01-01T00:00:00Z""#,
            "1767225600",
            false,
        ),
        (
            "DateGreaterThanEquals",
            r#""2026-01-01T00:00:00Z""#,
            "1767225600",
            true,
        ),
        ("Bool", "true", "true", true),
        ("Bool", r#""true""#, "false", false),
        ("BinaryEquals", r#""AQI=""#, "AQI=", true),
        ("BinaryEquals", r#""AQI=""#, "aqi=", false),
        ("IpAddress", r#"["10.0.0.0/8","2001:db8::/32"]"#, "10.1.2.3", true),
        (
            "IpAddress",
            r#"["10.0.0.0/8","2001:db8::/32"]"#,
            "2001:db8::1",
            true,
        ),
        ("IpAddress", r#""10.0.0.0/8""#, "11.1.2.3", false),
        ("NotIpAddress", r#""10.0.0.1""#, "10.0.0.1", false),
        (
            "ArnEquals",
            r#""arn:aws:ecs:*:123456789012:cluster/*""#,
            ARN,
            true,
        ),
        ("ArnLike", r#""arn:aws:ecs:*:cluster/*""#, ARN, false),
        ("ArnLike", r#""*""#, ARN, true),
        ("ArnLike", r#""*""#, "no arn", false),
        ("ArnNotEquals", r#""arn:aws:ecs:*:*:cluster/api""#, ARN, true),
        ("ArnNotLike", r#""arn:aws:ecs:*:*:cluster/w?b""#, ARN, false),
    ] {
        check(operator, wanted, Some(&[value]), expected);
        check(&format!("{operator}IfExists"), wanted, Some(&[value]), expected);
    }
}

#[test]
fn a_missing_key_satisfies_what_is_negated_or_optional() {
    for (operator, wanted, expected) in [
        ("StringEquals", r#""a""#, false),
        ("StringNotEquals", r#""a""#, true),
        ("StringEqualsIfExists", r#""a""#, true),
        ("NumericLessThan", "1", false),
        ("NumericLessThanIfExists", "1", true),
        ("NotIpAddress", r#""10.0.0.0/8""#, true),
        ("ArnNotLike", r#""arn:aws:ecs:*:*:*""#, true),
        ("Bool", "true", false),
        ("BoolIfExists", "true", true),
        ("Null", "true", true),
        ("Null", "false", false),
        ("ForAllValues:StringEquals", r#""a""#, true),
        ("ForAnyValue:StringEquals", r#""a""#, false),
        ("ForAnyValue:StringEqualsIfExists", r#""a""#, true),
        ("ForAnyValue:StringNotEquals", r#""a""#, false),
    ] {
        check(operator, wanted, None, expected);
    }
    check("Null", "true", Some(&["a"]), false);
    check("Null", r#""false""#, Some(&["a"]), true);
}

#[test]
fn set_operators_look_at_every_value() {
    for (operator, values, expected) in [
        ("ForAllValues:StringEquals", &["a", "b"][..], true),
        ("ForAllValues:StringEquals", &["a", "c"], false),
        ("ForAnyValue:StringEquals", &["a", "c"], true),
        ("ForAnyValue:StringEquals", &["c", "d"], false),
        ("ForAllValues:StringNotEquals", &["c", "d"], true),
        ("ForAllValues:StringNotEquals", &["a", "d"], false),
        ("ForAnyValue:StringNotEquals", &["a", "d"], true),
        ("ForAnyValue:StringNotEquals", &["a", "b"], false),
        ("StringEquals", &["c", "a"], true),
        ("StringNotEquals", &["c", "a"], false),
    ] {
        check(operator, r#"["a","b"]"#, Some(values), expected);
    }
}

#[test]
fn all_conditions_must_hold() {
    let context = Context::default().with("x:a", "1").with("x:b", "2");
    let holds = |condition| allows(condition, &context, "*", "*");
    assert!(holds(r#"{"StringEquals":{"x:a":"1","x:b":"2"}}"#));
    assert!(!holds(r#"{"StringEquals":{"x:a":"1","x:b":"3"}}"#));
    assert!(!holds(
        r#"{"StringEquals":{"x:a":"1"},"NumericLessThan":{"x:b":"2"}}"#
    ));
}

#[test]
fn variables_stand_for_what_is_known_of_the_request() {
    let context = Context::default()
        .with("aws:username", "ann")
        .with("x:star", "*")
        .with("x:team", "ANN");
    const NONE: &str = r#"{"Null":{"x:none":"true"}}"#;
    for (in_policy, resource, expected) in [
        (
            "arn:aws:s3:::home/${aws:username}/*",
            "arn:aws:s3:::home/ann/x",
            true,
        ),
        (
            "arn:aws:s3:::home/${aws:username}/*",
            "arn:aws:s3:::home/bob/x",
            false,
        ),
        ("arn:aws:s3:::home/${AWS:UserName}", "arn:aws:s3:::home/ann", true),
        ("arn:aws:s3:::home/${x:none}", "arn:aws:s3:::home/", false),
        (
            "arn:aws:s3:::home/${x:none, 'guest'}",
            "arn:aws:s3:::home/guest",
            true,
        ),
        ("arn:aws:s3:::home/${x:star}", "arn:aws:s3:::home/ann", false),
        ("arn:aws:s3:::home/${x:star}", "arn:aws:s3:::home/*", true),
        ("arn:aws:s3:::home/${$}{x}", "arn:aws:s3:::home/${x}", true),
    ] {
        assert_eq!(
            allows(NONE, &context, resource, in_policy),
            expected,
            "{in_policy} {resource}"
        );
    }
    let holds = |condition| allows(condition, &context, "*", "*");
    assert!(holds(
        r#"{"StringEqualsIgnoreCase":{"x:team":"${aws:username}"}}"#
    ));
    assert!(!holds(r#"{"StringEquals":{"x:team":"${aws:username}"}}"#));
}

#[test]
fn stars_of_resources_keep_to_the_parts_of_an_arn() {
    const NONE: &str = r#"{"Null":{"x:none":"true"}}"#;
    for (in_policy, resource, expected) in [
        ("*", "anything", true),
        (
            "arn:aws:ecs:*",
            "arn:aws:ecs:us-east-1:123456789012:cluster/web",
            true,
        ),
        (
            "arn:aws:ecs:*:*:cluster/web",
            "arn:aws:ecs:us-east-1:123456789012:cluster/web",
            true,
        ),
        (
            "arn:aws:ecs:us-*-1:123456789012:cluster/web",
            "arn:aws:ecs:us-east-1:123456789012:cluster/web",
            true,
        ),
        (
            "arn:aws:ecs:us-*t/web",
            "arn:aws:ecs:us-east-1:123456789012:cluster-t/web",
            false,
        ),
        (
            "arn:aws:logs:*:*:log-group:/a*b",
            "arn:aws:logs:us-east-1:123456789012:log-group:/a:c/b",
            true,
        ),
        (
            "arn:aws:ecs:us-east-1:123456789012:cluster/w?b",
            "arn:aws:ecs:us-east-1:123456789012:cluster/web",
            true,
        ),
        (
            "arn:aws:ecs:us-east-1:123456789012:cluster/Web",
            "arn:aws:ecs:us-east-1:123456789012:cluster/web",
            false,
        ),
    ] {
        assert_eq!(
            allows(NONE, &Context::default(), resource, in_policy),
            expected,
            "{in_policy} {resource}"
        );
    }
}
