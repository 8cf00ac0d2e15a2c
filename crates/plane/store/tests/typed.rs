//! Records and transactions over them, on every backend.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::Fixture;
use common::harbour::{Crew, boat, harbour, home};
use roadstead_store::{Change, Error, Listing, Outcome, Revision, Transaction, Txn};

on_all!(
    records_come_back,
    pages_are_one_consistent_list,
    transactions_hold_or_do_nothing,
    updates_try_again,
);

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
