//! A cluster that is hurt: members killed, stopped, cut off. Calls fail with an error that says what is known,
//! or wait within their bound; what was acknowledged is there; watches go on without a gap or say they cannot.
//! `ROADSTEAD_FAULT_ROUNDS` says how often the members are hurt in turn (1).
#![cfg(feature = "etcd")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::etcd::{Cluster, Wire};
use common::harbour::{Boat, boat, home};
use common::{next_events, put};
use roadstead_store::etcd::Options;
use roadstead_store::{
    Change, Compare, Error, Etcd, Event, KeyRange, Mirror, Op, OpResult, RangeRequest, Revision, Store,
    Table, Txn, Watch,
};

const CALL: Duration = Duration::from_secs(5);
/// How much longer than its bound a call may take on a busy machine.
const GRACE: Duration = Duration::from_secs(40);

fn options() -> Options {
    Options {
        timeout: CALL,
        ..Options::default()
    }
}

fn rounds() -> usize {
    std::env::var("ROADSTEAD_FAULT_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

/// What a client was told of each key that it tried to make.
#[derive(Debug, Default)]
struct Told {
    acknowledged: BTreeMap<String, Revision>,
    /// Certainly not written, it was said.
    refused: Vec<String>,
    unknown: Vec<String>,
}

/// Makes keys that did not exist, one after the other, until it is told to stop.
async fn write(store: Arc<Etcd>, client: usize, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told::default();
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("c{client}/{number:06}");
        let txn = Txn {
            compare: vec![Compare::absent(&key)],
            then: vec![
                put(&key, "v"),
                put(&format!("last/{client}"), &number.to_string()),
            ],
            otherwise: vec![],
        };
        let begin = Instant::now();
        match store.commit(txn).await {
            Ok(response) => {
                assert!(response.succeeded, "{key} was made twice");
                told.acknowledged.insert(key, response.revision);
            }
            Err(error @ Error::Unavailable { .. }) => {
                assert!(error.is_retryable());
                told.refused.push(key);
            }
            Err(error @ Error::OutcomeUnknown { .. }) => {
                assert!(!error.is_retryable());
                told.unknown.push(key);
            }
            Err(error) => panic!("{key}: {error}"),
        }
        assert!(begin.elapsed() < CALL + GRACE, "a call ends in time");
    }
    told
}

/// Follows a watch of everything from the start until a revision; returns what it adds up to.
async fn follow(
    mut watch: Watch,
    until: tokio::sync::oneshot::Receiver<Revision>,
) -> BTreeMap<String, Revision> {
    let (mut state, mut next, mut last) = (BTreeMap::new(), Revision(2), None);
    let mut until = std::pin::pin!(until);
    while last.is_none_or(|last| next <= last) {
        let batch = tokio::select! {
            told = &mut until, if last.is_none() => {
                last = Some(told.unwrap());
                continue;
            }
            batch = tokio::time::timeout(Duration::from_secs(60), watch.next()) => {
                batch.expect("the watch goes on").expect("the store is open").expect("no gap")
            }
        };
        // Some revisions are the store's own, when it settles a write; of the others, each makes a key that no
        // other makes, so that what this adds up to tells whether one was left out.
        if batch.events.is_empty() {
            next = next.max(batch.revision.next());
            continue;
        }
        assert!(
            batch.revision >= next,
            "once and in order: {} after {next}",
            batch.revision
        );
        next = batch.revision.next();
        assert_eq!(batch.events.len(), 2, "each is whole");
        for event in batch.events {
            let Event::Put { current, .. } = event else {
                panic!("{event:?}")
            };
            state.insert(
                String::from_utf8_lossy(&current.key).into_owned(),
                current.mod_revision,
            );
        }
    }
    state
}

/// Loads a cluster, hurts it meanwhile, and compares what was said with what is there.
async fn trial(cluster: &mut Cluster, hurt: impl AsyncFn(&mut Cluster)) {
    let mut told = Vec::new();
    let (stop, mut writers) = (Arc::new(AtomicBool::new(false)), Vec::new());
    let store = Arc::new(cluster.connect_with(options()).await);
    // Others begin at other members.
    let second = Arc::new(
        Etcd::connect(cluster.endpoints(&[1, 2, 0]), options())
            .await
            .unwrap(),
    );
    let third = Arc::new(
        Etcd::connect(cluster.endpoints(&[2, 0, 1]), options())
            .await
            .unwrap(),
    );
    let stores = [store, second, third];
    let mut follows = Vec::new();
    for (at, store) in stores.iter().enumerate() {
        let watch = store.watch(KeyRange::all(), Some(Revision(2))).await.unwrap();
        let (send, receive) = tokio::sync::oneshot::channel();
        follows.push((send, tokio::spawn(follow(watch, receive))));
        for client in 0..4 {
            writers.push(tokio::spawn(write(store.clone(), at * 4 + client, stop.clone())));
        }
    }
    hurt(cluster).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        told.push(writer.await.unwrap());
    }
    // A write of unknown fate may still arrive while etcd settles.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let all = stores[1].range(RangeRequest::new(KeyRange::all())).await.unwrap();
    let there: BTreeMap<String, Revision> = all
        .kvs
        .iter()
        .map(|kv| (String::from_utf8_lossy(&kv.key).into_owned(), kv.mod_revision))
        .collect();
    let (mut acknowledged, mut unknown, mut refused) = (0, 0, 0);
    for told in &told {
        for (key, revision) in &told.acknowledged {
            assert_eq!(there.get(key), Some(revision), "{key} was acknowledged");
        }
        for key in &told.refused {
            assert_eq!(there.get(key), None, "{key} was said not to be written");
        }
        acknowledged += told.acknowledged.len();
        unknown += told.unknown.len();
        refused += told.refused.len();
    }
    eprintln!("{acknowledged} acknowledged, {refused} refused, {unknown} unknown");
    assert!(acknowledged >= 12, "work went on");
    for (send, follow) in follows {
        send.send(all.revision).unwrap();
        assert_eq!(follow.await.unwrap(), there, "watches add up to what is there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_killed_in_turn_lose_nothing() {
    let mut cluster = Cluster::start(3).await;
    trial(&mut cluster, async |cluster: &mut Cluster| {
        for at in (0..3).cycle().take(3 * rounds()) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.kill(at);
            tokio::time::sleep(Duration::from_millis(2000)).await;
            cluster.run(at);
            tokio::time::sleep(Duration::from_millis(1000)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_stand_still_lose_nothing() {
    let mut cluster = Cluster::start(3).await;
    trial(&mut cluster, async |cluster: &mut Cluster| {
        for at in (0..3).cycle().take(3 * rounds()) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            cluster.pause(at);
            tokio::time::sleep(Duration::from_millis(4000)).await;
            cluster.resume(at);
            tokio::time::sleep(Duration::from_millis(1000)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_quorum_calls_fail_in_time_and_recover() {
    let mut cluster = Cluster::start(3).await;
    let store: Arc<dyn Store> = Arc::new(cluster.connect_with(options()).await);
    let boats: Table<Boat> = Table::new(store.clone(), "boat");
    let mirror = Mirror::of(&boats).await.unwrap();
    let (key, other) = (boats.key(&home(), "gull"), boats.key(&home(), "tern"));
    boats.insert(&key, &boat("gull", 1)).await.unwrap();
    let mut watch = store.watch(KeyRange::all(), Some(Revision(2))).await.unwrap();
    assert_eq!(next_events(&mut watch).await.revision, Revision(2));
    for round in 0..rounds() {
        cluster.kill(1);
        cluster.kill(2);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let begin = Instant::now();
        let tern = boat("tern", round as u32);
        let (read, write, lease, revision) = tokio::join!(
            store.get(key.as_bytes()),
            boats.insert(&other, &tern),
            store.lease_grant(Duration::from_secs(60)),
            store.revision(),
        );
        assert!(begin.elapsed() < CALL + GRACE, "{:?}", begin.elapsed());
        assert!(matches!(read, Err(Error::Unavailable { .. })), "{read:?}");
        assert!(matches!(lease, Err(Error::Unavailable { .. })), "{lease:?}");
        assert!(matches!(revision, Err(Error::Unavailable { .. })), "{revision:?}");
        assert!(
            matches!(
                write,
                Err(Error::Unavailable { .. } | Error::OutcomeUnknown { .. })
            ),
            "{write:?}"
        );
        cluster.run(1);
        cluster.run(2);
        let begin = Instant::now();
        let change = |_: Option<&Boat>| Ok::<_, Error>(Change::Put(boat("gull", 100 + round as u32)));
        let updated = loop {
            match boats.update(&key, change).await {
                Ok(updated) => break updated,
                Err(Error::Unavailable { .. } | Error::OutcomeUnknown { .. })
                    if begin.elapsed() < Duration::from_secs(120) => {}
                Err(error) => panic!("{error}"),
            }
        };
        mirror.wait_for(updated.revision).await.unwrap();
        assert_eq!(mirror.get(&key).unwrap().value.berth, 100 + round as u32);
        loop {
            let batch = next_events(&mut watch).await;
            if batch.revision == updated.revision {
                break;
            }
            assert!(batch.revision < updated.revision);
        }
        // What was left unknown is known now: it happened or it did not, and the mirror agrees.
        let tern = boats.get(&other).await.unwrap();
        assert_eq!(mirror.get(&other).is_some(), tern.is_some());
        boats
            .update(&other, |_| Ok::<_, Error>(Change::Delete))
            .await
            .unwrap();
    }
}

/// A client cut off while history goes on and is dropped: its watches say so, its mirrors load again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_told() {
    let cluster = Cluster::start(1).await;
    let wire = Wire::to(cluster.endpoints(&[0])).await;
    let store: Arc<dyn Store> = Arc::new(Etcd::connect(wire.endpoints(), options()).await.unwrap());
    let boats: Table<Boat> = Table::new(store.clone(), "boat");
    let key = boats.key(&home(), "gull");
    let first = boats.insert(&key, &boat("gull", 1)).await.unwrap().unwrap();
    let mirror = Mirror::of(&boats).await.unwrap();
    let mut behind = store.watch(KeyRange::all(), Some(first)).await.unwrap();
    let mut cut_off = store.watch(KeyRange::all(), None).await.unwrap();

    let away = cluster.connect().await;
    // A short cut is nothing to a watch.
    wire.cut();
    let missed = away.commit(Txn::of([put("missed", "1")])).await.unwrap().revision;
    assert!(matches!(
        store.get(b"missed").await,
        Err(Error::Unavailable { .. })
    ));
    wire.mend();
    let batch = next_events(&mut cut_off).await;
    assert_eq!((batch.revision, batch.events.len()), (missed, 1));

    // A silent wire looks like a slow one, and is found out.
    wire.silence();
    let silent = away.commit(Txn::of([put("missed", "2")])).await.unwrap().revision;
    tokio::time::sleep(Duration::from_secs(5)).await;
    wire.mend();
    assert_eq!(next_events(&mut cut_off).await.revision, silent);

    // A long one, over which etcd forgets.
    wire.cut();
    let elsewhere: Arc<dyn Store> = Arc::new(cluster.connect().await);
    let theirs: Table<Boat> = Table::new(elsewhere.clone(), "boat");
    for berth in 2..20 {
        theirs
            .update(&key, |_| Ok::<_, Error>(Change::Put(boat("gull", berth))))
            .await
            .unwrap();
    }
    let last = elsewhere.revision().await.unwrap();
    elsewhere.compact(last).await.unwrap();
    wire.mend();
    let told = tokio::time::timeout(Duration::from_secs(60), cut_off.next())
        .await
        .unwrap();
    assert!(
        matches!(&told, Some(Err(Error::Compacted { compacted, .. })) if *compacted == last),
        "{told:?}"
    );
    assert!(cut_off.next().await.is_none());
    mirror.wait_for(last).await.unwrap();
    assert_eq!(mirror.get(&key).unwrap().value.berth, 19);
    // One that had not read at all meets the same gap after what is still in memory.
    let mut seen = first;
    loop {
        match tokio::time::timeout(Duration::from_secs(60), behind.next())
            .await
            .unwrap()
        {
            Some(Ok(batch)) => seen = batch.revision,
            Some(Err(Error::Compacted { wanted, compacted })) => {
                assert!(wanted > seen || wanted == first, "{wanted} after {seen}");
                assert_eq!(compacted, last);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let after = theirs
        .update(&key, |_| Ok::<_, Error>(Change::Put(boat("gull", 99))))
        .await
        .unwrap();
    mirror.wait_for(after.revision).await.unwrap();
    assert_eq!(mirror.get(&key).unwrap().value.berth, 99);
}

/// A write whose answer is lost is said to be unknown, though it took place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_said_to_be_lost() {
    let cluster = Cluster::start(1).await;
    let wire = Wire::to(cluster.endpoints(&[0])).await;
    let store = Etcd::connect(wire.endpoints(), options()).await.unwrap();
    wire.swallow();
    let begin = Instant::now();
    let lost = store.commit(Txn::of([put("a", "1")])).await.unwrap_err();
    assert!(
        matches!(lost, Error::OutcomeUnknown { .. }) && !lost.is_retryable(),
        "{lost}"
    );
    assert!(lost.to_string().contains("may or may not"), "{lost}");
    assert!(begin.elapsed() < CALL + GRACE);
    wire.mend();
    assert_eq!(store.get(b"a").await.unwrap().unwrap().value, "1");
    // What never left, since the connection was known to be gone, is not unknown.
    wire.cut();
    // Whoever asks meanwhile finds out.
    assert!(matches!(store.get(b"a").await, Err(Error::Unavailable { .. })));
    let refused = store.commit(Txn::of([put("b", "1")])).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    wire.mend();
    assert_eq!(store.get(b"b").await.unwrap(), None);
}

/// A write whose answer is lost with the connection is looked for: found, it is answered as if nothing had been;
/// not found, it is kept from happening later, and made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_found_again() {
    let cluster = Cluster::start(1).await;
    let wire = Wire::to(cluster.endpoints(&[0])).await;
    let store = Arc::new(Etcd::connect(wire.endpoints(), options()).await.unwrap());
    store
        .commit(Txn::of([put("a", "0"), put("b/1", "x"), put("b/2", "y")]))
        .await
        .unwrap();
    let before = store.get(b"a").await.unwrap();
    let commit = |txn: Txn| {
        let store = store.clone();
        tokio::spawn(async move { store.commit(txn).await })
    };
    let direct = cluster.connect().await;
    // Until what was asked over the wire has happened.
    let until = async |key: &str, value: Option<&str>| {
        let begin = Instant::now();
        loop {
            let there = direct.get(key.as_bytes()).await.unwrap();
            let there = there.map(|kv| String::from_utf8_lossy(&kv.value).into_owned());
            if there.as_deref() == value {
                return;
            }
            assert!(begin.elapsed() < CALL + GRACE, "{key} is {there:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // That a connection has gone is noticed on its own; a call may notice it first.
    let pause = || tokio::time::sleep(Duration::from_millis(400));

    // It arrived, the answer did not. How much a range would delete is asked first; what single keys do is not.
    wire.swallow();
    let txn = Txn {
        compare: vec![Compare::absent("c")],
        then: vec![put("a", "1"), Op::delete("b/1"), Op::delete("b/3"), put("c", "1")],
        otherwise: vec![put("a", "never")],
    };
    let running = commit(txn.clone());
    until("c", Some("1")).await;
    wire.cut();
    pause().await;
    wire.mend();
    let found = running.await.unwrap().unwrap();
    assert_eq!((found.succeeded, found.revision), (true, Revision(3)));
    let [
        OpResult::Put { previous: a },
        OpResult::Delete { previous: b },
        OpResult::Delete { previous: none },
        OpResult::Put { previous: None },
    ] = found.results.as_slice()
    else {
        panic!("{found:?}")
    };
    assert_eq!(
        (a, common::show(b), none.len()),
        (&before, vec!["b/1=x".to_owned()], 0)
    );

    // The same again: its condition does not hold any more, which is found as well.
    wire.swallow();
    let running = commit(txn);
    until("a", Some("never")).await;
    wire.cut();
    pause().await;
    wire.mend();
    let found = running.await.unwrap().unwrap();
    assert!(!found.succeeded);
    assert_eq!(store.get(b"a").await.unwrap().unwrap().value, "never");

    // It did not arrive, and must not be made twice.
    wire.silence();
    let asked = wire.held();
    let running = commit(Txn::of([put("d", "1")]));
    let begin = Instant::now();
    while wire.held() == asked {
        assert!(begin.elapsed() < CALL + GRACE, "nothing was asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It may have been a sign of life that was held first.
    pause().await;
    wire.cut();
    pause().await;
    wire.mend();
    assert!(running.await.unwrap().unwrap().succeeded);
    assert_eq!(store.get(b"d").await.unwrap().unwrap().version, 1);

    // Of a write that leaves no mark, only that it is over can be known.
    wire.swallow();
    let running = commit(Txn::of([Op::delete("d")]));
    until("d", None).await;
    wire.cut();
    pause().await;
    wire.mend();
    let lost = running.await.unwrap();
    assert!(matches!(lost, Err(Error::OutcomeUnknown { .. })), "{lost:?}");
    assert_eq!(store.get(b"d").await.unwrap(), None);
}
