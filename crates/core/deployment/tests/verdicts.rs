//! What becomes of a deployment, over all that may stand for and against it at once.

use proptest::prelude::*;
use roadstead_deployment::{
    Alarms, Bake, Bounds, Breaker, Cause, Deployment, DeploymentId, Health, InstanceId, Rollout, Scheduling,
    Snapshot, State, Task, TaskId, Verdict, breaker_threshold, plan,
};

const NOW: i64 = 1_000_000;

/// What a verdict depends on.
#[derive(Clone, Debug)]
struct Case {
    asked: bool,
    breaker: Option<bool>,
    alarms: Option<(bool, bool)>,
    bake: Option<(i64, Option<i64>)>,
    back: bool,
    failures: u32,
    desired: usize,
    new: usize,
    old: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    let watchers = (
        any::<bool>(),
        any::<Option<bool>>(),
        any::<Option<(bool, bool)>>(),
        proptest::option::of((0_i64..100, proptest::option::of(NOW - 100..NOW))),
    );
    (
        watchers,
        any::<bool>(),
        0_u32..8,
        0_usize..5,
        0_usize..5,
        0_usize..3,
    )
        .prop_map(
            |((asked, breaker, alarms, bake), back, failures, desired, new, old)| Case {
                asked,
                breaker,
                alarms,
                bake,
                back,
                failures,
                desired,
                new,
                old,
            },
        )
}

fn task(deployment: &str, number: usize) -> Task {
    Task {
        id: TaskId(format!("{deployment}-{number}")),
        deployment: DeploymentId(deployment.into()),
        state: State::Running { since: 0 },
        health: Health::Healthy,
        created: 0,
        zone: None,
        instance: InstanceId("i".into()),
        protected_until: None,
        provider: None,
        leaving: false,
    }
}

fn snapshot(case: &Case) -> Snapshot {
    let new = (0..case.new).map(|number| task("new", number));
    Snapshot {
        now: NOW,
        scheduling: Scheduling::Replica {
            desired: case.desired,
        },
        bounds: Bounds {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
        },
        primary: Deployment {
            id: DeploymentId("new".into()),
            rollout: Rollout::InProgress,
            failures: case.failures,
            setbacks: 0,
            last_setback: 0,
        },
        asked_back: case.asked,
        breaker: case.breaker.map(|rollback| Breaker { rollback }),
        alarms: case
            .alarms
            .map(|(rollback, ringing)| Alarms { rollback, ringing }),
        bake: case.bake.map(|(lasts, since)| Bake { lasts, since }),
        fallback: case.back.then(|| DeploymentId("old".into())),
        tasks: new
            .chain((0..case.old).map(|number| task("old", number)))
            .collect(),
        due: std::collections::BTreeMap::new(),
        zones: Vec::new(),
        cramped: false,
        settle: 0,
        grace: 0,
    }
}

proptest! {
    #[test]
    fn a_deployment_completes_only_when_nothing_speaks_against_it(case in cases()) {
        let verdict = plan(&snapshot(&case)).verdict;
        let arrived = case.new == case.desired && case.old == 0;
        let rings = case.alarms.is_some_and(|(_, ringing)| ringing) && case.new > 0;
        let baked = case.bake.is_none_or(|(lasts, since)| since.is_some_and(|since| since + lasts <= NOW));
        prop_assert_eq!(verdict == Some(Verdict::Completed), arrived && baked && !rings && !case.asked);
        if verdict == Some(Verdict::Bake) {
            prop_assert!(arrived && case.bake.is_some_and(|(_, since)| since.is_none()));
        }
    }

    #[test]
    fn a_deployment_is_given_up_for_a_cause_and_goes_back_only_where_that_is_wanted(case in cases()) {
        let (cause, back) = match plan(&snapshot(&case)).verdict {
            Some(Verdict::Failed(cause)) => (cause, None),
            Some(Verdict::RollBack(cause, to)) => {
                prop_assert_eq!(to, DeploymentId("old".into()));
                (cause, Some(true))
            }
            Some(Verdict::NoWayBack(cause)) => (cause, Some(false)),
            Some(Verdict::Bake | Verdict::Completed) | None => return Ok(()),
        };
        let wanted = match cause {
            Cause::Asked => {
                prop_assert!(case.asked);
                true
            }
            Cause::Alarm => {
                let (rollback, ringing) = case.alarms.expect("there are alarms");
                prop_assert!(ringing && case.new > 0);
                rollback
            }
            Cause::Failures => {
                prop_assert!(case.failures >= breaker_threshold(case.desired));
                case.breaker.expect("there is a breaker")
            }
        };
        prop_assert_eq!(back, wanted.then_some(case.back));
    }

    #[test]
    fn what_is_over_is_not_judged_again(case in cases(), failed: bool) {
        let mut snapshot = snapshot(&case);
        snapshot.primary.rollout = if failed { Rollout::Failed } else { Rollout::Completed };
        prop_assert_eq!(plan(&snapshot).verdict, None);
    }
}
