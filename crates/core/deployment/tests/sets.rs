//! How large a task set is, and when it is stable.

use proptest::prelude::*;
use roadstead_deployment::{DeploymentId, Health, InstanceId, State, Task, TaskId, is_stable, part};

#[test]
fn a_part_is_rounded_up() {
    for (desired, percent, wanted) in [
        (0, 100.0, 0),
        (1, 0.0, 0),
        (1, 0.1, 1),
        (2, 50.0, 1),
        (3, 50.0, 2),
        (3, 100.0, 3),
        // 1.2 is documented to be 2.
        (4, 30.0, 2),
        (10, 30.0, 3),
        (5000, 99.99, 5000),
        (5000, 99.98, 4999),
        (5000, 0.14, 7),
    ] {
        assert_eq!(part(desired, percent), wanted, "{percent} % of {desired}");
    }
}

proptest! {
    #[test]
    fn hundredths_of_percents_are_exact(desired in 0..=5000_usize, hundredths in 0..=10_000_usize) {
        let part = part(desired, hundredths as f64 / 100.0);
        let exact = (desired * hundredths).div_ceil(10_000);
        prop_assert_eq!(part, exact);
    }

    #[test]
    fn whole_percents_are_exact(desired in 0..=5000_usize, percent in 0..=100_u32) {
        prop_assert_eq!(part(desired, f64::from(percent)), (desired * percent as usize).div_ceil(100));
    }
}

fn task(change: impl FnOnce(&mut Task)) -> Task {
    let mut task = Task {
        id: TaskId("t".into()),
        deployment: DeploymentId("s".into()),
        state: State::Running { since: 0 },
        health: Health::Unchecked,
        created: 0,
        zone: None,
        provider: None,
        instance: InstanceId("i".into()),
        protected_until: None,
        leaving: false,
    };
    change(&mut task);
    task
}

#[test]
fn only_as_many_as_desired_that_all_run_well_are_stable() {
    let good = || task(|_| {});
    assert!(is_stable(&[], 0));
    assert!(is_stable(&[good(), task(|it| it.health = Health::Healthy)], 2));
    assert!(!is_stable(&[], 1));
    assert!(!is_stable(&[good(), good()], 1));
    for bad in [
        task(|it| it.state = State::Pending),
        task(|it| it.health = Health::Unknown),
        task(|it| it.health = Health::Unhealthy),
        task(|it| it.leaving = true),
    ] {
        assert!(!is_stable(&[good(), bad.clone()], 2), "{bad:?}");
    }
}
