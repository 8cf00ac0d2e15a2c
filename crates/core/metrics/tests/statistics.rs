//! What statistics say, by tables, and against plain sorting.

use proptest::prelude::*;
use roadstead_metrics::{MAX_EXACT, RELATIVE_ERROR, Statistic, Summary};

fn summary(values: &[f64]) -> Summary {
    let all: Vec<Summary> = values
        .iter()
        .map(|value| Summary::of(*value, 1.0).expect("a value"))
        .collect();
    Summary::merged(&all).expect("some")
}

fn say(statistic: &str, values: &[f64]) -> Option<f64> {
    let statistic: Statistic = statistic.parse().unwrap_or_else(|error| panic!("{error}"));
    statistic.of(&summary(values))
}

#[test]
fn statistics_say_what_is_documented() {
    let ten: Vec<f64> = (1..=10).map(f64::from).collect();
    for (statistic, wanted) in [
        ("SampleCount", 10.0),
        ("Sum", 55.0),
        ("Average", 5.5),
        ("Minimum", 1.0),
        ("Maximum", 10.0),
        ("p0", 1.0),
        ("p10", 1.0),
        ("p50", 5.0),
        ("p90", 9.0),
        ("p99.9", 10.0),
        ("p100", 10.0),
        ("tm90", 5.0),
        ("TM(10%:90%)", 5.5),
        ("TM(2:9)", 6.0),
        ("TM(:3)", 2.0),
        ("TM(8:)", 9.5),
        ("IQM", 5.5),
        ("tc90", 9.0),
        ("TC(2:9)", 7.0),
        ("ts90", 45.0),
        ("TS(80%:)", 19.0),
        ("wm90", 5.4),
        ("WM(:5)", 4.0),
        ("PR(:3)", 30.0),
        ("PR(2:9)", 70.0),
        ("PR(9:)", 10.0),
    ] {
        let said = say(statistic, &ten).expect(statistic);
        assert!((said - wanted).abs() < 1e-9, "{statistic}: {said}, not {wanted}");
    }
    assert_eq!(say("p50", &[-3.0]), Some(-3.0));
    assert_eq!(
        say("TM(5:9)", &[1.0]),
        None,
        "nothing is left of which an average could be"
    );
    assert_eq!(say("TC(5:9)", &[1.0]), Some(0.0));
}

#[test]
fn names_that_are_no_statistics_are_refused_where_they_go_wrong() {
    for (text, position) in [
        ("", 0),
        ("x", 0),
        ("average", 0),
        ("p", 1),
        ("p101", 1),
        ("p-1", 1),
        ("p1e1", 1),
        ("p99.12345678901", 1),
        ("tm", 2),
        ("tm101", 2),
        ("TM(1:2", 6),
        ("TM(1)", 3),
        ("TM(:)", 3),
        ("TM(9:2)", 3),
        ("TM(1:2%)", 3),
        ("TM(x:2)", 3),
        ("TM(1:x)", 5),
        ("PR(1%:2%)", 3),
        ("PR5", 2),
        ("p(1:2)", 1),
    ] {
        let error = text.parse::<Statistic>().expect_err(text);
        assert_eq!(error.position, position, "{error}");
    }
}

#[test]
fn of_statistic_sets_no_percentile_is_known_unless_there_is_nothing_to_guess() {
    let p50: Statistic = "p50".parse().expect("a statistic");
    let set = Summary::of_set(4.0, 10.0, 1.0, 5.0).expect("a set");
    assert_eq!(p50.of(&set), None);
    assert_eq!(Statistic::Average.of(&set), Some(2.5));
    let equal = Summary::of_set(4.0, 20.0, 5.0, 5.0).expect("a set");
    assert_eq!(p50.of(&equal), Some(5.0));
    let mut mixed = equal;
    mixed.merge(&set);
    assert_eq!(p50.of(&mixed), None);
    assert_eq!(
        (mixed.count, mixed.sum, mixed.min, mixed.max),
        (8.0, 30.0, 1.0, 5.0)
    );
    assert!(Summary::of_set(0.0, 1.0, 1.0, 1.0).is_err());
    assert!(Summary::of_set(1.0, 1.0, 2.0, 1.0).is_err());
    assert!(Summary::of(f64::NAN, 1.0).is_err());
    assert!(Summary::of(1e200, 1.0).is_err());
    assert!(Summary::of(1.0, -1.0).is_err());
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        -1e6..1e6f64,
        1e-9..1e-6f64,
        Just(0.0),
        Just(-0.0),
        (-50..50i32).prop_map(f64::from)
    ];
    proptest::collection::vec(value, 1..600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn percentiles_are_those_of_the_sorted_samples(values in values(), percent in 0.0..100.0f64, split in 0usize..600) {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
        let wanted = sorted[rank.min(sorted.len()) - 1];
        // In one go, and rolled up from two parts of which each was kept as bytes.
        let (left, right) = values.split_at(split.min(values.len() - 1));
        let mut rolled = summary(right);
        if !left.is_empty() {
            rolled.merge(&Summary::from_bytes(&summary(left).to_bytes()).expect("bytes"));
        }
        for summary in [summary(&values), rolled] {
            let said = Statistic::Percentile(percent).of(&summary).expect("known");
            let off = (said - wanted).abs();
            let exact = summary.distribution.as_ref().is_some_and(|distribution| distribution.is_exact());
            let allowed = if exact { 0.0 } else { wanted.abs() * RELATIVE_ERROR * 1.001 + 1e-300 };
            prop_assert!(off <= allowed, "p{percent}: {said}, not {wanted}, of {} samples", values.len());
            prop_assert_eq!(summary.count, values.len() as f64);
            prop_assert_eq!(summary.min, sorted[0]);
            prop_assert_eq!(summary.max, sorted[sorted.len() - 1]);
        }
    }

    #[test]
    fn bytes_tell_all(values in values(), count in 1u32..5) {
        let all: Vec<Summary> = values
            .iter()
            .map(|value| Summary::of(*value, f64::from(count) / 2.0).expect("a value"))
            .collect();
        let merged = Summary::merged(&all).expect("some");
        prop_assert_eq!(Summary::from_bytes(&merged.to_bytes()), Ok(merged.clone()));
        let set = Summary { distribution: None, ..merged };
        prop_assert_eq!(Summary::from_bytes(&set.to_bytes()), Ok(set));
    }

    #[test]
    fn whatever_bytes_come_are_a_summary_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = Summary::from_bytes(&bytes);
    }

    #[test]
    fn a_statistic_is_read_as_it_is_told(
        kind in "(tm|wm|tc|ts|TM|WM|TC|TS)", low in 0u32..500, high in 501u32..=1000,
    ) {
        let text = format!("{kind}({}%:{}%)", f64::from(low) / 10.0, f64::from(high) / 10.0);
        let statistic: Statistic = text.parse().expect("a statistic");
        prop_assert_eq!(statistic.to_string().parse::<Statistic>(), Ok(statistic));
    }
}

#[test]
fn one_value_that_came_once_takes_nine_bytes() {
    assert_eq!(Summary::of(12.5, 1.0).expect("a value").to_bytes().len(), 9);
    assert_eq!(Summary::of(12.5, 3.0).expect("a value").to_bytes().len(), 17);
    let many: Vec<f64> = (0..100_000)
        .map(|index| f64::from(index % 7919) * 1.37 + 0.5)
        .collect();
    let bytes = summary(&many).to_bytes().len();
    assert!(bytes < 4096, "{bytes} bytes");
    assert!(many.len() > MAX_EXACT);
}
