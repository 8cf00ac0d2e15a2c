//! What only a store on disk can get wrong: outliving the process, sharing a directory, growing without end.

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{Fixture, next_events, put};
use redb::{Database, TableDefinition};
use roadstead_store::{Embedded, Error, KeyRange, Options, RangeRequest, Revision, Store, Txn};

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let mut f = Fixture::disk(|_| {});
    f.put("a", "1").await;
    f.put("b", "1").await;
    f.delete("a").await;
    f.store().compact(Revision(2)).await.unwrap();
    f.reopen();
    assert_eq!(f.store().revision().await.unwrap(), Revision(4));
    assert_eq!(f.dump(RangeRequest::new(KeyRange::all())).await, ["b=1"]);
    assert_eq!(
        f.dump(RangeRequest::new(KeyRange::all()).at(Revision(3))).await,
        ["a=1", "b=1"]
    );
    let mut watch = f.store().watch(KeyRange::all(), Some(Revision(3))).await.unwrap();
    assert_eq!(next_events(&mut watch).await.revision, Revision(3));
    assert_eq!(next_events(&mut watch).await.revision, Revision(4));
    let error = f
        .store()
        .watch(KeyRange::all(), Some(Revision(2)))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Compacted { .. }), "{error}");
    assert_eq!(f.put("c", "1").await, Revision(5));
}

#[tokio::test]
async fn a_directory_serves_one_store_at_a_time() {
    let mut f = Fixture::disk(|_| {});
    let path = f.dir.as_ref().unwrap().path().to_owned();
    let error = Embedded::open(&path, Options::default()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(f.reopen());
}

#[tokio::test]
async fn newer_data_is_refused_and_left_alone() {
    let mut f = Fixture::disk(|_| {});
    f.put("a", "1").await;
    f.store = None;
    let path = f.dir.as_ref().unwrap().path().to_owned();
    let set_format = |format: u64| {
        let database = Database::open(path.join("store.redb")).unwrap();
        let write = database.begin_write().unwrap();
        write
            .open_table(TableDefinition::<&str, u64>::new("meta"))
            .unwrap()
            .insert("format", format)
            .unwrap();
        write.commit().unwrap();
    };
    set_format(2);
    let error = Embedded::open(&path, Options::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("run the newer release"), "{error}");
    set_format(1);
    f.reopen();
    assert_eq!(f.dump(RangeRequest::new(KeyRange::all())).await, ["a=1"]);
}

#[tokio::test]
async fn what_is_not_a_store_is_refused() {
    let dir = tempfile::TempDir::with_prefix("rs-store-").unwrap();
    std::fs::write(dir.path().join("store.redb"), b"somebody's letters").unwrap();
    let error = Embedded::open(dir.path(), Options::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Storage {
                doing: "opening the database file",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        std::fs::read(dir.path().join("store.redb")).unwrap(),
        b"somebody's letters"
    );
}

#[tokio::test]
async fn a_creation_cut_short_is_begun_again() {
    let dir = tempfile::TempDir::with_prefix("rs-store-").unwrap();
    std::fs::write(dir.path().join("store.redb.new"), b"half").unwrap();
    let store = Embedded::open(dir.path(), Options::default()).unwrap();
    assert_eq!(store.revision().await.unwrap(), Revision(1));
    assert!(!dir.path().join("store.redb.new").exists());
    for file in ["store.redb", "store.lock"] {
        let mode = std::fs::metadata(dir.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file} is for its owner only");
    }
}

/// History stays within its bounds by itself, on both backends, and reopening counts what is kept correctly.
#[tokio::test]
async fn history_is_compacted_automatically() {
    let change = |options: &mut Options| options.keep_revisions = 80;
    for mut f in [Fixture::memory(change), Fixture::disk(change)] {
        for round in 0..3 {
            for i in 0..100 {
                f.put("k", &format!("{round} {i}")).await;
            }
            let head = f.store().revision().await.unwrap();
            let oldest = Revision(head.0 - 95);
            assert!(matches!(
                f.store().watch(KeyRange::all(), Some(oldest)).await,
                Err(Error::Compacted { .. })
            ));
            f.store()
                .watch(KeyRange::all(), Some(Revision(head.0 - 79)))
                .await
                .unwrap();
            f.dump(RangeRequest::prefix("k").at(Revision(head.0 - 80))).await;
            f.reopen();
        }
    }
    let change = |options: &mut Options| options.keep_bytes = 100_000;
    for mut f in [Fixture::memory(change), Fixture::disk(change)] {
        for _ in 0..2 {
            for _ in 0..30 {
                f.commit(Txn::of([put("k", &"x".repeat(10_000))])).await;
            }
            let head = f.store().revision().await.unwrap();
            f.store()
                .watch(KeyRange::all(), Some(Revision(head.0 - 2)))
                .await
                .unwrap();
            let oldest = Revision(head.0 - 6);
            assert!(matches!(
                f.store().watch(KeyRange::all(), Some(oldest)).await,
                Err(Error::Compacted { .. })
            ));
            f.reopen();
        }
    }
}

/// However long a store runs, its file holds what is there and the kept history, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_running_store_does_not_grow() {
    let f = Fixture::disk(|options| options.keep_revisions = 100);
    let file = f.dir.as_ref().unwrap().path().join("store.redb");
    let value = "x".repeat(4096);
    let mut sizes = Vec::new();
    for _ in 0..8 {
        let puts = (0..400).map(|i| f.commit(Txn::of([put(&format!("k{}", i % 10), &value)])));
        futures_util::future::join_all(puts).await;
        sizes.push(std::fs::metadata(&file).unwrap().len());
    }
    // 8 x 400 x (4 KiB and what it replaced) would be 26 MB.
    assert!(sizes[7] <= sizes[1] * 3 / 2 && sizes[7] < 12_000_000, "{sizes:?}");
}
