//! What stays, what goes, and what a crash may not do.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use roadstead_image::{Auth, Error, Images, Removed};

fn app(version: &str) -> TestImage {
    TestImage::new(&[layer(&[("base", "common")]), layer(&[("version", version)])])
}

async fn with_layout(root: &Path, images: &[(&str, &TestImage)]) -> Images {
    let store = open(root, None).await;
    let dir = root.join("layout");
    write_layout(&dir, images);
    store.import(&dir, None).await.expect("import");
    fs::remove_dir_all(&dir).expect("remove");
    store
}

#[tokio::test]
async fn removal_takes_what_nobody_else_has() {
    let root = tempfile::tempdir().expect("tempdir");
    let (one, two) = (app("1"), app("2"));
    let images = with_layout(
        root.path(),
        &[("app:1", &one), ("app:one", &one), ("app:2", &two)],
    )
    .await;
    assert_eq!(
        (
            folder(&images, "layers").len(),
            folder(&images, "blobs/sha256").len()
        ),
        (3, 4)
    );
    let removed = |name: &str, layers: usize, bytes: usize| Removed {
        references: vec![format!("docker.io/library/{name}")],
        layers,
        bytes: bytes as u64,
    };
    assert_eq!(
        images.remove("app:1").await.expect("a name"),
        removed("app:1", 0, 0)
    );
    let top = layer(&[("version", "1")]).len();
    assert_eq!(
        images.remove("app:one").await.expect("the last name"),
        removed("app:one", 1, top)
    );
    assert_eq!(
        (
            folder(&images, "layers").len(),
            folder(&images, "blobs/sha256").len()
        ),
        (2, 2)
    );
    assert!(images.get("app:2").expect("get").is_some());
    assert_eq!(
        images.remove("app:2").await.expect("the last image"),
        removed("app:2", 2, 2 * top)
    );
    for name in ["layers", "blobs/sha256", "names", "tmp"] {
        assert_eq!(folder(&images, name), [""; 0], "{name}");
    }
    let error = images.remove("app:2").await.expect_err("gone");
    assert!(matches!(error, Error::NotLocal { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_in_use_stays() {
    let root = tempfile::tempdir().expect("tempdir");
    let (one, two) = (app("1"), app("2"));
    let images = with_layout(root.path(), &[("app:1", &one), ("app:x", &one)]).await;
    let image = images.get("app:1").expect("get").expect("there");
    images.pin(&image, "task-a/web").expect("pin");
    images.pin(&image, "task-b/web").expect("pin");
    assert_eq!(images.list().expect("list")[0].used_by.len(), 2);
    images.remove("app:x").await.expect("one name of two");
    match images.remove("app:1").await {
        Err(Error::InUse { owners, .. }) => assert!(owners.contains("task-a/web"), "{owners}"),
        other => panic!("{other:?}"),
    }
    // The pin outlives the process, and the name: the tag moves on.
    drop(images);
    let images = with_layout(root.path(), &[("app:1", &two)]).await;
    assert_eq!(images.pins().expect("pins").len(), 2);
    assert_eq!(
        fs::read_to_string(image.layers[0].join("version")).expect("still there"),
        "1"
    );
    assert!(images.unpin("task-a/web").await.expect("unpin"));
    assert!(!images.unpin("task-a/web").await.expect("unpin"));
    assert!(image.layers[0].exists());
    // Who asks for it by its digest, as the other tasks of a service do, still finds it.
    let pinned = format!("app:1@{}", image.digest);
    let found = images.get(&pinned).expect("get").expect("there");
    assert_eq!(
        (&found.manifest_digest, &found.layers),
        (&image.manifest_digest, &image.layers)
    );
    images.remove(&pinned).await.expect_err("it is in use");
    // The agent comes back and knows of no task: the last pin goes, and with its last name the image.
    let dropped = images
        .retain_pins(|pin| pin.owner != "task-b/web")
        .await
        .expect("retain");
    assert_eq!(dropped.len(), 1);
    assert!(image.layers[0].exists());
    images.remove(&pinned).await.expect("nobody uses it");
    assert!(!image.layers[0].exists());
    assert!(
        image.layers[1].exists(),
        "the common layer is the other image's too"
    );
    let error = images.pin(&image, "task-c/web").expect_err("it is gone");
    assert!(matches!(error, Error::NotLocal { .. }), "{error:?}");
}

#[tokio::test]
async fn a_moved_tag_leaves_nothing_behind() {
    let root = tempfile::tempdir().expect("tempdir");
    let images = with_layout(root.path(), &[("app:1", &app("1"))]).await;
    let before = images.get("app:1").expect("get").expect("there");
    drop(images);
    let images = with_layout(root.path(), &[("app:1", &app("2"))]).await;
    assert!(!before.layers[0].exists());
    assert_eq!(
        (
            folder(&images, "layers").len(),
            folder(&images, "blobs/sha256").len()
        ),
        (2, 2)
    );
}

#[tokio::test]
async fn leftovers_of_a_crash_are_removed_and_work_in_progress_is_not() {
    let root = tempfile::tempdir().expect("tempdir");
    let images = with_layout(root.path(), &[("app:1", &app("1"))]).await;
    let at = |name: &str| images.root().join(name);
    fs::create_dir_all(at("tmp/12345-0/layer/fs/a")).expect("create");
    fs::write(at("tmp/next"), "half").expect("write");
    fs::create_dir_all(at("layers/0123456789abcdef01234567/fs")).expect("create");
    fs::create_dir(at("tmp/busy")).expect("create");
    let busy = fs::File::open(at("tmp/busy")).expect("open");
    busy.lock().expect("lock");
    let second = open(root.path(), None).await;
    assert_eq!(folder(&second, "tmp"), ["busy"]);
    assert_eq!(folder(&second, "layers").len(), 2);
    drop(busy);
    drop(open(root.path(), None).await);
    assert_eq!(folder(&second, "tmp"), [""; 0]);
}

#[tokio::test]
async fn damage_is_seen_and_repaired() {
    let image = app("1");
    for damage in ["layers", "blobs/sha256"] {
        let root = tempfile::tempdir().expect("tempdir");
        let content = Content::default();
        put(&content, "library/app", "1", &image);
        let registry = Registry::honest(&content);
        let images = open(root.path(), Some(registry.address)).await;
        let whole = images
            .pull("app:1", roadstead_image::Auth::Anonymous)
            .await
            .expect("pull");
        for name in folder(&images, damage) {
            let path = images.root().join(damage).join(name);
            if path.is_dir() {
                fs::remove_dir_all(path.join("fs")).expect("remove");
            } else {
                fs::write(path, "{}").expect("write");
            }
        }
        let error = images.get("app:1").expect_err("damaged");
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        let repaired = images
            .pull("app:1", roadstead_image::Auth::Anonymous)
            .await
            .expect("pull again");
        assert_eq!(repaired, whole);
        assert!(repaired.layers[0].join("version").exists());
        assert_eq!(images.get("app:1").expect("get"), Some(whole));
    }
}

#[tokio::test]
async fn stores_of_another_form_are_refused() {
    let root = tempfile::tempdir().expect("tempdir");
    drop(open(root.path(), None).await);
    fs::write(root.path().join("images/version"), "roadstead images 2\n").expect("write");
    let error = Images::open(options(root.path(), None)).await.expect_err("newer");
    assert!(error.to_string().contains("'roadstead images 2'"), "{error}");
    let error = Images::open(options(&root.path().join("a:b"), None))
        .await
        .expect_err("colon");
    assert!(error.to_string().contains("overlay"), "{error}");
}

/// Runs where the test below has mounted two megabytes.
#[tokio::test]
#[ignore = "run by the test below"]
async fn child_on_a_small_disk() {
    let root = std::env::var("RS_IMAGE_TEST_ROOT").expect("set by the parent");
    let root = Path::new(&root);
    let images = Images::open(options(&root.join("small"), None))
        .await
        .expect("open");
    let error = images.import(&root.join("layout"), None).await.expect_err("full");
    assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
    assert!(error.to_string().contains("no space left"), "{error}");
    for name in ["tmp", "layers", "names"] {
        assert_eq!(folder(&images, name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_left_clean() {
    let root = tempfile::tempdir().expect("tempdir");
    fs::create_dir(root.path().join("small")).expect("create");
    let image = TestImage::new(&[layer(&[("big", &"x".repeat(8 << 20))])]);
    write_layout(&root.path().join("layout"), &[("app:1", &image)]);
    // The mount goes with its namespace.
    let script = "mount -t tmpfs -o size=2m rs-small \"$1/small\" && \
        exec \"$2\" --exact child_on_a_small_disk --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(root.path())
        .arg(std::env::current_exe().expect("exe"))
        .env("RS_IMAGE_TEST_ROOT", root.path())
        .output()
        .expect("unshare");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// The process that the next test kills: it imports and removes until then.
#[tokio::test]
#[ignore = "run by the test below"]
async fn child() {
    let root = std::env::var("RS_IMAGE_TEST_ROOT").expect("set by the parent");
    let root = Path::new(&root);
    let images = open(root, None).await;
    println!("ready");
    loop {
        images.import(&root.join("layout"), None).await.expect("import");
        images.remove("app:1").await.expect("remove");
    }
}

#[tokio::test]
async fn killed_at_any_instant_it_is_whole_or_absent() {
    let root = tempfile::tempdir().expect("tempdir");
    let many: Vec<(String, String)> = (0..200)
        .map(|n| (format!("f{n}"), format!("content {n}")))
        .collect();
    let files: Vec<(&str, &str)> = many
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_str()))
        .collect();
    let image = TestImage::new(&[layer(&files), layer(&[("top", "x")])]);
    write_layout(&root.path().join("layout"), &[("app:1", &image)]);
    let (mut whole, mut absent, mut leftovers) = (0, 0, 0);
    let mut pause = 1;
    for _ in 0..40 {
        let mut child = Command::new(std::env::current_exe().expect("exe"))
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env("RS_IMAGE_TEST_ROOT", root.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("spawn");
        wait_for_ready(&mut child);
        pause = (pause * 7 + 3) % 61;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        assert!(
            child.try_wait().expect("wait").is_none(),
            "the child ended by itself"
        );
        child.kill().expect("kill");
        child.wait().expect("wait");
        leftovers += fs::read_dir(root.path().join("images/tmp")).expect("tmp").count();
        let images = open(root.path(), None).await;
        assert_eq!(folder(&images, "tmp"), [""; 0]);
        match images.get("app:1").expect("never damaged") {
            Some(image) => {
                whole += 1;
                for (path, content) in &many {
                    assert_eq!(
                        &fs::read_to_string(image.layers[1].join(path)).expect("file"),
                        content
                    );
                }
            }
            None => {
                absent += 1;
                assert_eq!(folder(&images, "layers"), [""; 0], "nothing is kept for nobody");
            }
        }
    }
    assert!(
        absent > 0 && leftovers > 0,
        "killed too late each time: {whole} whole, {leftovers} leftovers"
    );
}

/// The process that the next test kills: it pulls and removes until then.
#[tokio::test]
#[ignore = "run by the test below"]
async fn child_that_pulls() {
    let root = std::env::var("RS_IMAGE_TEST_ROOT").expect("set by the parent");
    let address = std::env::var("RS_IMAGE_TEST_REGISTRY").expect("set by the parent");
    let images = open(Path::new(&root), Some(address.parse().expect("address"))).await;
    println!("ready");
    loop {
        images.pull("app", Auth::Anonymous).await.expect("pull");
        images.remove("app").await.expect("remove");
    }
}

/// Three layers at once, each over a connection that breaks, killed wherever it is.
#[tokio::test]
async fn a_pull_killed_at_any_instant_is_whole_or_absent() {
    const ROUNDS: u32 = 100;
    let root = tempfile::tempdir().expect("tempdir");
    let many: Vec<(String, String)> = (0..150)
        .map(|n| (format!("d{}/f{n}", n % 7), format!("content {n} ").repeat(n)))
        .collect();
    let files: Vec<(&str, &str)> = many
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_str()))
        .collect();
    let image = TestImage::new(&[
        layer(&files),
        layer(&[("top", "x")]),
        layer(&files[1..]),
        layer(&files[2..]),
    ]);
    let content = Content::default();
    put(&content, "library/app", "latest", &image);
    let registry = Registry::start(move |ask| match serve(&content, ask) {
        honest if ask.path.contains("/blobs/") && ask.headers.contains_key("range") => Reply {
            status: 206,
            ..honest
        },
        honest if ask.path.contains("/blobs/") && honest.body.len() > 5000 => Reply {
            cut: Some(3000),
            ..honest
        },
        honest => honest,
    });
    let (mut whole, mut leftovers, mut pause) = (0, 0, 1);
    for _ in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("exe"))
            .args(["--exact", "child_that_pulls", "--ignored", "--nocapture"])
            .env("RS_IMAGE_TEST_ROOT", root.path())
            .env("RS_IMAGE_TEST_REGISTRY", registry.address.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("spawn");
        wait_for_ready(&mut child);
        pause = (pause * 7 + 3) % 89;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        assert!(
            child.try_wait().expect("wait").is_none(),
            "the child ended by itself"
        );
        child.kill().expect("kill");
        child.wait().expect("wait");
        leftovers += fs::read_dir(root.path().join("images/tmp")).expect("tmp").count();
        let images = open(root.path(), None).await;
        assert_eq!(folder(&images, "tmp"), [""; 0]);
        match images.get("app").expect("never damaged") {
            Some(image) => {
                whole += 1;
                assert_eq!(image.layers.len(), 4);
                for (path, content) in &many {
                    assert_eq!(
                        &fs::read_to_string(image.layers[3].join(path)).expect("file"),
                        content
                    );
                }
            }
            None => assert_eq!(folder(&images, "layers"), [""; 0], "nothing is kept for nobody"),
        }
    }
    assert!(leftovers > 0, "never killed inside a pull; {whole} times whole");
}

fn wait_for_ready(child: &mut std::process::Child) {
    use std::io::{BufRead, BufReader};
    let started = Instant::now();
    let stdout = child.stdout.take().expect("piped");
    for line in BufReader::new(stdout).lines() {
        if line.expect("line").contains("ready") {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the child is not ready"
        );
    }
    panic!("the child ended before it was ready");
}
