//! The driver as reconcilers see it, with time that only the tests move.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_base::Partition;
use roadstead_reconcile::{Action, Backoff, Driver, Error, Options, Reconciler, Stats};
use roadstead_store::{Change, Embedded, Mirror, Store, Table};
use tokio::sync::Semaphore;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// What the next reconciles of a key do, and what was done.
struct Harness {
    keys: Mutex<Vec<String>>,
    plan: Mutex<HashMap<String, Vec<Plan>>>,
    seen: Mutex<Vec<(String, u64)>>,
    begun: Instant,
    /// A reconcile waits for a permit while this is shut.
    gate: Semaphore,
    open: AtomicBool,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Plan {
    Again(u64),
    Fail,
    Panic,
    Hang,
}

impl Reconciler for Harness {
    type Key = String;

    async fn reconcile(&self, key: &String) -> Result<Action, Error> {
        self.seen
            .lock()
            .unwrap()
            .push((key.clone(), self.begun.elapsed().as_secs()));
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        if !self.open.load(Ordering::SeqCst) {
            self.gate.acquire().await.unwrap().forget();
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let next = self
            .plan
            .lock()
            .unwrap()
            .get_mut(key)
            .and_then(|plan| (!plan.is_empty()).then(|| plan.remove(0)));
        match next {
            None => Ok(Action::Done),
            Some(Plan::Again(seconds)) => Ok(Action::Again(seconds as u32 * SECOND)),
            Some(Plan::Fail) => Err("no luck".into()),
            Some(Plan::Panic) => panic!("on purpose"),
            Some(Plan::Hang) => std::future::pending().await,
        }
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

impl Harness {
    fn new(keys: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            keys: Mutex::new(keys.iter().map(ToString::to_string).collect()),
            plan: Mutex::default(),
            seen: Mutex::default(),
            begun: Instant::now(),
            gate: Semaphore::new(0),
            open: AtomicBool::new(true),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        })
    }

    fn plan(&self, key: &str, plan: &[Plan]) {
        self.plan.lock().unwrap().insert(key.to_owned(), plan.to_vec());
    }

    /// What was looked at since the last time this was asked: `key@second`.
    fn seen(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .drain(..)
            .map(|(key, at)| format!("{key}@{at}"))
            .collect()
    }
}

fn options() -> Options {
    Options {
        workers: 2,
        max_keys: 100,
        resync: 1000 * SECOND,
        backoff: Backoff {
            first: SECOND,
            max: 8 * SECOND,
        },
        timeout: 60 * SECOND,
        grace: 5 * SECOND,
    }
}

/// Lets everything happen that can happen without time passing, and a little more.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn every_key_is_looked_at_at_the_start_and_at_each_resync() {
    let harness = Harness::new(&["a", "b", "c"]);
    let driver = Driver::new("test", options(), harness.clone());
    settle().await;
    assert_eq!(harness.seen(), ["a@0", "b@0", "c@0"]);
    harness.keys.lock().unwrap().push("d".to_owned());
    tokio::time::sleep(1000 * SECOND).await;
    assert_eq!(harness.seen(), ["a@1000", "b@1000", "c@1000", "d@1000"]);
    driver.handle().resync();
    settle().await;
    assert_eq!(harness.seen().len(), 4);
    assert_eq!(driver.handle().stats(), Stats::default());
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn told_while_at_work_means_once_more() {
    let harness = Harness::new(&[]);
    harness.open.store(false, Ordering::SeqCst);
    let driver = Driver::new("test", options(), harness.clone());
    let handle = driver.handle();
    for key in ["a", "a", "b", "c", "a"] {
        handle.tell(key.to_owned());
    }
    settle().await;
    assert_eq!(harness.seen(), ["a@0", "b@0"], "two workers");
    handle.tell("a".to_owned());
    handle.tell("a".to_owned());
    assert_eq!(
        handle.stats(),
        Stats {
            ready: 1,
            running: 2,
            waiting: 0,
            failing: 0
        }
    );
    harness.gate.add_permits(1);
    settle().await;
    assert_eq!(harness.seen(), ["c@0"], "a waits its turn");
    harness.gate.add_permits(9);
    settle().await;
    assert_eq!(harness.seen(), ["a@0"]);
    assert_eq!(harness.most_at_once.load(Ordering::SeqCst), 2);
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_successes_forget_them() {
    let harness = Harness::new(&[]);
    harness.plan(
        "a",
        &[
            Plan::Fail,
            Plan::Panic,
            Plan::Fail,
            Plan::Fail,
            Plan::Fail,
            Plan::Again(3),
            Plan::Fail,
        ],
    );
    let driver = Driver::new("test", options(), harness.clone());
    driver.handle().tell("a".to_owned());
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(
        driver.handle().stats(),
        Stats {
            waiting: 1,
            failing: 1,
            ..Stats::default()
        }
    );
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(
        harness.seen(),
        ["a@0", "a@1", "a@3", "a@7", "a@15", "a@23", "a@26", "a@27"]
    );
    assert_eq!(driver.handle().stats(), Stats::default());
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn again_comes_later_or_when_told() {
    let harness = Harness::new(&[]);
    harness.plan("a", &[Plan::Again(50), Plan::Again(50)]);
    let driver = Driver::new("test", options(), harness.clone());
    driver.handle().tell("a".to_owned());
    tokio::time::sleep(30 * SECOND).await;
    driver.handle().tell("a".to_owned());
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(harness.seen(), ["a@0", "a@30", "a@80"]);
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_dropped_and_tried_again() {
    let harness = Harness::new(&[]);
    harness.plan("a", &[Plan::Hang]);
    let driver = Driver::new("test", options(), harness.clone());
    driver.handle().tell("a".to_owned());
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(harness.seen(), ["a@0", "a@61"]);
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn more_keys_than_fit_are_all_looked_at() {
    let keys: Vec<String> = (0..25).map(|number| format!("k{number:02}")).collect();
    let harness = Harness::new(&[]);
    harness.open.store(false, Ordering::SeqCst);
    let driver = Driver::new(
        "test",
        Options {
            max_keys: 4,
            ..options()
        },
        harness.clone(),
    );
    settle().await;
    *harness.keys.lock().unwrap() = keys.clone();
    // Only four of these are remembered; the rest is found by looking at everything.
    keys.iter().for_each(|key| driver.handle().tell(key.clone()));
    let stats = driver.handle().stats();
    assert_eq!(stats.ready + stats.running, 4);
    harness.open.store(true, Ordering::SeqCst);
    harness.gate.add_permits(4);
    settle().await;
    let mut seen: Vec<String> = harness.seen().iter().map(|seen| seen.replace("@0", "")).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, keys);
    driver.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_work_but_not_for_ever() {
    let harness = Harness::new(&[]);
    harness.open.store(false, Ordering::SeqCst);
    for (permits, waited) in [(1, 0), (0, 5)] {
        let driver = Driver::new(
            "test",
            Options {
                workers: 1,
                ..options()
            },
            harness.clone(),
        );
        driver.handle().tell("a".to_owned());
        driver.handle().tell("b".to_owned());
        settle().await;
        let (handle, begun) = (driver.handle(), Instant::now());
        harness.gate.add_permits(permits);
        driver.stop().await;
        assert_eq!(begun.elapsed().as_secs(), waited);
        handle.tell("c".to_owned());
        settle().await;
        let seen = harness.seen();
        assert_eq!(seen.len(), 1, "nothing new is begun: {seen:?}");
    }
}

#[tokio::test]
async fn a_mirror_tells_whom_its_changes_concern() {
    let store: Arc<dyn Store> = Arc::new(Embedded::in_memory(roadstead_store::Options::default()).unwrap());
    let partition = Partition {
        account: "000000000000".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
    };
    // A record is its owner's name.
    let table: Table<String> = Table::new(store, "thing");
    let mirror = Mirror::of(&table).await.unwrap();
    let harness = Harness::new(&[]);
    let mut driver = Driver::new("test", options(), harness.clone());
    driver.follow(mirror.changes(), |changed| {
        let owners = [&changed.before, &changed.after]
            .into_iter()
            .flatten()
            .map(|entry| entry.value.clone());
        owners.collect::<std::collections::BTreeSet<_>>()
    });
    let key = table.key(&partition, "thing-1");
    let names = || -> Vec<String> {
        // When is the machine's business here.
        let seen = harness.seen.lock().unwrap();
        seen.iter().map(|(key, _)| key.clone()).collect()
    };
    for (owner, told) in [(Some("ann"), 1), (Some("bob"), 3), (None, 4)] {
        let change = |_: Option<&String>| {
            Ok::<_, roadstead_store::Error>(
                owner.map_or(Change::Delete, |owner| Change::Put(owner.to_owned())),
            )
        };
        table.update(&key, change).await.unwrap();
        let all_told = async {
            while names().len() < told {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all_told)
            .await
            .expect("they are told");
    }
    driver.stop().await;
    assert_eq!(names(), ["ann", "ann", "bob", "bob"]);
}
