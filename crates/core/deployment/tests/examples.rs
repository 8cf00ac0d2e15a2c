//! What the documentation says by example.

use std::collections::BTreeSet;

use roadstead_deployment::{
    Alarms, Bake, Bounds, Breaker, Cause, Deployment, DeploymentId, Health, Instance, InstanceId, Rollout,
    Scheduling, Snapshot, Start, State, Task, TaskId, Verdict, Why, breaker_threshold, plan,
};

const NEW: &str = "ecs-svc/2";
const OLD: &str = "ecs-svc/1";

fn service(desired: usize, least: u32, most: u32) -> Snapshot {
    Snapshot {
        now: 100_000,
        scheduling: Scheduling::Replica { desired },
        bounds: Bounds {
            minimum_healthy_percent: least,
            maximum_percent: most,
        },
        primary: Deployment {
            id: DeploymentId(NEW.into()),
            rollout: Rollout::InProgress,
            failures: 0,
            setbacks: 0,
            last_setback: 0,
        },
        asked_back: false,
        breaker: None,
        alarms: None,
        bake: None,
        fallback: None,
        tasks: Vec::new(),
        due: std::collections::BTreeMap::new(),
        zones: Vec::new(),
        cramped: false,
        grace: 0,
        settle: 0,
    }
}

fn task(id: &str, deployment: &str, running: bool) -> Task {
    Task {
        id: TaskId(id.into()),
        deployment: DeploymentId(deployment.into()),
        state: if running {
            State::Running { since: 50_000 }
        } else {
            State::Pending
        },
        health: Health::Unchecked,
        created: 40_000,
        zone: None,
        instance: InstanceId("a".into()),
        protected_until: None,
        provider: None,
        leaving: false,
    }
}

fn with(mut snapshot: Snapshot, tasks: impl IntoIterator<Item = Task>) -> Snapshot {
    snapshot.tasks.extend(tasks);
    snapshot
}

fn many(prefix: &str, deployment: &str, running: bool, count: usize) -> Vec<Task> {
    (0..count)
        .map(|n| task(&format!("{prefix}{n}"), deployment, running))
        .collect()
}

#[track_caller]
fn check(snapshot: &Snapshot, start: Option<Start>, stop: &[(&str, Why)]) {
    let plan = plan(snapshot);
    let stopped: Vec<(&str, Why)> = plan
        .stop
        .iter()
        .map(|stop| (stop.task.0.as_str(), stop.why))
        .collect();
    assert_eq!((plan.start, stopped.as_slice()), (start, stop));
}

#[test]
fn bounds_round_as_documented() {
    let bounds = |least, most| Bounds {
        minimum_healthy_percent: least,
        maximum_percent: most,
    };
    for (bounds, desired, least, most) in [
        (bounds(50, 200), 4, 2, 8),
        (bounds(50, 150), 5, 3, 7),
        (bounds(1, 199), 1, 1, 1),
        (bounds(0, 100), 7, 0, 7),
        (bounds(100, 200), 0, 0, 0),
    ] {
        assert_eq!(
            (bounds.least(desired), bounds.most(desired)),
            (least, most),
            "{bounds:?} of {desired}"
        );
    }
}

#[test]
fn the_breakers_threshold_is_half_between_3_and_200() {
    for (desired, threshold) in [(0, 3), (1, 3), (6, 3), (7, 4), (25, 13), (400, 200), (900, 200)] {
        assert_eq!(breaker_threshold(desired), threshold, "{desired}");
    }
}

#[test]
fn new_ones_start_before_old_ones_stop_where_there_is_room() {
    let olds = || many("old", OLD, true, 4);
    check(&with(service(4, 100, 200), olds()), Some(Start::Anywhere(4)), &[]);
    check(&with(service(4, 50, 200), olds()), Some(Start::Anywhere(4)), &[]);
    // One new one is there: one old one may go.
    let one = with(service(4, 100, 200), olds());
    let one = with(one, [task("new0", NEW, true)]);
    let one = with(one, many("more", NEW, false, 3));
    check(&one, None, &[("old0", Why::Replaced)]);
}

#[test]
fn old_ones_stop_first_where_there_is_none() {
    let olds = || many("old", OLD, true, 4);
    let stops = [("old0", Why::Replaced), ("old1", Why::Replaced)];
    check(&with(service(4, 50, 100), olds()), None, &stops);
    let mut cramped = with(service(4, 50, 200), olds());
    cramped.cramped = true;
    check(&cramped, Some(Start::Anywhere(4)), &stops);
}

#[test]
fn what_is_pending_of_an_earlier_deployment_is_not_waited_for() {
    let snapshot = with(
        service(1, 100, 200),
        [task("old", OLD, true), task("late", OLD, false)],
    );
    check(&snapshot, None, &[("late", Why::Replaced)]);
}

#[test]
fn what_a_provider_has_beyond_its_part_goes_first() {
    let of = |provider: &str, ids: &[&str]| -> Vec<Task> {
        let with = |id: &&str| Task {
            provider: Some(provider.to_owned()),
            ..task(id, NEW, true)
        };
        ids.iter().map(with).collect()
    };
    for (desired, due) in [
        (2, [("a", 1), ("b", 1)]),
        (3, [("a", 2), ("b", 1)]),
        (1, [("a", 1), ("b", 0)]),
        (2, [("a", 0), ("b", 2)]),
    ] {
        let mut snapshot = with(service(desired, 0, 200), of("a", &["1", "2"]));
        snapshot.tasks.extend(of("b", &["3", "4"]));
        snapshot.due = due.map(|(name, count)| (name.to_owned(), count)).into();
        let stopped = plan(&snapshot).stop;
        let stopped: BTreeSet<&str> = stopped.iter().map(|stop| stop.task.0.as_str()).collect();
        let left = |name: &str, ids: [&str; 2]| {
            let left = ids.iter().filter(|id| !stopped.contains(*id)).count();
            assert_eq!(Some(&left), snapshot.due.get(name), "{desired} {stopped:?}");
        };
        left("a", ["1", "2"]);
        left("b", ["3", "4"]);
        assert_eq!(stopped.len() + desired, 4);
    }
}

#[test]
fn protected_tasks_outlive_scale_in_and_deployments() {
    let mut tasks = many("t", NEW, true, 3);
    tasks[2].protected_until = Some(100_500);
    let snapshot = with(service(1, 100, 200), tasks.clone());
    check(&snapshot, None, &[("t1", Why::ScaleIn), ("t0", Why::ScaleIn)]);
    let mut old = task("old", OLD, true);
    old.protected_until = Some(100_500);
    let snapshot = with(service(1, 100, 200), [old, task("new", NEW, true)]);
    check(&snapshot, None, &[]);
    assert_eq!(plan(&snapshot).again, Some(500));
    assert_eq!(plan(&snapshot).verdict, None);
}

#[test]
fn sick_tasks_are_replaced_before_they_stop_if_there_is_room() {
    let sick = |mut task: Task| {
        task.health = Health::Unhealthy;
        task
    };
    let snapshot = with(
        service(2, 100, 200),
        [sick(task("a", NEW, true)), task("b", NEW, true)],
    );
    check(&snapshot, Some(Start::Anywhere(1)), &[]);
    check(
        &with(snapshot, [task("c", NEW, true)]),
        None,
        &[("a", Why::Unhealthy)],
    );
    let full = with(
        service(2, 50, 100),
        [sick(task("a", NEW, true)), task("b", NEW, true)],
    );
    check(&full, None, &[("a", Why::Unhealthy)]);
    let mut young = full;
    young.grace = 60_000;
    check(&young, None, &[]);
    assert_eq!(plan(&young).again, Some(10_000));
}

#[test]
fn tasks_leave_a_draining_instance_as_their_replacements_run() {
    let mut leaving = task("a", NEW, true);
    leaving.leaving = true;
    let snapshot = with(service(1, 100, 200), [leaving.clone()]);
    check(&snapshot, Some(Start::Anywhere(1)), &[]);
    check(
        &with(snapshot, [task("b", NEW, true)]),
        None,
        &[("a", Why::Leaving)],
    );
    leaving.state = State::Pending;
    check(
        &with(service(1, 100, 200), [leaving]),
        Some(Start::Anywhere(1)),
        &[("a", Why::Leaving)],
    );
}

#[test]
fn setbacks_hold_starts_back() {
    let mut snapshot = service(1, 100, 200);
    snapshot.primary.setbacks = 3;
    snapshot.primary.last_setback = 99_000;
    let held = plan(&snapshot);
    assert_eq!((held.start, held.again), (None, Some(3_000)));
    snapshot.now = 103_000;
    check(&snapshot, Some(Start::Anywhere(1)), &[]);
}

#[test]
fn the_breaker_gives_up_or_goes_back() {
    let mut snapshot = with(service(2, 100, 200), many("old", OLD, true, 2));
    snapshot.primary.failures = 3;
    assert_eq!(plan(&snapshot).verdict, None);
    let old = DeploymentId(OLD.into());
    let back = Verdict::RollBack(Cause::Failures, old.clone());
    for (rollback, fallback, verdict) in [
        (false, None, Verdict::Failed(Cause::Failures)),
        (false, Some(&old), Verdict::Failed(Cause::Failures)),
        (true, None, Verdict::NoWayBack(Cause::Failures)),
        (true, Some(&old), back),
    ] {
        snapshot.breaker = Some(Breaker { rollback });
        snapshot.fallback = fallback.cloned();
        assert_eq!(plan(&snapshot).verdict, Some(verdict));
    }
    // A deployment that failed starts nothing, and leaves be what ran before it.
    snapshot.primary.rollout = Rollout::Failed;
    check(&snapshot, None, &[]);
    assert!(!plan(&snapshot).steady);
}

#[test]
fn an_alarm_ends_a_deployment_once_a_task_of_it_runs() {
    let old = DeploymentId(OLD.into());
    let alarms = |rollback, ringing| Some(Alarms { rollback, ringing });
    let mut snapshot = with(service(2, 100, 200), many("old", OLD, true, 2));
    snapshot.fallback = Some(old.clone());
    snapshot.alarms = alarms(true, true);
    assert_eq!(plan(&snapshot).verdict, None, "none of its tasks runs yet");
    let begun = with(snapshot, many("new", NEW, true, 1));
    let mut snapshot = begun.clone();
    let back = Some(Verdict::RollBack(Cause::Alarm, old));
    assert_eq!(plan(&snapshot).verdict, back);
    snapshot.alarms = alarms(false, true);
    assert_eq!(plan(&snapshot).verdict, Some(Verdict::Failed(Cause::Alarm)));
    snapshot.alarms = alarms(true, true);
    snapshot.fallback = None;
    assert_eq!(plan(&snapshot).verdict, Some(Verdict::NoWayBack(Cause::Alarm)));
    snapshot.alarms = alarms(true, false);
    assert_eq!(plan(&snapshot).verdict, None);
    // What has completed is not looked at any more.
    let mut done = begun;
    done.primary.rollout = Rollout::Completed;
    assert_eq!(plan(&done).verdict, None);
}

#[test]
fn who_asks_for_the_way_back_gets_it_if_there_is_one() {
    let mut snapshot = with(service(2, 100, 200), many("new", NEW, true, 2));
    snapshot.asked_back = true;
    assert_eq!(plan(&snapshot).verdict, Some(Verdict::NoWayBack(Cause::Asked)));
    let old = DeploymentId(OLD.into());
    snapshot.fallback = Some(old.clone());
    // Also without a circuit breaker or alarms, and although it has just arrived.
    assert_eq!(
        plan(&snapshot).verdict,
        Some(Verdict::RollBack(Cause::Asked, old))
    );
}

#[test]
fn a_deployment_that_has_arrived_is_watched_for_a_while() {
    let mut snapshot = with(service(2, 100, 200), many("new", NEW, true, 2));
    let bake = |since| Some(Bake { lasts: 60_000, since });
    snapshot.alarms = Some(Alarms {
        rollback: false,
        ringing: false,
    });
    snapshot.bake = bake(None);
    let arrives = plan(&snapshot);
    assert_eq!((arrives.verdict, arrives.steady), (Some(Verdict::Bake), false));
    snapshot.bake = bake(Some(80_000));
    let bakes = plan(&snapshot);
    assert_eq!(
        (bakes.verdict, bakes.steady, bakes.again),
        (None, false, Some(40_000))
    );
    snapshot.now = 140_000;
    let done = plan(&snapshot);
    assert_eq!((done.verdict, done.steady), (Some(Verdict::Completed), true));
    // One that is missing at the end is waited for; an alarm ends it also then.
    let gone = snapshot.tasks.pop();
    assert_eq!(plan(&snapshot).verdict, None);
    snapshot.tasks.extend(gone);
    snapshot.alarms = Some(Alarms {
        rollback: false,
        ringing: true,
    });
    assert_eq!(plan(&snapshot).verdict, Some(Verdict::Failed(Cause::Alarm)));
}

#[test]
fn a_deployment_completes_when_all_is_new_and_healthy() {
    let mut snapshot = with(service(2, 100, 200), many("t", NEW, true, 2));
    let done = plan(&snapshot);
    assert_eq!((done.verdict, done.steady), (Some(Verdict::Completed), true));
    snapshot.tasks[1].health = Health::Unknown;
    let waits = plan(&snapshot);
    assert_eq!((waits.verdict, waits.steady), (None, false));
    let nothing = plan(&service(0, 100, 200));
    assert_eq!(
        (nothing.verdict, nothing.steady),
        (Some(Verdict::Completed), true)
    );
}

#[test]
fn a_task_without_a_health_check_counts_after_a_while() {
    let mut snapshot = with(
        service(1, 100, 200),
        [task("old", OLD, true), task("new", NEW, true)],
    );
    snapshot.tasks[0].state = State::Running { since: 0 };
    snapshot.settle = 60_000;
    check(&snapshot, None, &[]);
    assert_eq!(plan(&snapshot).again, Some(10_000));
    snapshot.now = 110_000;
    check(&snapshot, None, &[("old", Why::Replaced)]);
}

#[test]
fn zones_are_balanced_by_one_more_and_then_one_fewer() {
    let in_zone = |id: &str, zone: &str, running: bool| Task {
        zone: Some(zone.into()),
        ..task(id, NEW, running)
    };
    let mut snapshot = service(3, 100, 200);
    snapshot.zones = vec!["a".into(), "b".into()];
    let snapshot = with(
        snapshot,
        [
            in_zone("1", "a", true),
            in_zone("2", "a", true),
            in_zone("3", "a", true),
        ],
    );
    check(&snapshot, Some(Start::In("b".into())), &[]);
    let more = with(snapshot.clone(), [in_zone("4", "b", false)]);
    check(&more, None, &[]);
    let more = with(snapshot, [in_zone("4", "b", true)]);
    check(&more, None, &[("3", Why::ScaleIn)]);
}

#[test]
fn daemons_are_one_on_each_instance_and_leave_last() {
    let instance = |id: &str, eligible: bool, busy: bool| Instance {
        id: InstanceId(id.into()),
        eligible,
        busy,
    };
    let on = |id: &str, deployment: &str, instance: &str| Task {
        instance: InstanceId(instance.into()),
        ..task(id, deployment, true)
    };
    let daemon = |least: u32, most: u32, instances: Vec<Instance>| {
        let mut snapshot = service(0, least, most);
        snapshot.scheduling = Scheduling::Daemon { instances };
        snapshot
    };
    let three = || {
        vec![
            instance("a", true, false),
            instance("b", true, false),
            instance("c", false, true),
        ]
    };
    let start = |ids: &[&str]| Some(Start::On(ids.iter().map(|id| InstanceId((*id).into())).collect()));
    check(&daemon(0, 100, three()), start(&["a", "b"]), &[]);
    let held = with(daemon(0, 100, three()), [on("1", NEW, "a"), on("2", NEW, "c")]);
    check(&held, start(&["b"]), &[]);
    let mut free = held;
    free.scheduling = Scheduling::Daemon {
        instances: vec![instance("a", true, false), instance("c", false, false)],
    };
    check(&free, None, &[("2", Why::Leaving)]);
    // An update: the old one makes way, half of them at a time.
    let olds = with(daemon(50, 100, three()), [on("1", OLD, "a"), on("2", OLD, "b")]);
    check(&olds, None, &[("1", Why::Replaced)]);
    // With room the new one comes first.
    let olds = with(daemon(100, 150, three()), [on("1", OLD, "a"), on("2", OLD, "b")]);
    check(&olds, start(&["a"]), &[]);
}
