//! TLS on a listener: by ALPN HTTP/1.1 or HTTP/2, with the certificate of the moment, and nothing in the clear
//! where only TLS is spoken.

mod support;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use roadstead_dispatch::{Limits, Security, Tls, TlsError, Trust};
use rustls::pki_types::ServerName;
use support::{LIMITS, World, secured};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const TARGET: &str = "AmazonEC2ContainerServiceV20141113.ListTasks";
const AUTH: &str =
    "AWS4-HMAC-SHA256 Credential=AK/20270115/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=00";

/// A certificate for `localhost` that is its own authority, and its key.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

async fn world(security: impl Fn(Arc<Tls>) -> Security, tls: &Arc<Tls>, limits: Limits) -> World {
    let security = security(tls.clone());
    let models = [&roadstead_api_ecs::MODEL, &roadstead_api_ec2::MODEL];
    secured(Trust::UnknownIsRoot, limits, security, &models).await
}

/// A client that trusts one certificate and offers these protocols.
async fn client(
    world: &World,
    trusted: &str,
    protocols: &[&[u8]],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let trusted = rustls::pki_types::CertificateDer::from_pem_slice(trusted.as_bytes()).expect("PEM");
    roots.add(trusted).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(name, world.connect().await).await
}

fn call(host: &str) -> http::request::Builder {
    http::Request::post(format!("https://{host}/"))
        .header("x-amz-target", TARGET)
        .header("authorization", AUTH)
}

const BODY: &[u8] = b"{\"cluster\":\"two\"}";

#[tokio::test]
async fn http2_is_agreed_on_by_alpn_and_calls_share_a_connection() {
    let (chain, key) = certificate();
    let tls = Arc::new(Tls::new(chain.as_bytes(), key.as_bytes()).expect("a pair"));
    let world = world(Security::Tls, &tls, LIMITS).await;
    let stream = client(&world, &chain, &[b"h2", b"http/1.1"], rustls::ALL_VERSIONS)
        .await
        .expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let body = Full::new(bytes::Bytes::from_static(BODY));
            sender.send_request(call("localhost").body(body).expect("a request"))
        })
        .collect();
    for call in calls {
        let answer = call.await.expect("answers");
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(&body[..], b"{}");
    }
    let seen = world.seen.lock().expect("no panic holds it");
    assert_eq!(seen.len(), 20);
    assert_eq!(
        seen[0].1.endpoint, "https://localhost",
        "what is built upon it is https too"
    );
}

#[tokio::test]
async fn http1_over_tls_is_what_other_clients_get() {
    let (chain, key) = certificate();
    let tls = Arc::new(Tls::new(chain.as_bytes(), key.as_bytes()).expect("a pair"));
    let world = world(Security::Tls, &tls, LIMITS).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: {TARGET}\r\nAuthorization: {AUTH}\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    );
    for protocols in [&[][..], &[&b"http/1.1"[..]]] {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let mut stream = client(&world, &chain, protocols, &[version])
                .await
                .expect("a handshake");
            stream.write_all(request.as_bytes()).await.expect("writes");
            let mut answer = String::new();
            stream
                .read_to_string(&mut answer)
                .await
                .expect("reads, and a proper end");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
    // A protocol that is not spoken here is refused in the handshake.
    assert!(
        client(&world, &chain, &[b"imap"], rustls::ALL_VERSIONS)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn where_tls_is_wanted_nothing_is_served_in_the_clear() {
    let (chain, key) = certificate();
    let tls = Arc::new(Tls::new(chain.as_bytes(), key.as_bytes()).expect("a pair"));
    let plain = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: {TARGET}\r\nAuthorization: {AUTH}\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    );
    let only = world(Security::Tls, &tls, LIMITS).await;
    let (status, head, body) = only.raw(&plain).await;
    assert_eq!(
        (status, body.as_str()),
        (400, "This address speaks TLS: use an https:// URL.\n")
    );
    let length = format!("content-length: {}", body.len());
    assert!(head.contains(&length), "{head}");
    let (status, _, _) = only
        .raw("GET /_roadstead/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(status, 400);
    assert_eq!(only.calls(), 0);

    let either = world(Security::Either, &tls, LIMITS).await;
    assert_eq!(either.raw(&plain).await.0, 200);
    assert!(client(&either, &chain, &[], rustls::ALL_VERSIONS).await.is_ok());
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_whoever_comes_next() {
    let (first, second) = (certificate(), certificate());
    let tls = Arc::new(Tls::new(first.0.as_bytes(), first.1.as_bytes()).expect("a pair"));
    let world = world(Security::Tls, &tls, LIMITS).await;
    let versions = rustls::ALL_VERSIONS;
    assert!(client(&world, &first.0, &[], versions).await.is_ok());
    assert!(client(&world, &second.0, &[], versions).await.is_err());

    let mismatched = tls.replace(second.0.as_bytes(), first.1.as_bytes());
    assert!(matches!(mismatched, Err(TlsError::Pair(_))), "{mismatched:?}");
    assert!(
        client(&world, &first.0, &[], versions).await.is_ok(),
        "the old one stays"
    );

    tls.replace(second.0.as_bytes(), second.1.as_bytes())
        .expect("a pair");
    assert!(client(&world, &second.0, &[], versions).await.is_ok());
    assert!(client(&world, &first.0, &[], versions).await.is_err());
}

#[test]
fn what_is_no_certificate_is_refused_in_words() {
    let (chain, key) = certificate();
    for (chain, key, wanted) in [
        ("", key.as_str(), "no certificate"),
        ("nonsense", key.as_str(), "no certificate"),
        (chain.as_str(), "", "reading the key"),
        (chain.as_str(), chain.as_str(), "reading the key"),
        (
            "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n",
            key.as_str(),
            "reading the certificate",
        ),
    ] {
        let error = Tls::new(chain.as_bytes(), key.as_bytes()).expect_err("refused");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[tokio::test]
async fn nobody_keeps_a_place_without_a_request() {
    let (chain, key) = certificate();
    let tls = Arc::new(Tls::new(chain.as_bytes(), key.as_bytes()).expect("a pair"));
    let limits = Limits {
        read: Duration::from_secs(3),
        connections: 2,
        ..LIMITS
    };
    let world = world(Security::Either, &tls, limits).await;
    // Half a handshake; and HTTP/2 whose client answers every ping and asks for nothing.
    let mut half = world.connect().await;
    half.write_all(b"\x16\x03\x01\x02\x00").await.expect("writes");
    let stream = client(&world, &chain, &[b"h2"], rustls::ALL_VERSIONS)
        .await
        .expect("a handshake");
    let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<bytes::Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .expect("HTTP/2");
    let ended = tokio::spawn(connection);
    let body = Full::new(bytes::Bytes::from_static(BODY));
    let request = call("localhost").body(body).expect("a request");
    assert_eq!(sender.send_request(request).await.expect("answers").status(), 200);
    // Both places are taken; the next client gets the first that comes free.
    let plain = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: {TARGET}\r\nAuthorization: {AUTH}\r\n\
         Content-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(world.raw(&plain).await.0, 200);
    tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .expect("the server says goodbye")
        .expect("no panic")
        .expect("a proper end");
}
