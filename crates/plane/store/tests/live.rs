//! What happens by itself, tried on each backend alike: watches that follow, leases that run out.

mod common;

use std::time::Duration;

use common::{Fixture, next, next_events, put, show};
use roadstead_store::{Error, Event, KeyRange, Op, RangeRequest, Revision, Txn};

on_all!(
    watches_replay_and_follow,
    watches_tell_progress,
    slow_watches_lose_nothing,
    leases_take_their_keys,
    stopping_ends_watches,
);

mod embedded {
    use super::leases_run_out_by_the_clock;
    crate::on_both!(leases_run_out_by_the_clock);
}

async fn watches_replay_and_follow(f: Fixture) {
    f.put("w/a", "1").await; // 2
    f.put("other", "1").await; // 3
    f.commit(Txn::of([put("w/b", "1"), put("other", "2"), Op::delete("w/a")]))
        .await; // 4
    let mut past = f
        .store()
        .watch(KeyRange::prefix("w/"), Some(Revision(2)))
        .await
        .unwrap();
    let mut now = f.store().watch(KeyRange::prefix("w/"), None).await.unwrap();
    let mut future = f
        .store()
        .watch(KeyRange::prefix("w/"), Some(Revision(6)))
        .await
        .unwrap();

    let batch = next(&mut past).await;
    let a = match batch.events.as_slice() {
        [
            Event::Put {
                current,
                previous: None,
            },
        ] => current.clone(),
        events => panic!("{events:?}"),
    };
    assert_eq!(
        (batch.revision, show(std::slice::from_ref(&a))),
        (Revision(2), vec!["w/a=1".to_owned()])
    );
    let batch = next(&mut past).await;
    assert_eq!(
        batch.revision,
        Revision(4),
        "one batch is one revision, others' keys left out"
    );
    let [
        Event::Put {
            current: b,
            previous: None,
        },
        Event::Delete {
            key,
            previous: Some(gone),
        },
    ] = batch.events.as_slice()
    else {
        panic!("{batch:?}")
    };
    assert_eq!(
        (b.key.as_ref(), key.as_ref(), gone),
        (&b"w/b"[..], &b"w/a"[..], &a)
    );

    f.put("w/b", "2").await; // 5
    f.put("w/b", "3").await; // 6
    for (watch, revisions) in [(&mut past, &[5, 6][..]), (&mut now, &[5, 6]), (&mut future, &[6])] {
        for revision in revisions {
            let batch = next(watch).await;
            assert_eq!((batch.revision, batch.events.len()), (Revision(*revision), 1));
            assert_eq!(batch.events[0].previous().unwrap().version, revision - 4);
        }
    }
}

async fn watches_tell_progress(f: Fixture) {
    let mut watch = f.store().watch(KeyRange::prefix("mine"), None).await.unwrap();
    let revision = f.put("yours", "1").await;
    let batch = next(&mut watch).await;
    assert_eq!((batch.revision, batch.events.len()), (revision, 0));
    let mine = f.put("mine", "1").await;
    assert_eq!(next(&mut watch).await.revision, mine);
    let mut behind = f
        .store()
        .watch(KeyRange::prefix("mine"), Some(Revision(2)))
        .await
        .unwrap();
    let last = f.put("yours", "2").await;
    assert_eq!(next_events(&mut behind).await.revision, mine);
    assert_eq!(
        next(&mut behind).await.revision,
        last,
        "told though events came before in the same step"
    );
}

async fn slow_watches_lose_nothing(f: Fixture) {
    // More than the shared ring of recent commits holds: the first part must come from the stored events.
    let mut watch = f.store().watch(KeyRange::prefix("s/"), None).await.unwrap();
    let total = 3000u64;
    let writes = (0..30).map(|client| {
        let f = &f;
        async move {
            for i in 0..total / 30 {
                f.put(&format!("s/{client}"), &i.to_string()).await;
            }
        }
    });
    futures_util::future::join_all(writes).await;
    for expected in 2..total + 2 {
        assert_eq!(next_events(&mut watch).await.revision, Revision(expected));
    }
    let mut overtaken = f
        .store()
        .watch(KeyRange::prefix("s/"), Some(Revision(2)))
        .await
        .unwrap();
    f.store().compact(Revision(100)).await.unwrap();
    let error = overtaken.next().await.unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            Error::Compacted {
                wanted: Revision(2),
                compacted: Revision(100)
            }
        ),
        "{error}"
    );
    assert!(overtaken.next().await.is_none(), "a watch ends with its error");
}

async fn leases_take_their_keys(mut f: Fixture) {
    let lease = f.store().lease_grant(Duration::from_millis(9500)).await.unwrap();
    assert_eq!(
        (lease.ttl, lease.remaining),
        (Duration::from_secs(10), Duration::from_secs(10)),
        "whole seconds"
    );
    let held = |key: &str| Op::Put {
        key: key.to_owned().into(),
        value: "v".into(),
        lease: Some(lease.id),
    };
    f.commit(Txn::of([held("a"), held("b"), held("c"), put("d", "v")]))
        .await;
    f.put("b", "without the lease").await;
    f.delete("c").await;
    assert_eq!(f.get("a").await.unwrap().lease, Some(lease.id));
    assert_eq!(f.get("b").await.unwrap().lease, None);
    assert_eq!(f.store().lease_keys(lease.id).await.unwrap(), ["a"]);
    f.reopen();
    assert_eq!(f.store().leases().await.unwrap(), [lease.id]);
    let before = f.store().revision().await.unwrap();
    assert_eq!(f.store().lease_revoke(lease.id).await.unwrap(), before.next());
    assert_eq!(
        f.dump(RangeRequest::new(KeyRange::all())).await,
        ["b=without the lease", "d=v"]
    );
    for result in [
        f.store().lease_revoke(lease.id).await.err(),
        f.store().lease_keep_alive(lease.id).await.err(),
        f.store().lease_status(lease.id).await.err(),
        f.store().lease_keys(lease.id).await.err(),
    ] {
        assert!(matches!(result, Some(Error::LeaseNotFound { .. })), "{result:?}");
    }
    let empty = f.store().lease_grant(Duration::from_secs(5)).await.unwrap();
    assert_ne!(empty.id, lease.id, "ids are not used again");
    assert_eq!(
        f.store().lease_revoke(empty.id).await.unwrap(),
        before.next(),
        "no keys, no revision"
    );
    for ttl in [Duration::from_millis(999), Duration::from_secs(366 * 24 * 3600)] {
        assert!(matches!(
            f.store().lease_grant(ttl).await,
            Err(Error::LeaseTtl { .. })
        ));
    }
}

async fn leases_run_out_by_the_clock(mut f: Fixture) {
    let second = Duration::from_secs(1);
    let lease = f.store().lease_grant(10 * second).await.unwrap().id;
    let held = |key: &str| Op::Put {
        key: key.to_owned().into(),
        value: "v".into(),
        lease: Some(lease),
    };
    f.commit(Txn::of([held("x"), held("y")])).await;
    f.time.advance(9 * second);
    assert_eq!(f.store().lease_status(lease).await.unwrap().remaining, second);
    assert_eq!(
        f.store().lease_keep_alive(lease).await.unwrap().remaining,
        10 * second
    );
    f.time.advance(9 * second);
    f.tick().await;
    assert!(f.get("x").await.is_some());
    if f.reopen() {
        let remaining = f.store().lease_status(lease).await.unwrap().remaining;
        assert_eq!(
            remaining,
            10 * second,
            "after a restart it has its whole time again"
        );
    } else {
        f.store().lease_keep_alive(lease).await.unwrap();
    }
    let mut watch = f.store().watch(KeyRange::all(), None).await.unwrap();
    f.time.advance(10 * second);
    let batch = next_events(&mut watch).await;
    let keys: Vec<_> = batch.events.iter().map(|event| event.key().clone()).collect();
    assert_eq!(
        (keys, batch.revision),
        (vec!["x".into(), "y".into()], Revision(3)),
        "without being asked"
    );
    assert!(matches!(
        f.store().lease_keep_alive(lease).await,
        Err(Error::LeaseNotFound { .. })
    ));
    assert!(matches!(
        f.store().commit(Txn::of([held("x")])).await,
        Err(Error::LeaseNotFound { .. })
    ));
}

async fn stopping_ends_watches(mut f: Fixture) {
    let mut watch = f.store().watch(KeyRange::all(), None).await.unwrap();
    let _idle = f.store().watch(KeyRange::all(), None).await.unwrap();
    let waiting = tokio::spawn(async move { watch.next().await });
    f.store = None;
    let ended = tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .unwrap()
        .unwrap();
    assert!(ended.is_none());
    f.reopen(); // and an idle watch does not keep the directory
}
