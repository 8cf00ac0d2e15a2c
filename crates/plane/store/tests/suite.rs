//! What the store promises, tried on each backend alike.

mod common;

use common::{Fixture, next, put, show};
use roadstead_store::{
    Compare, Error, KeyRange, LeaseId, Op, OpResult, RangeRequest, Relation, Revision, Target, Txn,
};

on_all!(
    revisions_count_changes,
    compares_decide,
    steps_see_earlier_steps,
    ranges_page_and_count,
    history_reads_as_it_was,
    compaction_names_itself,
    refusals_write_nothing,
    concurrent_increments_all_count,
);

async fn revisions_count_changes(f: Fixture) {
    assert_eq!(f.store().revision().await.unwrap(), Revision(1));
    assert_eq!(f.put("a", "1").await, Revision(2));
    assert_eq!(f.put("b", "1").await, Revision(3));
    assert_eq!(f.put("a", "2").await, Revision(4));
    let a = f.get("a").await.unwrap();
    assert_eq!(
        (a.create_revision, a.mod_revision, a.version),
        (Revision(2), Revision(4), 2)
    );
    assert_eq!(
        f.delete("nothing").await,
        Revision(4),
        "a delete of nothing changes nothing"
    );
    assert_eq!(f.delete("a").await, Revision(5));
    assert_eq!(f.get("a").await, None);
    f.put("a", "3").await;
    let a = f.get("a").await.unwrap();
    assert_eq!(
        (a.create_revision, a.mod_revision, a.version),
        (Revision(6), Revision(6), 1)
    );
    assert_eq!(f.commit(Txn::default()).await.revision, Revision(6));
    assert_eq!(f.store().revision().await.unwrap(), Revision(6));
}

async fn compares_decide(f: Fixture) {
    f.put("a", "1").await; // 2
    f.put("a", "2").await; // 3
    f.put("dir/x", "x").await; // 4
    f.put("dir/y", "y").await; // 5
    let on = |key: &str, relation, target| Compare {
        range: KeyRange::key(key),
        relation,
        target,
    };
    use Relation::{Equal, Greater, Less, NotEqual};
    let table = [
        (Compare::absent("a"), false),
        (Compare::absent("b"), true),
        (Compare::exists("a"), true),
        (Compare::exists("b"), false),
        (Compare::unmodified("a", Revision(3)), true),
        (Compare::unmodified("a", Revision(2)), false),
        (on("a", Greater, Target::ModRevision(Revision(2))), true),
        (on("a", Less, Target::CreateRevision(Revision(2))), false),
        (on("a", Equal, Target::Version(2)), true),
        (on("b", Equal, Target::Version(0)), true),
        (on("a", Equal, Target::Value("2".into())), true),
        (on("a", NotEqual, Target::Value("2".into())), false),
        (on("a", Greater, Target::Value("1".into())), true),
        (on("b", NotEqual, Target::Value("2".into())), false),
        (on("b", Equal, Target::Value("".into())), false),
        (on("a", Equal, Target::Lease(None)), true),
        (on("a", Equal, Target::Lease(Some(LeaseId(7)))), false),
        (Compare::none_in(KeyRange::prefix("dir/")), false),
        (Compare::none_in(KeyRange::prefix("other/")), true),
        (
            Compare::none_newer_in(KeyRange::prefix("dir/"), Revision(5)),
            true,
        ),
        (
            Compare::none_newer_in(KeyRange::prefix("dir/"), Revision(4)),
            false,
        ),
    ];
    for (compare, expected) in table {
        let txn = Txn {
            compare: vec![compare.clone()],
            ..Txn::default()
        };
        assert_eq!(f.commit(txn).await.succeeded, expected, "{compare:?}");
    }
    let compare = vec![Compare::exists("a"), Compare::exists("b")];
    let txn = Txn {
        compare,
        then: vec![put("c", "then")],
        otherwise: vec![put("c", "otherwise")],
    };
    assert!(!f.commit(txn).await.succeeded, "all must hold");
    assert_eq!(f.dump(RangeRequest::prefix("c")).await, ["c=otherwise"]);
}

async fn steps_see_earlier_steps(f: Fixture) {
    f.put("p/1", "old").await;
    let ops = [
        put("p/2", "new"),
        Op::Range(RangeRequest::prefix("p/")),
        Op::Delete {
            range: KeyRange::key("p/1"),
        },
        Op::Range(RangeRequest::prefix("p/")),
        Op::Delete {
            range: KeyRange::key("p/1"),
        },
    ];
    let response = f.commit(Txn::of(ops)).await;
    assert_eq!((response.succeeded, response.revision), (true, Revision(3)));
    let [
        OpResult::Put { previous: None },
        OpResult::Range(both),
        OpResult::Delete { previous },
        OpResult::Range(one),
        OpResult::Delete { previous: nothing },
    ] = response.results.as_slice()
    else {
        panic!("{response:?}")
    };
    assert_eq!(show(&both.kvs), ["p/1=old", "p/2=new"]);
    assert_eq!(show(previous), ["p/1=old"]);
    assert_eq!(show(&one.kvs), ["p/2=new"]);
    assert_eq!((nothing.len(), one.revision), (0, Revision(3)));
}

async fn ranges_page_and_count(f: Fixture) {
    for i in 0..10 {
        f.put(&format!("k/{i}"), &i.to_string()).await;
    }
    f.put("l", "outside").await;
    let prefix = || RangeRequest::prefix("k/");
    let page = f.store().range(prefix().limit(3)).await.unwrap();
    assert_eq!(
        (show(&page.kvs).join(" "), page.more, page.count),
        ("k/0=0 k/1=1 k/2=2".into(), true, 3)
    );
    let all = f.store().range(prefix().limit(10)).await.unwrap();
    assert_eq!((all.more, all.count, all.revision), (false, 10, Revision(12)));
    let counted = f.store().range(prefix().limit(2).count_only()).await.unwrap();
    assert_eq!((counted.count, counted.kvs.len(), counted.more), (10, 0, false));
    let keys = f.store().range(prefix().keys_only()).await.unwrap();
    assert!(keys.kvs.iter().all(|kv| kv.value.is_empty()) && keys.kvs.len() == 10);
    let rest = RangeRequest::new(KeyRange::prefix("k/").after(b"k/7"));
    assert_eq!(f.dump(rest).await, ["k/8=8", "k/9=9"]);
    assert_eq!(
        f.dump(RangeRequest::new(KeyRange::between("k/3", "k/5"))).await,
        ["k/3=3", "k/4=4"]
    );
    assert_eq!(
        f.dump(RangeRequest::new(KeyRange::between("z", "a"))).await,
        Vec::<String>::new()
    );
    assert_eq!(f.dump(RangeRequest::new(KeyRange::all())).await.len(), 11);
    assert_eq!(f.dump(prefix().limit(0)).await.len(), 0);
}

async fn history_reads_as_it_was(f: Fixture) {
    f.put("h/a", "1").await; // 2
    f.put("h/b", "1").await; // 3
    f.delete("h/a").await; // 4
    f.put("h/c", "1").await; // 5
    f.put("h/b", "2").await; // 6
    f.put("h/a", "2").await; // 7
    let at = |revision| RangeRequest::prefix("h/").at(Revision(revision));
    let table: [(u64, &[&str]); 6] = [
        (1, &[]),
        (2, &["h/a=1"]),
        (3, &["h/a=1", "h/b=1"]),
        (4, &["h/b=1"]),
        (6, &["h/b=2", "h/c=1"]),
        (7, &["h/a=2", "h/b=2", "h/c=1"]),
    ];
    for (revision, expected) in table {
        assert_eq!(f.dump(at(revision)).await, expected, "at {revision}");
    }
    let page = f.store().range(at(3).limit(1)).await.unwrap();
    assert_eq!(
        (show(&page.kvs), page.more, page.revision),
        (vec!["h/a=1".to_owned()], true, Revision(7))
    );
    assert_eq!(f.store().range(at(3).count_only()).await.unwrap().count, 2);
    let error = f.store().range(at(8)).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::FutureRevision {
                wanted: Revision(8),
                current: Revision(7)
            }
        ),
        "{error}"
    );
}

async fn compaction_names_itself(f: Fixture) {
    for i in 0..8 {
        f.put("a", &i.to_string()).await; // 2..=9
    }
    f.store().compact(Revision(5)).await.unwrap();
    assert_eq!(f.dump(RangeRequest::prefix("a").at(Revision(5))).await, ["a=3"]);
    assert_eq!(f.dump(RangeRequest::prefix("a")).await, ["a=7"]);
    let error = f
        .store()
        .range(RangeRequest::prefix("a").at(Revision(4)))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Compacted {
                wanted: Revision(4),
                compacted: Revision(5)
            }
        ),
        "{error}"
    );
    let error = f
        .store()
        .watch(KeyRange::all(), Some(Revision(5)))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Compacted {
                wanted: Revision(5),
                compacted: Revision(5)
            }
        ),
        "{error}"
    );
    let mut watch = f.store().watch(KeyRange::all(), Some(Revision(6))).await.unwrap();
    assert_eq!(next(&mut watch).await.revision, Revision(6));
    assert!(matches!(
        f.store().compact(Revision(5)).await,
        Err(Error::Compacted { .. })
    ));
    assert!(matches!(
        f.store().compact(Revision(10)).await,
        Err(Error::FutureRevision { .. })
    ));
    f.store().compact(Revision(9)).await.unwrap();
    assert_eq!(f.dump(RangeRequest::prefix("a").at(Revision(9))).await, ["a=7"]);
}

async fn refusals_write_nothing(f: Fixture) {
    f.put("a", "1").await;
    let gone = Op::Put {
        key: "b".into(),
        value: "1".into(),
        lease: Some(LeaseId(99)),
    };
    let error = f
        .store()
        .commit(Txn::of([put("a", "2"), gone]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::LeaseNotFound { lease: LeaseId(99) }),
        "{error}"
    );
    let error = f
        .store()
        .commit(Txn::of([put("a", "2"), put("a", "3")]))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::DuplicateKey { .. }), "{error}");
    assert_eq!(
        (f.dump(RangeRequest::new(KeyRange::all())).await, f.get("b").await),
        (vec!["a=1".into()], None)
    );
    assert_eq!(f.store().revision().await.unwrap(), Revision(2));
}

async fn concurrent_increments_all_count(f: Fixture) {
    let (clients, each) = (16, 10);
    let increments = (0..clients).map(|_| {
        let f = &f;
        async move {
            let mut done = 0;
            while done < each {
                let (count, revision) = f.get("count").await.map_or((0, Revision(0)), |kv| {
                    (
                        String::from_utf8_lossy(&kv.value).parse::<u64>().unwrap(),
                        kv.mod_revision,
                    )
                });
                let txn = Txn {
                    compare: vec![Compare::unmodified("count", revision)],
                    then: vec![put("count", &(count + 1).to_string())],
                    otherwise: vec![],
                };
                let response = f.commit(txn).await;
                if response.succeeded {
                    done += 1;
                    let seen = f.get("count").await.unwrap().mod_revision;
                    assert!(seen >= response.revision, "a call reads its own writes");
                }
            }
        }
    });
    futures_util::future::join_all(increments).await;
    assert_eq!(
        f.dump(RangeRequest::prefix("count")).await,
        [format!("count={}", clients * each)]
    );
}
