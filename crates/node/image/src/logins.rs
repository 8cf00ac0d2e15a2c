//! Whom the operator is at which registry: a file in the form that `docker login` writes, `config.json` with `auths`.
//! What the form can say beyond a user's name and password is refused by name when the node starts, rather than
//! found out by a pull that is denied: no credential helper is run, since that would be a stranger's program with
//! this node's rights.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::digest::clip;
use crate::reference::DEFAULT_REGISTRY;
use crate::registry::Auth;
use crate::{Error, Result};

const MAX_FILE: u64 = 1 << 20;
/// With or without padding, as the programs that write these files differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Credentials by registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logins(BTreeMap<String, Auth>);

/// The parts of the file that speak of registries. The rest (`proxies`, `psFormat`, `plugins`, …) is about a client's
/// screens and daemon, and none of this program's business.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    /// Once asked for by Docker Hub; clients write it and nobody reads it.
    #[serde(default, rename = "email")]
    _email: String,
    /// The key, once more.
    #[serde(default, rename = "serveraddress")]
    _server: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

impl Logins {
    /// Reads and checks a file. Blocks.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let refuse = |why: String| Error::Credentials {
            path: path.to_owned(),
            why,
        };
        let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
        let mut text = String::new();
        file.take(MAX_FILE + 1)
            .read_to_string(&mut text)
            .map_err(|error| refuse(error.to_string()))?;
        if text.len() as u64 > MAX_FILE {
            return Err(refuse(format!("it is longer than {MAX_FILE} bytes")));
        }
        Self::parse(&text).map_err(refuse)
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            return Err("it is no JSON object, which a Docker client's configuration is".to_owned());
        }
        // The words of the parser would repeat what it read, which is secret.
        let document: Document = serde_json::from_str(text).map_err(|error| {
            format!(
                "line {} column {} is not what a Docker client's configuration has there",
                error.line(),
                error.column()
            )
        })?;
        if let Some((registry, helper)) = document.cred_helpers.first_key_value() {
            return Err(format!(
                "credHelpers names docker-credential-{} for {}: no credential helper is run; write user and password into auths",
                clip(helper),
                clip(registry)
            ));
        }
        if !document.creds_store.is_empty() {
            return Err(format!(
                "credsStore names docker-credential-{}: no credential helper is run; write user and password into auths",
                clip(&document.creds_store)
            ));
        }
        let mut logins = BTreeMap::new();
        for (key, entry) in document.auths {
            let registry = registry(&key)
                .ok_or_else(|| format!("auths has '{}', which is no registry's host", clip(&key)))?;
            let auth = entry
                .auth()
                .map_err(|why| format!("auths of '{}': {why}", clip(&key)))?;
            if logins
                .insert(registry.clone(), auth.clone())
                .is_some_and(|other| other != auth)
            {
                return Err(format!("auths has {registry} twice, with different credentials"));
            }
        }
        Ok(Self(logins))
    }

    /// Credentials for a registry by host and port, if the file has any.
    pub(crate) fn of(&self, registry: &str) -> Auth {
        let registry = match registry {
            "registry-1.docker.io" | "index.docker.io" => DEFAULT_REGISTRY,
            other => other,
        };
        self.0.get(registry).cloned().unwrap_or_default()
    }
}

impl Entry {
    fn auth(self) -> std::result::Result<Auth, String> {
        let Self {
            auth,
            username,
            password,
            _email: _,
            _server: _,
            identitytoken,
            registrytoken,
        } = self;
        for (name, value) in [("identitytoken", identitytoken), ("registrytoken", registrytoken)] {
            if !value.is_empty() {
                return Err(format!("{name} is not supported; log in with user and password"));
            }
        }
        let (username, password) = match auth.as_str() {
            "" => (username, password),
            auth => {
                let text = BASE64
                    .decode(auth.trim())
                    .ok()
                    .and_then(|text| String::from_utf8(text).ok());
                let text = text.ok_or("auth is no base64")?;
                let (user, password) = text
                    .split_once(':')
                    .ok_or("auth is not USER:PASSWORD in base64")?;
                // Some clients pad what they encode with zero bytes.
                (user.to_owned(), password.trim_end_matches('\0').to_owned())
            }
        };
        match (username.is_empty(), password.is_empty()) {
            (true, true) => Ok(Auth::Anonymous),
            (true, false) => Err("it has a password for no user".to_owned()),
            _ => Ok(Auth::Basic { username, password }),
        }
    }
}

/// `https://index.docker.io/v1/` is `docker.io`, `quay.io` is itself.
fn registry(key: &str) -> Option<String> {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !matches!(path.trim_end_matches('/'), "" | "v1" | "v2") {
        return None;
    }
    // Through the grammar of references, so that both sides mean the same host. A single label is a host here.
    match host {
        "" => None,
        host if host.contains(['.', ':']) || host == "localhost" => {
            let probe = crate::Reference::parse(&format!("{host}/probe/probe")).ok()?;
            Some(probe.registry().to_owned())
        }
        host => Some(host.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(username: &str, password: &str) -> Auth {
        Auth::Basic {
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn credentials_are_found_by_registry() {
        let text = r#"{
            "auths": {
                "https://index.docker.io/v1/": {"auth": "aHViOnMzY3JldA=="},
                "quay.io": {"auth": "cm9ib3Q6YTpi", "email": "a@b.example"},
                "https://r.example:5000": {"username": "u", "password": "p"},
                "127.0.0.1:5000": {"auth": "dTpw"},
                "padded.example": {"auth": "dTpwAAA="},
                "unpadded.example": {"auth": "aHViOnMzY3JldA"},
                "empty.example": {}
            },
            "HttpHeaders": {"User-Agent": "x"}, "psFormat": "table"
        }"#;
        let logins = Logins::parse(text).expect("parses");
        for (registry, expected) in [
            ("docker.io", basic("hub", "s3cret")),
            ("registry-1.docker.io", basic("hub", "s3cret")),
            ("quay.io", basic("robot", "a:b")),
            ("r.example:5000", basic("u", "p")),
            ("r.example", Auth::Anonymous),
            ("127.0.0.1:5000", basic("u", "p")),
            ("padded.example", basic("u", "p")),
            ("unpadded.example", basic("hub", "s3cret")),
            ("empty.example", Auth::Anonymous),
            ("elsewhere.example", Auth::Anonymous),
        ] {
            assert_eq!(logins.of(registry), expected, "{registry}");
        }
        assert_eq!(Logins::parse("{}"), Ok(Logins::default()));
    }

    #[test]
    fn what_has_no_effect_here_is_refused_by_name() {
        for (text, words) in [
            (r#"{"credsStore": "desktop"}"#, "docker-credential-desktop"),
            (
                r#"{"credHelpers": {"1.dkr.ecr.us-east-1.amazonaws.com": "ecr-login"}}"#,
                "docker-credential-ecr-login for 1.dkr",
            ),
            (r#"{"auths": {"a.b": {"identitytoken": "x"}}}"#, "identitytoken"),
            (r#"{"auths": {"a.b": {"registrytoken": "x"}}}"#, "registrytoken"),
            (r#"{"auths": {"a.b": {"token": "x"}}}"#, "column"),
            (r#"{"auths": {"a.b": {"auth": "?"}}}"#, "base64"),
            (r#"{"auths": {"a.b": {"auth": "dQ=="}}}"#, "USER:PASSWORD"),
            (r#"{"auths": {"a.b": {"password": "x"}}}"#, "for no user"),
            (r#"{"auths": {"a.b/team": {"auth": "dTpw"}}}"#, "a.b/team"),
            (r#"{"auths": {"": {"auth": "dTpw"}}}"#, "no registry's host"),
            (
                r#"{"auths": {"a.b": {"auth": "dTpw"}, "https://a.b": {"auth": "dTpx"}}}"#,
                "twice",
            ),
            ("[]", "no JSON object"),
            ("", "no JSON object"),
            ("{", "column"),
        ] {
            let why = Logins::parse(text).expect_err(text);
            assert!(why.contains(words), "{text}: '{why}' lacks '{words}'");
            assert!(!why.contains("dTpw"), "{text}: '{why}' tells the secret");
        }
    }
}
