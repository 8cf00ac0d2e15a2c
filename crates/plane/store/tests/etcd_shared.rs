//! Several users of one etcd: prefixes that do not see each other, and servers that hold a store one at a time.
#![cfg(feature = "etcd")]

mod common;

use std::time::{Duration, Instant};

use common::etcd::{Cluster, Wire};
use common::{next_events, put, show};
use roadstead_store::etcd::{Holder, Options};
use roadstead_store::{Error, Etcd, KeyRange, Op, RangeRequest, Revision, Store, Txn};

fn quick() -> Options {
    Options {
        timeout: Duration::from_secs(3),
        ..Options::default()
    }
}

fn holder(instance: &str, process: u32) -> Holder {
    Holder {
        instance: instance.into(),
        host: "harbour".into(),
        process,
    }
}

async fn at(cluster: &Cluster, prefix: &str) -> Result<Etcd, Error> {
    Etcd::connect(cluster.at(&[0], prefix), quick()).await
}

/// How many keys etcd has from one on, below a prefix.
async fn count(cluster: &Cluster, key: &str, end: &str) -> u64 {
    let members = [("key", key), ("range_end", end)];
    let told = cluster.gateway("/v3/kv/range", &members).await;
    let Some((_, rest)) = told.split_once("\"count\":\"") else {
        return 0;
    };
    rest.split('"').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn prefixes_do_not_see_each_other() {
    let cluster = Cluster::start(1).await;
    let (one, other) = (
        at(&cluster, "/one").await.unwrap(),
        at(&cluster, "/other").await.unwrap(),
    );
    let mut watch = other.watch(KeyRange::all(), None).await.unwrap();
    let lease = one.lease_grant(Duration::from_secs(60)).await.unwrap().id;
    let held = Op::Put {
        key: "leased".into(),
        value: "1".into(),
        lease: Some(lease),
    };
    one.commit(Txn::of([put("k", "one"), held])).await.unwrap();
    let wrote = other.commit(Txn::of([put("k", "other")])).await.unwrap().revision;
    for (store, shown) in [(&one, vec!["k=one", "leased=1"]), (&other, vec!["k=other"])] {
        let all = store.range(RangeRequest::new(KeyRange::all())).await.unwrap();
        assert_eq!(show(&all.kvs), shown);
    }
    assert_eq!(one.lease_keys(lease).await.unwrap(), ["leased"]);
    // The first that the other hears of is its own; that it waited for the neighbour's is no event.
    let batch = next_events(&mut watch).await;
    assert_eq!((batch.revision, batch.events.len()), (wrote, 1));
    assert_eq!(batch.events[0].key(), "k");
    // Deleting all of one leaves the other's.
    let everything = Op::Delete {
        range: KeyRange::all(),
    };
    one.commit(Txn::of([everything])).await.unwrap();
    assert_eq!(other.get(b"k").await.unwrap().unwrap().value, "other");
    // Again, with what was there.
    drop(other);
    let other = at(&cluster, "/other/").await.unwrap();
    assert_eq!(other.get(b"k").await.unwrap().unwrap().mod_revision, wrote);
}

#[tokio::test]
async fn one_prefix_does_not_lie_in_another() {
    let cluster = Cluster::start(1).await;
    at(&cluster, "/a/b").await.unwrap();
    for (prefix, words) in [
        ("/a/b/c", "lies within"),
        ("/a", "holds keys"),
        ("", "holds keys"),
    ] {
        let refused = at(&cluster, prefix).await.unwrap_err().to_string();
        assert!(
            refused.contains(words) && refused.contains("of its own"),
            "{prefix}: {refused}"
        );
    }
    at(&cluster, "/a/bc").await.unwrap();
    let whole = Cluster::start(1).await;
    at(&whole, "").await.unwrap();
    let refused = at(&whole, "/a").await.unwrap_err().to_string();
    assert!(refused.contains("lies within"), "{refused}");
}

#[tokio::test]
async fn a_store_is_held_by_one_server() {
    let cluster = Cluster::start(1).await;
    let (first, second) = (
        at(&cluster, "/rs").await.unwrap(),
        at(&cluster, "/rs").await.unwrap(),
    );
    let held = first.hold(holder("aaaaa", 1)).await.unwrap();
    let refused = second.hold(holder("bbbbb", 2)).await.unwrap_err();
    assert!(matches!(refused, Error::Held { .. }), "{refused}");
    let text = refused.to_string();
    assert!(
        text.contains("instance aaaaa (process 1 on harbour)") && text.contains("/rs"),
        "{text}"
    );
    // A neighbour is not in the way.
    let neighbour = at(&cluster, "/neighbour").await.unwrap();
    neighbour.hold(holder("bbbbb", 2)).await.unwrap();
    // The same instance on the same host takes over from itself: its first process cannot be alive.
    let again = second.hold(holder("aaaaa", 3)).await.unwrap();
    drop(held);
    again.release().await.unwrap();
    let held = count(&cluster, "/rs/\0roadstead/holder", "/rs/\0roadstead/holder\0").await;
    assert_eq!(held, 0, "what was released is free");
    second
        .hold(holder("bbbbb", 2))
        .await
        .unwrap()
        .release()
        .await
        .unwrap();
    // All that was written for it is not shown.
    assert_eq!(
        first
            .range(RangeRequest::new(KeyRange::all()))
            .await
            .unwrap()
            .count,
        0
    );
}

#[tokio::test]
async fn a_killed_server_lets_the_next_one_in() {
    let cluster = Cluster::start(1).await;
    let first = at(&cluster, "/rs").await.unwrap();
    let held = first.hold(holder("aaaaa", 1)).await.unwrap();
    drop((held, first)); // as kill -9: nothing is said to etcd
    let second = at(&cluster, "/rs").await.unwrap();
    second.hold(holder("bbbbb", 2)).await.unwrap();
}

/// Cut off for longer than its lease, a server finds the store taken, or takes it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_is_told() {
    let cluster = Cluster::start(1).await;
    let wire = Wire::to(cluster.endpoints(&[0])).await;
    let endpoints = format!("{}/rs", wire.endpoints()).parse().unwrap();
    let first = Etcd::connect(endpoints, quick()).await.unwrap();
    let mut held = first.hold(holder("aaaaa", 1)).await.unwrap();
    wire.cut();
    let second = at(&cluster, "/rs").await.unwrap();
    let theirs = second.hold(holder("bbbbb", 2)).await.unwrap();
    wire.mend();
    let lost = tokio::time::timeout(Duration::from_secs(120), held.lost())
        .await
        .unwrap();
    assert_eq!(lost, holder("bbbbb", 2));
    theirs.release().await.unwrap();

    // Nobody took it meanwhile: it is held again, so that others are refused.
    let mut held = first.hold(holder("aaaaa", 1)).await.unwrap();
    wire.cut();
    let begin = Instant::now();
    while count(&cluster, "/rs/\0roadstead/holder", "/rs/\0roadstead/holder\0").await > 0 {
        assert!(begin.elapsed() < Duration::from_secs(120), "the lease runs out");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    wire.mend();
    while count(&cluster, "/rs/\0roadstead/holder", "/rs/\0roadstead/holder\0").await == 0 {
        assert!(begin.elapsed() < Duration::from_secs(180), "it is held again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(100), held.lost())
            .await
            .is_err()
    );
    let refused = second.hold(holder("bbbbb", 2)).await.unwrap_err();
    assert!(matches!(refused, Error::Held { .. }), "{refused}");
}

/// What a server writes for itself goes when the next one comes: restarts leave nothing behind.
#[tokio::test]
async fn slots_of_earlier_servers_are_removed() {
    let cluster = Cluster::start(1).await;
    for round in 0..3 {
        let store = at(&cluster, "/rs").await.unwrap();
        let held = store.hold(holder("aaaaa", round)).await.unwrap();
        let slots = async || count(&cluster, "/rs/\0roadstead/slot/", "/rs/\0roadstead/slot0").await;
        assert_eq!(slots().await, 0, "round {round}");
        for i in 0..5 {
            store.commit(Txn::of([put("k", &i.to_string())])).await.unwrap();
        }
        assert_eq!(slots().await, 1, "one after the other, writes share a slot");
        // A slot that goes while its server lives is made again.
        let other = at(&cluster, "/rs").await.unwrap();
        other.hold(holder("aaaaa", 100)).await.unwrap();
        assert_eq!(slots().await, 0);
        store.commit(Txn::of([put("k", "after")])).await.unwrap();
        assert_eq!(store.get(b"k").await.unwrap().unwrap().value, "after");
        drop(held);
    }
}

/// However long a store runs, etcd keeps so much and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_running_store_does_not_grow() {
    let cluster = Cluster::start(1).await;
    let options = Options {
        keep_revisions: Some(100),
        ..quick()
    };
    let store = Etcd::connect(cluster.at(&[0], "/rs"), options).await.unwrap();
    let mut sizes = Vec::new();
    let value = "x".repeat(4096);
    for _ in 0..6 {
        for i in 0..300 {
            store
                .commit(Txn::of([put(&format!("k{}", i % 10), &value)]))
                .await
                .unwrap();
        }
        let head = store.revision().await.unwrap();
        let begin = Instant::now();
        // Asked for again and again, since etcd compacts beside its work.
        while !matches!(
            store.watch(KeyRange::all(), Some(Revision(head.0 - 200))).await,
            Err(Error::Compacted { .. })
        ) {
            assert!(begin.elapsed() < Duration::from_secs(60), "history is compacted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let begin = Instant::now();
        loop {
            let keys = cluster.metric("etcd_debugging_mvcc_keys_total").await;
            if keys < 20.0 || begin.elapsed() > Duration::from_secs(60) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sizes.push(cluster.metric("etcd_mvcc_db_total_size_in_use_in_bytes").await);
    }
    let (first, last) = (sizes[0], sizes[5]);
    assert!(
        last < first * 1.5,
        "in use after each 300 writes of 4 KiB: {sizes:?}"
    );
    assert!(last < 3e6, "{sizes:?}");
}
