//! When health is checked, and who waits for what it says.

use super::*;
use crate::engine::health::{Checked, HealthCheck, HealthStatus};

fn checked(container: &str, code: i32, ms: i64) -> E {
    E::Checked {
        container: name(container),
        checked: Checked {
            at: at(ms),
            code: Some(code),
            output: String::new(),
        },
    }
}

#[test]
fn health_is_checked_at_its_times_and_others_wait_for_it() {
    let mut db = container("db", true, &[]);
    db.health = Some(HealthCheck {
        args: vec!["true".to_owned()],
        interval_ms: 5_000,
        timeout_ms: 2_000,
        start_period_ms: 0,
        retries: 2,
    });
    let mut machine = machine(vec![db, container("app", true, &[("db", Condition::Healthy)])]);
    for event in [E::Admitted, up(), pulled("app"), pulled("db"), created("db")] {
        machine.step(event, at(0));
    }
    check(&mut machine, vec![(100, started("db", 100), &[])]);
    assert_eq!(machine.next_deadline(), Some(at(5_100)));
    check(
        &mut machine,
        vec![
            (5_099, E::Tick, &[]),
            (5_100, E::Tick, &["check db"]),
            // One at a time.
            (12_000, E::Tick, &[]),
            (12_100, checked("db", 1, 12_100), &[]),
            (17_100, E::Tick, &["check db"]),
            (17_200, checked("db", 0, 17_200), &["create app"]),
            (17_300, created("app"), &["start app"]),
            (17_400, started("app", 17_400), &[]),
            // An unhealthy essential container goes on.
            (22_200, E::Tick, &["check db"]),
            (22_300, checked("db", 1, 22_300), &[]),
            (27_300, E::Tick, &["check db"]),
            (27_400, checked("db", 1, 27_400), &[]),
        ],
    );
    let health = &machine.state.containers["db"].health;
    assert_eq!(
        (health.status, health.since),
        (HealthStatus::Unhealthy, Some(at(27_400)))
    );
    // Who stops is not asked any more.
    check(
        &mut machine,
        vec![
            (32_400, E::StopWanted { reason: None }, &["SIGTERM app"]),
            (40_000, E::Tick, &[]),
        ],
    );
}

#[test]
fn who_waits_for_the_health_of_one_that_ended_waits_in_vain() {
    let mut db = container("db", false, &[]);
    db.health = Some(HealthCheck {
        args: vec!["true".to_owned()],
        interval_ms: 5_000,
        timeout_ms: 2_000,
        start_period_ms: 0,
        retries: 2,
    });
    let mut machine = machine(vec![db, container("app", true, &[("db", Condition::Healthy)])]);
    for event in [
        E::Admitted,
        up(),
        pulled("app"),
        pulled("db"),
        created("db"),
        started("db", 1),
    ] {
        machine.step(event, at(1));
    }
    check(&mut machine, vec![(2, exited("db", 0, 2), &["delete db"])]);
    let stop = machine.state.stop.as_ref().and_then(|stop| stop.reason.clone());
    assert!(stop.is_some_and(|why| why.contains("HEALTHY")));
}
