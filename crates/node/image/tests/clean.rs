//! What goes by itself: by age, by space, and nothing that is needed.

mod common;

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::*;
use roadstead_base::{ManualClock, Timestamp};
use roadstead_image::{Auth, Error, Images, NodeClock, Options};

const HOUR: i64 = 3_600_000;

/// An image of about so many kilobytes.
fn app(name: &str, kilobytes: usize) -> TestImage {
    TestImage::with(
        &[layer(&[(name, &name.repeat(kilobytes * 1024 / name.len()))])],
        PLAIN,
        &roadstead_image::Platform::host(),
    )
}

/// A registry with images `a` to `d`, 100 kB each, and `big`, 300 kB.
fn registry() -> (Registry, Content) {
    let content = Content::default();
    for name in ["a", "b", "c", "d"] {
        put(&content, &format!("library/{name}"), "latest", &app(name, 100));
    }
    put(&content, "library/big", "latest", &app("big", 300));
    (Registry::honest(&content), content)
}

/// Time that the files' own time agrees with, give or take the test's duration.
#[allow(clippy::disallowed_methods)] // the age of files is told from the machine's clock
fn clock() -> Arc<ManualClock> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    Arc::new(ManualClock::at(Timestamp(now.as_millis() as i64)))
}

fn options_at(root: &std::path::Path, registry: &Registry, clock: &Arc<ManualClock>) -> Options {
    let mut options = options(root, Some(registry.address));
    options.clock = NodeClock(clock.clone());
    options.tracks = true;
    options
}

fn names(images: &Images) -> Vec<String> {
    let short = |name: String| name.replace("docker.io/library/", "").replace(":latest", "");
    images
        .list()
        .expect("list")
        .into_iter()
        .map(|image| short(image.reference.to_string()))
        .collect()
}

async fn pull(images: &Images, names: &[&str]) {
    for name in names {
        images.pull(name, Auth::Anonymous).await.expect(name);
    }
}

#[tokio::test]
async fn by_age_what_nobody_uses_goes() {
    let (root, clock, (registry, _)) = (tempfile::tempdir().expect("tempdir"), clock(), registry());
    let images = Images::open(options_at(root.path(), &registry, &clock))
        .await
        .expect("open");
    pull(&images, &["a", "b", "c"]).await;
    let layout = root.path().join("layout");
    write_layout(&layout, &[("imported:latest", &app("imported", 1))]);
    images.import(&layout, None).await.expect("import");
    let b = images.get("b").expect("get").expect("there");
    images.pin(&b, "task/web").expect("pin");
    assert_eq!(
        images.clean().await.expect("clean").references,
        [""; 0],
        "too young"
    );
    clock.advance(HOUR + 60_000);
    let mut gone = images.clean().await.expect("clean").references;
    gone.sort();
    assert_eq!(gone, ["docker.io/library/a:latest", "docker.io/library/c:latest"]);
    assert_eq!(names(&images), ["b", "imported"]);
    assert_eq!(folder(&images, "layers").len(), 2);
    // A restart forgets neither who is tracked nor who is used.
    drop(images);
    let images = Images::open(options_at(root.path(), &registry, &clock))
        .await
        .expect("open");
    assert_eq!(images.clean().await.expect("clean").references, [""; 0]);
    images.unpin("task/web").await.expect("unpin");
    assert_eq!(
        images.clean().await.expect("clean").references,
        ["docker.io/library/b:latest"]
    );
    assert_eq!(folder(&images, "used"), [""; 0]);
}

#[tokio::test]
async fn what_was_used_last_goes_last() {
    let (root, clock, (registry, _)) = (tempfile::tempdir().expect("tempdir"), clock(), registry());
    let mut options = options_at(root.path(), &registry, &clock);
    options.cleanup.per_cycle = 1;
    let images = Images::open(options).await.expect("open");
    pull(&images, &["a", "b"]).await;
    let ago = |hours: u64| {
        std::fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(hours * 3600))
    };
    for entry in std::fs::read_dir(images.root().join("names")).expect("names") {
        let file = File::options()
            .write(true)
            .open(entry.expect("entry").path())
            .expect("open");
        file.set_times(ago(1)).expect("times");
    }
    let a = images.get("a").expect("get").expect("there");
    images.pin(&a, "task/web").expect("pin");
    images.unpin("task/web").await.expect("unpin");
    clock.advance(HOUR + 60_000);
    assert_eq!(
        images.clean().await.expect("clean").references,
        ["docker.io/library/b:latest"]
    );
    assert_eq!(
        images.clean().await.expect("clean").references,
        ["docker.io/library/a:latest"]
    );
}

#[tokio::test]
async fn an_image_pulled_by_hand_is_tracked_once_a_task_pulls_it() {
    let (root, clock, (registry, _)) = (tempfile::tempdir().expect("tempdir"), clock(), registry());
    let by_hand = open(root.path(), Some(registry.address)).await;
    pull(&by_hand, &["a", "b"]).await;
    let images = Images::open(options_at(root.path(), &registry, &clock))
        .await
        .expect("open");
    pull(&images, &["b"]).await;
    clock.advance(HOUR + 60_000);
    assert_eq!(
        images.clean().await.expect("clean").references,
        ["docker.io/library/b:latest"]
    );
    assert_eq!(names(&images), ["a"]);
}

#[tokio::test]
async fn a_full_store_refuses_before_anything_is_transferred() {
    let (root, clock, (registry, _)) = (tempfile::tempdir().expect("tempdir"), clock(), registry());
    let mut options = options_at(root.path(), &registry, &clock);
    options.limits.store_bytes = Some(350 << 10);
    let images = Images::open(options).await.expect("open");
    pull(&images, &["a", "b"]).await;
    let before = registry.asked("/blobs/").len();
    let error = images.pull("big", Auth::Anonymous).await.expect_err("full");
    assert!(matches!(error, Error::StoreFull { .. }), "{error:?}");
    assert!(error.to_string().contains("358400 bytes"), "{error}");
    assert_eq!(
        registry.asked("/blobs/").len(),
        before + 1,
        "its configuration alone"
    );
    assert_eq!(names(&images), ["a", "b"], "they are too young to go for it");
    // What takes no room is not refused in a store that is beyond its bound.
    let mut smaller = options_at(root.path(), &registry, &clock);
    smaller.limits.store_bytes = Some(1000);
    let tight = Images::open(smaller).await.expect("open");
    let image = tight
        .pull(&format!("b@{}", app("b", 100).digest()), Auth::Anonymous)
        .await;
    assert!(image.is_ok(), "{image:?}");
    tight
        .remove(&format!("b@{}", app("b", 100).digest()))
        .await
        .expect("remove");
    drop(tight);
    // An hour later they make room, the least recently used first and no more than it takes.
    clock.advance(HOUR + 60_000);
    pull(&images, &["c"]).await;
    assert_eq!(names(&images), ["a", "b", "c"]);
    pull(&images, &["d"]).await;
    assert_eq!(names(&images).len(), 3);
    for name in names(&images) {
        let image = images.get(&name).expect("get").expect("there");
        images.pin(&image, &format!("task/{name}")).expect("pin");
    }
    let error = images
        .pull("big", Auth::Anonymous)
        .await
        .expect_err("all are used");
    assert!(matches!(error, Error::StoreFull { .. }), "{error:?}");
}

#[tokio::test]
async fn the_bound_holds_for_what_comes_out() {
    let (root, clock, (registry, content)) = (tempfile::tempdir().expect("tempdir"), clock(), registry());
    // A kilobyte that becomes a megabyte, twice at the same time.
    let bombs: Vec<String> = (0..2).map(|n| format!("bomb{n}")).collect();
    for name in &bombs {
        let image = TestImage::new(&[layer(&[(name.as_str(), &"\0".repeat(1 << 20))])]);
        put(&content, &format!("library/{name}"), "latest", &image);
    }
    let mut options = options_at(root.path(), &registry, &clock);
    options.limits.store_bytes = Some(1_300 << 10);
    let images = Images::open(options).await.expect("open");
    pull(&images, &["a"]).await;
    let (one, two) = tokio::join!(
        images.pull("bomb0", Auth::Anonymous),
        images.pull("bomb1", Auth::Anonymous)
    );
    let full = |outcome: &Result<_, Error>| matches!(outcome, Err(Error::StoreFull { .. }));
    assert!(full(&one) || full(&two), "{one:?} {two:?}");
    for name in &bombs {
        if names(&images).contains(name) {
            images.remove(name).await.expect("remove");
        }
    }
    // What was refused gave back its share: one fits, and the other does once the first may go.
    pull(&images, &["bomb0"]).await;
    let error = images.pull("bomb1", Auth::Anonymous).await.expect_err("full");
    assert!(matches!(error, Error::StoreFull { .. }), "{error:?}");
    assert_eq!(folder(&images, "tmp"), [""; 0]);
    clock.advance(HOUR + 60_000);
    pull(&images, &["bomb1"]).await;
    assert_eq!(names(&images), ["bomb1"]);
    let used = images.get("bomb1").expect("get").expect("there");
    images.pin(&used, "task/bomb").expect("pin");
    let layout = root.path().join("layout");
    write_layout(&layout, &[("imported:latest", &app("imported", 900))]);
    let error = images.import(&layout, None).await.expect_err("full");
    assert!(matches!(error, Error::StoreFull { .. }), "{error:?}");
}

#[tokio::test]
async fn cycles_come_by_themselves_until_their_owner_goes() {
    let (root, clock, (registry, _)) = (tempfile::tempdir().expect("tempdir"), clock(), registry());
    let mut options = options_at(root.path(), &registry, &clock);
    options.cleanup.interval = Duration::from_millis(10);
    let images = Images::open(options.clone()).await.expect("open");
    pull(&images, &["a"]).await;
    let cleaner = images.clone();
    let cleaning = tokio::spawn(async move { cleaner.keep_clean().await });
    clock.advance(HOUR + 60_000);
    // The patience only bounds a failure.
    for _ in 0..6000 {
        if names(&images).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(names(&images), [""; 0]);
    cleaning.abort();
    options.cleanup.enabled = false;
    let idle = Images::open(options).await.expect("open");
    idle.keep_clean().await;
}
