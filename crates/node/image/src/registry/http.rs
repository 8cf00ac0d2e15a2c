//! One request and its redirects, with a time limit on every silence. Credentials go to the host they were meant
//! for and to no other, and nothing goes over plain http unless it stays on this machine or the operator wrote so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::OnceCell;

use crate::digest::clip;
use crate::{Error, Limits, Result};

const MAX_REDIRECTS: usize = 5;
type Inner = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// A client shared by all pulls; connections are kept for a while.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    connect_timeout: Duration,
    inactivity: Duration,
    certificates: Option<PathBuf>,
    plain: Inner,
    secure: Arc<OnceCell<Inner>>,
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    registry: String,
    inactivity: Duration,
}

/// A request without a body.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    /// What is being done, for messages: `resolving docker.io/library/nginx:latest`.
    pub(crate) doing: String,
}

impl Http {
    pub(crate) fn new(limits: &Limits, certificates: Option<PathBuf>) -> Self {
        let empty = tls(rustls::RootCertStore::empty());
        Self {
            connect_timeout: limits.connect_timeout,
            inactivity: limits.inactivity_timeout,
            certificates,
            plain: client(empty, limits.connect_timeout),
            secure: Arc::new(OnceCell::new()),
        }
    }

    /// Sends a request and follows redirects. `trusted` is the authority that may be spoken to over plain http
    /// besides loopback addresses: that of a mirror written with `http://`.
    pub(crate) async fn send(&self, ask: &Ask, trusted: Option<&str>) -> Result<Response> {
        let mut uri: Uri = parse(&ask.url, &ask.url)?;
        let mut headers = ask.headers.clone();
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("roadstead/", env!("CARGO_PKG_VERSION"))),
        );
        for _ in 0..=MAX_REDIRECTS {
            let response = self.once(ask, &uri, headers.clone(), trusted).await?;
            if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let next = response
                .headers
                .get(LOCATION)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let next = join(&uri, next)?;
            if next.authority() != uri.authority() || next.scheme() != uri.scheme() {
                headers.remove(AUTHORIZATION);
            }
            if uri.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                return Err(redirect(&uri, &next, "it leads from https to plain http"));
            }
            uri = next;
        }
        Err(redirect(&uri, &uri, "there are too many redirects"))
    }

    async fn once(
        &self,
        ask: &Ask,
        uri: &Uri,
        headers: HeaderMap,
        trusted: Option<&str>,
    ) -> Result<Response> {
        let registry = authority(uri);
        let client = match uri.scheme_str() {
            Some("https") => self.secure(&registry).await?,
            Some("http") if is_loopback(uri) || trusted == Some(registry.as_str()) => self.plain.clone(),
            _ => {
                return Err(redirect(
                    uri,
                    uri,
                    "plain http is for loopback addresses and for mirrors written with http://",
                ));
            }
        };
        let mut request = Request::new(Empty::new());
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let limit = self.inactivity + self.connect_timeout;
        match tokio::time::timeout(limit, client.request(request)).await {
            Err(_) => Err(timed_out(&registry, &ask.doing, limit)),
            Ok(Err(error)) => Err(unreachable(&registry, &error)),
            Ok(Ok(response)) => {
                let (parts, body) = response.into_parts();
                let status = parts.status.as_u16();
                Ok(Response {
                    status,
                    headers: parts.headers,
                    body,
                    registry,
                    inactivity: self.inactivity,
                })
            }
        }
    }

    /// Reading the machine's certificates takes milliseconds, so it waits for the first use.
    async fn secure(&self, registry: &str) -> Result<Inner> {
        let make = || async {
            let certificates = self.certificates.clone();
            let roots = tokio::task::spawn_blocking(move || roots(certificates));
            let roots = roots
                .await
                .map_err(|error| error.to_string())
                .and_then(|roots| roots);
            let roots = roots.map_err(|why| Error::Tls {
                registry: registry.to_owned(),
                why,
            })?;
            Ok(client(tls(roots), self.connect_timeout))
        };
        self.secure.get_or_try_init(make).await.cloned()
    }
}

impl Response {
    /// The next piece of the body, `None` at its end.
    pub(crate) async fn chunk(&mut self, doing: &str) -> Result<Option<Bytes>> {
        loop {
            match tokio::time::timeout(self.inactivity, self.body.frame()).await {
                Err(_) => return Err(timed_out(&self.registry, doing, self.inactivity)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(unreachable(&self.registry, &error)),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
            }
        }
    }

    /// The whole body, refused beyond `limit` bytes.
    pub(crate) async fn bytes(mut self, limit: u64, doing: &str) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk(doing).await? {
            if (all.len() + chunk.len()) as u64 > limit {
                return Err(Error::TooLarge {
                    what: format!("the answer to {doing}"),
                    limit,
                    unit: "bytes",
                });
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Whether a URL stays on this machine.
pub(crate) fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn client(config: rustls::ClientConfig, connect_timeout: Duration) -> Inner {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(4)
        .build(connector)
}

fn tls(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("ring supports the default protocol versions");
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// The machine's authorities and the operator's.
fn roots(certificates: Option<PathBuf>) -> std::result::Result<rustls::RootCertStore, String> {
    let mut store = rustls::RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(native.certs);
    if let Some(path) = certificates {
        let bad = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(&path).map_err(|error| bad(&error))? {
            let certificate = certificate.map_err(|error| bad(&error))?;
            store.add(certificate).map_err(|error| bad(&error))?;
        }
    }
    if store.is_empty() {
        return Err("this machine has no certificate authorities".to_owned());
    }
    Ok(store)
}

fn parse(url: &str, from: &str) -> Result<Uri> {
    url.parse().map_err(|_| Error::Redirect {
        registry: clip(from),
        target: clip(url),
        why: "the address cannot be read".to_owned(),
    })
}

/// Resolves a `Location`.
fn join(base: &Uri, location: &str) -> Result<Uri> {
    let from = authority(base);
    if location.starts_with("http://") || location.starts_with("https://") {
        return parse(location, &from);
    }
    let scheme = base.scheme_str().unwrap_or("https");
    if location.starts_with("//") {
        return parse(&format!("{scheme}:{location}"), &from);
    }
    if location.starts_with('/') {
        return parse(&format!("{scheme}://{from}{location}"), &from);
    }
    parse("", &from)
}

fn authority(uri: &Uri) -> String {
    uri.authority()
        .map(|authority| authority.as_str().to_owned())
        .unwrap_or_default()
}

fn redirect(from: &Uri, to: &Uri, why: &str) -> Error {
    Error::Redirect {
        registry: authority(from),
        target: clip(&to.to_string()),
        why: why.to_owned(),
    }
}

fn timed_out(registry: &str, doing: &str, after: Duration) -> Error {
    let seconds = after.as_secs_f64().round().max(1.0) as u64;
    Error::TimedOut {
        registry: registry.to_owned(),
        retries: 0,
        doing: doing.to_owned(),
        seconds,
    }
}

/// The whole chain of causes: "client error (Connect)" alone helps nobody.
fn unreachable(registry: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let mut detail = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !detail.ends_with(&text) {
            detail = format!("{detail}: {text}");
        }
        cause = error.source();
    }
    Error::Unreachable {
        registry: registry.to_owned(),
        retries: 0,
        detail: clip(&detail),
    }
}
