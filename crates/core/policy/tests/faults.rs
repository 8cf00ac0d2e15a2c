//! What is refused, and where the fault is said to be.

use roadstead_policy::{Kind, parse};

fn check(kind: Kind, text: &str, line: u32, column: u32, words: &str) {
    let error = parse(text, kind).expect_err(text);
    assert!(error.reason.contains(words), "{text}: {error}");
    assert_eq!(
        (error.position.line, error.position.column),
        (line, column),
        "{text}: {error}"
    );
}

/// A document of one statement, which begins on line 3.
fn one(statement: &str) -> String {
    format!("{{\n  \"Version\": \"2012-10-17\", \"Statement\": [\n{statement}\n]}}")
}

#[test]
fn documents_as_a_whole() {
    for (text, line, column, words) in [
        ("", 1, 1, "Syntax errors in policy"),
        ("{\"Statement\": [", 1, 16, "Syntax errors in policy"),
        ("[]", 1, 1, "a policy must be an object, not a list"),
        ("{}", 1, 1, "must contain a Statement"),
        ("{\"Statement\": []}", 1, 15, "at least one statement"),
        (
            "{\"Statement\": 1}",
            1,
            15,
            "a statement must be an object, not a number",
        ),
        (
            "{\n\"Version\": \"2012-10-18\"}",
            2,
            12,
            "must be version 2012-10-17",
        ),
        ("{\"version\": \"2012-10-17\"}", 1, 2, "no element \"version\""),
    ] {
        check(Kind::Identity, text, line, column, words);
    }
}

#[test]
fn statements_of_identities() {
    for (statement, column, words) in [
        (
            r#"{"Action":"a:b","Resource":"*"}"#,
            1,
            "Missing required field Effect",
        ),
        (
            r#"{"Effect":"allow","Action":"a:b","Resource":"*"}"#,
            11,
            "\"Allow\" or \"Deny\"",
        ),
        (r#"{"Effect":"Allow","Resource":"*"}"#, 1, "must contain actions"),
        (
            r#"{"Effect":"Allow","Action":"a:b"}"#,
            1,
            "must contain resources",
        ),
        (
            r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#,
            28,
            "Action must not be empty",
        ),
        (
            r#"{"Effect":"Allow","Action":"RunTask","Resource":"*"}"#,
            28,
            "prefaced by a vendor",
        ),
        (
            r#"{"Effect":"Allow","Action":"e c:b","Resource":"*"}"#,
            28,
            "Vendor e c is not valid",
        ),
        (
            r#"{"Effect":"Allow","Action":"ecs:","Resource":"*"}"#,
            28,
            "is not an action",
        ),
        (
            r#"{"Effect":"Allow","Action":["a:b","a:c","d"],"Resource":"*"}"#,
            41,
            "prefaced by a vendor",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","NotAction":"a:c","Resource":"*"}"#,
            34,
            "not both",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"cluster"}"#,
            45,
            "must be in ARN format",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"arn:aws:ecs"}"#,
            45,
            "must be in ARN format",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"arn:aws:s3:::${aws:username"}"#,
            45,
            "closing brace",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"arn:aws:s3:::${a:b, c}"}"#,
            45,
            "single quotes",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Principal":"*"}"#,
            49,
            "should not specify a principal",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Extra":1}"#,
            49,
            "no element \"Extra\"",
        ),
        (
            r#"{"Sid":"a b","Effect":"Allow","Action":"a:b","Resource":"*"}"#,
            8,
            "alpha-numeric",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Equals":{"a:b":"c"}}}"#,
            62,
            "Condition type",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":{"b":"true"}}}"#,
            70,
            "prefaced by a vendor",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":{"a:b":"yes"}}}"#,
            76,
            "\"yes\" is not",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"NumericEquals":{"a:b":["1","x"]}}}"#,
            90,
            "not a number",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"DateLessThan":{"a:b":"soon"}}}"#,
            84,
            "not a date",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"IpAddress":{"a:b":"10.0.0.0/99"}}}"#,
            81,
            "CIDR",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"BinaryEquals":{"a:b":"?"}}}"#,
            84,
            "base64",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"ForAllValues:Null":{"a:b":"true"}}}"#,
            62,
            "Condition type",
        ),
        (
            r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"StringEquals":{"a:b":null}}}"#,
            84,
            "not null",
        ),
    ] {
        check(Kind::Identity, &one(statement), 3, column, words);
    }
    let twice = one(
        "{\"Sid\":\"a\",\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\"},\n  \
         {\"Sid\":\"a\",\"Effect\":\"Allow\",\"Action\":\"a:b\",\"Resource\":\"*\"}",
    );
    check(Kind::Identity, &twice, 4, 3, "must be unique");
}

#[test]
fn statements_of_trust_and_of_resources() {
    for (statement, column, words) in [
        (
            r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#,
            1,
            "Missing required field Principal",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}"#,
            61,
            "prohibited field Resource",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"ecs:RunTask"}"#,
            44,
            "only specify STS AssumeRole actions",
        ),
        (
            r#"{"Effect":"Allow","Principal":"*","Action":"*"}"#,
            44,
            "prefaced by a vendor",
        ),
        (
            r#"{"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole"}"#,
            31,
            "cannot be empty",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"12"},"Action":"sts:AssumeRole"}"#,
            38,
            "Invalid principal in policy: \"AWS\":\"12\"",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/*"},"Action":"sts:AssumeRole"}"#,
            38,
            "Invalid principal",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"Service":"lambda"},"Action":"sts:AssumeRole"}"#,
            42,
            "Invalid principal",
        ),
        (
            r#"{"Effect":"Allow","Principal":{"Human":"ann"},"Action":"sts:AssumeRole"}"#,
            32,
            "kind \"Human\"",
        ),
    ] {
        check(Kind::Trust, &one(statement), 3, column, words);
    }
    let nobody = one(r#"{"Effect":"Allow","Action":"sqs:*","Resource":"*"}"#);
    check(Kind::Resource, &nobody, 3, 1, "Missing required field Principal");
    let free =
        one(r#"{"Sid":"with blanks","Effect":"Deny","NotPrincipal":{"AWS":"123456789012"},"Action":"*"}"#);
    parse(&free, Kind::Resource).expect("a resource's policy");
}

#[test]
fn a_statement_knows_its_place() {
    let text = one(r#"   {"Effect":"Allow","Action":"a:b","Resource":"*"}"#);
    let policy = parse(&text, Kind::Identity).expect("a policy");
    let (start, end) = (policy.statements[0].start, policy.statements[0].end);
    assert_eq!((start.line, start.column, end.line, end.column), (3, 4, 3, 52));
}
