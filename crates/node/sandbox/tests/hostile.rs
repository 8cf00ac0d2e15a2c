//! What a function does wrong harms nothing but itself.

mod support;

use std::sync::Arc;
use std::time::Duration;

use roadstead_functions::{Sandboxes as _, Why};
use support::{Bench, failed, returned, until, zip};

#[tokio::test]
async fn a_function_has_nothing_but_what_it_was_given() {
    let bench = Bench::new().await;
    let script = r#"
try() { "$@" 2>&1 | tr '\n' ' ' | head -c 200; }
while next; do answer "$(echo "uid=$(id -u) caps=$(sed -n 's/^CapEff:\t//p' /proc/self/status) \
nnp=$(sed -n 's/^NoNewPrivs:\t//p' /proc/self/status) seccomp=$(sed -n 's/^Seccomp:\t//p' /proc/self/status) \
links=$(ls /sys/class/net 2>/dev/null || sed -n 's/ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | tr '\n' ' ') \
task=$(touch /var/task/x 2>/dev/null && echo rw || echo ro) root=$(touch /x 2>/dev/null && echo rw || echo ro) \
opt=$(touch /opt/x 2>/dev/null && echo rw || echo ro) layer=$(cat /opt/name) tmp=$(touch /tmp/x && echo rw) \
pids=$(ls -d /proc/[0-9]* | wc -l) host=$(ls /root /home 2>/dev/null | wc -l)")"; done
"#;
    let mut spec = bench.function("bare", script);
    zip(&mut spec).layers = vec![bench.layer("a", "first"), bench.layer("b", "second")];
    let said = returned(&bench.invoke(&Arc::new(spec), "r", "1").await);
    for expected in [
        "uid=993",
        "caps=0000000000000000",
        "nnp=1",
        "seccomp=2",
        "links=lo",
        "task=ro",
        "root=ro",
        "opt=ro",
        "layer=second",
        "tmp=rw",
        "host=0",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn ends_are_told_apart() {
    let bench = Bench::new().await;
    let cases = [
        (
            "error",
            "next; fail '{\"errorMessage\": \"wrong\", \"errorType\": \"E\"}'; next",
            Why::Handler,
            "wrong",
        ),
        ("text", "next; fail 'no json'; next", Why::Handler, "no json"),
        (
            "exit",
            "next; exit 3",
            Why::Exited,
            "Runtime exited with error: exit status 3",
        ),
        (
            "signal",
            "next; bash -c 'kill -SEGV $$'; exit $?",
            Why::Exited,
            "Runtime exited with error: signal: segmentation fault",
        ),
        (
            "late",
            "trap '' TERM INT; next; while :; do :; done",
            Why::TimedOut,
            "Task timed out after 2.00 seconds",
        ),
        (
            "memory",
            "next; exec tail /dev/zero",
            Why::OutOfMemory,
            "Runtime exited with error: signal: killed",
        ),
        (
            "large",
            "next; head -c 7000000 /dev/zero | tr '\\0' 1 > /tmp/x; curl -sS -o /dev/null -X POST --data-binary @/tmp/x $api/invocation/$id/response; next",
            Why::TooLarge,
            "exceeded maximum allowed payload size",
        ),
    ];
    for (name, script, why, words) in cases {
        let mut spec = bench.function(name, script);
        spec.timeout = Duration::from_secs(if why == Why::TimedOut { 2 } else { 120 });
        let outcome = bench.invoke(&Arc::new(spec), name, "1").await;
        let (found, message) = failed(&outcome);
        assert_eq!(found, why, "{name}: {message}");
        assert!(message.contains(words), "{name}: {message}");
    }
    // Three of them can go on.
    until("the others are gone", async || {
        bench.containers().await.len() == 3
    })
    .await;
    bench.finish().await;
}

#[tokio::test]
async fn a_bomb_a_full_disk_and_a_flood_stay_where_they_are() {
    let bench = Bench::new().await;
    let quiet = Arc::new(bench.function("quiet", "while next; do answer 1; done"));
    bench.invoke(&quiet, "before", "1").await;
    let disk = bench.function("disk", "while next; do head -c 600000000 /dev/zero > /tmp/full 2>/dev/null; answer $(stat -c %s /tmp/full); done");
    let size: u64 = returned(&bench.invoke(&Arc::new(disk), "disk", "1").await)
        .parse()
        .expect("a number");
    assert!((400 << 20..512 << 20).contains(&size), "{size}");
    let mut bomb = bench.function("bomb", "next; b() { b | b & }; b; sleep 100");
    bomb.timeout = Duration::from_secs(3);
    let ended = failed(&bench.invoke(&Arc::new(bomb), "bomb", "1").await);
    assert!(
        matches!(ended.0, Why::TimedOut | Why::OutOfMemory | Why::Exited),
        "{ended:?}"
    );
    let mut flood = bench.function(
        "flood",
        "next; seq -f 'line %g of a flood that goes on and on' inf | head -c 1000000000; answer 1; next",
    );
    flood.timeout = Duration::from_secs(4);
    let outcome = bench.invoke(&Arc::new(flood), "flood", "1").await;
    assert!(outcome.log_tail.expect("a tail").len() <= 4096);
    assert_eq!(bench.invoke(&quiet, "after", "1").await.report.init, None);
    bench.finish().await;
}

#[tokio::test]
async fn who_leaves_something_printing_is_answered_and_its_invocations_end() {
    let bench = Bench::new().await;
    // More is printed than the log takes.
    *bench.service.delay.lock().expect("no panic") = Duration::from_millis(100);
    // Lines, empty ones, and those that never end; begun before the first invocation, and by it.
    for (name, left) in [
        ("lines", "seq inf"),
        ("empty", "tr '\\0' '\\n' < /dev/zero"),
        ("endless", "cat /dev/zero"),
    ] {
        let begun = format!("{left} & while next; do answer 1; done");
        let within = format!(
            "n=0; while next; do n=$((n+1)); [ $n = 1 ] && {{ echo before {name}; {left} & }}; answer $n; done"
        );
        let mut first = bench.function(&format!("{name}-begun"), &begun);
        let mut second = bench.function(&format!("{name}-within"), &within);
        for spec in [&mut first, &mut second] {
            // Room on the processor for the rest of it.
            spec.memory_mb = 1769;
            spec.timeout = Duration::from_secs(50);
        }
        let (first, second) = (Arc::new(first), Arc::new(second));
        for (spec, id, expected) in [(&first, "a", "1"), (&second, "b", "1"), (&second, "c", "2")] {
            let ended = tokio::time::timeout(Duration::from_secs(60), bench.invoke(spec, id, "1")).await;
            let outcome = ended.unwrap_or_else(|_| panic!("{name}: {id} does not end"));
            assert_eq!(returned(&outcome), expected, "{name}: {id}");
        }
        bench.node.retire(&first.revision).await;
        bench.node.retire(&second.revision).await;
        let logged = bench.logged();
        let at = |line: &str| {
            let found = logged.iter().rposition(|found| found.ends_with(line));
            found.unwrap_or_else(|| panic!("{name}: {line} is not logged"))
        };
        assert!(at(&format!("before {name}")) < at("END RequestId: b"), "{name}");
    }
    bench.finish().await;
}
