//! Containers that run again in their task.

use super::*;
use crate::engine::durable::Weight;
use crate::engine::health::{Checked, HealthCheck, HealthStatus};
use crate::engine::recover::{Found, found};
use crate::engine::restart::RestartPolicy;
use crate::engine::state::Connection;

/// Milliseconds.
const PERIOD: i64 = 60_000;

fn policy(ignored: &[i32]) -> Option<RestartPolicy> {
    Some(RestartPolicy {
        ignored: ignored.to_vec(),
        period_ms: PERIOD,
    })
}

/// An essential container with a policy, which runs since 10 ms.
fn restarting(ignored: &[i32]) -> Machine {
    let mut machine = running();
    Arc::make_mut(&mut machine.task).containers[0].restart = policy(ignored);
    machine
}

fn state(machine: &Machine) -> &ContainerState {
    &machine.state.containers["web"]
}

#[test]
fn a_container_runs_again_if_it_ran_for_the_period_and_stays_stopped_otherwise() {
    // Milliseconds at which it ends, the code, and whether it runs again.
    for (end, code, again) in [
        (PERIOD + 10, 1, true),
        (PERIOD + 10, 0, true),
        (PERIOD + 9, 1, false),
        (PERIOD + 10, 7, false),
        (PERIOD + 10, 137, true),
    ] {
        let mut machine = restarting(&[7]);
        let effects = show(&machine.step(exited("web", code, end), at(end)));
        let wanted = if again { "create web" } else { "delete web" };
        assert_eq!(effects, [wanted], "{code} at {end}");
        assert_eq!(
            (state(&machine).restarts, machine.state.execution_stopped_at),
            (u32::from(again), (!again).then_some(at(end)))
        );
    }
}

#[test]
fn each_run_is_measured_from_its_own_beginning_and_nothing_is_told_between() {
    let mut machine = restarting(&[]);
    machine.step(E::Settled { number: 0 }, at(11));
    let second = PERIOD + 20;
    check(
        &mut machine,
        vec![
            (second, exited("web", 3, second - 5), &["create web"]),
            (second + 1, created("web"), &["start web"]),
        ],
    );
    assert_eq!(
        (machine.status(), machine.desired()),
        (Status::Running, Status::Running)
    );
    assert_eq!(state(&machine).shown(), Status::Running);
    check(&mut machine, vec![(second + 2, started("web", second + 2), &[])]);
    assert!(machine.state.outbox.is_empty(), "the task ran all the time");
    assert_eq!(
        (
            state(&machine).started_at,
            state(&machine).exit_code,
            state(&machine).finished_at
        ),
        (Some(at(10)), None, None),
        "since its first start"
    );
    let third = second + PERIOD;
    check(
        &mut machine,
        vec![
            (third, exited("web", 3, third), &["create web"]),
            (third, created("web"), &["start web"]),
            (third, started("web", third), &[]),
            (third + 100, exited("web", 4, third + 100), &["delete web"]),
        ],
    );
    assert_eq!(state(&machine).restarts, 2);
    assert_eq!(
        outbox(&machine),
        [(Status::Running, vec![(name("web"), Status::Stopped, Some(4))])]
    );
}

#[test]
fn a_stop_and_an_end_that_was_none_are_final() {
    let late = 2 * PERIOD;
    let mut machine = restarting(&[]);
    check(
        &mut machine,
        vec![
            (late, E::StopWanted { reason: None }, &["SIGTERM web"]),
            (late + 1, exited("web", 143, late + 1), &["delete web"]),
        ],
    );
    let mut machine = restarting(&[]);
    let exit = Exit {
        code: 137,
        at: at(late),
        reason: Some("its shim is gone".to_owned()),
        ..Exit::default()
    };
    let lost = E::Exited {
        container: name("web"),
        exit,
    };
    check(&mut machine, vec![(late, lost, &["delete web"])]);
    assert_eq!(state(&machine).restarts, 0);
}

#[test]
fn a_stop_between_two_runs_tells_how_the_last_one_ended() {
    let late = 2 * PERIOD;
    let mut machine = restarting(&[]);
    check(
        &mut machine,
        vec![
            (late, exited("web", 3, late), &["create web"]),
            (late + 1, E::StopWanted { reason: None }, &[]),
            (late + 2, created("web"), &["delete web"]),
        ],
    );
    let last = machine.state.outbox.back().expect("a change");
    assert_eq!(
        (last.containers[0].status, last.containers[0].exit_code),
        (Status::Stopped, Some(3))
    );
    assert_eq!(machine.state.execution_stopped_at, Some(at(late + 2)));
}

#[test]
fn a_restart_that_fails_ends_the_container_as_the_run_before_did() {
    let late = 2 * PERIOD;
    let error = name("CannotStartContainerError: no room");
    let fails = |event: fn(String, String) -> E| event(name("web"), error.clone());
    for (steps, failure) in [
        (
            vec![],
            fails(|container, error| E::CreateFailed { container, error }),
        ),
        (
            vec![(late + 1, created("web"), &["start web"][..])],
            fails(|container, error| E::StartFailed { container, error }),
        ),
    ] {
        let mut machine = restarting(&[]);
        check(
            &mut machine,
            vec![(late, exited("web", 3, late), &["create web"])],
        );
        check(&mut machine, steps);
        check(&mut machine, vec![(late + 2, failure, &["delete web"])]);
        let last = machine.state.outbox.back().expect("a change");
        assert_eq!(
            (last.containers[0].exit_code, last.containers[0].reason.clone()),
            (Some(3), Some(error.clone()))
        );
    }
}

#[test]
fn who_depends_on_it_is_not_asked_again() {
    let mut db = container("db", false, &[("init", Condition::Success)]);
    db.restart = policy(&[]);
    db.start_timeout_ms = Some(1_000);
    let mut machine = machine(vec![
        container("init", false, &[]),
        db,
        container("app", true, &[("db", Condition::Start)]),
    ]);
    for event in [E::Admitted, up(), pulled("init"), pulled("db"), pulled("app")] {
        machine.step(event, at(0));
    }
    let late = 2 * PERIOD;
    check(
        &mut machine,
        vec![
            (1, created("init"), &["start init"]),
            (2, started("init", 2), &[]),
            (3, exited("init", 0, 3), &["create db"]),
            (4, created("db"), &["start db"]),
            (5, started("db", 5), &["create app"]),
            (6, created("app"), &["start app"]),
            (7, started("app", 7), &[]),
            (late, exited("db", 1, late), &["create db"]),
            (late + 5_000, created("db"), &["start db"]),
            (late + 5_001, started("db", late + 5_001), &[]),
        ],
    );
    assert_eq!(machine.state.stop, None);
}

#[test]
fn health_begins_anew_and_a_check_of_the_run_before_says_nothing() {
    let mut machine = restarting(&[]);
    Arc::make_mut(&mut machine.task).containers[0].health = Some(HealthCheck {
        args: vec![name("true")],
        interval_ms: 1_000,
        timeout_ms: 1_000,
        start_period_ms: 0,
        retries: 1,
    });
    let checked = |ms, code| E::Checked {
        container: name("web"),
        checked: Checked {
            at: at(ms),
            code: Some(code),
            output: String::new(),
        },
    };
    let late = 2 * PERIOD;
    check(
        &mut machine,
        vec![
            (1_010, E::Tick, &["check web"]),
            (1_020, checked(1_020, 0), &[]),
            (late, E::Tick, &["check web"]),
            (late, exited("web", 1, late), &["create web"]),
        ],
    );
    assert_eq!(state(&machine).health.status, HealthStatus::Unknown);
    check(
        &mut machine,
        vec![
            (late + 1, created("web"), &["start web"]),
            (late + 2, started("web", late + 2), &[]),
            (late + 3, checked(late + 3, 137), &[]),
        ],
    );
    assert_eq!(state(&machine).health.status, HealthStatus::Unknown);
    assert_eq!(machine.next_deadline(), Some(at(late + 1_000)));
    check(
        &mut machine,
        vec![
            (late + 1_000, E::Tick, &["check web"]),
            (late + 1_001, checked(late + 1_001, 1), &[]),
        ],
    );
    assert_eq!(state(&machine).health.status, HealthStatus::Unhealthy);
}

#[test]
fn a_new_place_on_the_bridge_is_told() {
    let mut machine = restarting(&[]);
    machine.step(E::Settled { number: 0 }, at(11));
    let connection = Connection {
        address: "10.88.0.2".parse().expect("an address"),
        subnet: String::new(),
        gateway: "10.88.0.1".parse().expect("an address"),
        mac: String::new(),
        local_address: None,
        bindings: Vec::new(),
    };
    let late = 2 * PERIOD;
    let again = |ms| E::Created {
        container: name("web"),
        at: at(ms),
        connection: Some(connection.clone()),
    };
    machine.step(exited("web", 1, late), at(late));
    machine.step(again(late + 1), at(late + 1));
    machine.step(started("web", late + 1), at(late + 1));
    let wanted = vec![(name("web"), Status::Running, None)];
    assert_eq!(outbox(&machine), [(Status::Running, wanted)]);
    assert_eq!(state(&machine).created_at, Some(T0));
    machine.step(E::Settled { number: 1 }, at(late + 2));
    machine.step(exited("web", 1, 2 * late), at(2 * late));
    machine.step(again(2 * late), at(2 * late));
    assert!(machine.state.outbox.is_empty(), "it is the same place");
}

#[test]
fn a_new_agent_goes_on_with_the_restart() {
    let late = 2 * PERIOD;
    let mut machine = restarting(&[]);
    let before = Weight::of(&machine);
    let effects = machine.step(exited("web", 3, late), at(late + 9));
    assert!(before.must_be_written(&machine, &effects), "it is counted once");
    let text = serde_json::to_string(&machine.state).expect("writes");
    let old = Exit {
        code: 3,
        at: at(late),
        ..Exit::default()
    };
    let next = Exit {
        code: 4,
        at: at(late + 20),
        ..Exit::default()
    };
    let gone = late + 50;
    // What is found, and what is done then.
    for (there, wanted) in [
        (Some(Found::Exited(Some(at(10)), old)), vec!["create web"]),
        (Some(Found::Created), vec!["create web"]),
        (None, vec!["create web"]),
        (Some(Found::Running(at(late + 15))), vec![]),
        (Some(Found::Exited(Some(at(late + 15)), next)), vec!["delete web"]),
    ] {
        let state = serde_json::from_str(&text).expect("reads");
        let mut again = Machine::restore(machine.task.clone(), state);
        for event in found(&again, &|_| there.clone(), at(gone)) {
            again.absorb(event, at(gone));
        }
        assert_eq!(show(&again.step(E::Tick, at(gone))), wanted, "{there:?}");
        assert_eq!(again.state.containers["web"].restarts, 1, "{there:?}");
    }
}

#[test]
fn an_end_that_no_agent_saw_counts_for_when_it_was() {
    for (end, wanted) in [(PERIOD, "delete web"), (PERIOD + 10, "create web")] {
        let machine = restarting(&[]);
        let mut again = Machine::restore(machine.task.clone(), machine.state.clone());
        let exit = Exit {
            code: 1,
            at: at(end),
            ..Exit::default()
        };
        let there = Found::Exited(Some(at(10)), exit);
        for event in found(&again, &|_| Some(there.clone()), at(9 * PERIOD)) {
            again.absorb(event, at(9 * PERIOD));
        }
        assert_eq!(show(&again.step(E::Tick, at(9 * PERIOD))), [wanted], "{end}");
    }
}
