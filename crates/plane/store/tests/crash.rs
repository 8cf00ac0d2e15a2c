//! `kill -9` under load, again and again on the same directory: nothing acknowledged is lost, nothing is half
//! there, and the store opens without help. `ROADSTEAD_CRASH_ROUNDS` says how often (100).

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use roadstead_store::{Embedded, KeyRange, Options, RangeRequest, Revision, Store};

const CLIENTS: u64 = 12;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the writer for a while, kills it, and returns the last count that each client saw acknowledged.
fn run_and_kill(dir: &Path, alive: Duration) -> HashMap<u64, u64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rs-store-writer"));
    command
        .arg(dir)
        .arg(CLIENTS.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = Killed(command.spawn().unwrap());
    let output = BufReader::new(child.0.stdout.take().unwrap());
    let (lines, received) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        // A last line without its end was cut by the kill: it still was acknowledged before it was printed, but
        // its number may be cut too.
        for line in output.split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8(line).unwrap()).is_err() {
                break;
            }
        }
    });
    assert_eq!(received.recv_timeout(Duration::from_secs(120)).unwrap(), "ready");
    let (end, mut counts) = (Instant::now() + alive, HashMap::new());
    let mut note = |line: &str| {
        let mut numbers = line.split(' ').map(|number| number.parse::<u64>());
        if let (Some(Ok(client)), Some(Ok(count))) = (numbers.next(), numbers.next()) {
            let last = counts.entry(client).or_insert(count);
            *last = count.max(*last);
        }
    };
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        if let Ok(line) = received.recv_timeout(left) {
            note(&line);
        }
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    reader.join().unwrap();
    received.try_iter().for_each(|line| note(&line));
    counts
}

async fn check(dir: &Path, acknowledged: &HashMap<u64, u64>) -> u64 {
    let store = Embedded::open(dir, Options::default()).unwrap();
    let all = store.range(RangeRequest::new(KeyRange::all())).await.unwrap();
    let values: HashMap<String, String> = all
        .kvs
        .iter()
        .map(|kv| {
            (
                String::from_utf8_lossy(&kv.key).into_owned(),
                String::from_utf8_lossy(&kv.value).into_owned(),
            )
        })
        .collect();
    let mut total = 0;
    for client in 0..CLIENTS {
        let key = |part: &str| format!("client/{client:03}/{part}");
        let found = values.get(&key("a"));
        assert_eq!(
            found,
            values.get(&key("b")),
            "client {client}: a transaction is whole"
        );
        let count: u64 = found.map_or(0, |text| text.trim().parse().unwrap());
        let seen = acknowledged.get(&client).copied().unwrap_or(0);
        assert!(
            count >= seen,
            "client {client}: {seen} was acknowledged, {count} is there"
        );
        // Each count of the log is the last one written in its place, or deleted since.
        for slot in 0..20 {
            let newest = (0..20)
                .map(|back| count.saturating_sub(back))
                .find(|n| *n > 0 && n % 20 == slot);
            let deleted = (0..20)
                .map(|back| count.saturating_sub(back))
                .find(|n| *n > 0 && (n + 7) % 20 == slot);
            let expected = newest.filter(|newest| deleted.is_none_or(|deleted| deleted < *newest));
            let found = values
                .get(&key(&format!("log/{slot:02}")))
                .map(|text| text.parse::<u64>().unwrap());
            assert_eq!(found, expected, "client {client} at {count}, slot {slot}");
        }
        total += count;
    }
    // Every transaction was one revision, and the kept history leads without a gap to the present.
    assert_eq!(all.revision, Revision(total + 1));
    let oldest = (all.revision.0.saturating_sub(200)).max(1) + 1;
    let mut watch = store
        .watch(KeyRange::all(), Some(Revision(oldest)))
        .await
        .unwrap();
    for revision in oldest..=all.revision.0 {
        let batch = watch.next().await.unwrap().unwrap();
        assert_eq!(batch.revision, Revision(revision));
        assert!(batch.events.len() >= 3);
    }
    total
}

#[tokio::test]
async fn kill_9_loses_nothing_acknowledged() {
    let rounds = std::env::var("ROADSTEAD_CRASH_ROUNDS").map_or(100, |rounds| rounds.parse::<u64>().unwrap());
    let dir = tempfile::TempDir::with_prefix("rs-store-").unwrap();
    let mut total = 0;
    for round in 0..rounds {
        // From almost at once to a while, in no order.
        let alive = Duration::from_millis(5 + (round * 7919) % 331);
        let acknowledged = run_and_kill(dir.path(), alive);
        let found = check(dir.path(), &acknowledged).await;
        assert!(found >= total, "counts go on where they were");
        total = found;
    }
    assert!(total > 0, "something was written");
}
