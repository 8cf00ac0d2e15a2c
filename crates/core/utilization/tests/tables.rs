//! The documented formulas, by example and by property.

use proptest::prelude::*;
use roadstead_utilization::{Amount, Measured, Samples, group, mean, percent, summary, used};

fn samples(min: f64, max: f64, sum: f64, count: i64) -> Samples {
    Samples { min, max, sum, count }
}

fn amount(cpu: f64, memory: f64) -> Amount {
    Amount { cpu, memory }
}

#[test]
fn samples_have_a_mean_or_make_no_sense() {
    for (given, wanted) in [
        (samples(1.0, 3.0, 4.0, 2), Some(2.0)),
        (samples(0.0, 0.0, 0.0, 19), Some(0.0)),
        // As the vendor's agent sends it.
        (
            samples(0.042_463_365, 1.097_788_453, 5.461_504_325, 18),
            Some(5.461_504_325 / 18.0),
        ),
        (samples(1.0, 3.0, 4.0, 0), None),
        (samples(1.0, 3.0, 4.0, -1), None),
        (samples(3.0, 1.0, 4.0, 2), None),
        (samples(-1.0, 3.0, 2.0, 2), None),
        (samples(1.0, 3.0, 400.0, 2), None),
        (samples(1.0, 3.0, 0.5, 2), None),
        (samples(f64::NAN, 3.0, 4.0, 2), None),
        (samples(1.0, f64::INFINITY, 4.0, 2), None),
        (samples(1.0, 1.0, 1e9, 1_000_000_000), None),
    ] {
        assert_eq!(given.mean(), wanted, "{given:?}");
    }
}

#[test]
fn a_task_uses_what_its_containers_use() {
    let half = samples(50.0, 50.0, 100.0, 2);
    let tenth = samples(10.0, 10.0, 10.0, 1);
    let both = |cpu, memory| Measured { cpu, memory };
    for (containers, registered, wanted) in [
        (
            vec![both(Some(half), Some(tenth))],
            2048.0,
            Some(amount(1024.0, 10.0)),
        ),
        (
            vec![both(Some(half), Some(tenth)), both(Some(tenth), None)],
            1000.0,
            Some(amount(600.0, 10.0)),
        ),
        (vec![both(None, None)], 1000.0, None),
        (vec![], 1000.0, None),
        (vec![both(Some(samples(2.0, 1.0, 3.0, 2)), None)], 1000.0, None),
    ] {
        assert_eq!(used(containers.clone(), registered), wanted, "{containers:?}");
    }
}

#[test]
fn parts_of_wholes_are_percents() {
    for (part, whole, cpu, memory) in [
        (
            amount(256.0, 512.0),
            amount(1024.0, 2048.0),
            Some(25.0),
            Some(25.0),
        ),
        (amount(0.0, 0.0), amount(1024.0, 2048.0), Some(0.0), Some(0.0)),
        // The developer guide's own case: more than was reserved.
        (amount(1536.0, 10.0), amount(1024.0, 0.0), Some(150.0), None),
        (amount(1.0, 1.0), amount(0.0, 0.0), None, None),
    ] {
        let found = percent(part, whole);
        assert_eq!((found.cpu, found.memory), (cpu, memory), "{part:?} of {whole:?}");
    }
}

#[test]
fn a_service_counts_its_tasks() {
    let reserved = amount(256.0, 100.0);
    let tasks = [(amount(128.0, 50.0), reserved), (amount(256.0, 100.0), reserved)];
    let found = group(&tasks);
    let cpu = found.cpu.expect("a summary");
    assert_eq!((cpu.count, cpu.sum, cpu.min, cpu.max), (2.0, 150.0, 50.0, 100.0));
    assert_eq!(found.memory.expect("a summary").sum, 150.0);
    // Without a reservation of CPU there is no utilization of it.
    let found = group(&[(amount(128.0, 50.0), amount(0.0, 100.0))]);
    assert!(found.cpu.is_none() && found.memory.is_some());
    assert!(group(&[]).cpu.is_none());
}

#[test]
fn nothing_has_no_mean() {
    assert_eq!(mean(&[]), None);
    assert_eq!(
        mean(&[amount(1.0, 2.0), amount(3.0, 4.0)]),
        Some(amount(2.0, 3.0))
    );
}

proptest! {
    #[test]
    fn of_equal_tasks_the_mean_is_the_services_formula(used in prop::collection::vec((0.0..4096.0_f64, 0.0..4096.0_f64), 1..20), cpu in 1.0..4096.0_f64) {
        let reserved = amount(cpu, 512.0);
        let tasks: Vec<_> = used.iter().map(|(cpu, memory)| (amount(*cpu, *memory), reserved)).collect();
        let found = group(&tasks).cpu.expect("a summary");
        let total: f64 = used.iter().map(|(cpu, _)| cpu).sum();
        let formula = total / (cpu * used.len() as f64) * 100.0;
        prop_assert!((found.sum / found.count - formula).abs() < 1e-6 * formula.max(1.0));
    }

    #[test]
    fn a_summary_holds_its_numbers(numbers in prop::collection::vec(0.0..1e6_f64, 1..50)) {
        let found = summary(numbers.iter().copied()).expect("a summary");
        prop_assert_eq!(found.count, numbers.len() as f64);
        for number in numbers {
            prop_assert!(found.min <= number && number <= found.max);
        }
        prop_assert!(found.sum >= found.min * found.count - 1e-3 && found.sum <= found.max * found.count + 1e-3);
    }

    #[test]
    fn a_mean_lies_between_the_ends(min in -10.0..10.0_f64, max in -10.0..10.0_f64, sum in -100.0..100.0_f64, count in -2..20_i64) {
        if let Some(mean) = samples(min, max, sum, count).mean() {
            prop_assert!(min >= 0.0 && mean >= min && mean <= max);
        }
    }
}
