//! Records, transactions over them, and mirrors of them, on both backends.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Fixture;
use roadstead_base::Partition;
use roadstead_store::{
    Change, Changed, Error, Key, Listing, Mirror, Outcome, Revision, Store, Table, Told, Transaction, Txn,
};
use serde::{Deserialize, Serialize};

on_both!(
    records_come_back,
    pages_are_one_consistent_list,
    transactions_hold_or_do_nothing,
    updates_try_again,
    mirrors_follow,
    mirrors_look_everywhere,
    mirrors_end_with_their_store,
);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Boat {
    name: String,
    berth: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Crew {
    hands: u32,
}

fn boat(name: &str, berth: u32) -> Boat {
    Boat {
        name: name.to_owned(),
        berth,
    }
}

fn at(account: &str, region: &str) -> Partition {
    Partition {
        account: account.parse().unwrap(),
        region: region.parse().unwrap(),
    }
}

fn home() -> Partition {
    at("000000000000", "us-east-1")
}

struct Harbour {
    store: Arc<dyn Store>,
    boats: Table<Boat>,
    crews: Table<Crew>,
    _fixture: Fixture,
}

fn harbour(mut f: Fixture) -> Harbour {
    let store: Arc<dyn Store> = Arc::new(f.store.take().unwrap());
    Harbour {
        boats: Table::new(store.clone(), "boat"),
        crews: Table::new(store.clone(), "crew"),
        store,
        _fixture: f,
    }
}

async fn records_come_back(f: Fixture) {
    let h = harbour(f);
    let key = h.boats.key(&home(), "arn:boat/gull");
    assert_eq!(key.to_string(), "000000000000/us-east-1/boat/arn:boat%2Fgull");
    assert_eq!(h.boats.get(&key).await.unwrap(), None);
    let made = h.boats.insert(&key, &boat("gull", 3)).await.unwrap();
    assert_eq!(made, Some(Revision(2)));
    assert_eq!(h.boats.insert(&key, &boat("other", 4)).await.unwrap(), None);
    let entry = h.boats.get(&key).await.unwrap().unwrap();
    assert_eq!(
        (entry.value, entry.revision, entry.created),
        (boat("gull", 3), Revision(2), Revision(2))
    );

    h.store
        .commit(Txn::of([roadstead_store::Op::put(
            key.to_bytes(),
            "{\"name\": 7}",
        )]))
        .await
        .unwrap();
    let error = h.boats.get(&key).await.unwrap_err();
    assert!(
        matches!(error, Error::Decode { .. }) && error.to_string().contains("arn:boat%2Fgull"),
        "{error}"
    );
}

async fn pages_are_one_consistent_list(f: Fixture) {
    let h = harbour(f);
    for i in 0..25 {
        h.boats
            .insert(&h.boats.key(&home(), format!("b{i:02}")), &boat("b", i))
            .await
            .unwrap();
    }
    h.crews
        .insert(&h.crews.key(&home(), "b00"), &Crew { hands: 1 })
        .await
        .unwrap();
    let within = h.boats.within(&home());
    let (mut listing, mut berths, mut pages) = (
        Listing {
            limit: Some(10),
            ..Listing::default()
        },
        Vec::new(),
        Vec::new(),
    );
    loop {
        let page = h.boats.list(&within, listing.clone()).await.unwrap();
        pages.push(page.entries.len());
        berths.extend(page.entries.iter().map(|entry| entry.value.berth));
        // Between pages the list changes, before and behind the cursor; one consistent list does not.
        let revision = *listing.revision.get_or_insert(page.revision);
        assert_eq!(revision, Revision(27));
        h.boats
            .insert(&h.boats.key(&home(), format!("a{}", pages.len())), &boat("a", 99))
            .await
            .unwrap();
        h.boats
            .update(&h.boats.key(&home(), "b24"), |_| Ok::<_, Error>(Change::Delete))
            .await
            .unwrap();
        let Some(next) = page.next else { break };
        listing.after = Some(next);
    }
    assert_eq!((berths, pages), ((0..25).collect::<Vec<_>>(), vec![10, 10, 5]));
    let (all, revision) = h.boats.all(&within).await.unwrap();
    assert_eq!((all.len(), revision), (27, h.store.revision().await.unwrap()));
}

async fn transactions_hold_or_do_nothing(f: Fixture) {
    let h = harbour(f);
    let (gull, tern) = (h.boats.key(&home(), "gull"), h.boats.key(&home(), "tern"));
    let crew = h.crews.key(&home(), "gull");
    let begin = || Transaction::new(&h.store);
    let made = begin()
        .insert(&h.boats, &gull, &boat("gull", 1))
        .insert(&h.crews, &crew, &Crew { hands: 3 });
    assert_eq!(made.commit().await.unwrap(), Outcome::Committed(Revision(2)));

    let entry = h.boats.get(&gull).await.unwrap().unwrap();
    let moved = begin()
        .compare_unmodified(&entry)
        .put(&h.boats, &gull, &boat("gull", 2))
        .delete(&crew);
    assert_eq!(moved.commit().await.unwrap(), Outcome::Committed(Revision(3)));
    let stale = begin()
        .replace(&h.boats, &entry, &boat("gull", 9))
        .insert(&h.boats, &tern, &boat("tern", 1));
    assert_eq!(stale.commit().await.unwrap(), Outcome::Conflict);
    assert_eq!(h.boats.get(&gull).await.unwrap().unwrap().value, boat("gull", 2));
    assert_eq!(
        (
            h.boats.get(&tern).await.unwrap(),
            h.crews.get(&crew).await.unwrap()
        ),
        (None, None)
    );

    let boats = h.boats.within(&home());
    assert_eq!(
        begin()
            .compare_none_below(&boats)
            .delete(&gull)
            .commit()
            .await
            .unwrap(),
        Outcome::Conflict
    );
    assert_eq!(
        begin()
            .compare_exists(&tern)
            .delete(&gull)
            .commit()
            .await
            .unwrap(),
        Outcome::Conflict
    );
    let gone = begin().delete_below(&boats).commit().await.unwrap();
    assert_eq!(gone, Outcome::Committed(Revision(4)));

    let wrong = begin()
        .put(&h.boats, &crew, &boat("gull", 1))
        .commit()
        .await
        .unwrap_err();
    assert!(
        matches!(wrong, Error::WrongTable { table: "boat", .. }),
        "{wrong}"
    );
    assert_eq!(begin().delete(&gull).delete(&tern).room(), 126);

    let lease = h.store.lease_grant(Duration::from_secs(60)).await.unwrap().id;
    let leased = begin()
        .put_leased(&h.boats, &gull, &boat("gull", 1), lease)
        .commit()
        .await
        .unwrap();
    assert_eq!(leased, Outcome::Committed(Revision(5)));
    h.store.lease_revoke(lease).await.unwrap();
    assert_eq!(h.boats.get(&gull).await.unwrap(), None);
}

async fn updates_try_again(f: Fixture) {
    let h = Arc::new(harbour(f));
    let key = h.crews.key(&home(), "gull");
    let joined = (0..64).map(|_| {
        let (h, key) = (h.clone(), key.clone());
        tokio::spawn(async move {
            let more = |crew: Option<&Crew>| {
                Ok::<_, Error>(Change::Put(Crew {
                    hands: crew.map_or(0, |crew| crew.hands) + 1,
                }))
            };
            h.crews.update(&key, more).await.unwrap()
        })
    });
    for done in futures_util::future::join_all(joined).await {
        assert!(done.unwrap().changed);
    }
    assert_eq!(h.crews.get(&key).await.unwrap().unwrap().value.hands, 64);

    let kept = h
        .crews
        .update(&key, |_| Ok::<_, Error>(Change::Keep))
        .await
        .unwrap();
    assert_eq!(
        (kept.changed, kept.value, kept.revision),
        (false, Some(Crew { hands: 64 }), Revision(65))
    );
    let refused = h
        .crews
        .update(&key, |_| Err::<Change<Crew>, _>(Error::Stopped))
        .await;
    assert!(matches!(refused, Err(Error::Stopped)));
    let gone = h
        .crews
        .update(&key, |_| Ok::<_, Error>(Change::Delete))
        .await
        .unwrap();
    assert_eq!(
        (gone.changed, gone.value, gone.revision),
        (true, None, Revision(66))
    );
    let nothing = h
        .crews
        .update(&key, |_| Ok::<_, Error>(Change::Delete))
        .await
        .unwrap();
    assert_eq!((nothing.changed, nothing.revision), (false, Revision(66)));

    // One who always comes second gives up after a bounded number of tries.
    let other = h.crews.key(&home(), "tern");
    let mut tries = 0;
    let contended = h
        .crews
        .update(&other, |crew| {
            tries += 1;
            let (h, other) = (h.clone(), other.clone());
            tokio::task::block_in_place(move || {
                let hands = crew.map_or(0, |crew| crew.hands) + 1;
                let change = async {
                    h.crews
                        .update(&other, |_| Ok::<_, Error>(Change::Put(Crew { hands })))
                        .await
                };
                tokio::runtime::Handle::current().block_on(change)
            })?;
            Ok::<_, Error>(Change::Put(Crew { hands: 0 }))
        })
        .await;
    assert!(
        matches!(contended, Err(Error::Contended { tries: 128, .. })),
        "{contended:?}"
    );
    assert!(contended.unwrap_err().is_retryable() && tries == 128);
}

async fn told(changes: &mut roadstead_store::Changes<Boat>) -> Arc<Changed<Boat>> {
    match tokio::time::timeout(Duration::from_secs(10), changes.next())
        .await
        .unwrap()
    {
        Some(Told::Changed(changed)) => changed,
        other => panic!("{other:?}"),
    }
}

fn names(mirror: &Mirror<Boat>) -> Vec<String> {
    mirror
        .snapshot()
        .iter()
        .map(|entry| entry.value.name.clone())
        .collect()
}

async fn mirrors_follow(f: Fixture) {
    let h = harbour(f);
    let (gull, tern) = (h.boats.key(&home(), "gull"), h.boats.key(&home(), "tern"));
    h.boats.insert(&gull, &boat("gull", 1)).await.unwrap();
    let mirror = Mirror::below(&h.boats, h.boats.within(&home())).await.unwrap();
    assert_eq!(names(&mirror), ["gull"]);
    let mut changes = mirror.changes();
    let before = mirror.snapshot();

    let revision = h.boats.insert(&tern, &boat("tern", 2)).await.unwrap().unwrap();
    mirror.wait_for(revision).await.unwrap();
    assert_eq!(names(&mirror), ["gull", "tern"]);
    assert_eq!(
        (before.len(), before.revision()),
        (1, Revision(2)),
        "a snapshot does not change"
    );
    let changed = told(&mut changes).await;
    assert_eq!((&changed.key, changed.before.is_none()), (&tern, true));
    assert_eq!(changed.after.as_ref().unwrap().value, boat("tern", 2));

    let gone = h
        .boats
        .update(&gull, |_| Ok::<_, Error>(Change::Delete))
        .await
        .unwrap();
    let changed = told(&mut changes).await;
    assert_eq!(
        (
            changed.before.as_ref().unwrap().value.berth,
            changed.after.is_none()
        ),
        (1, true)
    );
    assert!(mirror.get(&gull).is_none() && mirror.get(&tern).is_some());

    // What others write moves the mirror's revision too: a caller may wait for any commit.
    let foreign = h
        .crews
        .insert(&h.crews.key(&home(), "gull"), &Crew { hands: 1 })
        .await
        .unwrap()
        .unwrap();
    mirror.wait_for(foreign).await.unwrap();
    let snapshot = mirror.snapshot();
    assert!(snapshot.revision() >= foreign && foreign > gone.revision);

    // A record that is not a boat is left out, and the rest goes on.
    let bad = roadstead_store::Op::put(gull.to_bytes(), "not json");
    h.store.commit(Txn::of([bad])).await.unwrap();
    let good = h
        .boats
        .insert(&h.boats.key(&home(), "z"), &boat("z", 3))
        .await
        .unwrap()
        .unwrap();
    mirror.wait_for(good).await.unwrap();
    assert_eq!(names(&mirror), ["tern", "z"]);
}

async fn mirrors_look_everywhere(f: Fixture) {
    let h = harbour(f);
    let partitions = [
        home(),
        at("000000000000", "us-east-2"),
        at("111111111111", "eu-west-1"),
        at("222222222222", "us-east-1"),
    ];
    for (number, partition) in partitions.iter().enumerate() {
        for i in 0..if number == 1 { 1500 } else { 2 } {
            let key = h
                .boats
                .within(partition)
                .child(format!("dock{}", i % 2))
                .child(format!("{i:04}"));
            h.boats.insert(&key, &boat("b", number as u32)).await.unwrap();
        }
        h.crews
            .insert(&h.crews.key(partition, "crew"), &Crew { hands: 1 })
            .await
            .unwrap();
    }
    h.store
        .commit(Txn::of([roadstead_store::Op::put("stray", "1")]))
        .await
        .unwrap();
    let mirror = Mirror::of(&h.boats).await.unwrap();
    let snapshot = mirror.snapshot();
    assert_eq!(snapshot.len(), 1506);
    let dock = h.boats.within(&partitions[1]).child("dock1");
    assert_eq!(snapshot.below(&dock).count(), 750);
    assert_eq!(snapshot.below(&Key::root()).count(), 1506);
    let first = snapshot.below(&dock).next().unwrap().key.clone();
    assert_eq!(first.name(), "0001");
    assert_eq!(snapshot.after(&first).next().unwrap().key.name(), "0003");
    let key = h.boats.key(&at("333333333333", "us-east-1"), "new");
    let revision = h.boats.insert(&key, &boat("new", 9)).await.unwrap().unwrap();
    let crew = h
        .crews
        .insert(&h.crews.key(&home(), "late"), &Crew { hands: 1 })
        .await
        .unwrap()
        .unwrap();
    mirror.wait_for(revision.max(crew)).await.unwrap();
    assert_eq!(
        (mirror.snapshot().len(), mirror.get(&key).unwrap().value.berth),
        (1507, 9)
    );
}

async fn mirrors_end_with_their_store(f: Fixture) {
    let Harbour {
        store,
        boats,
        crews,
        mut _fixture,
    } = harbour(f);
    let mirror = Mirror::of(&boats).await.unwrap();
    let mut changes = mirror.changes();
    drop((store, boats, crews));
    assert!(matches!(mirror.wait_for(Revision(99)).await, Err(Error::Stopped)));
    _fixture.reopen(); // the mirror does not keep the directory
    drop(mirror);
    assert!(changes.next().await.is_none());
}

/// A mirror that compaction overtook loads again and tells exactly what differs.
#[test]
fn overtaken_mirrors_load_again() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (mirrors, writers) = (runtime(), runtime());
    for f in [Fixture::memory(|_| {}), Fixture::disk(|_| {})] {
        let h = harbour(f);
        let key = |name: &str| h.boats.key(&home(), name);
        let put = |name: &'static str, berth| {
            let (h, key) = (&h, key(name));
            async move {
                h.boats
                    .update(&key, |_| Ok::<_, Error>(Change::Put(boat(name, berth))))
                    .await
                    .unwrap()
            }
        };
        let (mirror, mut changes) = mirrors.block_on(async {
            put("same", 1).await;
            put("changed", 1).await;
            put("gone", 1).await;
            let mirror = Mirror::of(&h.boats).await.unwrap();
            let changes = mirror.changes();
            (mirror, changes)
        });
        // The mirror's runtime stands still while more happens than the ring of recent commits holds.
        let last = writers.block_on(async {
            put("changed", 2).await;
            put("new", 1).await;
            h.boats
                .update(&key("gone"), |_| Ok::<_, Error>(Change::Delete))
                .await
                .unwrap();
            let crew = h.crews.key(&home(), "busy");
            for hands in 0..1100 {
                h.crews
                    .update(&crew, |_| Ok::<_, Error>(Change::Put(Crew { hands })))
                    .await
                    .unwrap();
            }
            let head = h.store.revision().await.unwrap();
            h.store.compact(head).await.unwrap();
            head
        });
        mirrors.block_on(async {
            mirror.wait_for(last).await.unwrap();
            assert_eq!(names(&mirror), ["changed", "new", "same"]);
            let mut heard = Vec::new();
            for _ in 0..3 {
                let changed = told(&mut changes).await;
                let berth =
                    |entry: &Option<Arc<roadstead_store::Entry<Boat>>>| entry.as_ref().map(|e| e.value.berth);
                heard.push((changed.key.name(), berth(&changed.before), berth(&changed.after)));
            }
            heard.sort();
            let expected = [
                ("changed", Some(1), Some(2)),
                ("gone", Some(1), None),
                ("new", None, Some(1)),
            ];
            assert_eq!(
                heard,
                expected.map(|(name, before, after)| (name.to_owned(), before, after))
            );
            let after = put("same", 2).await;
            mirror.wait_for(after.revision).await.unwrap();
            assert_eq!(
                told(&mut changes).await.key.name(),
                "same",
                "and it follows again"
            );
        });
    }
}
