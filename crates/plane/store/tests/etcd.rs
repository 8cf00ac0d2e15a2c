//! What only the store in etcd can get wrong while the cluster is well: whose cluster it is, real time, large
//! answers, and what it costs etcd.
#![cfg(feature = "etcd")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::etcd::Cluster;
use common::harbour::{Boat, boat, home};
use common::{next_events, put};
use roadstead_store::etcd::{Endpoints, Options, Tls};
use roadstead_store::{
    Error, Etcd, Event, KeyRange, Mirror, Op, RangeRequest, Revision, Store, Table, Target, Txn,
};

fn quick() -> Options {
    Options {
        timeout: Duration::from_secs(2),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_cluster_belongs_to_one_roadstead() {
    let cluster = Cluster::start(1).await;
    let first = cluster.connect().await;
    assert_eq!(
        first.revision().await.unwrap(),
        Revision(1),
        "taking it is its first revision"
    );
    let wrote = first.commit(Txn::of([put("a", "1")])).await.unwrap().revision;
    let second = cluster.connect().await;
    let found = second.get(b"a").await.unwrap().unwrap();
    assert_eq!((found.mod_revision, wrote), (Revision(2), Revision(2)));
    let all = second.range(RangeRequest::new(KeyRange::all())).await.unwrap();
    assert_eq!(all.kvs.len(), 1, "the key that takes it is not shown");
    assert_eq!(second.get(b"\0roadstead/format").await.unwrap(), None);
    let reserved = second.commit(Txn::of([put("\0a", "1")])).await.unwrap_err();
    assert!(matches!(reserved, Error::ReservedKey { .. }), "{reserved}");

    // A newer release says so where the format stands; only etcd itself can be asked to write there.
    let format = async |value: &str| {
        let members = [("key", "\0roadstead/format"), ("value", value)];
        cluster.gateway("/v3/kv/put", &members).await
    };
    format("2").await;
    let refused = Etcd::connect(cluster.endpoints(&[0]), quick()).await.unwrap_err();
    let text = refused.to_string();
    assert!(
        matches!(
            refused,
            Error::NewerFormat {
                found: 2,
                supported: 1,
                ..
            }
        ) && text.contains("newer release"),
        "{text}"
    );
    format("old").await;
    let refused = Etcd::connect(cluster.endpoints(&[0]), quick()).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
    format("1").await;
    cluster.connect().await;
}

#[tokio::test]
async fn a_strangers_cluster_is_left_alone() {
    let cluster = Cluster::start(1).await;
    cluster
        .gateway("/v3/kv/put", &[("key", "/registry/pods"), ("value", "theirs")])
        .await;
    let refused = Etcd::connect(cluster.endpoints(&[0]), quick()).await.unwrap_err();
    assert!(refused.to_string().contains("of its own"), "{refused}");
    let count = cluster
        .gateway("/v3/kv/range", &[("key", "\0"), ("range_end", "\0")])
        .await;
    assert!(count.contains("\"count\":\"1\""), "nothing was written: {count}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_refused_in_time() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoints = |scheme: &str| format!("{scheme}://{nobody}").parse::<Endpoints>().unwrap();
    let refused = Etcd::connect(endpoints("etcd"), quick()).await.unwrap_err();
    assert!(
        matches!(refused, Error::Unavailable { .. }) && refused.is_retryable(),
        "{refused}"
    );
    let refused = Etcd::connect(endpoints("etcds"), quick()).await.unwrap_err();
    assert!(refused.to_string().contains("authority"), "{refused}");
    let tls = Tls {
        authority: "/nowhere/ca.pem".into(),
        identity: None,
    };
    let with = Options {
        tls: Some(tls),
        ..quick()
    };
    let refused = Etcd::connect(endpoints("etcd"), with.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("without TLS"), "{refused}");
    let refused = Etcd::connect(endpoints("etcds"), with).await.unwrap_err();
    assert!(refused.to_string().contains("/nowhere/ca.pem"), "{refused}");
}

#[tokio::test]
async fn leases_run_out_in_real_time() {
    let cluster = Cluster::start(1).await;
    let store = cluster.connect().await;
    let lease = store.lease_grant(Duration::from_secs(6)).await.unwrap();
    assert!(lease.ttl >= Duration::from_secs(6) && lease.ttl < Duration::from_secs(14));
    let held = |key: &str| Op::Put {
        key: key.to_owned().into(),
        value: "v".into(),
        lease: Some(lease.id),
    };
    store
        .commit(Txn::of([held("x"), held("y"), put("z", "v")]))
        .await
        .unwrap();
    // Kept alive, it outlives its time.
    let begin = Instant::now();
    while begin.elapsed() < lease.ttl + Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(store.lease_keep_alive(lease.id).await.unwrap().ttl, lease.ttl);
    }
    assert!(store.get(b"x").await.unwrap().is_some());
    let left = store.lease_status(lease.id).await.unwrap();
    assert!(left.ttl == lease.ttl && left.remaining <= lease.ttl, "{left:?}");
    // Left alone, it takes its keys in one revision.
    let mut watch = store.watch(KeyRange::all(), None).await.unwrap();
    let batch = next_events(&mut watch).await;
    let mut gone: Vec<_> = batch.events.iter().map(|event| event.key().clone()).collect();
    gone.sort();
    assert_eq!(
        (gone, batch.revision),
        (vec!["x".into(), "y".into()], Revision(3))
    );
    assert!(batch.events.iter().all(|event| event.previous().is_some()));
    let refused = store.lease_keep_alive(lease.id).await.unwrap_err();
    assert!(matches!(refused, Error::LeaseNotFound { .. }), "{refused}");
}

/// Answers far beyond what one message of etcd's defaults holds: reads in pages, watches in pieces.
#[tokio::test]
async fn large_answers_come_whole() {
    let cluster = Cluster::start(1).await;
    let store = cluster.connect().await;
    let mut watch = store.watch(KeyRange::all(), None).await.unwrap();
    let value = |i: usize| vec![i as u8; 700_000];
    for i in 0..12 {
        // Two values in one revision: with what they replace, more than a message may hold.
        let ops = [
            Op::put(format!("big/{}", i % 3), value(i)),
            Op::put(format!("more/{}", i % 3), value(i)),
        ];
        store.commit(Txn::of(ops)).await.unwrap();
    }
    for chunk in 0..3 {
        let ops: Vec<Op> = (0..100)
            .map(|i| put(&format!("small/{chunk}/{i:03}"), "v"))
            .collect();
        store.commit(Txn::of(ops)).await.unwrap();
    }
    let mut again = store.watch(KeyRange::all(), Some(Revision(2))).await.unwrap();
    // A client that comes now reads all of it from etcd's history.
    let other = cluster.connect().await;
    let mut late = other
        .watch(KeyRange::prefix("more/"), Some(Revision(2)))
        .await
        .unwrap();
    for i in 0..12 {
        for watch in [&mut watch, &mut again] {
            let batch = next_events(watch).await;
            assert_eq!((batch.revision, batch.events.len()), (Revision(i as u64 + 2), 2));
            for event in &batch.events {
                let Event::Put { current, previous } = event else {
                    panic!("{event:?}")
                };
                assert_eq!(current.value, value(i));
                let before = (i >= 3).then(|| value(i - 3));
                assert_eq!(previous.as_ref().map(|kv| kv.value.to_vec()), before);
            }
        }
        let batch = next_events(&mut late).await;
        assert_eq!((batch.revision, batch.events.len()), (Revision(i as u64 + 2), 1));
    }
    let all = store.range(RangeRequest::new(KeyRange::all())).await.unwrap();
    assert_eq!((all.kvs.len(), all.more, all.count), (306, false, 306));
    for i in 0..12 {
        let ops: Vec<Op> = (0..128)
            .map(|j| put(&format!("many/{i:02}/{j:03}"), "v"))
            .collect();
        store.commit(Txn::of(ops)).await.unwrap();
    }
    let many = store.range(RangeRequest::prefix("many/")).await.unwrap();
    assert!(many.kvs.is_sorted_by(|a, b| a.key < b.key) && many.kvs.len() == 1536 && !many.more);
    let most = store
        .range(RangeRequest::prefix("many/").limit(1200))
        .await
        .unwrap();
    assert_eq!((most.kvs.len(), most.more, most.count), (1200, true, 1200));
    // Deleting too much at once is refused only if it would be done.
    for i in 0..80 {
        let ops: Vec<Op> = (0..128)
            .map(|j| put(&format!("heap/{i:02}/{j:03}"), "v"))
            .collect();
        store.commit(Txn::of(ops)).await.unwrap();
    }
    let heap = || Op::Delete {
        range: KeyRange::prefix("heap/"),
    };
    let refused = store.commit(Txn::of([heap()])).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::TooLarge {
                got: 10_240,
                limit: 10_000,
                ..
            }
        ),
        "{refused}"
    );
    let txn = Txn {
        compare: vec![roadstead_store::Compare::absent("many/00/000")],
        then: vec![heap()],
        otherwise: vec![],
    };
    assert!(!store.commit(txn).await.unwrap().succeeded);
}

/// However many watches and mirrors there are, etcd serves one, and none once the store is dropped.
#[tokio::test]
async fn all_watches_share_one() {
    let cluster = Cluster::start(1).await;
    let store: Arc<dyn Store> = Arc::new(cluster.connect().await);
    let boats: Table<Boat> = Table::new(store.clone(), "boat");
    let mut mirrors = Vec::new();
    for _ in 0..20 {
        mirrors.push(Mirror::of(&boats).await.unwrap());
    }
    let mut watches = Vec::new();
    for i in 0..20 {
        watches.push(
            store
                .watch(KeyRange::prefix(format!("w/{i}")), None)
                .await
                .unwrap(),
        );
    }
    let key = boats.key(&home(), "gull");
    let revision = boats.insert(&key, &boat("gull", 1)).await.unwrap().unwrap();
    for mirror in &mirrors {
        mirror.wait_for(revision).await.unwrap();
        assert_eq!(mirror.get(&key).unwrap().value, boat("gull", 1));
    }
    for watch in &mut watches {
        let batch = common::next(watch).await;
        assert_eq!((batch.revision, batch.events.len()), (revision, 0));
    }
    assert_eq!(cluster.metric("etcd_debugging_mvcc_watcher_total").await, 1.0);
    drop((store, boats, mirrors, watches));
    let begin = Instant::now();
    while cluster.metric("etcd_debugging_mvcc_watcher_total").await > 0.0 {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "the watch ends with the store"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn history_is_compacted_automatically() {
    let cluster = Cluster::start(1).await;
    let options = Options {
        keep_revisions: Some(80),
        ..Options::default()
    };
    let store = cluster.connect_with(options).await;
    for i in 0..300 {
        store.commit(Txn::of([put("k", &i.to_string())])).await.unwrap();
    }
    let begin = Instant::now();
    let oldest = loop {
        match store.watch(KeyRange::all(), Some(Revision(2))).await {
            Err(Error::Compacted { compacted, .. }) if compacted.0 > 200 => break compacted,
            _ if begin.elapsed() > Duration::from_secs(60) => panic!("never compacted that far"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert!(oldest.0 <= 301 - 80, "so much is kept: {oldest}");
    let mut watch = store
        .watch(KeyRange::all(), Some(Revision(302 - 80)))
        .await
        .unwrap();
    assert_eq!(next_events(&mut watch).await.revision, Revision(302 - 80));
}

/// Two clients, each with its own watch: what one writes the other waits for, and comparisons of leases hold.
#[tokio::test]
async fn clients_see_each_other() {
    let cluster = Cluster::start(1).await;
    let (one, other) = (cluster.connect().await, cluster.connect().await);
    let lease = one.lease_grant(Duration::from_secs(60)).await.unwrap().id;
    let op = Op::Put {
        key: "held".into(),
        value: "v".into(),
        lease: Some(lease),
    };
    let revision = one.commit(Txn::of([op])).await.unwrap().revision;
    let mut watch = other.watch(KeyRange::all(), Some(Revision(2))).await.unwrap();
    assert_eq!(next_events(&mut watch).await.revision, revision);
    let compare = roadstead_store::Compare {
        range: KeyRange::key("held"),
        relation: roadstead_store::Relation::Equal,
        target: Target::Lease(Some(lease)),
    };
    let txn = Txn {
        compare: vec![compare],
        then: vec![put("held", "free")],
        otherwise: vec![],
    };
    assert!(other.commit(txn.clone()).await.unwrap().succeeded);
    assert!(!other.commit(txn).await.unwrap().succeeded);
    assert_eq!(one.lease_keys(lease).await.unwrap().len(), 0);
}

/// Over TLS, with the authority checked in both directions.
#[tokio::test]
async fn tls_is_spoken_and_checked() {
    let cluster = Cluster::secure().await;
    let connect =
        async |tls: Option<Tls>| Etcd::connect(cluster.endpoints(&[0]), Options { tls, ..quick() }).await;
    let store = connect(cluster.tls()).await.unwrap();
    let mut watch = store.watch(KeyRange::all(), None).await.unwrap();
    let revision = store.commit(Txn::of([put("a", "1")])).await.unwrap().revision;
    assert_eq!(next_events(&mut watch).await.revision, revision);
    // Without a certificate of its own, a client is turned away.
    let nameless = Tls {
        identity: None,
        ..cluster.tls().unwrap()
    };
    let refused = connect(Some(nameless)).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
    // A member that another authority vouches for is not trusted.
    let other = tempfile::TempDir::with_prefix("rs-other-").unwrap();
    let stranger = Tls {
        authority: common::etcd::certificates(other.path()).authority,
        ..cluster.tls().unwrap()
    };
    let refused = connect(Some(stranger)).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
}
