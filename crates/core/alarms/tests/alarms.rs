//! The documented tables, and properties that hold whatever the points are.

use proptest::prelude::*;
use roadstead_alarms::{
    Comparison, Look, Missing, Rule, Settings, State, Suppression, Verdict, evaluate, judge, range,
    suppression,
};

/// `0` is a good point, `X` a bad one, `-` none; the newest last.
fn points(text: &str) -> Vec<Option<bool>> {
    let point = |c| match c {
        '0' => Some(false),
        'X' => Some(true),
        _ => None,
    };
    text.chars().map(point).collect()
}

const ALL: [Missing; 4] = [
    Missing::Missing,
    Missing::Ignore,
    Missing::Breaching,
    Missing::NotBreaching,
];

#[test]
fn missing_points_count_as_documented() {
    use Verdict::{Alarm as A, InsufficientData as I, Ok as O, Unchanged as U};
    for (m, text, wanted) in [
        (3, "0-X-X", [O, O, O, O]),
        (3, "0----", [O, O, O, O]),
        (3, "-----", [I, U, A, O]),
        (3, "0XX-X", [A, A, A, A]),
        (3, "--X--", [A, U, A, O]),
        (2, "0-X-X", [A, A, A, A]),
        (2, "00X0X", [A, A, A, A]),
        (2, "0-X--", [O, O, A, O]),
        (2, "----0", [O, O, A, O]),
        (2, "---X-", [A, U, A, O]),
        // The only point is bad, and too young to have been followed by others.
        (3, "----X", [U, U, A, O]),
        (1, "----X", [A, A, A, A]),
    ] {
        for (missing, wanted) in ALL.into_iter().zip(wanted) {
            let settings = Settings {
                evaluation_periods: 3,
                datapoints_to_alarm: m,
                missing,
            };
            assert_eq!(range(&settings), 5);
            assert_eq!(
                evaluate(&points(text), &settings),
                wanted,
                "{m} of 3, {text}, {missing:?}"
            );
        }
    }
}

#[test]
fn what_counted_is_told() {
    let settings = Settings {
        evaluation_periods: 3,
        datapoints_to_alarm: 2,
        missing: Missing::Breaching,
    };
    for (text, counted, filled) in [
        ("00X0X", vec![4, 3, 2], 0),
        ("XX0-X-X", vec![6, 4, 2], 0),
        ("---X-", vec![3], 2),
        ("", vec![], 3),
    ] {
        let judged = judge(&points(text), &settings);
        assert_eq!((judged.counted, judged.filled), (counted, filled), "{text}");
    }
}

#[test]
fn a_suppressor_is_waited_for_and_outlives_its_alarm() {
    use Suppression::{Alarm, ExtensionPeriod, WaitPeriod};
    let wait = WaitPeriod { until: 10 };
    let extension = ExtensionPeriod { until: 25 };
    // Before, into ALARM, suppressor, since, now, and what follows.
    for (before, into_alarm, suppressor, since, now, after) in [
        (None, false, State::Ok, 0, 0, None),
        (None, true, State::Ok, 0, 0, Some(wait)),
        (None, true, State::Alarm, 0, 0, Some(Alarm)),
        (None, false, State::Alarm, 0, 0, Some(Alarm)),
        (Some(wait), false, State::Ok, 0, 9, Some(wait)),
        (Some(wait), true, State::Ok, 0, 9, Some(wait)),
        (Some(wait), false, State::Alarm, 9, 9, Some(Alarm)),
        (Some(wait), false, State::InsufficientData, 0, 10, None),
        (Some(Alarm), false, State::Ok, 20, 21, Some(extension)),
        (Some(Alarm), false, State::Ok, 20, 25, None),
        (Some(extension), true, State::Ok, 20, 24, Some(extension)),
        (Some(extension), false, State::Alarm, 24, 24, Some(Alarm)),
        (Some(extension), false, State::Ok, 20, 25, None),
    ] {
        let look = Look {
            before,
            into_alarm,
            suppressor,
            since,
            now,
            wait: 10,
            extension: 5,
        };
        assert_eq!(suppression(&look), after, "{look:?}");
    }
}

#[test]
fn thresholds_are_compared_as_they_are_called() {
    for (comparison, below, at, above) in [
        (Comparison::GreaterThanOrEqualTo, false, true, true),
        (Comparison::GreaterThan, false, false, true),
        (Comparison::LessThan, true, false, false),
        (Comparison::LessThanOrEqualTo, true, true, false),
    ] {
        let said = [4.9, 5.0, 5.1].map(|value| comparison.breaches(value, 5.0));
        assert_eq!(said, [below, at, above], "{comparison:?}");
    }
}

#[test]
fn rules_hold_as_they_are_written() {
    let state = |alarm: &str| match alarm {
        "a" | "two words" => Some(State::Alarm),
        "b" => Some(State::Ok),
        "c" => Some(State::InsufficientData),
        _ => None,
    };
    for (text, holds) in [
        ("TRUE", true),
        ("FALSE", false),
        ("ALARM(a)", true),
        ("ALARM(\"a\")", true),
        ("ALARM( \"two words\" )", true),
        ("ALARM(two words)", true),
        ("OK(a)", false),
        ("OK(b) AND INSUFFICIENT_DATA(c)", true),
        ("NOT ALARM(a) OR OK(b)", true),
        ("NOT (ALARM(a) OR OK(b))", false),
        ("FALSE AND FALSE OR TRUE", true),
        ("FALSE AND (FALSE OR TRUE)", false),
        ("NOT NOT ALARM(a)", true),
        ("ALARM(unknown) OR OK(unknown)", false),
    ] {
        let rule = Rule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(rule.holds(&state), holds, "{text}");
    }
    let rule = Rule::parse("ALARM(b) AND (OK(\"a\") OR ALARM(b))").expect("a rule");
    assert_eq!(rule.alarms(), ["a", "b"]);
}

#[test]
fn faults_say_where_they_are() {
    for (text, position) in [
        ("", 0),
        ("ALARM", 5),
        ("ALARM(", 6),
        ("ALARM()", 6),
        ("ALARM(a", 7),
        ("ALARM(\"a)", 6),
        ("alarm(a)", 0),
        ("ALARM(a) AND", 12),
        ("ALARM(a) XOR OK(b)", 9),
        ("(ALARM(a)", 9),
        ("ALARM(a))", 8),
        ("NOT", 3),
        ("ALARMS(a)", 0),
    ] {
        let error = Rule::parse(text).expect_err(text);
        assert_eq!(error.position, position, "{text}: {error}");
    }
    assert!(Rule::parse(&"(".repeat(200)).is_err());
    assert!(Rule::parse(&"NOT ".repeat(200)).is_err());
    let many: Vec<String> = (0..101).map(|index| format!("ALARM(a{index})")).collect();
    assert!(Rule::parse(&many[..100].join(" OR ")).is_ok());
    assert!(Rule::parse(&many.join(" OR ")).is_err());
    assert_eq!(
        Rule::parse(&"x".repeat(20_000)).expect_err("long").position,
        10_240
    );
}

proptest! {
    #[test]
    fn with_every_point_there_only_the_last_n_and_their_count_matter(
        old in proptest::collection::vec(any::<bool>(), 0..20), last in proptest::collection::vec(any::<bool>(), 1..8), m in 1usize..8,
    ) {
        let n = last.len();
        let m = m.min(n);
        let all: Vec<Option<bool>> = old.iter().chain(&last).copied().map(Some).collect();
        let bad = last.iter().filter(|bad| **bad).count();
        let wanted = if bad >= m { Verdict::Alarm } else { Verdict::Ok };
        for missing in ALL {
            let settings = Settings { evaluation_periods: n, datapoints_to_alarm: m, missing };
            prop_assert_eq!(evaluate(&all, &settings), wanted);
        }
    }

    #[test]
    fn a_worse_point_never_makes_an_alarm_good(
        all in proptest::collection::vec(proptest::option::of(any::<bool>()), 1..12), at in 0usize..12,
        n in 1usize..6, m in 1usize..6,
    ) {
        let m = m.min(n);
        let at = at % all.len();
        prop_assume!(all[at] == Some(false));
        let mut worse = all.clone();
        worse[at] = Some(true);
        for missing in ALL {
            let settings = Settings { evaluation_periods: n, datapoints_to_alarm: m, missing };
            if evaluate(&all, &settings) == Verdict::Alarm {
                prop_assert_eq!(evaluate(&worse, &settings), Verdict::Alarm);
            }
        }
    }

    #[test]
    fn whatever_is_written_is_a_rule_or_refused_within_it(text in "[A-Z_()\" a]{0,40}") {
        if let Err(error) = Rule::parse(&text) {
            prop_assert!(error.position <= text.len());
        }
    }
}
