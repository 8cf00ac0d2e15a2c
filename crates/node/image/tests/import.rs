//! Images from files: each form, each way it can be wrong.

mod common;

use std::fs;
use std::path::Path;

use common::*;
use roadstead_image::{Digest, Error, Images, Platform};

fn sample() -> TestImage {
    TestImage::new(&[
        layer(&[("etc/", ""), ("etc/a", "1")]),
        layer(&[("etc/", ""), ("etc/b", "2")]),
    ])
}

async fn import(images: &Images, path: &Path) -> Vec<String> {
    let imported = images
        .import(path, None)
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for image in &imported {
        assert_eq!(fs::read_to_string(image.layers[0].join("etc/b")).expect("b"), "2");
        assert_eq!(fs::read_to_string(image.layers[1].join("etc/a")).expect("a"), "1");
        assert_eq!(
            images.get(&image.reference.to_string()).expect("get").as_ref(),
            Some(image)
        );
    }
    assert!(folder(images, "tmp").is_empty());
    imported.iter().map(|image| image.reference.to_string()).collect()
}

#[tokio::test]
async fn layouts_in_every_wrapping() {
    let root = tempfile::tempdir().expect("tempdir");
    let dir = root.path().join("layout");
    let image = sample();
    write_layout(&dir, &[("nginx:latest", &image), ("quay.io/x/y:z", &image)]);
    let (tar, gz) = (root.path().join("layout.tar"), root.path().join("layout.tar.gz"));
    fs::write(&tar, tar_of(&dir)).expect("write");
    fs::write(&gz, gzip(&tar_of(&dir))).expect("write");
    for path in [&dir, &tar, &gz] {
        let store = tempfile::tempdir().expect("tempdir");
        let images = open(store.path(), None).await;
        assert_eq!(
            import(&images, path).await,
            ["docker.io/library/nginx:latest", "quay.io/x/y:z"]
        );
        let found = images
            .get("nginx")
            .expect("get")
            .expect("found by its short name");
        assert_eq!(
            (found.digest, found.image_id),
            (image.digest(), Digest::of(&image.config))
        );
        assert_eq!(folder(&images, "layers").len(), 2);
        // Once more changes nothing.
        import(&images, path).await;
        assert_eq!(images.list().expect("list").len(), 2);
    }
}

/// A `docker save` of old: no OCI files, a shared layer as a link.
fn docker_archive(tags: serde_json::Value) -> (TestImage, Vec<u8>) {
    let image = sample();
    let (first, second) = (
        layer(&[("etc/", ""), ("etc/a", "1")]),
        layer(&[("etc/", ""), ("etc/b", "2")]),
    );
    let manifest = serde_json::json!([
        {"Config": "config.json", "RepoTags": tags, "Layers": ["one/layer.tar", "two/layer.tar"]},
    ]);
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content).expect("append");
    };
    add("shared/layer.tar", &first);
    add("two/layer.tar", &second);
    add("config.json", &image.config);
    add("manifest.json", manifest.to_string().as_bytes());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder
        .append_link(&mut link, "one/layer.tar", "../shared/layer.tar")
        .expect("append");
    (image, builder.into_inner().expect("finish"))
}

#[tokio::test]
async fn docker_archives() {
    let root = tempfile::tempdir().expect("tempdir");
    let images = open(root.path(), None).await;
    let (image, bytes) = docker_archive(serde_json::json!(["busybox:latest", "busybox:1"]));
    let path = root.path().join("save.tar");
    fs::write(&path, bytes).expect("write");
    let names = ["docker.io/library/busybox:latest", "docker.io/library/busybox:1"];
    assert_eq!(import(&images, &path).await, names);
    let found = images.get("busybox").expect("get").expect("there");
    assert_eq!(found.image_id, Digest::of(&image.config));
    // The manifest is made up, but always the same.
    let other = tempfile::tempdir().expect("tempdir");
    let again = open(other.path(), None).await;
    import(&again, &path).await;
    assert_eq!(
        again.get("busybox").expect("get").expect("there").digest,
        found.digest
    );
}

#[tokio::test]
async fn a_name_can_be_given() {
    let root = tempfile::tempdir().expect("tempdir");
    let images = open(root.path(), None).await;
    let path = root.path().join("save.tar");
    fs::write(&path, docker_archive(serde_json::Value::Null).1).expect("write");
    let error = images.import(&path, None).await.expect_err("it has no name");
    assert!(
        matches!(error, Error::BadArchive { .. }) && error.to_string().contains("give a name"),
        "{error}"
    );
    images.import(&path, Some("mine:1")).await.expect("import");
    assert!(images.get("mine:1").expect("get").is_some());
    let two = root.path().join("two");
    let other = TestImage::new(&[layer(&[("x", "")])]);
    write_layout(&two, &[("a:1", &sample()), ("b:1", &other)]);
    let error = images.import(&two, Some("mine:2")).await.expect_err("two images");
    assert!(error.to_string().contains("2 images"), "{error}");
}

#[tokio::test]
async fn bad_archives_are_refused() {
    let image = sample();
    let layout = |change: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().expect("tempdir");
        write_layout(dir.path(), &[("app:1", &image)]);
        change(dir.path());
        dir
    };
    let blob = |blob: &[u8]| format!("blobs/sha256/{}", Digest::of(blob).hex());
    let altered = |path: String| {
        move |dir: &Path| {
            let mut bytes = fs::read(dir.join(&path)).expect("read");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(dir.join(&path), bytes).expect("write");
        }
    };
    let strange = Platform {
        os: "linux".to_owned(),
        architecture: "riscv64".to_owned(),
    };
    let foreign = TestImage::with(&[layer(&[])], GZIP, &strange);
    let cases: Vec<(&str, tempfile::TempDir, &str)> = vec![
        (
            "layer",
            layout(&altered(blob(&image.layers[0]))),
            "failed verification of layer",
        ),
        (
            "config",
            layout(&altered(blob(&image.config))),
            "failed verification of blob",
        ),
        (
            "manifest",
            layout(&altered(blob(&image.manifest))),
            "failed verification of blob",
        ),
        (
            "missing",
            layout(&|dir| fs::remove_file(dir.join(blob(&image.layers[1]))).expect("rm")),
            "No such file",
        ),
        (
            "linked away",
            layout(&|dir| {
                let path = dir.join(blob(&image.config));
                fs::remove_file(&path).expect("rm");
                std::os::unix::fs::symlink("/etc/passwd", path).expect("link");
            }),
            "symbolic link",
        ),
        (
            "version",
            layout(&|dir| {
                fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).expect("write");
            }),
            "'2.0.0' is not known",
        ),
        (
            "platform",
            layout(&|dir| write_layout(dir, &[("app:1", &foreign)])),
            "linux/riscv64",
        ),
        (
            "neither",
            layout(&|dir| fs::remove_file(dir.join("index.json")).expect("rm")),
            "neither an OCI layout",
        ),
        (
            "name",
            layout(&|dir| write_layout(dir, &[("Bad/Name:1", &image)])),
            "invalid reference",
        ),
    ];
    for (what, dir, words) in cases {
        for wrap in [false, true] {
            let store = tempfile::tempdir().expect("tempdir");
            let images = open(store.path(), None).await;
            let tar = store.path().join("it.tar");
            // A tar with a link out has no such file; it is told in other words.
            if wrap && matches!(what, "linked away" | "missing") {
                continue;
            }
            if wrap {
                fs::write(&tar, tar_of(dir.path())).expect("write");
            }
            let path = if wrap { tar.as_path() } else { dir.path() };
            let error = images.import(path, None).await.expect_err(what);
            assert!(
                error.to_string().contains(words),
                "{what}: '{error}' lacks '{words}'"
            );
            assert_eq!(images.list().expect("list"), []);
            assert!(folder(&images, "tmp").is_empty());
        }
    }
    let store = tempfile::tempdir().expect("tempdir");
    let images = open(store.path(), None).await;
    for (what, bytes) in [
        ("noise", vec![b'x'; 5000]),
        ("half a gzip", gzip(&[7; 5000])[..20].to_vec()),
        ("half a zstd", zstd(&[7; 5000])[..10].to_vec()),
    ] {
        let path = store.path().join("file");
        fs::write(&path, bytes).expect("write");
        let error = images.import(&path, None).await.expect_err(what);
        assert!(matches!(error, Error::BadArchive { .. }), "{what}: {error:?}");
    }
    let error = images
        .import(&store.path().join("absent"), None)
        .await
        .expect_err("absent");
    assert!(error.to_string().contains("failed to open"), "{error}");
}
