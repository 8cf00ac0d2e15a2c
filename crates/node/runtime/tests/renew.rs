//! Containers that have ended and run again: what they wrote, what they printed, what of them is new.

mod support;

use roadstead_runtime::{Error, LogRead, State, Stream};
use support::Bench;

/// Counts its runs in a file of its own root, and ends with their number.
const COUNTS: &str = "echo x >> /runs; n=$(wc -l < /runs); echo run $n; exit $n";

#[tokio::test]
async fn what_was_written_stays_and_the_log_goes_on() {
    let bench = Bench::new().await;
    let id = bench.id("again");
    let (exit, out) = bench.run(bench.script("again", COUNTS)).await;
    assert_eq!((exit.code, out.as_str()), (1, "run 1\n"));
    for run in 2..4 {
        bench.runtime.renew(&id).await.expect("made ready");
        let status = bench.runtime.status(&id).await.expect("asked").expect("is there");
        assert_eq!(status.state, State::Created, "and has not run");
        bench.runtime.start(&id).await.expect("started");
        let exit = bench.runtime.wait(&id).await.expect("an exit");
        assert_eq!((exit.code, exit.reason), (run, None));
    }
    assert_eq!(bench.output(&id, Stream::Stdout).await, "run 1\nrun 2\nrun 3\n");
    bench.finish().await;
}

#[tokio::test]
async fn it_is_made_ready_once_and_only_when_it_has_ended() {
    let bench = Bench::new().await;
    let absent = bench.runtime.renew(&bench.id("absent")).await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");
    let id = bench.id("waits");
    bench.start(bench.script("waits", "read x; exit 0")).await;
    bench.runtime.wait(&id).await.expect("its input is empty");
    let made = bench.runtime.renew(&id).await.expect("made ready");
    assert_eq!(bench.runtime.renew(&id).await.expect("is ready"), made);
    bench.runtime.delete(&id).await.expect("deleted");

    let id = bench.id("runs");
    bench
        .start(bench.script("runs", "while :; do sleep 0.05; done"))
        .await;
    let running = bench.runtime.renew(&id).await;
    assert!(matches!(running, Err(Error::Running(_))), "{running:?}");
    bench.runtime.kill(&id).await.expect("killed");
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 137);
    bench.runtime.renew(&id).await.expect("made ready");
    bench.runtime.start(&id).await.expect("started");
    let status = bench.runtime.status(&id).await.expect("asked").expect("is there");
    assert_eq!(status.state, State::Running);
    bench.finish().await;
}

#[tokio::test]
async fn limits_hold_again_and_are_counted_anew() {
    let bench = Bench::new().await;
    let id = bench.id("hungry");
    let mut spec = bench.script(
        "hungry",
        "[ -e /seen ] && exit 3; touch /seen; x=x; while :; do x=$x$x; done",
    );
    spec.resources.memory_limit = Some(32 * 1024 * 1024);
    let (exit, _) = bench.run(spec).await;
    assert!(exit.oom_killed, "{exit:?}");
    bench.runtime.renew(&id).await.expect("made ready");
    bench.runtime.start(&id).await.expect("started");
    let exit = bench.runtime.wait(&id).await.expect("an exit");
    assert_eq!((exit.code, exit.oom_killed), (3, false));
    bench.finish().await;
}

#[tokio::test]
async fn what_was_sent_of_earlier_runs_is_not_sent_again() {
    let bench = Bench::new().await;
    let id = bench.id("told");
    bench.run(bench.script("told", COUNTS)).await;
    for run in 1..4 {
        let mut log = bench.runtime.follow_log(&id).await.expect("a log");
        let mut lines = Vec::new();
        while let LogRead::Line { line, .. } = log.next().await.expect("read") {
            lines.push(String::from_utf8_lossy(&line.bytes).into_owned());
        }
        assert_eq!(lines, [format!("run {run}")]);
        let place = log.place();
        log.sent(place).await.expect("noted");
        bench.runtime.renew(&id).await.expect("made ready");
        bench.runtime.start(&id).await.expect("started");
        bench.runtime.wait(&id).await.expect("an exit");
    }
    bench.finish().await;
}
