//! Environments run functions one invocation after the other, are used again, and end.

mod support;

use std::sync::Arc;
use std::time::Duration;

use roadstead_functions::{Error, Invocation, Sandboxes as _, Spec, Why};
use roadstead_sandbox::Node;
use support::{Bench, code, failed, invocation, returned, until, zip};

/// Answers with the event, and how often it was asked.
const COUNTING: &str = r#"
n=0
echo beginning
while next; do n=$((n+1)); echo "asked for $event"; echo oops >&2; answer "{\"n\": $n, \"event\": $event, \"mine\": \"$MINE\"}"; done
"#;

#[tokio::test]
async fn an_invocation_gets_its_answer_and_the_next_the_same_environment() {
    let bench = Bench::new().await;
    let spec = Arc::new(bench.function("counting", COUNTING));
    let first = bench.invoke(&spec, "r1", "{\"a\": 1}").await;
    assert_eq!(returned(&first), r#"{"n": 1, "event": {"a": 1}, "mine": "1"}"#);
    assert!(first.report.init.is_some());
    let second = bench.invoke(&spec, "r2", "2").await;
    assert_eq!(returned(&second), r#"{"n": 2, "event": 2, "mine": "1"}"#);
    assert_eq!(second.report.init, None);
    assert_eq!(second.log_stream, first.log_stream);
    let tail = String::from_utf8(second.log_tail.expect("a tail")).expect("text");
    let lines: Vec<&str> = tail.lines().collect();
    assert_eq!(lines[0], "START RequestId: r2 Version: $LATEST");
    assert!(
        lines.contains(&"asked for 2") && lines.contains(&"oops"),
        "{lines:?}"
    );
    assert_eq!(lines[lines.len() - 2], "END RequestId: r2");
    assert!(
        lines[lines.len() - 1].starts_with("REPORT RequestId: r2\tDuration: "),
        "{lines:?}"
    );
    let (_, held) = tail.split_once("Max Memory Used: ").expect("what it held");
    assert!(!held.starts_with("0 MB"), "{held}");
    // Another revision is another environment.
    let mut other = bench.function("counting", COUNTING);
    other.revision = "other".into();
    assert_eq!(
        returned(&bench.invoke(&Arc::new(other), "r3", "3").await),
        r#"{"n": 1, "event": 3, "mine": "1"}"#
    );
    bench.node.stop().await.expect("stopped");
    let logged = bench.logged();
    let at = |line: &str| {
        logged
            .iter()
            .position(|found| found == line)
            .unwrap_or_else(|| panic!("{line} in {logged:?}"))
    };
    assert!(
        logged[0].starts_with("INIT_START Runtime Version: provided ("),
        "{logged:?}"
    );
    assert!(at("beginning") < at("START RequestId: r1 Version: $LATEST"));
    assert!(at("START RequestId: r1 Version: $LATEST") < at("END RequestId: r1"));
    assert!(at("END RequestId: r1") < at("START RequestId: r2 Version: $LATEST"));
    bench.finish().await;
}

#[tokio::test]
async fn who_wants_no_tail_has_the_answer_first_and_then_the_same_environment() {
    // Room for one of them: the other's has to give way, also while it closes.
    let bench = Bench::with(|options| options.memory_mb = 150).await;
    let (one, other) = (
        Arc::new(bench.function("one", COUNTING)),
        Arc::new(bench.function("other", COUNTING)),
    );
    let invoke = async |spec: &Arc<Spec>, id: &str| {
        let without = Invocation {
            tail: false,
            ..invocation(id, "1")
        };
        let outcome = bench.node.invoke(spec, without).await.expect("it ran");
        assert_eq!(outcome.log_tail, None);
        returned(&outcome)
    };
    for n in 1..=50 {
        let expected = format!(r#"{{"n": {n}, "event": 1, "mine": "1"}}"#);
        assert_eq!(invoke(&one, &format!("one{n}")).await, expected);
    }
    for n in 0..3 {
        assert!(invoke(&other, &format!("other{n}")).await.contains("\"n\": 1"));
        assert!(invoke(&one, &format!("again{n}")).await.contains("\"n\": 1"));
    }
    bench.node.stop().await.expect("stopped");
    let logged = bench.logged();
    for n in 1..=50 {
        let id = format!("one{n}");
        let start = format!("START RequestId: {id} Version: $LATEST");
        let at = logged.iter().position(|line| *line == start).expect("START");
        let mut printed = logged[at + 1..at + 3].to_vec();
        printed.sort();
        assert_eq!(printed, ["asked for 1", "oops"], "{id}");
        assert_eq!(logged[at + 3], format!("END RequestId: {id}"));
        assert!(
            logged[at + 4].starts_with(&format!("REPORT RequestId: {id}")),
            "{id}"
        );
    }
    bench.finish().await;
}

#[tokio::test]
async fn invocations_at_the_same_time_have_environments_of_their_own() {
    let bench = Bench::new().await;
    let script = "while next; do sleep 1; answer \"\\\"$(cat /proc/sys/kernel/random/uuid > /tmp/me; cat /tmp/me)\\\"\"; done";
    let spec = Arc::new(bench.function("slow", script));
    let (a, b) = tokio::join!(bench.invoke(&spec, "a", "1"), bench.invoke(&spec, "b", "2"));
    assert_ne!(a.log_stream, b.log_stream);
    assert_ne!(returned(&a), returned(&b));
    assert_eq!(bench.containers().await.len(), 2);
    bench.finish().await;
}

#[tokio::test]
async fn what_idles_stands_still_and_ends_after_a_while() {
    let bench = Bench::new().await;
    let spec = Arc::new(bench.function("idle", COUNTING));
    bench.invoke(&spec, "r1", "1").await;
    // Each time anew, however often it is used.
    for n in 2..5 {
        until("it stands still", async || {
            let all = bench.containers().await;
            all.len() == 1 && all[0].frozen
        })
        .await;
        let outcome = bench.invoke(&spec, "r", &n.to_string()).await;
        assert_eq!(
            returned(&outcome),
            format!(r#"{{"n": {n}, "event": {n}, "mine": "1"}}"#)
        );
    }
    bench.finish().await;

    let bench = Bench::with(|options| options.idle = Duration::from_millis(300)).await;
    let spec = Arc::new(bench.function("idle", COUNTING));
    bench.invoke(&spec, "r1", "1").await;
    until("it is gone", async || bench.containers().await.is_empty()).await;
    assert_eq!(
        returned(&bench.invoke(&spec, "r2", "2").await),
        r#"{"n": 1, "event": 2, "mine": "1"}"#
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_retired_revision_ends_at_once_or_after_what_it_does() {
    let bench = Bench::new().await;
    let spec = Arc::new(bench.function("idle", COUNTING));
    bench.invoke(&spec, "r1", "1").await;
    bench.node.retire("idle").await;
    assert!(bench.containers().await.is_empty());
    bench.node.retire("unknown").await;
    let slow = Arc::new(bench.function("slow", "while next; do sleep 2; answer 1; done"));
    let running = bench.node.invoke(&slow, invocation("s", "1"));
    until("it runs", async || {
        bench.logged().iter().any(|line| line.starts_with("INIT_START"))
            && !bench.containers().await.is_empty()
    })
    .await;
    bench.node.retire("slow").await;
    assert_eq!(returned(&running.await.expect("it ran")), "1");
    until("it is gone", async || bench.containers().await.is_empty()).await;
    bench.finish().await;
}

#[tokio::test]
async fn a_machine_holds_no_more_than_it_may_and_idle_environments_give_way() {
    let bench = Bench::with(|options| options.memory_mb = 300).await;
    // Answers once its code has a file of that name.
    let waiting =
        "n=0; while next; do n=$((n+1)); until [ -e /var/task/go ]; do sleep 0.05; done; answer $n; done";
    let (a, b, c) = (
        Arc::new(bench.function("a", COUNTING)),
        Arc::new(bench.function("b", COUNTING)),
        Arc::new(bench.function("c", waiting)),
    );
    let (two, three) = (
        Arc::new(bench.function("two", waiting)),
        Arc::new(bench.function("three", COUNTING)),
    );
    let runs = async |name: &str| {
        let label = format!("{name}:");
        until("it runs", async || {
            let all = bench.containers().await;
            all.iter()
                .any(|container| container.labels["function"].starts_with(&label))
        })
        .await;
    };
    bench.invoke(&a, "a1", "1").await;
    bench.invoke(&b, "b1", "1").await;
    // The longest idle one is gone, the other is not.
    let first = bench.node.invoke(&c, invocation("c1", "1"));
    runs("c").await;
    assert!(bench.invoke(&b, "b2", "1").await.report.init.is_none());
    // It gives way to one more; for another nothing does, as both are busy.
    let second = bench.node.invoke(&two, invocation("two", "1"));
    runs("two").await;
    let refused = bench.node.invoke(&three, invocation("three", "1")).await;
    let refused = refused.expect_err("both are busy");
    assert!(
        matches!(&refused, Error::NoRoom(why) if why.contains("MB")),
        "{refused}"
    );
    for spec in [&c, &two] {
        std::fs::write(code(spec).join("go"), "").expect("a file");
    }
    for running in [first, second] {
        assert_eq!(returned(&running.await.expect("it ran")), "1");
    }
    // For what finds no room anyway, nobody gives way.
    let mut large = bench.function("large", COUNTING);
    large.memory_mb = 512;
    let refused = bench
        .node
        .invoke(&Arc::new(large), invocation("large", "1"))
        .await;
    assert!(matches!(refused, Err(Error::NoRoom(_))), "{refused:?}");
    for spec in [&c, &two] {
        assert_eq!(returned(&bench.invoke(spec, "again", "1").await), "2");
    }
    assert_eq!(bench.containers().await.len(), 2);
    bench.finish().await;
}

#[tokio::test]
async fn what_an_earlier_daemon_left_is_swept() {
    let mut bench = Bench::new().await;
    let spec = Arc::new(bench.function("left", COUNTING));
    bench.invoke(&spec, "r1", "1").await;
    assert_eq!(bench.containers().await.len(), 1);
    // As after a crash: another node over the same folder.
    let next = Node::open(bench.options.clone()).await.expect("a node");
    assert!(bench.containers().await.is_empty());
    let outcome = next.invoke(&spec, invocation("r2", "2")).await.expect("it ran");
    assert!(outcome.report.init.is_some());
    next.stop().await.expect("stopped");
    bench.take_over(next);
    bench.finish().await;
}

#[tokio::test]
async fn without_keys_or_a_runtime_nothing_runs_and_it_is_said_why() {
    let bench = Bench::new().await;
    let spec = Arc::new(bench.function("keys", COUNTING));
    *bench.service.refusing.lock().expect("no panic") = Some("the role is gone".into());
    let refused = bench
        .node
        .invoke(&spec, invocation("r1", "1"))
        .await
        .expect_err("no keys");
    assert_eq!(refused.to_string(), "the role is gone");
    *bench.service.refusing.lock().expect("no panic") = None;
    let mut python = bench.function("python", COUNTING);
    zip(&mut python).runtime = "python3.9".into();
    let refused = bench
        .node
        .invoke(&Arc::new(python), invocation("r2", "1"))
        .await
        .expect_err("no runtime");
    assert!(
        refused.to_string().contains("roadstead runtime install python"),
        "{refused}"
    );
    // Keys that run out soon are no keys for another invocation.
    *bench.service.keys_last.lock().expect("no panic") = Some(10_000);
    bench.invoke(&spec, "r3", "1").await;
    assert!(bench.invoke(&spec, "r4", "1").await.report.init.is_some());
    bench.finish().await;
}

#[tokio::test]
async fn a_runtime_that_does_not_begin_says_why() {
    let bench = Bench::new().await;
    for (name, script, why, words) in [
        (
            "said",
            "curl -sS -o /dev/null -X POST -d '{\"errorMessage\": \"no such module\", \"errorType\": \"Runtime.ImportModuleError\"}' $api/init/error; sleep 5",
            Why::Init,
            "no such module",
        ),
        (
            "ended",
            "echo bye; exit 7",
            Why::Init,
            "Runtime exited with error: exit status 7",
        ),
        (
            "well",
            "exit 0",
            Why::Init,
            "Runtime exited without providing a reason",
        ),
    ] {
        let spec = Arc::new(bench.function(name, script));
        let outcome = bench.invoke(&spec, name, "1").await;
        let (found, message) = failed(&outcome);
        assert_eq!(found, why, "{name}");
        assert!(message.contains(words), "{name}: {message}");
    }
    bench.node.stop().await.expect("stopped");
    assert!(bench.logged().contains(&"bye".to_owned()), "{:?}", bench.logged());
    bench.finish().await;
}

#[tokio::test]
async fn neither_an_answer_nor_the_end_of_its_time_waits_for_the_log() {
    let bench = Bench::new().await;
    bench.service.held.send_replace(true);
    // More batches than are on their way to a log at a time.
    let answers = "while next; do for i in $(seq 60); do echo $i; sleep 0.05; done; answer 1; done";
    let answers = Arc::new(bench.function("answers", answers));
    let mut late = bench.function("late", "next; while true; do echo on; sleep 0.05; done");
    late.timeout = Duration::from_secs(4);
    let late = Arc::new(late);
    let ask = async |spec: &Arc<Spec>| {
        let invocation = Invocation {
            tail: false,
            ..invocation("r", "1")
        };
        let invoked = bench.node.invoke(spec, invocation);
        let invoked = tokio::time::timeout(Duration::from_secs(60), invoked).await;
        invoked.expect("the log is not waited for").expect("it ran")
    };
    let (answered, ended) = tokio::join!(ask(&answers), ask(&late));
    assert_eq!(returned(&answered), "1");
    assert_eq!(failed(&ended).0, Why::TimedOut);
    bench.service.held.send_replace(false);
    bench.finish().await;
}
