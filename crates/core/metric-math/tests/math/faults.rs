//! What is no expression, or means nothing: which words, and in which column.

use crate::bench::{run, series};
use roadstead_metric_math::FaultKind::{self, Meaning, Syntax, Unsupported};

#[test]
fn faults_say_what_and_where() {
    let metrics = [series(&[Some(1.0)]), series(&[Some(2.0)])];
    let deep = format!("{}m1{}", "(".repeat(100), ")".repeat(100));
    let long = format!("m1{}", " ".repeat(2048));
    let table: &[(&str, FaultKind, usize, &str)] = &[
        ("", Syntax, 1, "the end"),
        ("m1 +", Syntax, 5, "the end"),
        ("m1 m2", Syntax, 4, "Unexpected m2"),
        ("(m1", Syntax, 4, "\")\""),
        ("m1)", Syntax, 3, "\")\""),
        ("[m1", Syntax, 4, "\"]\""),
        ("[]", Syntax, 1, "at least one"),
        ("m1 $ m2", Syntax, 4, "'$'"),
        ("ä", Syntax, 1, "'ä'"),
        ("'ä' ?", Syntax, 5, "'?'"),
        ("m1 = m2", Syntax, 4, "'='"),
        ("m1 and m2", Syntax, 4, "Unexpected and"),
        ("METRICS(\"a)", Syntax, 9, "not closed"),
        ("1e999 * m1", Syntax, 1, "not a number"),
        ("sum(METRICS())", Syntax, 1, "upper case: SUM"),
        ("frob(m1)", Syntax, 1, "no function frob"),
        ("1 + FROB(m1)", Syntax, 5, "no function FROB"),
        ("SUM", Syntax, 1, "needs arguments"),
        ("m1 + M2", Syntax, 6, "lower-case"),
        ("SUM()", Syntax, 1, "one argument and has 0"),
        ("SUM(m1, m2)", Syntax, 1, "one argument and has 2"),
        (
            "SORT(METRICS(), AVG)",
            Syntax,
            1,
            "from 3 to 4 arguments and has 2",
        ),
        ("FILL(m1)", Syntax, 1, "2 arguments and has 1"),
        ("SORT(METRICS(), STDDEV, ASC)", Syntax, 17, "AVG, MIN, MAX, SUM"),
        ("SORT(METRICS(), AVG, UP)", Syntax, 22, "ASC, DESC"),
        ("SORT(METRICS(), 1, ASC)", Syntax, 17, "Expected AVG"),
        ("FILL(m1, NEAREST)", Syntax, 10, "REPEAT, LINEAR"),
        ("FILL(m1, \"0\")", Syntax, 10, "no string"),
        ("METRICS(m1)", Syntax, 9, "takes a string"),
        ("SEARCH(m1, 'Sum')", Syntax, 8, "takes a string"),
        ("SEARCH('a', 'Sum', m1)", Syntax, 20, "is a number"),
        ("SEARCH('{App', 'Sum')", Syntax, 13, "the end of the search"),
        ("SEARCH('a AND OR b', 'Sum')", Syntax, 15, "Unexpected OR"),
        ("SEARCH('', 'Sum')", Syntax, 9, "a schema in braces"),
        ("SEARCH('a=', 'Sum')", Syntax, 11, "what the property is to be"),
        ("SEARCH('\"a', 'Sum')", Syntax, 9, "not closed"),
        ("SEARCH('\"a\\b\"', 'Sum')", Syntax, 11, "backslash"),
        ("SEARCH('(a', 'Sum')", Syntax, 11, "\")\""),
        (&deep, Syntax, 65, "nested deeper"),
        (&long, Syntax, 2049, "2048 characters"),
        ("\"text\"", Syntax, 1, "no value of its own"),
        ("m1 + m9", Meaning, 6, "Id m9"),
        (
            "METRICS() / METRICS()",
            Meaning,
            11,
            "The operator / does not go with an array",
        ),
        (
            "METRICS() > 5",
            Meaning,
            11,
            "The operator > does not go with an array",
        ),
        ("[1, m1]", Meaning, 2, "not of scalars"),
        ("ABS(1)", Meaning, 5, "ABS does not take a scalar"),
        ("AVG(1)", Meaning, 5, "AVG does not take a scalar"),
        ("FIRST(m1)", Meaning, 7, "FIRST does not take a time series"),
        (
            "REMOVE_EMPTY(m1)",
            Meaning,
            14,
            "REMOVE_EMPTY does not take a time series",
        ),
        (
            "METRIC_COUNT(m1)",
            Meaning,
            14,
            "METRIC_COUNT does not take a time series",
        ),
        (
            "TIME_SERIES(m1)",
            Meaning,
            13,
            "TIME_SERIES does not take a time series",
        ),
        ("HOUR(METRICS())", Meaning, 6, "HOUR does not take an array"),
        ("FILL(1, 2)", Meaning, 6, "FILL does not take a scalar"),
        ("FILL(m1, METRICS())", Meaning, 10, "not with an array"),
        ("PERIOD(m1 + m2)", Meaning, 11, "takes the Id of a metric"),
        ("SLICE(m1, 0)", Meaning, 7, "SLICE takes an array"),
        ("SLICE(METRICS(), 0.5)", Meaning, 18, "whole number"),
        ("SLICE(METRICS(), -1)", Meaning, 18, "whole number"),
        (
            "IF(METRICS(), 1, 0)",
            Meaning,
            1,
            "IF does not go with an array of time series, a scalar, a scalar",
        ),
        ("IF(1, 2, 3)", Meaning, 1, "a scalar, a scalar, a scalar"),
        ("IF(1, m1, 3)", Meaning, 1, "a scalar, a time series, a scalar"),
        (
            "m1 + ANOMALY_DETECTION_BAND(m1)",
            Unsupported,
            6,
            "ANOMALY_DETECTION_BAND",
        ),
        (
            "INSIGHT_RULE_METRIC(\"r\", UniqueContributors)",
            Unsupported,
            1,
            "INSIGHT_RULE_METRIC",
        ),
        ("SERVICE_QUOTA(m1)", Unsupported, 1, "SERVICE_QUOTA"),
        ("LAMBDA(\"f\")", Unsupported, 1, "LAMBDA"),
        (
            "DB_PERF_INSIGHTS('RDS', 'db-1', 'os.cpu')",
            Unsupported,
            1,
            "DB_PERF_INSIGHTS",
        ),
        ("SELECT AVG(m) FROM App", Unsupported, 1, "Metrics Insights"),
        (
            "SEARCH(':aws.AccountId=\"1\" a', 'Sum')",
            Unsupported,
            9,
            ":aws.AccountId",
        ),
    ];
    for (text, kind, column, words) in table {
        let fault = run(text, &metrics, 1).expect_err(text);
        assert_eq!((fault.kind, fault.column), (*kind, *column), "{text}: {fault}");
        assert!(fault.message.contains(words), "{text}: {fault}");
    }
}

#[test]
fn what_would_fill_the_memory_is_refused() {
    let fault = run("FILL(METRICS(), 0)", &[series(&[]), series(&[])], 1_500_000).expect_err("too many");
    assert!(fault.message.contains("more than 2000000 data points"), "{fault}");
}
