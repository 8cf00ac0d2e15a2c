//! The walkthrough `high-resolution-metrics` over a whole day: the user's state machine, role and schedule with the real
//! services over one store, a clock that is moved, and a function that writes what the user's writes. A day is 1,440
//! executions and 17,280 calls; none may be missing and none may come twice.

mod simulation;

use simulation::{METRICS, Simulation};

const MINUTE: i64 = 60_000;

/// As much of a day as is kept by the second, a few seconds' work.
#[tokio::test(start_paused = true)]
async fn every_five_seconds_a_point_for_two_hours() {
    keeps_time(120).await;
}

/// `cargo test --package roadstead --test simulated_day -- --ignored`
#[ignore = "a minute and a half of processor time without optimization"]
#[tokio::test(start_paused = true)]
async fn every_five_seconds_a_point_for_a_day() {
    keeps_time(24 * 60).await;
}

async fn keeps_time(minutes: i64) {
    let mut simulation = Simulation::new().await;
    // Exactly on a minute, with the user's rule made in the middle of the one before.
    let began = simulation.now().0;
    assert_eq!(began.rem_euclid(MINUTE), MINUTE / 2);
    simulation.keep_schedule().await;
    let first = began + MINUTE / 2;
    let mut calls = 0;
    // What is kept by the second is kept so for three hours: looked at before it is told by the minute only.
    let looks = 120.min(minutes);
    for minute in 0..minutes {
        for turn in 0..12 {
            simulation.go_to(first + minute * MINUTE + turn * 5_000).await;
            calls += 1;
            simulation.called(calls).await;
        }
        simulation.succeeded(first + minute * MINUTE).await;
        if (minute + 1) % looks == 0 {
            let from = first + (minute + 1 - looks) * MINUTE;
            for metric in METRICS {
                let expected: Vec<(i64, f64)> = (0..looks * 12)
                    .map(|turn| (from + turn * 5_000, value(metric, calls - looks * 12 + turn + 1)))
                    .collect();
                let points = simulation
                    .points(metric, "Maximum", 1, from, from + looks * MINUTE)
                    .await;
                assert_eq!(points, expected, "{metric} from {from}");
                let counts = simulation
                    .points(metric, "SampleCount", 1, from, from + looks * MINUTE)
                    .await;
                assert!(counts.iter().all(|(_, count)| *count == 1.0), "{metric}: twice");
            }
        }
    }
    simulation.disable_schedule().await;
    simulation.go_to(first + minutes * MINUTE + MINUTE).await;
    simulation
        .ended(usize::try_from(minutes).expect("a number"))
        .await;
    simulation.called(calls).await;

    // By the minute, which is kept for the whole day.
    let end = first + minutes * MINUTE;
    let per_minute: Vec<(i64, f64)> = (0..minutes)
        .map(|minute| (first + minute * MINUTE, 12.0))
        .collect();
    for metric in METRICS {
        assert_eq!(
            simulation.points(metric, "SampleCount", 60, first, end).await,
            per_minute
        );
    }

    let executions = simulation.executions().await;
    let started: Vec<i64> = executions.iter().map(|execution| execution.started).collect();
    let expected: Vec<i64> = (0..minutes).rev().map(|minute| first + minute * MINUTE).collect();
    assert_eq!(started, expected, "one a minute, on time");
    for execution in [&executions[0], &executions[executions.len() - 1]] {
        assert_eq!(execution.stopped - execution.started, 55_000);
        let told = simulation.history(&execution.arn).await;
        let count = |kind: &str| told.iter().filter(|found| *found == kind).count();
        for (kind, times) in [
            ("ExecutionStarted", 1),
            ("TaskStateEntered", 12),
            ("LambdaFunctionSucceeded", 12),
            ("TaskStateExited", 12),
            ("WaitStateEntered", 11),
            ("WaitStateExited", 11),
            ("ExecutionSucceeded", 1),
        ] {
            assert_eq!(count(kind), times, "{kind} in {told:?}");
        }
    }
    let mut requests: Vec<String> = simulation.requests();
    let all = requests.len();
    requests.sort();
    requests.dedup();
    assert_eq!(
        (all, requests.len()),
        (usize::try_from(calls).expect("a number"), all)
    );
    simulation.stop().await;
}

/// What the simulated function writes in its call of this number.
fn value(metric: &str, call: i64) -> f64 {
    let place = METRICS
        .iter()
        .position(|found| *found == metric)
        .unwrap_or_default();
    call as f64 + place as f64 / 4.0
}
