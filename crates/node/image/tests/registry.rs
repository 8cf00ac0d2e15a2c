//! Debian's `docker-registry`, the reference implementation, on loopback.

mod common;

use std::fs;
use std::net::SocketAddr;

use common::debian::{Running, http, start, start_with};
use common::*;
use roadstead_image::{Auth, Digest, Error, Images, Mirror};

fn push(to: SocketAddr, repository: &str, tag: &str, image: &TestImage) {
    for blob in image.layers.iter().chain([&image.config]) {
        let (status, answer) = http(to, "POST", &format!("/v2/{repository}/blobs/uploads/"), "", &[]);
        assert_eq!(status, 202, "{answer}");
        let location = answer
            .lines()
            .find_map(|l| l.strip_prefix("Location: "))
            .expect("location");
        let path = location
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'))
            .expect("path")
            .1;
        let path = format!("/{path}&digest={}", Digest::of(blob));
        let (status, answer) = http(to, "PUT", &path, "application/octet-stream", blob);
        assert_eq!(status, 201, "{answer}");
    }
    let (status, answer) = http(
        to,
        "PUT",
        &format!("/v2/{repository}/manifests/{tag}"),
        MANIFEST,
        &image.manifest,
    );
    assert_eq!(status, 201, "{answer}");
}

#[tokio::test]
async fn pull_by_tag_and_by_digest() {
    let registry = start();
    let image = TestImage::new(&[
        layer(&[("etc/", ""), ("etc/a", &"1".repeat(300_000))]),
        layer(&[("b", "2")]),
    ]);
    push(registry.address, "library/web", "latest", &image);
    push(registry.address, "team/app", "v1", &image);
    let root = tempfile::tempdir().expect("tempdir");
    let images = open(root.path(), Some(registry.address)).await;
    let pulled = images
        .pull("web", Auth::Anonymous)
        .await
        .expect("by tag, through the mirror");
    assert_eq!(pulled.digest, image.digest());
    assert_eq!(
        fs::metadata(pulled.layers[1].join("etc/a")).expect("a").len(),
        300_000
    );
    let other = tempfile::tempdir().expect("tempdir");
    let images = open(other.path(), None).await;
    for version in [":v1".to_owned(), format!("@{}", image.digest())] {
        let reference = format!("{}/team/app{version}", registry.address);
        let pulled = images
            .pull(&reference, Auth::Anonymous)
            .await
            .expect("by host and port");
        assert_eq!(pulled.digest, image.digest());
        assert_eq!(
            images.pull(&reference, Auth::Anonymous).await.expect("again"),
            pulled
        );
    }
    let missing = [
        format!("{}/team/app:v2", registry.address),
        format!("{}/nobody/app:v1", registry.address),
        format!("{}/team/app@sha256:{}", registry.address, "0".repeat(64)),
    ];
    for reference in missing {
        let error = images
            .pull(&reference, Auth::Anonymous)
            .await
            .expect_err("missing");
        assert!(matches!(error, Error::NotFound { .. }), "{reference}: {error:?}");
    }
}

/// `robot:s3cret-pull`, as `htpasswd -B` writes it.
const HTPASSWD: &str = "robot:$2y$05$abcdefghijklmnopqrstuu8YiNQeALDquttzdJ8JTU2sZhhUyTzGK\n";

/// The registry of `plain`, again with users, and with TLS if there are a certificate and a key.
fn secured(plain: Running, tls: Option<(&str, &str)>) -> Running {
    let data = plain.into_data();
    let at = |name: &str| data.path().join(name).display().to_string();
    let (users, certificate, key) = (at("htpasswd"), at("cert.pem"), at("key.pem"));
    fs::write(&users, HTPASSWD).expect("write");
    let tls = tls.map_or_else(String::new, |(pem, private)| {
        fs::write(&certificate, pem).expect("write");
        fs::write(&key, private).expect("write");
        format!(", tls: {{certificate: {certificate}, key: {key}}}")
    });
    start_with(data, &|address| {
        format!("http: {{addr: \"{address}\"{tls}}}\nauth: {{htpasswd: {{realm: rs-test, path: {users}}}}}\n")
    })
}

fn robot(password: &str) -> Auth {
    Auth::Basic {
        username: "robot".to_owned(),
        password: password.to_owned(),
    }
}

#[tokio::test]
async fn users_of_a_private_registry() {
    let plain = start();
    let image = TestImage::new(&[layer(&[("a", "1")])]);
    push(plain.address, "team/app", "v1", &image);
    let registry = secured(plain, None);
    let root = tempfile::tempdir().expect("tempdir");
    let images = open(root.path(), None).await;
    let reference = format!("{}/team/app:v1", registry.address);
    for auth in [Auth::Anonymous, robot("wrong")] {
        let denied = images.pull(&reference, auth).await.expect_err("denied");
        assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
        assert!(
            denied.to_string().contains("may require authorization"),
            "{denied}"
        );
    }
    let pulled = images
        .pull(&reference, robot("s3cret-pull"))
        .await
        .expect("robot");
    assert_eq!(pulled.digest, image.digest());
    // The image being here is no way around the registry's word.
    let denied = images.pull(&reference, robot("wrong")).await.expect_err("denied");
    assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
    images.remove(&reference).await.expect("remove");
    drop(images);
    let file = root.path().join("config.json");
    // robot:s3cret-pull
    let text = format!(
        r#"{{"auths": {{"{}": {{"auth": "cm9ib3Q6czNjcmV0LXB1bGw="}}}}}}"#,
        registry.address
    );
    fs::write(&file, text).expect("write");
    let mut options = options(root.path(), None);
    options.logins = Some(file);
    let images = Images::open(options).await.expect("open");
    images
        .pull(&reference, Auth::Anonymous)
        .await
        .expect("by the operator's file");
}

#[tokio::test]
async fn a_private_registry_over_tls() {
    let plain = start();
    let image = TestImage::new(&[layer(&[("a", "1")])]);
    push(plain.address, "team/app", "v1", &image);
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("certificate");
    let registry = secured(plain, Some((&made.cert.pem(), &made.signing_key.serialize_pem())));
    let root = tempfile::tempdir().expect("tempdir");
    let pem = root.path().join("ca.pem");
    fs::write(&pem, made.cert.pem()).expect("write");
    let mut options = options(root.path(), None);
    options.certificates = Some(pem);
    let base = format!("https://{}", registry.address);
    options
        .mirrors
        .push(Mirror::new("private.example", &base).expect("mirror"));
    let images = Images::open(options).await.expect("open");
    let reference = "private.example/team/app:v1";
    let denied = images.pull(reference, Auth::Anonymous).await.expect_err("denied");
    assert!(matches!(denied, Error::Denied { .. }), "{denied:?}");
    let pulled = images.pull(reference, robot("s3cret-pull")).await.expect("robot");
    assert_eq!(pulled.digest, image.digest());
}
