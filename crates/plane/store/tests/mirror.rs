//! Mirrors show what the store holds, on every backend.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Fixture;
use common::harbour::{Boat, Crew, Harbour, at, boat, harbour, home};
use roadstead_store::{Change, Changed, Error, Key, Mirror, Revision, Told, Txn};

on_all!(
    mirrors_follow,
    mirrors_look_everywhere,
    mirrors_end_with_their_store
);

async fn told(changes: &mut roadstead_store::Changes<Boat>) -> Arc<Changed<Boat>> {
    match tokio::time::timeout(Duration::from_secs(60), changes.next())
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
    let known: Vec<Key> = partitions.iter().map(Key::of).collect();
    assert_eq!(
        h.boats.partitions().await.unwrap(),
        known,
        "each once, and no stray"
    );
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
        mut fixture,
    } = harbour(f);
    let mirror = Mirror::of(&boats).await.unwrap();
    let mut changes = mirror.changes();
    drop((store, boats, crews));
    assert!(matches!(mirror.wait_for(Revision(99)).await, Err(Error::Stopped)));
    fixture.reopen(); // the mirror does not keep the directory
    drop(mirror);
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let h = harbour(Fixture::memory(|_| {}));
    let mirror = Mirror::of(&h.boats).await.unwrap();
    let waited = mirror.wait_for(Revision(99)).await;
    assert!(
        matches!(
            waited,
            Err(Error::Behind {
                wanted: Revision(99),
                shown: Revision(1)
            })
        ),
        "{waited:?}"
    );
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
