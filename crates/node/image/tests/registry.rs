//! Debian's `docker-registry`, the reference implementation, on loopback.

mod common;

use std::fs;
use std::net::SocketAddr;

use common::debian::{http, start};
use common::*;
use roadstead_image::{Auth, Digest, Error};

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
