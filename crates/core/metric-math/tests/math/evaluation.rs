//! What expressions come to, the documented examples among them.

use crate::bench::{FIRST, run, series, values};
use roadstead_metric_math::{Series, Value};

const NONE: Option<f64> = None;

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// One time series over five minutes.
#[track_caller]
fn check(text: &str, metrics: &[&[Option<f64>]], wanted: &[Option<f64>]) {
    let metrics: Vec<Series> = metrics.iter().map(|values| series(values)).collect();
    match run(text, &metrics, wanted.len()) {
        Ok(Value::Series(found)) => assert_eq!(values(&found, wanted.len()), wanted, "{text}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[track_caller]
fn check_array(text: &str, metrics: &[&[Option<f64>]], wanted: &[&[Option<f64>]]) {
    let metrics: Vec<Series> = metrics.iter().map(|values| series(values)).collect();
    let slots = metrics
        .iter()
        .map(|series| series.points.len())
        .max()
        .unwrap_or(0)
        .max(3);
    match run(text, &metrics, slots) {
        Ok(Value::Array(found)) => {
            let found: Vec<_> = found.iter().map(|series| series.points.clone()).collect();
            let wanted: Vec<_> = wanted.iter().map(|values| series(values).points).collect();
            assert_eq!(found, wanted, "{text}");
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn arithmetic_takes_what_is_missing_for_zero_and_drops_what_is_no_number() {
    let m1: &[_] = &[Some(6.0), Some(8.0), NONE, NONE];
    let m2: &[_] = &[Some(2.0), NONE, Some(4.0), NONE];
    for (text, wanted) in [
        ("m1 + m2", [Some(8.0), Some(8.0), Some(4.0), NONE]),
        ("m1 - m2", [Some(4.0), Some(8.0), Some(-4.0), NONE]),
        ("m1 * m2", [Some(12.0), Some(0.0), Some(0.0), NONE]),
        ("m1 / m2", [Some(3.0), NONE, Some(0.0), NONE]),
        ("m1 ^ m2", [Some(36.0), Some(1.0), Some(0.0), NONE]),
        ("m1 + 1", [Some(7.0), Some(9.0), NONE, NONE]),
        ("10 - m1", [Some(4.0), Some(2.0), NONE, NONE]),
        ("m1 / 0", [NONE; 4]),
        ("0 / m1", [Some(0.0), Some(0.0), NONE, NONE]),
        ("-m1", [Some(-6.0), Some(-8.0), NONE, NONE]),
        ("-5*m1", [Some(-30.0), Some(-40.0), NONE, NONE]),
        ("m1 / PERIOD(m1) * 60", [Some(6.0), Some(8.0), NONE, NONE]),
        ("m1 - 2 ^ 2 * 1 + 3", [Some(5.0), Some(7.0), NONE, NONE]),
        ("m1 - 2 ^ 3 ^ 0", [Some(4.0), Some(6.0), NONE, NONE]),
        ("m1 + -2 ^ 2", [Some(2.0), Some(4.0), NONE, NONE]),
        ("m1 + 2 ^ -1", [Some(6.5), Some(8.5), NONE, NONE]),
        ("(m1 - 2) * 2", [Some(8.0), Some(12.0), NONE, NONE]),
        ("m1 - 1 - 1", [Some(4.0), Some(6.0), NONE, NONE]),
        ("m1 / 2 / 2", [Some(1.5), Some(2.0), NONE, NONE]),
        ("m1 * 1.5e1", [Some(90.0), Some(120.0), NONE, NONE]),
        ("m1 * .5", [Some(3.0), Some(4.0), NONE, NONE]),
    ] {
        check(text, &[m1, m2], &wanted);
    }
}

#[test]
fn comparisons_are_one_or_zero() {
    // The documentation's own example.
    let m1: &[_] = &[Some(30.0), Some(20.0), Some(0.0), Some(0.0)];
    let m2: &[_] = &[Some(20.0), NONE, Some(20.0), NONE];
    for (text, wanted) in [
        ("(m1 < m2)", [0.0, 0.0, 1.0, 0.0]),
        ("(m1 >= 30)", [1.0, 0.0, 0.0, 0.0]),
        ("(m1 > 15 AND m2 > 15)", [1.0, 0.0, 0.0, 0.0]),
        ("m1 > 15 && m2 > 15", [1.0, 0.0, 0.0, 0.0]),
        ("m1 > 15 OR m2 > 15", [1.0, 1.0, 1.0, 0.0]),
        ("m1 > 15 || m2 > 15", [1.0, 1.0, 1.0, 0.0]),
        ("m1 == 0 OR m1 == 30 AND m1 < 0", [0.0, 0.0, 1.0, 1.0]),
        ("m1 != 20", [1.0, 0.0, 1.0, 1.0]),
        ("m1 <= 20", [0.0, 1.0, 1.0, 1.0]),
        ("15 < m1", [1.0, 1.0, 0.0, 0.0]),
        ("m1 * (2 > 1)", [30.0, 20.0, 0.0, 0.0]),
        ("m1 + 1 > 20", [1.0, 1.0, 0.0, 0.0]),
    ] {
        check(text, &[m1, m2], &some(&wanted));
    }
}

#[test]
fn if_chooses_as_in_the_documented_tables() {
    let m1: &[_] = &[Some(1.0), Some(1.0), Some(0.0), Some(0.0), NONE];
    let m2: &[_] = &[Some(30.0), NONE, Some(0.0), Some(0.0), Some(30.0)];
    let m3: &[_] = &[Some(0.0), Some(0.0), Some(20.0), NONE, Some(20.0)];
    for (text, wanted) in [
        ("IF(m1, m2, m3)", [Some(30.0), Some(0.0), Some(20.0), NONE, NONE]),
        ("IF(m1, m2)", [Some(30.0), Some(0.0), NONE, NONE, NONE]),
        ("IF(m1, 5, m3)", [Some(5.0), Some(5.0), Some(20.0), NONE, NONE]),
        ("IF(m1, 5)", [Some(5.0), Some(5.0), NONE, NONE, NONE]),
        (
            "IF(m1, m2, 5)",
            [Some(30.0), Some(0.0), Some(5.0), Some(5.0), Some(5.0)],
        ),
        ("IF(m1, 7, 5)", [Some(7.0), Some(7.0), Some(5.0), Some(5.0), NONE]),
        (
            "IF(-m1, 7, 5)",
            [Some(7.0), Some(7.0), Some(5.0), Some(5.0), NONE],
        ),
        ("IF(m2 < 10, m2)", [NONE, NONE, Some(0.0), Some(0.0), NONE]),
        (
            "IF(1, m2, m3)",
            [Some(30.0), NONE, Some(0.0), Some(0.0), Some(30.0)],
        ),
        (
            "IF(0, m2, m3)",
            [Some(0.0), Some(0.0), Some(20.0), NONE, Some(20.0)],
        ),
        ("IF(0, m2)", [NONE; 5]),
        (
            "IF(MAX(m1) > 0, m1)",
            [Some(1.0), Some(1.0), Some(0.0), Some(0.0), NONE],
        ),
    ] {
        check(text, &[m1, m2, m3], &wanted);
    }
}

#[test]
fn numbers_of_a_series_and_series_of_an_array() {
    let m1: &[_] = &[Some(2.0), NONE, Some(4.0), NONE];
    let m2: &[_] = &[Some(6.0), Some(1.0), NONE, NONE];
    let all = |value: f64| [Some(value); 4];
    for (text, wanted) in [
        ("TIME_SERIES(SUM(m1))", all(6.0)),
        ("TIME_SERIES(AVG(m1))", all(1.5)),
        ("TIME_SERIES(SUM(m1) / DATAPOINT_COUNT(m1))", all(3.0)),
        ("TIME_SERIES(MIN(m1))", all(2.0)),
        ("TIME_SERIES(MAX(m1))", all(4.0)),
        ("TIME_SERIES(STDDEV(m1))", all(1.0)),
        ("TIME_SERIES(METRIC_COUNT(METRICS()))", all(2.0)),
        ("TIME_SERIES(MAX(IF(0, m1)))", [NONE; 4]),
        ("TIME_SERIES(-0.5)", all(-0.5)),
        ("SUM(METRICS())", [Some(8.0), Some(1.0), Some(4.0), NONE]),
        ("SUM([m1, m2])", [Some(8.0), Some(1.0), Some(4.0), NONE]),
        ("AVG([m1, m2])", [Some(4.0), Some(0.5), Some(2.0), NONE]),
        ("MIN([m1, m2])", [Some(2.0), Some(1.0), Some(4.0), NONE]),
        ("MAX([m1, m2])", [Some(6.0), Some(1.0), Some(4.0), NONE]),
        ("STDDEV([m1, m2])", [Some(2.0), Some(0.0), Some(0.0), NONE]),
        (
            "DATAPOINT_COUNT([m1, m2])",
            [Some(2.0), Some(1.0), Some(1.0), NONE],
        ),
        ("SUM(METRICS(\"2\"))", [Some(6.0), Some(1.0), NONE, NONE]),
        (
            "SUM([METRICS(\"1\"), METRICS('2')])",
            [Some(8.0), Some(1.0), Some(4.0), NONE],
        ),
        (
            "SUM(100/[m1, m2])",
            [Some(50.0 + 100.0 / 6.0), Some(100.0), Some(25.0), NONE],
        ),
        ("SUM(-[m1, m2])", [Some(-8.0), Some(-1.0), Some(-4.0), NONE]),
        ("SUM([m1, m2] - m1)", [Some(4.0), Some(1.0), Some(-4.0), NONE]),
        ("SUM(m1 - [m1, m2])", [Some(-4.0), Some(-1.0), Some(4.0), NONE]),
        ("m1 - MAX(m1)", [Some(-2.0), NONE, Some(0.0), NONE]),
        ("FIRST(METRICS())", [Some(2.0), NONE, Some(4.0), NONE]),
        ("LAST(METRICS())", [Some(6.0), Some(1.0), NONE, NONE]),
        ("FIRST(METRICS('nobody'))", [NONE; 4]),
        ("MIN(ABS([-m1, -m2]))", [Some(2.0), Some(1.0), Some(4.0), NONE]),
    ] {
        check(text, &[m1, m2], &wanted);
    }
}

#[test]
fn each_point_by_itself_and_the_steps_between_them() {
    let m1: &[_] = &[Some(-1.5), Some(10.0), NONE, Some(100.0)];
    for (text, wanted) in [
        ("ABS(m1)", [Some(1.5), Some(10.0), NONE, Some(100.0)]),
        ("CEIL(m1)", [Some(-1.0), Some(10.0), NONE, Some(100.0)]),
        ("FLOOR(m1)", [Some(-2.0), Some(10.0), NONE, Some(100.0)]),
        ("LOG10(m1)", [NONE, Some(1.0), NONE, Some(2.0)]),
        ("LOG(m1) - LOG(m1) + 1", [NONE, Some(1.0), NONE, Some(1.0)]),
        ("DIFF(m1)", [NONE, Some(11.5), NONE, Some(90.0)]),
        ("DIFF_TIME(m1)", [NONE, Some(60.0), NONE, Some(120.0)]),
        ("RATE(m1)", [NONE, Some(11.5 / 60.0), NONE, Some(0.75)]),
        ("RUNNING_SUM(m1)", [Some(-1.5), Some(8.5), NONE, Some(108.5)]),
    ] {
        check(text, &[m1], &wanted);
    }
    check("m1 - LOG(m1 * 0 + 1)", &[m1], m1);
}

#[test]
fn what_is_missing_is_filled_in() {
    let m1: &[_] = &[NONE, Some(2.0), NONE, NONE, Some(8.0), NONE];
    let m2: &[_] = &[Some(1.0), Some(1.0), Some(1.0), NONE, NONE, NONE];
    for (text, wanted) in [
        ("FILL(m1, 10)", some(&[10.0, 2.0, 10.0, 10.0, 8.0, 10.0])),
        (
            "FILL(m1, REPEAT)",
            vec![NONE, Some(2.0), Some(2.0), Some(2.0), Some(8.0), Some(8.0)],
        ),
        (
            "FILL(m1, LINEAR)",
            vec![NONE, Some(2.0), Some(4.0), Some(6.0), Some(8.0), NONE],
        ),
        (
            "FILL(m1, m2)",
            vec![Some(1.0), Some(2.0), Some(1.0), NONE, Some(8.0), NONE],
        ),
        ("FILL(m1, MIN(m1))", some(&[2.0, 2.0, 2.0, 2.0, 8.0, 2.0])),
        ("FILL(IF(0, m1), REPEAT)", vec![NONE; 6]),
        ("FILL(IF(0, m1), 0)", some(&[0.0; 6])),
        ("SUM(FILL(METRICS(), 1))", some(&[2.0, 3.0, 2.0, 2.0, 9.0, 2.0])),
    ] {
        check(text, &[m1, m2], &wanted);
    }
}

#[test]
fn arrays_are_sorted_sliced_and_rid_of_the_empty() {
    let low: &[_] = &[Some(1.0), Some(9.0), NONE];
    let high: &[_] = &[Some(7.0), Some(7.0), Some(7.0)];
    let empty: &[_] = &[NONE, NONE, NONE];
    let metrics: &[&[_]] = &[low, empty, high];
    for (text, wanted) in [
        ("METRICS()", &[low, empty, high][..]),
        ("[m3, [m1]]", &[high, low]),
        ("REMOVE_EMPTY(METRICS())", &[low, high]),
        ("SORT(METRICS(), AVG, DESC)", &[high, low, empty]),
        ("SORT(METRICS(), AVG, ASC)", &[low, high, empty]),
        ("SORT(METRICS(), MAX, DESC)", &[low, high, empty]),
        ("SORT(METRICS(), MIN, DESC, 1)", &[high]),
        ("SORT(METRICS(), SUM, ASC, 9)", &[low, high, empty]),
        ("SLICE(METRICS(), 1)", &[empty, high]),
        ("SLICE(METRICS(), 0, 1)", &[low]),
        ("SLICE(METRICS(), 1, 1)", &[]),
        ("SLICE(METRICS(), 2, 99)", &[high]),
        ("SLICE(METRICS(), 99)", &[]),
        ("SEARCH('{App} m1 OR m3', 'Sum')", &[low, high]),
        ("SEARCH('NOT m2', 'Average', 60)", &[low, high]),
        ("SEARCH('{Other} m1', 'Sum')", &[]),
        ("METRICS() * 1", &[low, empty, high]),
    ] {
        check_array(text, metrics, wanted);
    }
}

#[test]
fn the_calendar_is_told_for_each_period() {
    let m1: &[_] = &[Some(1.0), NONE];
    for (text, wanted) in [
        ("MINUTE(m1)", [14.0, 15.0]),
        ("HOUR(m1)", [22.0; 2]),
        ("DAY(m1)", [2.0; 2]),
        ("DATE(m1)", [14.0; 2]),
        ("MONTH(m1)", [11.0; 2]),
        ("YEAR(m1)", [2023.0; 2]),
        ("EPOCH(m1)", [FIRST as f64, (FIRST + 60) as f64]),
        ("IF(DAY(m1) < 6, 1, 0)", [1.0; 2]),
    ] {
        check(text, &[m1], &some(&wanted));
    }
}

#[test]
fn an_alone_series_keeps_where_it_came_from() {
    let mut m1 = series(&[Some(1.0), NONE]);
    m1.origin = Some(7);
    for (text, origin) in [
        ("[m1 * 2]", Some(7)),
        ("[FILL(m1, 0)]", Some(7)),
        ("ABS(METRICS()) / m1", Some(7)),
        ("[m1 + m1]", None),
        ("[SUM(METRICS())]", None),
    ] {
        let found = run(text, &[m1.clone()], 2);
        assert!(
            matches!(&found, Ok(Value::Array(array)) if array[0].origin == origin),
            "{text}: {found:?}"
        );
    }
}
