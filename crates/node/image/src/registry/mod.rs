//! The pull side of the registry protocol (OCI distribution specification 1.1, also Docker's), over the HTTP client
//! that the workspace has anyway: the ready-made clients need a C library for TLS, and they leave retries, bounds
//! and the kinds of failure to their callers.

mod auth;
mod blob;
mod http;

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use ::http::Method;
use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

pub use auth::Auth;
pub(crate) use blob::Chunk;
pub(crate) use http::Http;
use http::{Ask, Response};

use crate::digest::clip;
use crate::model::{self, Descriptor, MAX_DOCUMENT};
use crate::options::Options;
use crate::reference::{DEFAULT_REGISTRY, Version};
use crate::{Digest, Error, Reference, Result};

const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Where a registry is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base: String,
    /// The authority of a mirror that the operator wrote with `http://`.
    trusted: Option<String>,
}

impl Endpoint {
    /// Host and port: who is spoken to, and so whose credentials are sent.
    pub(crate) fn host(&self) -> &str {
        let rest = self
            .base
            .split_once("://")
            .map_or(self.base.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

/// The endpoints of a reference's registry: its mirrors if it has any, else itself.
pub(crate) fn endpoints(options: &Options, reference: &Reference) -> Vec<Endpoint> {
    let mirrors = options
        .mirrors
        .iter()
        .filter(|mirror| mirror.registry() == reference.registry());
    let mut found: Vec<Endpoint> = mirrors
        .map(|mirror| {
            let base = mirror.base_url().to_owned();
            let trusted = base
                .strip_prefix("http://")
                .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned());
            Endpoint { base, trusted }
        })
        .collect();
    if found.is_empty() {
        let host = match reference.registry() {
            DEFAULT_REGISTRY => "registry-1.docker.io",
            other => other,
        };
        let plain = format!("http://{host}");
        let loopback = plain.parse().is_ok_and(|uri| http::is_loopback(&uri));
        let base = if loopback {
            plain
        } else {
            format!("https://{host}")
        };
        found.push(Endpoint { base, trusted: None });
    }
    found
}

/// A manifest or index as the registry sent it, its digest computed from the bytes.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) content_type: Option<String>,
}

/// One repository at one endpoint, for the time of one pull.
#[derive(Debug)]
pub(crate) struct Session {
    http: Http,
    endpoint: Endpoint,
    reference: Reference,
    auth: Auth,
    authorization: Mutex<Option<HeaderValue>>,
    retries: u32,
    pause: Duration,
}

impl Session {
    pub(crate) fn new(
        http: Http,
        options: &Options,
        endpoint: Endpoint,
        reference: &Reference,
        auth: Auth,
    ) -> Self {
        Self {
            http,
            endpoint,
            reference: reference.clone(),
            auth,
            authorization: Mutex::new(None),
            retries: options.limits.retries,
            pause: options.limits.retry_pause,
        }
    }

    fn url(&self, kind: &str, name: &str) -> String {
        format!(
            "{}/v2/{}/{kind}/{name}",
            self.endpoint.base,
            self.reference.repository()
        )
    }

    fn registry(&self) -> String {
        self.endpoint
            .base
            .split("://")
            .nth(1)
            .unwrap_or(&self.endpoint.base)
            .to_owned()
    }

    /// What the reference stands for now, if the registry says so without sending it.
    pub(crate) async fn head(&self) -> Result<Option<Digest>> {
        self.retry(async || {
            let response = self
                .ask(Method::HEAD, &self.url("manifests", &self.version()), accept())
                .await?;
            match response.status {
                200 => Ok(response
                    .header("docker-content-digest")
                    .and_then(|text| Digest::parse(text).ok())),
                // Some registries know no HEAD; the GET that follows tells what is wrong.
                _ => Ok(None),
            }
        })
        .await
    }

    /// The manifest or index that the reference stands for.
    pub(crate) async fn manifest(&self) -> Result<Fetched> {
        self.fetch_manifest(&self.version(), self.reference.digest())
            .await
    }

    /// A manifest that an index lists.
    pub(crate) async fn child(&self, entry: &Descriptor) -> Result<Fetched> {
        if entry.size > MAX_DOCUMENT {
            let what = format!("manifest {}", entry.digest);
            return Err(Error::TooLarge {
                what,
                limit: MAX_DOCUMENT,
                unit: "bytes",
            });
        }
        self.fetch_manifest(entry.digest.as_str(), Some(&entry.digest))
            .await
    }

    async fn fetch_manifest(&self, version: &str, expected: Option<&Digest>) -> Result<Fetched> {
        let doing = format!("the manifest of {}", self.reference);
        self.retry(async || {
            let response = self
                .ask(Method::GET, &self.url("manifests", version), accept())
                .await?;
            if response.status == 404 {
                return Err(Error::NotFound {
                    reference: self.reference.to_string(),
                    retries: 0,
                });
            }
            let response = self.expect(response, &[200], &doing).await?;
            let claimed = response
                .header("docker-content-digest")
                .and_then(|text| Digest::parse(text).ok());
            let content_type = response
                .header(CONTENT_TYPE.as_str())
                .map(|value| value.split(';').next().unwrap_or_default().trim().to_owned());
            let bytes = response.bytes(MAX_DOCUMENT, &doing).await?;
            let digest = Digest::of(&bytes);
            if let Some(expected) = expected.or(claimed.as_ref())
                && *expected != digest
            {
                let (expected, actual) = (expected.clone(), digest.to_string());
                return Err(Error::DigestMismatch {
                    what: doing.clone(),
                    expected,
                    actual,
                });
            }
            Ok(Fetched {
                bytes,
                digest,
                content_type,
            })
        })
        .await
    }

    /// A small blob, such as a configuration.
    pub(crate) async fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let doing = format!("the configuration of {}", self.reference);
        if descriptor.size > MAX_DOCUMENT {
            return Err(Error::TooLarge {
                what: doing,
                limit: MAX_DOCUMENT,
                unit: "bytes",
            });
        }
        self.retry(async || {
            let url = self.url("blobs", descriptor.digest.as_str());
            let response = self.ask(Method::GET, &url, HeaderMap::new()).await?;
            let response = self.expect(response, &[200], &doing).await?;
            let bytes = response.bytes(MAX_DOCUMENT, &doing).await?;
            let actual = Digest::of(&bytes);
            if actual != descriptor.digest {
                let (expected, actual) = (descriptor.digest.clone(), actual.to_string());
                return Err(Error::DigestMismatch {
                    what: doing.clone(),
                    expected,
                    actual,
                });
            }
            Ok(bytes)
        })
        .await
    }

    fn version(&self) -> String {
        match self.reference.version() {
            Version::Tag(tag) => tag.clone(),
            Version::Digest(digest) => digest.to_string(),
        }
    }

    /// Sends one request, answering a challenge if there is one.
    async fn ask(&self, method: Method, url: &str, headers: HeaderMap) -> Result<Response> {
        let doing = format!("resolving {}", self.reference);
        let mut ask = Ask {
            method,
            url: url.to_owned(),
            headers,
            doing,
        };
        let trusted = self.endpoint.trusted.as_deref();
        let known = self.token();
        if let Some(value) = known {
            ask.headers.insert(AUTHORIZATION, value);
        }
        let response = self.http.send(&ask, trusted).await?;
        if response.status != 401 {
            return Ok(response);
        }
        let Some(challenge) = auth::Challenge::from_headers(&response.headers) else {
            return Ok(response);
        };
        let repository = self.reference.repository();
        let Some(value) = auth::answer(&self.http, challenge, &self.auth, repository, trusted).await? else {
            return Ok(response);
        };
        *self
            .authorization
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(value.clone());
        ask.headers.insert(AUTHORIZATION, value);
        self.http.send(&ask, trusted).await
    }

    fn token(&self) -> Option<HeaderValue> {
        self.authorization
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// Turns every answer but the expected ones into its error.
    async fn expect(&self, response: Response, wanted: &[u16], doing: &str) -> Result<Response> {
        let status = response.status;
        if wanted.contains(&status) {
            return Ok(response);
        }
        let detail = match response.bytes(64 << 10, doing).await {
            Ok(body) => complaint(&body),
            Err(_) => String::new(),
        };
        Err(match status {
            401 | 403 => Error::Denied {
                repository: self.reference.name(),
                registry: self.registry(),
                detail: format!(
                    "{status} to a request for {doing}{}{detail}",
                    if detail.is_empty() { "" } else { ": " }
                ),
            },
            _ => Error::Registry {
                registry: self.registry(),
                retries: 0,
                doing: format!("a request for {doing}"),
                status,
                detail: if detail.is_empty() {
                    "no explanation".to_owned()
                } else {
                    detail
                },
            },
        })
    }

    /// Repeats what failed in a way that may pass.
    async fn retry<T, F: Future<Output = Result<T>>>(&self, once: impl Fn() -> F) -> Result<T> {
        let mut count = 0;
        loop {
            match once().await {
                Err(error) if error.is_transient() && count < self.retries => {
                    tracing::debug!(%error, count, "trying again");
                    tokio::time::sleep(self.pause_before(count)).await;
                    count += 1;
                }
                Err(error) => return Err(error.after_retries(count)),
                Ok(value) => return Ok(value),
            }
        }
    }

    fn pause_before(&self, retry: u32) -> Duration {
        self.pause.saturating_mul(1 << retry.min(10)).min(MAX_PAUSE)
    }
}

fn accept() -> HeaderMap {
    model::ACCEPT
        .iter()
        .map(|kind| (ACCEPT, HeaderValue::from_static(kind)))
        .collect()
}

/// The registry's own words: `{"errors":[{"code": .., "message": ..}]}`, or the beginning of whatever it sent.
fn complaint(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        errors: Vec<Item>,
    }
    #[derive(serde::Deserialize)]
    struct Item {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { errors }) => {
            let items: Vec<String> = errors
                .iter()
                .take(3)
                .map(|e| format!("{} {}", e.code, e.message))
                .collect();
            clip(items.join("; ").trim())
        }
        Err(_) => clip(String::from_utf8_lossy(body).trim()),
    }
}
