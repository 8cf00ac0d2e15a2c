//! Pulling from a registry that does what it should: what is transferred, what is not, and by which way.

mod common;

use std::fs;
use std::sync::Arc;

use common::*;
use roadstead_image::{Auth, Digest, Error, Images, Phase, Platform, Progress, Version};

#[tokio::test]
async fn an_image_arrives_whole() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    let base = layer(&[("bin/", ""), ("bin/sh", "#!"), ("etc/", ""), ("etc/conf", "old")]);
    let top = layer(&[("etc/", ""), ("etc/conf", "new")]);
    let image = TestImage::new(&[base.clone(), top.clone()]);
    put(&content, "library/web", "latest", &image);
    let registry = Registry::honest(&content);
    let images = open(root.path(), Some(registry.address)).await;
    assert_eq!(images.get("web").expect("get"), None);
    let pulled = images.pull("web", Auth::Anonymous).await.expect("pull");
    assert_eq!(pulled.reference.to_string(), "docker.io/library/web:latest");
    assert_eq!(pulled.reference.version(), &Version::Tag("latest".to_owned()));
    assert_eq!(
        (&pulled.digest, &pulled.manifest_digest),
        (&image.digest(), &image.digest())
    );
    assert_eq!(pulled.image_id, Digest::of(&image.config));
    assert_eq!(pulled.size, (base.len() + top.len()) as u64);
    assert_eq!(pulled.layers.len(), 2);
    assert_eq!(
        fs::read_to_string(pulled.layers[0].join("etc/conf")).expect("top"),
        "new"
    );
    assert_eq!(
        fs::read_to_string(pulled.layers[1].join("etc/conf")).expect("base"),
        "old"
    );
    let config = &pulled.config;
    assert_eq!(
        (config.entrypoint.len(), config.cmd.len(), config.env.len()),
        (0, 3, 2)
    );
    assert_eq!(
        (config.user.as_str(), config.working_dir.as_str()),
        ("web:www", "/srv")
    );
    assert_eq!(
        (config.exposed_ports.as_slice(), config.volumes.as_slice()),
        (["80/tcp".to_owned()].as_slice(), ["/data".to_owned()].as_slice())
    );
    assert_eq!(config.stop_signal.as_deref(), Some("SIGQUIT"));
    assert_eq!(config.labels.get("k").map(String::as_str), Some("v"));
    assert_eq!(
        images.get("docker.io/library/web:latest").expect("get"),
        Some(pulled.clone())
    );
    assert!(folder(&images, "tmp").is_empty());
    // It is still there for the next process.
    drop(images);
    let images = open(root.path(), None).await;
    assert_eq!(images.get("web").expect("get"), Some(pulled));
}

#[tokio::test]
async fn only_what_is_missing_is_transferred() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    let base = layer(&[("a", "base")]);
    let first = TestImage::new(&[base.clone(), layer(&[("b", "1")])]);
    let second = TestImage::new(&[base, layer(&[("b", "2")])]);
    put(&content, "library/app", "latest", &first);
    let registry = Registry::honest(&content);
    let images = open(root.path(), Some(registry.address)).await;
    let pull = |name: String| {
        let images = images.clone();
        async move { images.pull(&name, Auth::Anonymous).await.expect("pull") }
    };
    pull("app".to_owned()).await;
    assert_eq!(registry.asked("/blobs/").len(), 3);
    // Again: the registry is only asked what the tag stands for.
    pull("app".to_owned()).await;
    assert_eq!(
        registry.asked("").last().expect("asked"),
        "HEAD /v2/library/app/manifests/latest"
    );
    assert_eq!(registry.asked("/blobs/").len(), 3);
    // The same by digest.
    let by_digest = pull(format!("app@{}", first.digest())).await;
    assert_eq!(by_digest.reference.digest(), Some(&first.digest()));
    assert_eq!(registry.asked("/blobs/").len(), 3);
    // The same in another repository: its manifest, no blob.
    put(&content, "library/copy", "v1", &first);
    pull("copy:v1".to_owned()).await;
    assert_eq!(registry.asked("/blobs/").len(), 3);
    // The tag moves: configuration and the one new layer.
    put(&content, "library/app", "latest", &second);
    let moved = pull("app".to_owned()).await;
    assert_eq!(fs::read_to_string(moved.layers[0].join("b")).expect("b"), "2");
    assert_eq!(registry.asked("/blobs/").len(), 5);
    assert_eq!(folder(&images, "layers").len(), 3);
}

#[tokio::test]
async fn pulls_at_the_same_time_share_the_work() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    let base = layer(&[("a", &"x".repeat(100_000))]);
    put(
        &content,
        "library/one",
        "latest",
        &TestImage::new(&[base.clone(), layer(&[("b", "1")])]),
    );
    put(
        &content,
        "library/two",
        "latest",
        &TestImage::new(&[base, layer(&[("b", "2")])]),
    );
    let slow = content.clone();
    let registry = Registry::start(move |ask| {
        let stall = std::time::Duration::from_millis(if ask.path.contains("/blobs/") { 100 } else { 0 });
        Reply {
            stall,
            ..serve(&slow, ask)
        }
    });
    let images = open(root.path(), Some(registry.address)).await;
    let mut pulls = tokio::task::JoinSet::new();
    for n in 0..20 {
        let images = images.clone();
        let name = if n % 2 == 0 {
            "one"
        } else {
            "docker.io/library/two:latest"
        };
        pulls.spawn(async move {
            images
                .pull(name, Auth::Anonymous)
                .await
                .map(|image| image.layers.len())
        });
    }
    for result in pulls.join_all().await {
        assert_eq!(result.expect("pull"), 2);
    }
    // Two configurations, two layers of their own, and the common one once.
    assert_eq!(registry.asked("/blobs/").len(), 5, "{:?}", registry.asked(""));
    assert_eq!(registry.asked("/manifests/").len(), 2);
}

#[tokio::test]
async fn the_platform_of_the_node_is_chosen() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    let host = Platform::host();
    let mine = TestImage::new(&[layer(&[("mine", "")])]);
    let strange = Platform {
        os: "linux".to_owned(),
        architecture: "riscv64".to_owned(),
    };
    let other = TestImage::with(&[layer(&[("other", "")])], GZIP, &strange);
    let entry = |image: &TestImage, arch: &str, variant: &str| {
        let mut entry = descriptor(MANIFEST, &image.manifest);
        entry["platform"] = serde_json::json!({"os": "linux", "architecture": arch, "variant": variant});
        entry
    };
    let index = |entries: Vec<serde_json::Value>| {
        serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
            .to_string()
            .into_bytes()
    };
    put(&content, "library/multi", "unused", &mine);
    put(&content, "library/multi", "single", &other);
    let good = index(vec![
        entry(&other, "riscv64", ""),
        entry(&other, &host.architecture, "v99"),
        entry(&mine, &host.architecture, ""),
    ]);
    let bad = index(vec![
        entry(&other, "riscv64", ""),
        entry(&other, &host.architecture, "v99"),
    ]);
    for (tag, bytes) in [("good", &good), ("bad", &bad)] {
        let path = format!("/v2/library/multi/manifests/{tag}");
        content
            .lock()
            .expect("lock")
            .insert(path, (INDEX.to_owned(), bytes.clone()));
    }
    let registry = Registry::honest(&content);
    let images = open(root.path(), Some(registry.address)).await;
    let image = images.pull("multi:good", Auth::Anonymous).await.expect("pull");
    assert_eq!(
        (&image.digest, &image.manifest_digest),
        (&Digest::of(&good), &mine.digest())
    );
    assert!(image.layers[0].join("mine").exists());
    // The digest of the index names it too, and nothing more is fetched for it.
    let again = images
        .get(&format!("multi@{}", Digest::of(&good)))
        .expect("get")
        .expect("there");
    assert_eq!(again.manifest_digest, mine.digest());
    for (tag, offered) in [("bad", "linux/riscv64"), ("single", "linux/riscv64")] {
        match images.pull(&format!("multi:{tag}"), Auth::Anonymous).await {
            Err(Error::Platform {
                wanted,
                offered: found,
                ..
            }) => {
                assert_eq!(wanted, host.to_string());
                assert!(found.contains(offered), "{found}");
            }
            other => panic!("{tag}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn challenges_are_answered() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    put(
        &content,
        "team/app",
        "latest",
        &TestImage::new(&[layer(&[("a", "1")])]),
    );
    let address = Arc::new(std::sync::OnceLock::<std::net::SocketAddr>::new());
    let (at, served) = (address.clone(), content.clone());
    let registry = Registry::start(move |ask| {
        let authorization = ask.headers.get("authorization").map(String::as_str);
        if ask.path.starts_with("/token?") {
            let scope =
                ask.path.contains("scope=repository%3Ateam%2Fapp%3Apull") && ask.path.contains("service=reg");
            return match authorization {
                // anna:secret
                _ if !scope => Reply::status(400),
                None => Reply::ok(br#"{"token":"for-all"}"#.to_vec()),
                Some("Basic YW5uYTpzZWNyZXQ=") => Reply::ok(br#"{"access_token":"for-anna"}"#.to_vec()),
                Some(_) => Reply::status(401),
            };
        }
        let port = at.get().expect("known").port();
        match authorization {
            Some("Bearer for-anna" | "Bearer for-all") => serve(&served, ask),
            _ => Reply::status(401).header(
                "www-authenticate",
                &format!("Bearer realm=\"http://127.0.0.1:{port}/token\",service=\"reg\",scope=\"repository:team/app:pull\""),
            ),
        }
    });
    address.set(registry.address).expect("once");
    let images = open(root.path(), None).await;
    let reference = format!("{}/team/app", registry.address);
    images.pull(&reference, Auth::Anonymous).await.expect("anonymous");
    let basic = |password: &str| Auth::Basic {
        username: "anna".to_owned(),
        password: password.to_owned(),
    };
    images.remove(&reference).await.expect("remove");
    images.pull(&reference, basic("secret")).await.expect("anna");
    // One token for the whole pull, not one for each request.
    assert_eq!(registry.asked("/token").len(), 2);
    images.remove(&reference).await.expect("remove");
    let denied = images.pull(&reference, basic("wrong")).await.expect_err("denied");
    assert!(matches!(denied, Error::Denied { .. }), "{denied}");
    assert!(
        denied.to_string().starts_with("pull access denied for "),
        "{denied}"
    );
    assert!(!format!("{:?}", basic("wrong")).contains("wrong"));
}

#[tokio::test]
async fn mirrors_stand_in_for_their_registry_alone() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    put(
        &content,
        "library/app",
        "latest",
        &TestImage::with(&[layer(&[("a", "1")])], PLAIN, &Platform::host()),
    );
    let empty = Registry::honest(&Content::default());
    let full = Registry::honest(&content);
    let mut options = options(root.path(), Some(empty.address));
    let second = format!("http://{}/", full.address);
    options
        .mirrors
        .push(roadstead_image::Mirror::new("docker.io", &second).expect("mirror"));
    let images = roadstead_image::Images::open(options).await.expect("open");
    images
        .pull("app", Auth::Anonymous)
        .await
        .expect("from the second");
    assert_eq!(empty.asked("/v2/library/app/manifests/latest").len(), 1);
    // What no mirror has is not looked for anywhere else.
    let missing = images
        .pull("nothing", Auth::Anonymous)
        .await
        .expect_err("missing");
    assert_eq!(
        missing.to_string(),
        "pull image manifest has been retried 0 time(s): failed to resolve ref docker.io/library/nothing:latest: \
         docker.io/library/nothing:latest: not found"
    );
}

#[tokio::test]
async fn equal_layers_are_mounted_once() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    let (empty, full) = (layer(&[]), layer(&[("a", "1")]));
    put(
        &content,
        "library/twice",
        "latest",
        &TestImage::new(&[empty.clone(), full, empty.clone()]),
    );
    let registry = Registry::honest(&content);
    let images = open(root.path(), Some(registry.address)).await;
    let image = images.pull("twice", Auth::Anonymous).await.expect("pull");
    assert_eq!(image.layers.len(), 2);
    assert!(image.layers[1].join("a").exists(), "top first");
}

#[tokio::test]
async fn https_wants_a_certificate_that_is_trusted() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    put(
        &content,
        "library/app",
        "latest",
        &TestImage::new(&[layer(&[("a", "1")])]),
    );
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("config");
    let served = content.clone();
    let registry = Registry::start_tls(move |ask| serve(&served, ask), config);
    let mut options = options(root.path(), None);
    let mirror = format!("https://{}", registry.address);
    options
        .mirrors
        .push(roadstead_image::Mirror::new("docker.io", &mirror).expect("mirror"));
    let strangers = roadstead_image::Images::open(options.clone())
        .await
        .expect("open");
    let error = strangers
        .pull("app", Auth::Anonymous)
        .await
        .expect_err("not trusted");
    // On a machine without any authorities the words are others.
    assert!(
        matches!(error, Error::Unreachable { .. } | Error::Tls { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(registry.asked(""), [""; 0]);
    let pem = root.path().join("ca.pem");
    fs::write(&pem, made.cert.pem()).expect("write");
    options.certificates = Some(pem);
    let friends = roadstead_image::Images::open(options).await.expect("open");
    friends.pull("app", Auth::Anonymous).await.expect("trusted");
}

#[tokio::test]
async fn layers_are_read_however_they_are_compressed() {
    for kind in [GZIP, ZSTD, PLAIN] {
        let root = tempfile::tempdir().expect("tempdir");
        let content = Content::default();
        let long = "some words that repeat, ".repeat(20_000);
        let image = TestImage::with(
            &[layer(&[("a", &long)]), layer(&[("b", "2")])],
            kind,
            &Platform::host(),
        );
        put(&content, "library/app", "latest", &image);
        let registry = Registry::honest(&content);
        let images = open(root.path(), Some(registry.address)).await;
        let progress = Arc::new(Progress::default());
        assert_eq!(progress.layers(), []);
        let pull = images.pull_watched("app", Auth::Anonymous, progress.clone());
        let pulled = pull.await.expect(kind);
        let read = |layer: usize, name: &str| fs::read_to_string(pulled.layers[layer].join(name));
        assert_eq!(read(1, "a").expect(kind), long);
        assert_eq!(read(0, "b").expect(kind), "2");
        let told: Vec<(u64, u64, Phase)> = progress
            .layers()
            .iter()
            .map(|l| (l.size, l.done, l.phase))
            .collect();
        let whole = |layer: &Vec<u8>| (layer.len() as u64, layer.len() as u64, Phase::Stored);
        assert_eq!(told, image.layers.iter().map(whole).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn credentials_come_from_the_operators_file() {
    let root = tempfile::tempdir().expect("tempdir");
    let content = Content::default();
    let image = TestImage::new(&[layer(&[("a", "1")])]);
    put(&content, "library/app", "latest", &image);
    // anna:secret
    let registry = Registry::start(move |ask| match ask.headers.get("authorization") {
        Some(value) if value == "Basic YW5uYTpzZWNyZXQ=" => serve(&content, ask),
        _ => Reply::status(401).header("www-authenticate", "Basic realm=\"r\""),
    });
    let file = root.path().join("config.json");
    let write = |registry: &str, auth: &str| {
        let text = serde_json::json!({"auths": {registry: {"auth": auth}}});
        fs::write(&file, text.to_string()).expect("write");
    };
    let address = registry.address.to_string();
    write(&address, "YW5uYTpzZWNyZXQ=");
    let mut options = options(root.path(), Some(registry.address));
    options.logins = Some(file.clone());
    let images = Images::open(options.clone()).await.expect("open");
    let direct = format!("{address}/library/app");
    images.pull(&direct, Auth::Anonymous).await.expect("the registry");
    images.pull("app", Auth::Anonymous).await.expect("its mirror");
    // Read anew each time; what a task brings goes before it.
    write(&address, "YW5uYTp3cm9uZw==");
    let denied = images.pull(&direct, Auth::Anonymous).await.expect_err("wrong");
    assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
    let own = Auth::Basic {
        username: "anna".to_owned(),
        password: "secret".to_owned(),
    };
    images.pull(&direct, own).await.expect("the task's own");
    // Credentials of the public registry are not sent to the mirror that stands in for it.
    write("https://index.docker.io/v1/", "YW5uYTpzZWNyZXQ=");
    let denied = images
        .pull("app", Auth::Anonymous)
        .await
        .expect_err("not the mirror's");
    assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
    fs::write(&file, r#"{"credsStore": "desktop"}"#).expect("write");
    let refused = images.pull(&direct, Auth::Anonymous).await.expect_err("a helper");
    assert!(
        refused.to_string().contains("docker-credential-desktop"),
        "{refused}"
    );
    let refused = Images::open(options).await.expect_err("also at the start");
    assert!(matches!(refused, Error::Credentials { .. }), "{refused:?}");
}
