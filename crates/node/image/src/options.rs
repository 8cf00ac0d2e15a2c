//! What an operator can set about images: where the store is, where registries are reached, which bounds hold.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use roadstead_base::{SharedClock, SystemClock};

use crate::{Cleanup, Error, Result};

/// Settings of an image store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of the store; made when missing. May not contain `:`, `,` or `\`, which overlay mounts cannot take.
    pub root: PathBuf,
    /// Where registries are really reached. A registry with mirrors is reached through them **only**, in this order.
    pub mirrors: Vec<Mirror>,
    /// A PEM file with certificate authorities trusted besides the machine's own.
    pub certificates: Option<PathBuf>,
    /// Which images of an index are meant.
    pub platform: Platform,
    pub limits: Limits,
    /// A Docker client's `config.json` whose `auths` says who this node is at which registry. Read again for each
    /// pull.
    pub logins: Option<PathBuf>,
    /// What is pulled is for tasks, and may be cleaned up afterwards.
    pub tracks: bool,
    pub cleanup: Cleanup,
    pub clock: NodeClock,
}

/// When the registry is asked. Source: `ECS_IMAGE_PULL_BEHAVIOR` of the vendor's agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullBehaviour {
    /// The registry first, the image that is here when that fails. An image that was imported, which is one that
    /// this agent never pulled, is taken as it is: no registry is expected to have it.
    #[default]
    Default,
    /// The registry, or not at all.
    Always,
    /// The registry, or not at all, unless such a pull brought it here before.
    Once,
    /// The image that is here; the registry only without one. No image is cleaned up, as it may be all there is.
    PreferCached,
}

impl PullBehaviour {
    /// By its name: `default`, `always`, `once`, `prefer-cached`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "always" => Some(Self::Always),
            "once" => Some(Self::Once),
            "prefer-cached" => Some(Self::PreferCached),
            _ => None,
        }
    }
}

/// Tells the age of images.
#[derive(Clone)]
pub struct NodeClock(pub SharedClock);

impl fmt::Debug for NodeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeClock({:?})", self.0.now())
    }
}

impl Options {
    /// The defaults for a store at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            mirrors: Vec::new(),
            certificates: None,
            platform: Platform::host(),
            limits: Limits::default(),
            logins: None,
            tracks: false,
            cleanup: Cleanup::default(),
            clock: NodeClock(Arc::new(SystemClock)),
        }
    }
}

/// Bounds on what a registry or an archive can make this node do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of all layers in the store, as tar streams; no bound without it.
    pub store_bytes: Option<u64>,
    /// Bytes of one image after decompression.
    pub unpacked_bytes: u64,
    /// Files, directories and links of one layer.
    pub layer_entries: u64,
    /// Layers of one image fetched at the same time.
    pub parallel_layers: usize,
    /// Retries of a request that failed in a way that may pass.
    pub retries: u32,
    /// Pause before the first retry; doubled for each further one, up to 10 seconds.
    pub retry_pause: Duration,
    pub connect_timeout: Duration,
    /// Longest silence of a registry.
    pub inactivity_timeout: Duration,
    /// Longest duration of a whole pull.
    pub pull_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            store_bytes: None,
            unpacked_bytes: 64 << 30,
            layer_entries: 2_000_000,
            parallel_layers: 3,
            retries: 3,
            retry_pause: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(10),
            inactivity_timeout: Duration::from_secs(60),
            pull_timeout: Duration::from_secs(2 * 60 * 60),
        }
    }
}

/// `docker.io=http://127.0.0.1:5000`: reach the registry on the left at the URL on the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    registry: String,
    base: String,
}

impl Mirror {
    /// `base_url` is http or https with a host, and optionally a path in front of `/v2/`. Plain http is allowed
    /// since the operator wrote it.
    pub fn new(registry: &str, base_url: &str) -> Result<Self> {
        let refuse = |why: &str| Error::InvalidReference {
            reference: crate::digest::clip(&format!("{registry}={base_url}")),
            why: format!("a registry mirror is written REGISTRY=http[s]://HOST[:PORT][/PATH]: {why}"),
        };
        // The registry goes through the same grammar as in references.
        let probe = crate::Reference::parse(&format!("{registry}/probe/probe"))
            .map_err(|_| refuse("no such registry name"))?;
        if probe.repository() != "probe/probe" {
            return Err(refuse("no such registry name"));
        }
        let uri: Uri = base_url.parse().map_err(|_| refuse("the URL cannot be read"))?;
        let authority = uri.authority().ok_or_else(|| refuse("the URL has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("credentials do not belong into the URL"));
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(refuse("the URL begins neither with http:// nor with https://"));
        }
        if uri.query().is_some() || base_url.contains('#') {
            return Err(refuse("the URL has a query or a fragment"));
        }
        Ok(Self {
            registry: probe.registry().to_owned(),
            base: base_url.trim_end_matches('/').to_owned(),
        })
    }

    /// Reads `REGISTRY=URL`.
    pub fn parse(text: &str) -> Result<Self> {
        let (registry, base) = text.split_once('=').unwrap_or((text, ""));
        Self::new(registry, base)
    }

    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The URL without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base
    }
}

/// Operating system and architecture in the words of image indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
}

impl Platform {
    /// This machine's.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

#[cfg(test)]
mod tests {
    use super::Mirror;

    #[test]
    fn mirrors_are_read_and_refused() {
        for (input, expected) in [
            (
                "docker.io=http://127.0.0.1:5000",
                Some(("docker.io", "http://127.0.0.1:5000")),
            ),
            (
                "index.docker.io=https://m.example/x/",
                Some(("docker.io", "https://m.example/x")),
            ),
            ("quay.io:443=https://m", Some(("quay.io:443", "https://m"))),
            ("docker.io", None),
            ("docker.io=ftp://m", None),
            ("docker.io=http://u:p@m", None),
            ("docker.io=http://m/?a=b", None),
            ("docker.io=http://m#x", None),
            ("quay=http://m", None),
            ("=http://m", None),
        ] {
            let read = Mirror::parse(input).ok();
            assert_eq!(
                read.as_ref().map(|m| (m.registry(), m.base_url())),
                expected,
                "{input}"
            );
        }
    }
}
