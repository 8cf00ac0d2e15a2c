//! Registries answer the first request with a challenge. Basic credentials are sent as they are; for bearer, a token
//! service named in the challenge sells a token for them, or gives one to anybody for what is public.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::http::{Ask, Http};
use crate::digest::clip;
use crate::{Error, Result};

const MAX_TOKEN: u64 = 64 << 10;

/// Who asks a registry.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Auth {
    #[default]
    Anonymous,
    Basic {
        username: String,
        password: String,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Basic { username, .. } => f
                .debug_struct("Basic")
                .field("username", username)
                .finish_non_exhaustive(),
        }
    }
}

impl Auth {
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let Self::Basic { username, password } = self else {
            return None;
        };
        let mut value = HeaderValue::try_from(format!(
            "Basic {}",
            STANDARD.encode(format!("{username}:{password}"))
        ))
        .ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// What `WWW-Authenticate` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// The first challenge that is understood.
    pub(super) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .find_map(Self::parse)
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (key, value) in parameters(rest) {
            match key.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
        }
        Some(Self::Bearer {
            realm: realm?,
            service,
            scope,
        })
    }
}

/// `key="value"` or `key=value`, separated by commas; a quoted comma belongs to its value.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((key, rest)) = text.split_once('=') {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        found.push((key.trim_matches([' ', ',']).to_owned(), value.trim().to_owned()));
        text = after;
    }
    found
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

/// Gets what answers a challenge: the value of `Authorization`.
pub(super) async fn answer(
    http: &Http,
    challenge: Challenge,
    auth: &Auth,
    repository: &str,
    trusted: Option<&str>,
) -> Result<Option<HeaderValue>> {
    let (realm, service, scope) = match challenge {
        Challenge::Basic => return Ok(auth.basic()),
        Challenge::Bearer {
            realm,
            service,
            scope,
        } => (realm, service, scope),
    };
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let scope = scope.unwrap_or_else(|| format!("repository:{repository}:pull"));
    let mut url = format!(
        "{realm}{}scope={}",
        if realm.contains('?') { '&' } else { '?' },
        encode(&scope)
    );
    if let Some(service) = service {
        url.push_str(&format!("&service={}", encode(&service)));
    }
    let mut headers = HeaderMap::new();
    if let Some(basic) = auth.basic() {
        headers.insert(AUTHORIZATION, basic);
    }
    let ask = Ask {
        method: Method::GET,
        url,
        headers,
        doing: format!("asking for a token for {repository}"),
    };
    let response = http.send(&ask, trusted).await?;
    let (registry, status) = (response.registry().to_owned(), response.status);
    let body = response.bytes(MAX_TOKEN, &ask.doing).await?;
    match status {
        200 => {}
        401 | 403 => {
            let detail = format!("{status} to {}", ask.doing);
            return Err(Error::Denied {
                repository: repository.to_owned(),
                registry,
                detail,
            });
        }
        _ => {
            let detail = clip(&String::from_utf8_lossy(&body));
            return Err(Error::Registry {
                registry,
                retries: 0,
                doing: ask.doing,
                status,
                detail,
            });
        }
    }
    let answer: TokenAnswer = serde_json::from_slice(&body).unwrap_or(TokenAnswer {
        token: None,
        access_token: None,
    });
    let token = answer.token.or(answer.access_token).unwrap_or_default();
    let value = HeaderValue::try_from(format!("Bearer {token}"))
        .ok()
        .filter(|_| !token.is_empty());
    match value {
        Some(mut value) => {
            value.set_sensitive(true);
            Ok(Some(value))
        }
        None => {
            let detail = "no usable token".to_owned();
            Err(Error::Registry {
                registry,
                retries: 0,
                doing: ask.doing,
                status,
                detail,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        for (input, expected) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            ("Bearer realm=\"https://a/t\"", bearer("https://a/t", None, None)),
            (
                "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
                bearer("https://a/t", Some("s"), Some("repository:x:pull,push")),
            ),
            (
                "Bearer realm=https://a/t, service=s",
                bearer("https://a/t", Some("s"), None),
            ),
            ("Bearer service=\"s\"", None),
            ("Digest realm=\"x\"", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse(input), expected, "{input}");
        }
    }
}
