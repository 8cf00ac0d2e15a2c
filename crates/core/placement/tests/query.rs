//! The cluster query language, by table: what holds for one instance, and what is no expression.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roadstead_placement::{Candidate, MAX_EXPRESSION, Query};

fn instance() -> Candidate {
    let some = |value: &str| Some(value.to_owned());
    Candidate {
        agent_connected: true,
        agent_version: some("1.68.2"),
        ec2_instance_id: some("i-0123456789abcdef0"),
        // 2023-11-14T22:13:20Z
        registered_at: 1_700_000_000_000,
        attributes: BTreeMap::from([
            ("ecs.os-type".to_owned(), some("linux")),
            ("ecs.instance-type".to_owned(), some("t2.small")),
            ("ecs.availability-zone".to_owned(), some("us-east-1a")),
            ("rack".to_owned(), some("12")),
            ("stack".to_owned(), some("prod west")),
            ("ssd".to_owned(), None),
        ]),
        running: 3,
        groups: BTreeMap::from([("service:web".to_owned(), 2), ("databases".to_owned(), 1)]),
        ..Candidate::default()
    }
}

#[track_caller]
fn check(text: &str, expected: bool) {
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(query.holds(&instance()), expected, "{text}");
}

#[test]
fn every_operator_has_a_sign_and_a_word() {
    for (sign, word, argument, expected) in [
        ("==", "equals", "linux", true),
        ("==", "equals", "windows", false),
        ("!=", "not_equals", "windows", true),
        ("!=", "not_equals", "linux", false),
        (">", "greater_than", "li", true),
        (">", "greater_than", "linux", false),
        (">=", "greater_than_equal", "linux", true),
        ("<", "less_than", "m", true),
        ("<", "less_than", "linux", false),
        ("<=", "less_than_equal", "linux", true),
        ("exists", "exists", "", true),
        ("!exists", "not_exists", "", false),
        ("in", "in", "[windows, linux]", true),
        ("in", "in", "[windows]", false),
        ("!in", "not_in", "[windows]", true),
        ("!in", "not_in", "[ linux ,windows ]", false),
        ("=~", "matches", "li.*", true),
        ("=~", "matches", "li", false),
        ("!~", "not_matches", "win.*", true),
        ("!~", "not_matches", "l[h-j]nux", false),
    ] {
        check(&format!("attribute:ecs.os-type {sign} {argument}"), expected);
        check(&format!("attribute:ecs.os-type {word} {argument}"), expected);
    }
}

#[test]
fn every_subject_is_what_it_says() {
    for (text, expected) in [
        ("agentConnected == true", true),
        ("agentConnected != true", false),
        ("agentConnected in [false]", false),
        ("agentVersion == 1.68.2", true),
        ("agentVersion > 1.9", true),
        ("agentVersion >= 1.68.2.0", true),
        ("agentVersion < 1.100.0", true),
        ("ec2InstanceId == i-0123456789abcdef0", true),
        ("ec2InstanceId in ['i-0123456789abcdef0', i-1]", true),
        ("ec2InstanceId =~ i-01.*", true),
        ("registeredAt >= 2023-11-14", true),
        ("registeredAt == 2023-11-14", true),
        ("registeredAt > 2023-11-14", false),
        ("registeredAt == 2023-11-14T22:13:20Z", true),
        ("registeredAt < 2023-11-14T23:13:20+02:00", false),
        ("registeredAt <= 2023-11-15T00:13:20+02:00", true),
        ("runningTasksCount == 3", true),
        ("runningTasksCount <= 2", false),
        ("runningTasksCount > 2", true),
        ("task:group == service:web", true),
        ("task:group == databases", true),
        ("task:group == service:shop", false),
        ("task:group != service:web", false),
        ("task:group != service:shop", true),
        ("task:group in [a, databases]", true),
        ("task:group =~ service:.*", true),
        ("attribute:ssd exists", true),
        ("attribute:ssd == x", false),
        ("attribute:stack == 'prod west'", true),
        ("attribute:stack == \"prod west\"", true),
        // Numbers as numbers where both are; equality is of texts.
        ("attribute:rack > 9", true),
        ("attribute:rack == 12", true),
        ("attribute:rack == 12.0", false),
        ("attribute:rack > 9a", false),
        // Absent: no positive operator holds, every negated one does.
        ("attribute:none exists", false),
        ("attribute:none == x", false),
        ("attribute:none != x", true),
        ("attribute:none > a", false),
        ("attribute:none !~ x", true),
        ("attribute:none not_in [x]", true),
    ] {
        check(text, expected);
    }
}

#[test]
fn connectives_bind_not_before_and_before_or() {
    const YES: &str = "attribute:rack exists";
    const NO: &str = "attribute:rack !exists";
    for (text, expected) in [
        (format!("{YES} and {NO}"), false),
        (format!("{YES} && {YES}"), true),
        (format!("{NO} or {YES}"), true),
        (format!("{NO}||{NO}"), false),
        (format!("not {NO}"), true),
        (format!("!{NO}"), true),
        (format!("!({YES})"), false),
        (format!("not({NO} or {NO})"), true),
        (format!("!!{YES}"), true),
        (format!("{YES} or {NO} and {NO}"), true),
        (format!("({YES} or {NO}) and {NO}"), false),
        (format!("not {NO} and {NO}"), false),
        (format!("(({YES}))"), true),
        (format!("  {YES}\n and\t{YES} "), true),
        // A pattern ends at the parenthesis that is not its own, and at a connective.
        ("(attribute:ecs.instance-type =~ t2.*)".to_owned(), true),
        (
            "(attribute:ecs.instance-type =~ (t2|m4)[.].*) && agentConnected==true".to_owned(),
            true,
        ),
        (
            "attribute:ecs.instance-type=~t2.*&&attribute:ecs.os-type==linux".to_owned(),
            true,
        ),
        (
            "attribute:ecs.instance-type =~ m4.*||attribute:ecs.os-type =~ 'li(n|m)ux'".to_owned(),
            true,
        ),
    ] {
        check(&text, expected);
    }
}

#[test]
fn what_is_no_expression_names_the_column() {
    for (text, column, words) in [
        ("", 1, "expected a subject"),
        ("   ", 4, "expected a subject"),
        ("attribute:x", 12, "expected an operator"),
        ("attribute: == x", 11, "name of an attribute"),
        ("colour == red", 1, "no subject colour"),
        ("attribute:x = y", 13, "expected an operator"),
        ("attribute:x is y", 13, "expected an operator"),
        ("attribute:x ==", 15, "expected a value"),
        ("attribute:x == 'y", 16, "never closed"),
        ("attribute:x in y", 16, "expected a list"),
        ("attribute:x in [y", 18, "expected , or ]"),
        ("attribute:x in []", 17, "expected a value"),
        ("attribute:x =~ [", 16, "no pattern"),
        ("attribute:x =~ ", 16, "expected a pattern"),
        ("(attribute:x exists", 20, "opens at column 1"),
        ("attribute:x exists)", 19, "no parenthesis"),
        ("attribute:x exists attribute:y exists", 20, "expected and, or"),
        ("attribute:x exists and", 23, "expected a subject"),
        ("agentConnected > true", 16, "does not take"),
        ("agentConnected == yes", 19, "neither true nor false"),
        ("agentVersion == new", 17, "no version"),
        ("agentVersion in [1]", 14, "does not take"),
        ("registeredAt > yesterday", 16, "no date"),
        ("runningTasksCount == few", 22, "no count"),
        ("task:group exists", 12, "does not take"),
        ("attribute:é !! x", 13, "expected an operator"),
    ] {
        let error = Query::parse(text).expect_err(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.problem.contains(words), "{text}: {error}");
    }
    let long = format!("attribute:x == {}", "y".repeat(MAX_EXPRESSION));
    assert_eq!(
        Query::parse(&long).expect_err("too long").column,
        MAX_EXPRESSION + 1
    );
    let deep = format!("{}attribute:x exists{}", "(".repeat(500), ")".repeat(500));
    assert!(
        Query::parse(&deep)
            .expect_err("too deep")
            .problem
            .contains("levels")
    );
    assert!(Query::parse(&"!".repeat(1999)).is_err());
    let large = "attribute:x =~ (((a{1000}){1000}){1000})";
    assert!(
        Query::parse(large)
            .expect_err("too large")
            .problem
            .contains("pattern")
    );
}

#[test]
fn what_an_expression_asks_about_is_known() {
    let query = |text: &str| Query::parse(text).expect(text);
    assert!(query("attribute:a exists and not attribute:b == c").asks_attributes_alone());
    assert!(!query("attribute:a exists or agentConnected == true").asks_attributes_alone());
    assert!(query("not(task:group == a)").asks_tasks());
    assert!(!query("attribute:a exists").asks_tasks());
}

proptest! {
    /// Whatever it is, it is understood or refused at a column of it.
    #[test]
    fn any_text_is_read_or_refused(text in r#"(attribute:|task:group|agentVersion|[a-z!&|()=~<>\[\], '"\\0-9.]|and |or |not |in |exists ){0,40}"#) {
        match Query::parse(&text) {
            Ok(query) => {
                query.holds(&instance());
                let again = format!("not ({text})");
                if let Ok(negated) = Query::parse(&again) {
                    prop_assert_eq!(negated.holds(&instance()), !query.holds(&instance()));
                }
            }
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column)),
        }
    }
}
