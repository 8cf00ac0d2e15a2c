//! People write `nginx`; the store must know that they mean `docker.io/library/nginx:latest`. The rules are the
//! reference grammar of the distribution project and Docker's defaults, so that a task definition names the same
//! image here as anywhere else.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::clip;
use crate::{Digest, Error};

/// The registry that a reference without a host means.
pub const DEFAULT_REGISTRY: &str = "docker.io";
const MAX_LENGTH: usize = 512;

/// A normalised image reference: registry, repository, and a tag or a digest.
///
/// A reference with both tag and digest is the digest's: the tag adds nothing that could be checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    version: Version,
}

/// What follows the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    Tag(String),
    Digest(Digest),
}

impl Reference {
    /// Reads and normalises what a user wrote.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Error::InvalidReference {
            reference: clip(text),
            why: why.to_owned(),
        };
        if text.is_empty() || text.len() > MAX_LENGTH {
            return Err(refuse("an image reference has 1 to 512 characters"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        // A colon after the last slash begins the tag; before it, a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(refuse(
                "a tag has 1 to 128 letters, digits, '_', '.' and '-', and begins with neither '.' nor '-'",
            ));
        }
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path),
            _ => (DEFAULT_REGISTRY, name),
        };
        let registry = match registry {
            "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
            other => other,
        };
        if !is_authority(registry) {
            return Err(refuse(
                "the registry is not a host name or address with an optional port",
            ));
        }
        if path.is_empty() || !path.split('/').all(is_component) {
            return Err(refuse(
                "a repository is made of lower-case letters and digits, joined by '.', '_', '__', '-' or '/'",
            ));
        }
        let repository = match registry {
            DEFAULT_REGISTRY if !path.contains('/') => format!("library/{path}"),
            _ => path.to_owned(),
        };
        let version = match (digest, tag) {
            (Some(digest), _) => Version::Digest(digest),
            (None, tag) => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            version,
        })
    }

    /// Host and optional port, `docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path within the registry: `library/nginx`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The digest, for a reference by digest.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.version {
            Version::Digest(digest) => Some(digest),
            Version::Tag(_) => None,
        }
    }

    /// What a digest of the same repository is called.
    pub(crate) fn by_digest(&self, digest: &Digest) -> Self {
        Self {
            version: Version::Digest(digest.clone()),
            ..self.clone()
        }
    }

    /// `docker.io/library/nginx`: the reference without tag or digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        match &self.version {
            Version::Tag(tag) => write!(f, ":{tag}"),
            Version::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

/// The first component is a host when no repository component could look like it.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':']) || text.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => {
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return false;
                }
                (
                    host,
                    port.strip_prefix(':')
                        .or(if port.is_empty() { None } else { Some("bad") }),
                )
            }
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let host_fits = text.starts_with('[')
        || host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    port_fits && host_fits
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && word(text.as_bytes()[0])
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Runs of `[a-z0-9]` joined by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    alnum(first)
        && alnum(last)
        && bytes
            .split(|&b| alnum(b))
            .all(|joint| matches!(joint, b"" | b"." | b"_" | b"__") || joint.iter().all(|&b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn normalises_as_docker_does() {
        let hex = "a".repeat(64);
        let digest = format!("nginx@sha256:{hex}");
        let both = format!("quay.io/a/b:v1@sha256:{hex}");
        for (input, expected) in [
            ("nginx", "docker.io/library/nginx:latest".to_owned()),
            ("nginx:1.25", "docker.io/library/nginx:1.25".to_owned()),
            ("bitnami/redis", "docker.io/bitnami/redis:latest".to_owned()),
            ("docker.io/nginx", "docker.io/library/nginx:latest".to_owned()),
            (
                "index.docker.io/library/nginx",
                "docker.io/library/nginx:latest".to_owned(),
            ),
            ("localhost/app", "localhost/app:latest".to_owned()),
            ("localhost:5000/app:x", "localhost:5000/app:x".to_owned()),
            ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest".to_owned()),
            ("[::1]:5000/app", "[::1]:5000/app:latest".to_owned()),
            ("a__b/c-d.e", "docker.io/a__b/c-d.e:latest".to_owned()),
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1",
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1".to_owned(),
            ),
            (&digest, format!("docker.io/library/{digest}")),
            (&both, format!("quay.io/a/b@sha256:{hex}")),
        ] {
            let reference = Reference::parse(input).expect(input);
            assert_eq!(reference.to_string(), expected, "{input}");
            assert_eq!(Reference::parse(&expected).expect("stable"), reference, "{input}");
        }
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for input in [
            "",
            "Nginx",
            "nginx:",
            "nginx:-x",
            "/nginx",
            "nginx/",
            "a//b",
            "a..b/c",
            "a___b",
            "../etc",
            "host:0/x",
            "host:99999/x",
            "[::1/x",
            "ho_st.x/y",
            "nginx@sha512:00",
            "nginx@sha256:AA",
            "nginx tag",
            "a/b:c:d/e",
        ] {
            assert!(Reference::parse(input).is_err(), "{input} was taken");
        }
    }
}
