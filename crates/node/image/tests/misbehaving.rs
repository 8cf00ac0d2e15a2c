//! Registries that fail, lie, stall or attack: each ends in the error that says so, and leaves nothing behind.

mod common;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::*;
use roadstead_image::{Auth, Digest, Error, Images, Platform};

fn tiny() -> TestImage {
    TestImage::new(&[layer(&[("a", &"content ".repeat(1000))])])
}

/// Pulls `app` from a registry and expects an error that says `words` and that `fits` recognises.
async fn check(
    what: &str,
    content: &Content,
    twist: impl Fn(&Ask, Reply) -> Reply + Send + Sync + 'static,
    words: &str,
    fits: impl Fn(&Error) -> bool,
) {
    let root = tempfile::tempdir().expect("tempdir");
    let served = content.clone();
    let registry = Registry::start(move |ask| twist(ask, serve(&served, ask)));
    let mut options = options(root.path(), Some(registry.address));
    options.limits.inactivity_timeout = Duration::from_millis(500);
    options.limits.connect_timeout = Duration::from_millis(500);
    options.limits.unpacked_bytes = 1 << 20;
    let images = Images::open(options).await.expect("open");
    match images.pull("app", Auth::Anonymous).await {
        Ok(image) => panic!("{what}: pulled {image:?}"),
        Err(error) => {
            assert!(fits(&error), "{what}: {error:?}");
            assert!(
                error.to_string().contains(words),
                "{what}: '{error}' lacks '{words}'"
            );
        }
    }
    assert_eq!(images.get("app").expect("get"), None, "{what}");
    for name in ["tmp", "layers", "names", "blobs/sha256"] {
        assert_eq!(folder(&images, name), [""; 0], "{what}: {name}");
    }
}

fn holding(image: &TestImage) -> Content {
    let content = Content::default();
    put(&content, "library/app", "latest", image);
    content
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let content = holding(&tiny());
    let all = |status: u16| move |_: &Ask, _: Reply| Reply::status(status);
    check("404", &content, all(404), "retried 0 time(s)", |e| {
        matches!(e, Error::NotFound { .. })
    })
    .await;
    check(
        "401",
        &content,
        all(401),
        "pull access denied for docker.io/library/app",
        |e| matches!(e, Error::Denied { .. }),
    )
    .await;
    check("403", &content, all(403), "403", |e| {
        matches!(e, Error::Denied { .. })
    })
    .await;
    check("500", &content, all(500), "retried 2 time(s)", |e| {
        matches!(e, Error::Registry { status: 500, .. })
    })
    .await;
    check("429", &content, all(429), "retried 2 time(s)", |e| {
        matches!(e, Error::Registry { status: 429, .. })
    })
    .await;
    check("418", &content, all(418), "retried 0 time(s)", |e| {
        matches!(e, Error::Registry { status: 418, .. })
    })
    .await;
    let lost = |ask: &Ask, honest: Reply| {
        if ask.path.contains("/blobs/") {
            Reply::status(404)
        } else {
            honest
        }
    };
    check("a lost blob", &content, lost, "404", |e| {
        matches!(e, Error::Registry { status: 404, .. })
    })
    .await;
}

#[tokio::test]
async fn nobody_there_and_nobody_answering() {
    let root = tempfile::tempdir().expect("tempdir");
    let free = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = free.local_addr().expect("address");
    drop(free);
    let images = open(root.path(), Some(address)).await;
    let error = images.pull("app", Auth::Anonymous).await.expect_err("refused");
    let words = error.to_string();
    assert!(
        matches!(error, Error::Unreachable { retries: 2, .. }),
        "{error:?}"
    );
    assert!(
        words.contains("retried 2 time(s)") && words.contains("onnection refused"),
        "{words}"
    );

    let stall = |_: &Ask, honest: Reply| Reply {
        stall: Duration::from_secs(30),
        ..honest
    };
    check("silence", &holding(&tiny()), stall, "timed out", |e| {
        matches!(e, Error::TimedOut { .. })
    })
    .await;
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = holding(&tiny());
    let count = AtomicU32::new(0);
    let registry = Registry::start(move |ask| {
        let honest = serve(&content, ask);
        match count.fetch_add(1, Ordering::SeqCst) % 3 {
            0 => Reply::status(503),
            // Cut before the end; a small document is begun again.
            1 => Reply {
                cut: Some(20),
                ..honest
            },
            _ => honest,
        }
    });
    let images = open(root.path(), Some(registry.address)).await;
    images
        .pull("app", Auth::Anonymous)
        .await
        .expect("the third time each");
    assert!(registry.asked("/manifests/").len() >= 3);
}

#[tokio::test]
async fn a_broken_layer_is_taken_up_where_it_broke() {
    for ranges in [true, false] {
        let root = tempfile::tempdir().expect("tempdir");
        let image = tiny();
        let content = holding(&image);
        let path = format!("/v2/library/app/blobs/{}", Digest::of(&image.layers[0]));
        let (blob, count) = (path.clone(), AtomicU32::new(0));
        let registry = Registry::start(move |ask| {
            let honest = serve(&content, ask);
            let cut = 40 + 40 * count.fetch_add(u32::from(ask.path == blob), Ordering::SeqCst) as usize;
            match ask.headers.get("range") {
                _ if ask.path != blob => honest,
                Some(_) if ranges => Reply {
                    status: 206,
                    cut: Some(40),
                    ..honest
                },
                _ => Reply {
                    cut: Some(cut),
                    ..honest
                },
            }
        });
        let images = open(root.path(), Some(registry.address)).await;
        let pulled = images.pull("app", Auth::Anonymous).await.expect("pull");
        let content = std::fs::read_to_string(pulled.layers[0].join("a")).expect("a");
        assert_eq!(content, "content ".repeat(1000));
        assert_eq!(
            registry.asked(&path).len(),
            image.layers[0].len().div_ceil(40),
            "ranges {ranges}"
        );
    }
}

#[tokio::test]
async fn a_layer_that_never_gets_on_is_given_up() {
    let image = tiny();
    let blob = format!("/v2/library/app/blobs/{}", Digest::of(&image.layers[0]));
    let cut = move |ask: &Ask, honest: Reply| Reply {
        cut: (ask.path == blob).then_some(0),
        ..honest
    };
    check("cut", &holding(&image), cut, "retried 2 time(s)", |e| {
        matches!(e, Error::Unreachable { .. })
    })
    .await;
}

#[tokio::test]
async fn lies_are_found_out() {
    let image = tiny();
    let altered = |mut body: Vec<u8>| {
        let middle = body.len() / 2;
        body[middle] ^= 1;
        body
    };
    let mismatch = |e: &Error| matches!(e, Error::DigestMismatch { .. });
    for (what, blob, words) in [
        (
            "layer",
            Digest::of(&image.layers[0]),
            "failed verification of layer",
        ),
        (
            "configuration",
            Digest::of(&image.config),
            "failed verification of the configuration",
        ),
    ] {
        let path = format!("/v2/library/app/blobs/{blob}");
        let twist = move |ask: &Ask, honest: Reply| {
            if ask.path == path {
                Reply {
                    body: altered(honest.body.clone()),
                    ..honest
                }
            } else {
                honest
            }
        };
        check(what, &holding(&image), twist, words, mismatch).await;
    }
    let twist = |_: &Ask, honest: Reply| {
        let body = [honest.body.as_slice(), b" "].concat();
        Reply { body, ..honest }
    };
    check("manifest", &holding(&image), twist, "the manifest of", mismatch).await;
    // A compressed digest that is right and content that is not what the configuration promised.
    let mut other = tiny();
    other.config = String::from_utf8(other.config)
        .expect("utf-8")
        .replace(other.diff_ids[0].hex(), &"0".repeat(64))
        .into_bytes();
    let other = TestImage {
        manifest: Vec::new(),
        ..other
    };
    let manifest =
        image.edit(|m| m["config"] = descriptor("application/vnd.oci.image.config.v1+json", &other.config));
    let other = TestImage {
        manifest: manifest.manifest,
        ..other
    };
    check(
        "diff id",
        &holding(&other),
        |_: &Ask, r: Reply| r,
        "diff id",
        mismatch,
    )
    .await;
    // More bytes than the manifest says.
    let short = image.edit(|m| m["layers"][0]["size"] = 10.into());
    check(
        "size",
        &holding(&short),
        |_: &Ask, r: Reply| r,
        "more than the 10 bytes",
        mismatch,
    )
    .await;
}

#[tokio::test]
async fn what_is_not_supported_is_named() {
    let image = tiny();
    let honest = |_: &Ask, reply: Reply| reply;
    let unsupported = |e: &Error| matches!(e, Error::Unsupported { .. });
    let encrypted = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    for (kind, words) in [(encrypted, encrypted), (foreign, foreign)] {
        let edited = image.edit(|m| m["layers"][0]["mediaType"] = kind.into());
        check(kind, &holding(&edited), honest, words, unsupported).await;
    }
    let edited = image.edit(|m| m["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json".into());
    check("helm", &holding(&edited), honest, "helm.config", unsupported).await;
    let edited = image.edit(|m| m["schemaVersion"] = 1.into());
    check(
        "schema 1",
        &holding(&edited),
        honest,
        "schema version 1",
        unsupported,
    )
    .await;
    let bad = |e: &Error| matches!(e, Error::BadManifest { .. });
    let edited = image.edit(|m| m["manifests"] = serde_json::json!([]));
    check("both", &holding(&edited), honest, "neither an image", bad).await;
    let edited = image.edit(|m| m["layers"] = serde_json::json!([]));
    check("none", &holding(&edited), honest, "nothing to run", bad).await;
    let edited = image.edit(|m| m["layers"] = vec![m["layers"][0].clone(), m["layers"][0].clone()].into());
    check(
        "counts",
        &holding(&edited),
        honest,
        "2 layers but 1 diff ids",
        bad,
    )
    .await;
    let edited = image.edit(|m| m["layers"][0]["digest"] = "sha256:../../etc".into());
    check("digest", &holding(&edited), honest, "64 lower-case", bad).await;
}

#[tokio::test]
async fn sizes_are_bounded() {
    let image = tiny();
    let honest = |_: &Ask, reply: Reply| reply;
    let large = |e: &Error| matches!(e, Error::TooLarge { .. });
    let edited = image.edit(|m| m["annotations"] = serde_json::json!({"a": "x".repeat(5 << 20)}));
    check("manifest", &holding(&edited), honest, "4194304 bytes", large).await;
    let many = image.edit(|m| m["layers"] = vec![m["layers"][0].clone(); 128].into());
    check("layers", &holding(&many), honest, "127 layers", large).await;
    // 8 MiB of zeros in a few kilobytes, twice what `check` allows for the image.
    let bomb = TestImage::new(&[layer(&[("a", &"\0".repeat(8 << 20))])]);
    assert!(bomb.layers[0].len() < 100_000);
    check("bomb", &holding(&bomb), honest, "1048576 bytes", large).await;
    let bomb = TestImage::with(&[layer(&[("a", &"\0".repeat(8 << 20))])], ZSTD, &Platform::host());
    check("zstd bomb", &holding(&bomb), honest, "1048576 bytes", large).await;
    let zeros = TestImage::new(&[[layer(&[]), vec![0; 8 << 20]].concat()]);
    check(
        "zeros after the end",
        &holding(&zeros),
        honest,
        "1048576 bytes",
        large,
    )
    .await;
}

#[tokio::test]
async fn layers_that_are_none_are_refused() {
    let honest = |_: &Ask, reply: Reply| reply;
    let bad = |e: &Error| matches!(e, Error::BadLayer { .. });
    let noise = TestImage::with(&[b"no tar at all, ".repeat(100)], PLAIN, &Platform::host());
    check(
        "noise",
        &holding(&noise),
        honest,
        "failed to register layer sha256:",
        bad,
    )
    .await;
    let plain = TestImage::with(&[layer(&[("a", "")])], PLAIN, &Platform::host());
    let not_gzip = plain.edit(|m| m["layers"][0]["mediaType"] = GZIP.into());
    check(
        "not gzip",
        &holding(&not_gzip),
        honest,
        "failed to register layer",
        bad,
    )
    .await;
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..10].copy_from_slice(b"../escapes");
    header.set_size(0);
    header.set_cksum();
    let hostile = TestImage::new(&[[header.as_bytes().as_slice(), &[0; 1024]].concat()]);
    check(
        "hostile",
        &holding(&hostile),
        honest,
        "../escapes leads out of the layer",
        bad,
    )
    .await;
}

#[tokio::test]
async fn nothing_leaves_the_machine_in_the_clear() {
    let content = holding(&tiny());
    let refused = |e: &Error| matches!(e, Error::Redirect { .. });
    let away = |to: &'static str| move |_: &Ask, _: Reply| Reply::status(307).header("location", to);
    // 0.0.0.0 is no loopback address, but even a mistake that went there would not leave the machine.
    check(
        "redirect",
        &content,
        away("http://0.0.0.0:1/x"),
        "plain http",
        refused,
    )
    .await;
    check(
        "another scheme",
        &content,
        away("ftp://127.0.0.1/x"),
        "cannot be read",
        refused,
    )
    .await;
    check("nowhere", &content, away(""), "cannot be read", refused).await;
    check(
        "a circle",
        &content,
        away("/v2/again"),
        "too many redirects",
        refused,
    )
    .await;
    let realm = |_: &Ask, _: Reply| {
        Reply::status(401).header("www-authenticate", "Bearer realm=\"http://0.0.0.0:1/token\"")
    };
    check("token service", &content, realm, "plain http", refused).await;
}

#[tokio::test]
async fn redirects_carry_no_credentials_to_other_hosts() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    put(&content, "app", "latest", &tiny());
    let storage = Registry::honest(&content);
    let (served, to) = (content.clone(), storage.address);
    let registry = Registry::start(move |ask| match ask.headers.get("authorization") {
        None => Reply::status(401).header("www-authenticate", "Basic realm=\"r\""),
        Some(_) if ask.path.contains("/blobs/") => {
            Reply::status(307).header("location", &format!("http://{to}{}", ask.path))
        }
        Some(_) => serve(&served, ask),
    });
    let images = open(root.path(), None).await;
    let auth = Auth::Basic {
        username: "u".to_owned(),
        password: "p".to_owned(),
    };
    images
        .pull(&format!("{}/app", registry.address), auth)
        .await
        .expect("pull");
    let log = storage.log.lock().expect("lock");
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|ask| !ask.headers.contains_key("authorization")));
}
