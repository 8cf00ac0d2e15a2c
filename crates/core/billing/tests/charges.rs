//! Charges by example and by property.

use proptest::prelude::*;
use roadstead_billing::{Architecture, Prices, Usage, Window, charge, seconds};

const EVER: Window = Window {
    since: 0,
    until: i64::MAX,
};

fn usage(start: i64, stop: Option<i64>) -> Usage {
    Usage {
        architecture: Architecture::X86,
        cpu: 1024,
        memory: 2048,
        storage: 20,
        pull_started: start,
        stopped: stop,
    }
}

#[test]
fn seconds_are_whole_and_sixty_at_least() {
    for (start, stop, now, window, wanted) in [
        (0, Some(1), 0, EVER, 60),
        (0, Some(60_000), 0, EVER, 60),
        (0, Some(60_001), 0, EVER, 61),
        (500, Some(90_500), 0, EVER, 90),
        // It runs: what has passed.
        (0, None, 10_000, EVER, 10),
        (0, None, 100_000, EVER, 100),
        // Part of it lies in the window.
        (
            0,
            Some(3_600_000),
            0,
            Window {
                since: 600_000,
                until: 1_200_000,
            },
            600,
        ),
        (
            0,
            Some(3_600_000),
            0,
            Window {
                since: 3_600_000,
                until: 9_000_000,
            },
            0,
        ),
        (
            5_000_000,
            Some(5_100_000),
            0,
            Window {
                since: 0,
                until: 5_000_000,
            },
            0,
        ),
        // A short task's minute is charged where it ended.
        (
            0,
            Some(4_000),
            0,
            Window {
                since: 0,
                until: 5_000,
            },
            60,
        ),
        (
            0,
            Some(4_000),
            0,
            Window {
                since: 0,
                until: 3_000,
            },
            3,
        ),
        (
            0,
            Some(4_000),
            0,
            Window {
                since: 3_000,
                until: 5_000,
            },
            57,
        ),
        (
            0,
            Some(4_000),
            0,
            Window {
                since: 4_000,
                until: 90_000,
            },
            0,
        ),
        // A clock that went back.
        (9_000, Some(8_000), 0, EVER, 60),
    ] {
        assert_eq!(
            seconds(&usage(start, stop), window, now),
            wanted,
            "{start} {stop:?} {window:?}"
        );
    }
}

#[test]
fn an_hour_costs_what_the_page_says() {
    let prices = Prices::usual().expect("the table that comes with it");
    let (name, region) = prices.of("us-east-1");
    let region = region.expect("prices");
    assert_eq!(name, "us-east-1");
    let hour = usage(0, Some(3_600_000));
    let found = charge(&hour, EVER, 0, region);
    assert!((found.cpu - 0.04048).abs() < 1e-12 && (found.memory - 2.0 * 0.004445).abs() < 1e-12);
    assert_eq!((found.storage, found.seconds), (0.0, 3600));
    let arm = charge(
        &Usage {
            architecture: Architecture::Arm,
            storage: 120,
            ..hour
        },
        EVER,
        0,
        region,
    );
    assert!((arm.cpu - 0.03238).abs() < 1e-12 && (arm.memory - 2.0 * 0.00356).abs() < 1e-12);
    assert!((arm.storage - 100.0 * 0.000111).abs() < 1e-12);
    assert_eq!(
        prices.of("mars-north-1").0,
        "us-east-1",
        "one that the table does not have"
    );
    assert_eq!(Architecture::of("arm64"), Some(Architecture::Arm));
    assert_eq!(Architecture::of("riscv"), None);
}

#[test]
fn a_table_that_cannot_be_charged_by_is_refused() {
    let region = "[regions.a]\nstorage_gb_hour = 1.0\nx86 = { vcpu_hour = 1.0, gb_hour = 1.0 }\narm = { vcpu_hour = 1.0, gb_hour = 1.0 }\n";
    assert!(Prices::parse(&format!("fallback = \"a\"\n{region}")).is_ok());
    for (text, words) in [
        ("x".to_owned(), "no table"),
        (format!("fallback = \"b\"\n{region}"), "fallback b"),
        (
            format!("fallback = \"a\"\ncurrency = \"EUR\"\n{region}"),
            "unknown field",
        ),
        (
            format!("fallback = \"a\"\n{}", region.replacen("1.0", "-1.0", 1)),
            "negative",
        ),
        (
            format!("fallback = \"a\"\n{}", region.replacen("1.0", "nan", 1)),
            "no number",
        ),
    ] {
        let error = Prices::parse(&text).expect_err(&text).to_string();
        assert!(error.contains(words), "{error}");
    }
}

proptest! {
    #[test]
    fn windows_that_follow_each_other_charge_every_second_once(start in 0..10_000_000_i64, length in 0..10_000_000_i64, cut in 0..30_000_000_i64, runs: bool) {
        let task = usage(start, (!runs).then_some(start + length));
        let now = start + length;
        let whole = seconds(&task, EVER, now);
        let first = seconds(&task, Window { since: 0, until: cut }, now);
        let second = seconds(&task, Window { since: cut, until: i64::MAX }, now);
        prop_assert_eq!(first + second, whole);
    }

    #[test]
    fn longer_never_costs_less(start in 0..10_000_000_i64, length in 0..10_000_000_i64, more in 0..10_000_000_i64) {
        let region = Prices::usual().expect("prices");
        let region = region.of("us-east-1").1.expect("a region").clone();
        let cost = |stop: i64| charge(&usage(start, Some(stop)), EVER, 0, &region).total();
        prop_assert!(cost(start + length) <= cost(start + length + more));
        prop_assert!(seconds(&usage(start, Some(start + length)), EVER, 0) >= 60);
        prop_assert!(seconds(&usage(start, Some(start + length)), EVER, 0) * 1000 >= length);
    }

    #[test]
    fn a_window_charges_its_length_and_a_short_tasks_minute_at_most(start in 0..10_000_000_i64, length in 0..10_000_000_i64, since in 0..10_000_000_i64, wide in 0..10_000_000_i64) {
        let window = Window { since, until: since + wide };
        prop_assert!(seconds(&usage(start, Some(start + length)), window, 0) * 1000 < wide + 1000 + 60_000);
    }
}
