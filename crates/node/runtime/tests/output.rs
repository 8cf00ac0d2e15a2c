//! What containers print: floods, junk, and readers that follow.

mod support;

use std::fs;

use roadstead_runtime::{Backlog, LogConfig, LogQuery, LogRead, MIN_LOG_SIZE, WhenFull};
use support::Bench;

#[tokio::test]
async fn a_flood_of_output_stays_within_its_bound_and_keeps_the_end() {
    let bench = Bench::new().await;
    let mut spec = bench.script(
        "flood",
        "head -c 200000000 /dev/zero | tr '\\0' 'x' | fold -w 1000; echo; echo the end",
    );
    spec.log = LogConfig {
        max_size: 1024 * 1024,
        max_files: 3,
        backlog: None,
    };
    let id = spec.id.clone();
    bench.start(spec).await;
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 0);
    let files = fs::read_dir(bench.container_dir("flood"))
        .expect("a directory")
        .flatten();
    let logs: Vec<u64> = files
        .filter(|file| file.file_name().to_string_lossy().starts_with("log"))
        .map(|file| file.metadata().expect("a file").len())
        .collect();
    assert!(
        logs.len() == 3 && logs.iter().all(|size| *size <= 1024 * 1024),
        "{logs:?}"
    );
    let mut tail = bench
        .runtime
        .read_log(
            &id,
            LogQuery {
                tail: Some(1),
                ..LogQuery::default()
            },
        )
        .expect("a log");
    assert_eq!(
        tail.next().await.expect("read").expect("a line").bytes,
        b"the end"
    );
    bench.finish().await;
}

#[tokio::test]
async fn junk_and_endless_lines_are_kept_as_they_are() {
    let bench = Bench::new().await;
    let mut spec = bench.script(
        "junk",
        "printf 'a\\377\\001\\033[0m b\\n'; head -c 100000 /dev/zero; printf '\\nno end'",
    );
    spec.log = LogConfig {
        max_size: MIN_LOG_SIZE * 4,
        max_files: 2,
        backlog: None,
    };
    let id = spec.id.clone();
    bench.start(spec).await;
    bench.runtime.wait(&id).await.expect("an exit");
    let mut reader = bench.runtime.read_log(&id, LogQuery::default()).expect("a log");
    let first = reader.next().await.expect("read").expect("a line");
    assert_eq!(
        (first.partial, &*first.bytes),
        (false, &b"a\xff\x01\x1b[0m b"[..])
    );
    let mut zeros = 0;
    loop {
        let line = reader.next().await.expect("read").expect("a line");
        assert!(line.bytes.iter().all(|byte| *byte == 0));
        zeros += line.bytes.len();
        if !line.partial {
            break;
        }
    }
    assert_eq!(zeros, 100_000);
    assert_eq!(
        reader.next().await.expect("read").expect("a line").bytes,
        b"no end"
    );
    assert_eq!(reader.next().await.expect("read"), None);
    bench.finish().await;
}

#[tokio::test]
async fn a_follower_reads_along_and_ends_with_the_container() {
    let bench = Bench::new().await;
    let spec = bench.script("talk", "for i in 1 2 3; do echo $i; sleep 0.1; done");
    let id = spec.id.clone();
    bench.start(spec).await;
    let mut reader = bench
        .runtime
        .read_log(
            &id,
            LogQuery {
                follow: true,
                ..LogQuery::default()
            },
        )
        .expect("a log");
    for expected in [b"1", b"2", b"3"] {
        assert_eq!(
            reader.next().await.expect("read").expect("a line").bytes,
            expected
        );
    }
    assert_eq!(reader.next().await.expect("read"), None);
    bench.finish().await;
}

#[tokio::test]
async fn what_was_printed_before_a_flush_is_on_file_after_it_also_when_the_log_was_full() {
    let bench = Bench::new().await;
    // Prints a line when told by a file, and tells by another that it has.
    let script = "n=0; while :; do [ -e /flag/$n ] || continue; head -c 30000 /dev/zero | tr '\\0' x; echo \" $n\"; \
                  n=$((n+1)); touch /flag/done$n; done";
    let flags = bench.dir.path().join("flags");
    fs::create_dir(&flags).expect("a directory");
    let mut spec = bench.script("flush", script);
    spec.mounts.push(roadstead_runtime::Mount {
        kind: roadstead_runtime::MountKind::Bind {
            source: flags.clone(),
        },
        target: "/flag".into(),
        read_only: false,
    });
    spec.log = LogConfig::keeping(Backlog {
        limit: 20_000,
        when_full: WhenFull::Block,
        records: None,
    });
    let id = spec.id.clone();
    bench.start(spec).await;
    let mut follower = bench.runtime.follow_log(&id).await.expect("a log");
    let mut full = 0;
    for round in 0..20 {
        fs::write(flags.join(round.to_string()), "").expect("a flag");
        support::until("it has printed", async || {
            flags.join(format!("done{}", round + 1)).exists()
        })
        .await;
        let mut text = Vec::new();
        loop {
            let flushed = follower.flush().await.expect("flushed");
            let mut place = follower.place();
            while let LogRead::Line { line, to, .. } = follower.next().await.expect("read") {
                text.extend(line.bytes);
                place = to;
            }
            // Nothing is printed meanwhile but what had no room.
            assert!(flushed.end.is_some_and(|end| end <= place.total));
            assert!(!flushed.all || flushed.end == Some(place.total));
            follower.sent(place).await.expect("noted");
            if flushed.all {
                break;
            }
            full += 1;
        }
        assert_eq!(text.len(), 30_001 + round.to_string().len());
        assert!(text.ends_with(format!(" {round}").as_bytes()), "round {round}");
    }
    assert!(full > 0, "the log was never full");
    bench.runtime.kill(&id).await.expect("killed");
    bench.runtime.wait(&id).await.expect("an exit");
    let over = follower.flush().await.expect("nothing to flush");
    assert_eq!((over.end, over.all), (None, true));
    bench.finish().await;
}
