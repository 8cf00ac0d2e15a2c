//! A volume keeps what it acknowledged, in order, whole, and over a restart.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roadstead_volume::{Batch, Options, Volume};

#[tokio::test]
async fn what_was_written_is_read_in_order_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let volume = Volume::open(folder.path(), Options::default()).expect("a volume");
        let space = volume.space("s").expect("a space");
        let mut batch = Batch::default();
        for key in ["b", "a", "c/1", "c/2", "d"] {
            batch.put(&space, key, format!("value of {key}"));
        }
        volume.write(batch).await.expect("written");
        let mut batch = Batch::default();
        batch.delete(&space, "d");
        volume.write(batch).await.expect("written");
    }
    let volume = Volume::open(folder.path(), Options::default()).expect("a volume");
    let space = volume.space("s").expect("a space");
    let keys = |pairs: Vec<(Vec<u8>, Vec<u8>)>| {
        let text = |key: Vec<u8>| String::from_utf8(key).expect("text");
        pairs.into_iter().map(|(key, _)| text(key)).collect::<Vec<_>>()
    };
    let all: Vec<_> = space
        .range::<&[u8], _>(..)
        .collect::<Result<_, _>>()
        .expect("read");
    assert_eq!(keys(all), ["a", "b", "c/1", "c/2"]);
    let back: Vec<_> = space
        .range("b".."c/2")
        .rev()
        .collect::<Result<_, _>>()
        .expect("read");
    assert_eq!(keys(back), ["c/1", "b"]);
    let below: Vec<_> = space.prefix("c/").collect::<Result<_, _>>().expect("read");
    assert_eq!(keys(below), ["c/1", "c/2"]);
    assert_eq!(space.get("a").expect("read").as_deref(), Some(&b"value of a"[..]));
    assert_eq!(space.get("d").expect("read"), None);
}

#[tokio::test]
async fn a_volume_is_open_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let _volume = Volume::open(folder.path(), Options::default()).expect("a volume");
    let again = Volume::open(folder.path(), Options::default()).expect_err("it is open");
    assert!(again.to_string().contains("another Roadstead"), "{again}");
}

#[tokio::test]
async fn writers_at_the_same_time_all_get_their_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let volume = Volume::open(folder.path(), Options::default()).expect("a volume");
    let space = volume.space("s").expect("a space");
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..50u8 {
        let (volume, space) = (volume.clone(), space.clone());
        writers.spawn(async move {
            for number in 0..20u8 {
                let mut batch = Batch::default();
                batch.put(&space, [writer, number], [number]);
                volume.write(batch).await.expect("written");
                assert!(
                    space.get([writer, number]).expect("read").is_some(),
                    "its own write"
                );
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer");
    }
    assert_eq!(space.range::<&[u8], _>(..).count(), 1000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_map(batches in proptest::collection::vec(
        proptest::collection::vec(("[a-c]{1,3}", proptest::option::of("[x-z]{0,40}")), 1..8), 1..20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { memtable_bytes: 1024, temporary: true, ..Options::default() };
        let volume = Volume::open(folder.path(), options).expect("a volume");
        let space = volume.space("s").expect("a space");
        let mut model = BTreeMap::new();
        for writes in batches {
            let mut batch = Batch::default();
            for (key, value) in writes {
                match value {
                    Some(value) => {
                        batch.put(&space, key.clone(), value.clone());
                        model.insert(key.into_bytes(), value.into_bytes());
                    }
                    None => {
                        batch.delete(&space, key.clone());
                        model.remove(key.as_bytes());
                    }
                }
            }
            runtime.block_on(volume.write(batch)).expect("written");
            let all: Vec<_> = space.range::<&[u8], _>(..).collect::<Result<_, _>>().expect("read");
            prop_assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
        }
    }
}
