//! The life of a task, step by step: what happens when, and in which order.

use super::*;
use crate::engine::event::Event as E;
use crate::engine::spec::Condition;
use crate::engine::state::ImageFacts;

mod bench;
mod health;
mod property;
mod restart;
use bench::*;

#[test]
fn a_task_runs_and_is_stopped() {
    let mut machine = running();
    assert_eq!(
        outbox(&machine),
        [(Status::Running, vec![(name("web"), Status::Running, None)])]
    );
    check(
        &mut machine,
        vec![
            (20, E::StopWanted { reason: None }, &["SIGTERM web"]),
            (29_000, E::Tick, &[]),
            (30_020, E::Tick, &["SIGKILL web"]),
            (30_021, exited("web", 137, 30_021), &["delete web"]),
            (
                30_022,
                E::Deleted {
                    container: name("web"),
                },
                &["network down"],
            ),
            (30_023, E::NetworkDown, &["finish", "release"]),
            (30_024, E::Finished, &[]),
        ],
    );
    assert_eq!(
        outbox(&machine)[1],
        (Status::Stopped, vec![(name("web"), Status::Stopped, Some(137))])
    );
    assert!(!machine.is_over(), "two changes are not told yet");
    machine.step(E::Settled { number: 0 }, at(1));
    machine.step(E::Settled { number: 1 }, at(1));
    assert!(machine.is_over());
}

/// The other tasks of a service wait for the first one's images; nobody waits for a standalone task's, nor for what is
/// named by its digest.
#[test]
fn the_images_of_a_service_are_told_once_they_are_known() {
    for (group, image, wanted) in [
        ("service:web", "busybox:1", 1),
        ("service:web", "busybox@sha256:2", 0),
        ("family:web", "busybox:1", 0),
    ] {
        let mut web = container("web", true, &[]);
        web.image = image.to_owned();
        let mut machine = machine(vec![web]);
        Arc::make_mut(&mut machine.task).group = group.to_owned();
        let pulled = E::Pulled {
            container: name("web"),
            image: ImageFacts {
                digest: Some("sha256:2".to_owned()),
                ..ImageFacts::default()
            },
        };
        for event in [E::Tick, E::Admitted, pulled, E::Tick] {
            machine.step(event, at(1));
        }
        let said = |change: &crate::engine::state::Change| {
            let digests = change.containers.iter().map(|it| it.image_digest.clone());
            (
                change.status.upstream(),
                change.not_before,
                digests.collect::<Vec<_>>(),
            )
        };
        let outbox: Vec<_> = machine.state.outbox.iter().map(said).collect();
        let one = ("PENDING", at(1), vec![Some("sha256:2".to_owned())]);
        assert_eq!(outbox, vec![one; wanted], "{group} {image}");
    }
}

#[test]
fn the_image_or_the_definition_says_which_signal_stops() {
    for (image, definition, wanted) in [
        (None, "", "SIGTERM"),
        (Some("SIGQUIT"), "", "SIGQUIT"),
        (Some("SIGQUIT"), "SIGINT", "SIGINT"),
    ] {
        let mut machine = running();
        Arc::make_mut(&mut machine.task).containers[0].config.stop_signal = definition.to_owned();
        machine.state.containers.get_mut("web").expect("is there").image = Some(ImageFacts {
            stop_signal: image.map(str::to_owned),
            ..ImageFacts::default()
        });
        let effects = machine.step(E::StopWanted { reason: None }, at(20));
        assert_eq!(show(&effects), [format!("{wanted} web")]);
    }
}

#[test]
fn containers_stop_in_the_reverse_of_their_start() {
    let mut machine = machine(vec![
        container("db", false, &[]),
        container("app", true, &[("db", Condition::Start)]),
        container("proxy", false, &[("app", Condition::Start)]),
    ]);
    check(
        &mut machine,
        vec![
            (
                0,
                E::Admitted,
                &["network up", "pull db", "pull app", "pull proxy"],
            ),
            (1, up(), &[]),
        ],
    );
    check(
        &mut machine,
        vec![
            (2, pulled("app"), &[]),
            (2, pulled("proxy"), &[]),
            (2, pulled("db"), &["create db"]),
            (3, created("db"), &["start db"]),
            (4, started("db", 4), &["create app"]),
            (5, created("app"), &["start app"]),
            (6, started("app", 6), &["create proxy"]),
            (7, created("proxy"), &["start proxy"]),
            (8, started("proxy", 8), &[]),
            (9, E::StopWanted { reason: None }, &["SIGTERM proxy"]),
            (10, exited("proxy", 0, 10), &["SIGTERM app"]),
            (11, exited("app", 0, 11), &["SIGTERM db"]),
            (
                12,
                exited("db", 0, 12),
                &["delete app", "delete db", "delete proxy"],
            ),
        ],
    );
    assert_eq!(machine.state.execution_stopped_at, Some(at(11)));
}

#[test]
fn an_essential_end_stops_the_others() {
    let mut machine = machine(vec![container("web", true, &[]), container("side", false, &[])]);
    for event in [
        E::Admitted,
        up(),
        pulled("web"),
        pulled("side"),
        created("web"),
        created("side"),
    ] {
        machine.step(event, at(0));
    }
    check(
        &mut machine,
        vec![
            (1, started("web", 1), &[]),
            (1, started("side", 1), &[]),
            (2, exited("web", 1, 2), &["SIGTERM side"]),
            (3, exited("side", 143, 3), &["delete side", "delete web"]),
        ],
    );
    let reason = machine.state.stop.as_ref().map(|stop| stop.reason.clone());
    assert_eq!(
        reason,
        Some(None),
        "the control plane has words of its own for it"
    );
}

#[test]
fn a_failed_pull_ends_the_task_with_its_reason() {
    let mut machine = machine(vec![container("web", true, &[])]);
    let error = name("CannotPullContainerError: no such image");
    check(
        &mut machine,
        vec![
            (0, E::Admitted, &["network up", "pull web"]),
            (
                1,
                E::PullFailed {
                    container: name("web"),
                    error: error.clone(),
                },
                &["cancel network"],
            ),
            (
                2,
                E::NetworkFailed {
                    error: name("cancelled"),
                },
                &["network down"],
            ),
            (3, E::NetworkDown, &["finish", "release"]),
            (4, E::Finished, &[]),
        ],
    );
    let change = machine.state.outbox.back().expect("a change");
    assert_eq!((change.status, change.reason.clone()), (Status::Stopped, None));
    assert_eq!(
        (
            change.containers[0].reason.clone(),
            change.containers[0].runtime_id.clone()
        ),
        (Some(error), None)
    );
    assert_eq!(machine.state.outbox.len(), 1, "one message tells it all");
}

#[test]
fn conditions_are_waited_for_or_given_up() {
    for (condition, code, wanted) in [
        (Condition::Complete, 7, vec!["create app"]),
        (Condition::Success, 0, vec!["create app"]),
        (Condition::Success, 7, vec!["delete init"]),
    ] {
        let mut machine = machine(vec![
            container("init", false, &[]),
            container("app", true, &[("init", condition)]),
        ]);
        machine.step(E::Admitted, at(0));
        machine.step(up(), at(0));
        machine.step(pulled("app"), at(0));
        check(
            &mut machine,
            vec![
                (1, pulled("init"), &["create init"]),
                (2, created("init"), &["start init"]),
                (3, started("init", 3), &[]),
            ],
        );
        let effects = machine.step(exited("init", code, 4), at(4));
        assert_eq!(show(&effects), wanted, "{condition:?} {code}");
        let reason = machine.state.stop.as_ref().and_then(|stop| stop.reason.clone());
        assert_eq!(
            reason.is_some_and(|why| why.contains("SUCCESS")),
            wanted == ["delete init"]
        );
    }
}

#[test]
fn a_dependency_that_takes_too_long_stops_the_task() {
    let mut init = container("init", false, &[]);
    init.start_timeout_ms = Some(5_000);
    let mut machine = machine(vec![
        init,
        container("app", true, &[("init", Condition::Complete)]),
    ]);
    for event in [
        E::Admitted,
        up(),
        pulled("app"),
        pulled("init"),
        created("init"),
        started("init", 100),
    ] {
        machine.step(event, at(100));
    }
    assert_eq!(machine.next_deadline(), Some(at(5_100)));
    check(
        &mut machine,
        vec![(5_099, E::Tick, &[]), (5_100, E::Tick, &["SIGTERM init"])],
    );
    assert!(
        machine
            .state
            .stop
            .as_ref()
            .is_some_and(|stop| stop.reason.as_ref().is_some_and(|r| r.contains("startTimeout")))
    );
}

#[test]
fn out_of_memory_is_named() {
    let mut machine = running();
    let exit = Exit {
        code: 137,
        oom_killed: true,
        at: at(20),
        reason: None,
    };
    machine.step(
        E::Exited {
            container: name("web"),
            exit,
        },
        at(20),
    );
    let state = &machine.state.containers["web"];
    assert_eq!(
        state.reason.as_deref(),
        Some("OutOfMemoryError: Container killed due to memory usage")
    );
    assert_eq!(state.exit_code, Some(137));
}

#[test]
fn a_stop_before_the_start_makes_nothing() {
    let mut machine = machine(vec![container("web", true, &[])]);
    check(
        &mut machine,
        vec![
            (0, E::Tick, &["admit"]),
            (1, E::StopWanted { reason: None }, &["finish", "release"]),
            (2, E::Finished, &[]),
        ],
    );
    assert_eq!(
        outbox(&machine),
        [(Status::Stopped, vec![(name("web"), Status::Stopped, None)])]
    );
}

#[test]
fn a_late_answer_to_a_cancelled_pull_changes_nothing() {
    let mut machine = machine(vec![container("web", true, &[])]);
    check(
        &mut machine,
        vec![
            (0, E::Admitted, &["network up", "pull web"]),
            (
                1,
                E::StopWanted { reason: None },
                &["cancel pull web", "cancel network"],
            ),
            (2, pulled("web"), &[]),
            (3, up(), &["network down"]),
        ],
    );
}

#[test]
fn a_sidecars_end_waits_for_company_and_is_told_once() {
    let mut machine = machine(vec![container("web", true, &[]), container("side", false, &[])]);
    for event in [
        E::Admitted,
        up(),
        pulled("web"),
        pulled("side"),
        created("web"),
        created("side"),
    ] {
        machine.step(event, at(0));
    }
    machine.step(started("web", 1), at(1));
    assert!(outbox(&machine)[0].0 < Status::Running, "the side is not up yet");
    machine.step(started("side", 2), at(2));
    assert_eq!(outbox(&machine).len(), 1, "one RUNNING for all");
    assert_eq!(machine.state.outbox[0].not_before, at(2));
    machine.step(E::Sending { number: 0 }, at(2));
    machine.step(exited("side", 7, 3), at(3));
    assert_eq!(
        outbox(&machine)[1],
        (Status::Running, vec![(name("side"), Status::Stopped, Some(7))])
    );
    assert!(machine.state.outbox[1].not_before > at(3));
    machine.step(E::Settled { number: 0 }, at(4));
    machine.step(exited("web", 0, 5), at(5));
    assert_eq!(machine.state.outbox.len(), 1);
    assert_eq!(
        machine.state.outbox[0].containers.len(),
        2,
        "the end of both in one message"
    );
}

#[test]
fn a_new_agent_goes_on_where_the_old_one_died() {
    let mut machine = running();
    machine.step(E::Settled { number: 0 }, at(11));
    let text = serde_json::to_string(&machine.state).expect("writes");
    let state = serde_json::from_str(&text).expect("reads");
    let mut again = Machine::restore(machine.task.clone(), state);
    assert_eq!(
        show(&again.step(E::Tick, at(50))),
        [] as [&str; 0],
        "nothing is done twice"
    );
    assert!(again.state.outbox.is_empty(), "and nothing told twice");
    assert_eq!(show(&again.step(exited("web", 0, 60), at(60))), ["delete web"]);

    let mut half = super::tests::machine(vec![container("web", true, &[])]);
    half.step(E::Admitted, at(0));
    half.step(E::NamespaceReady(Namespace::default()), at(1));
    half.step(pulled("web"), at(1));
    half.step(created("web"), at(1));
    let mut again = Machine::restore(half.task.clone(), half.state.clone());
    again.state.network_doing = None;
    assert_eq!(show(&again.step(E::Tick, at(2))), ["network up"]);
    let anew = E::NamespaceReady(Namespace::default());
    assert_eq!(
        show(&again.step(anew, at(3))),
        ["create web"],
        "in the new namespace"
    );
    let mut stopped = Machine::restore(half.task.clone(), half.state);
    stopped.state.network_doing = None;
    assert_eq!(
        show(&stopped.step(E::StopWanted { reason: None }, at(2))),
        ["delete web"]
    );
    let gone = E::Deleted {
        container: name("web"),
    };
    assert_eq!(
        show(&stopped.step(gone, at(2))),
        ["network down"],
        "though it never was complete"
    );
}
