//! From a request's signature to the caller. Issued keys are held to their signature everywhere; a
//! stranger's key is worth what the listener says.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use roadstead_base::{Caller, Ctx, Origin, Region};
use roadstead_protocol::sigv4::{Authorization, ChunkKey, Request, SignatureError, verify};

use crate::authority::KeyError;
use crate::connection::Way;
use crate::credentials::IssuedKey;
use crate::dispatcher::Dispatcher;
use crate::listener::Trust;

const SESSION_TOKEN: &str = "x-amz-security-token";

/// Why a request is not let in. Each service says it in its own words: see [`crate::render`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The security token included in the request is expired")]
    Expired,
    #[error("Credential should be scoped to correct service: '{wanted}'.")]
    Service { wanted: &'static str },
    #[error("Credential should be scoped to a valid region.")]
    Region,
}

/// Who a request says it is from: all that can be known before its body was read. A stranger is refused
/// here where strangers are, so that none can make us hold what it sends.
pub(crate) struct Claim {
    authorization: Authorization,
    region: Region,
    key: Option<IssuedKey>,
}

impl Claim {
    pub(crate) fn of(dispatcher: &Dispatcher, trust: Trust, parts: &Parts) -> Result<Self, Refused> {
        let authorization = Authorization::find(&parts.headers, &parts.uri)?;
        let region: Region = authorization.region.parse().map_err(|_| Refused::Region)?;
        let key = dispatcher.issued(&authorization.access_key, session_token(parts))?;
        if key.is_none() && trust == Trust::IssuedOnly {
            return Err(Refused::UnknownKey);
        }
        Ok(Self {
            authorization,
            region,
            key,
        })
    }

    /// The caller, once the signature holds for the body; and the key of the body's chunks, if there are any.
    pub(crate) fn prove(
        self,
        dispatcher: &Dispatcher,
        parts: &Parts,
        body: &[u8],
        service: &'static str,
        peer: Option<IpAddr>,
    ) -> Result<(Ctx, Option<ChunkKey>), Refused> {
        let Self {
            authorization,
            region,
            key,
        } = self;
        if authorization.service != service {
            return Err(Refused::Service { wanted: service });
        }
        let endpoint = host(parts)
            .map(|host| format!("{}://{host}", scheme(parts)))
            .unwrap_or_default();
        let mut origin = Origin {
            address: peer,
            user_agent: user_agent(parts),
            access_key: authorization.access_key.clone(),
            session: false,
            via: None,
            source_arn: None,
        };
        let Some(key) = key else {
            let account = authorization
                .access_key
                .parse()
                .unwrap_or_else(|_| dispatcher.default_account.clone());
            let mut ctx = dispatcher.ctx(account, region, Caller::Root, endpoint);
            ctx.origin = Arc::new(origin);
            return Ok((ctx, None));
        };
        let request = Request {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            body,
        };
        verify(&authorization, request, &key.secret, dispatcher.clock.now())?;
        let date = authorization.signed_at(&parts.headers)?;
        let chunks = ChunkKey::new(&authorization, &key.secret, &date);
        origin.session = session_token(parts).is_some();
        let mut ctx = dispatcher.ctx(key.account, region, key.caller, endpoint);
        ctx.origin = Arc::new(origin);
        Ok((ctx, Some(chunks)))
    }
}

impl Dispatcher {
    /// Checks what a caller signs later on, over a connection that its request opened: each part is signed as if it
    /// were that request's body, with the same key. A key that was withdrawn in between is refused; a stranger's is
    /// worth what it was when the connection was opened.
    ///
    /// # Errors
    /// Why the part is not taken, in words for a log and for the caller.
    pub fn signed_later(
        &self,
        ctx: &Ctx,
        service: &'static str,
        opened: &http::Uri,
        headers: &http::HeaderMap,
        part: &[u8],
    ) -> Result<(), String> {
        let refused = |refused: Refused| refused.to_string();
        let authorization = Authorization::parse(headers).map_err(|error| refused(error.into()))?;
        if authorization.access_key != ctx.origin.access_key {
            return Err("It is signed with another key than the connection.".to_owned());
        }
        if authorization.service != service {
            return Err(refused(Refused::Service { wanted: service }));
        }
        let token = headers.get(SESSION_TOKEN).and_then(|value| value.to_str().ok());
        let Some(key) = self
            .issued(&authorization.access_key, token.map(str::to_owned))
            .map_err(refused)?
        else {
            return Ok(());
        };
        let request = Request {
            method: &http::Method::GET,
            uri: opened,
            headers,
            body: part,
        };
        verify(&authorization, request, &key.secret, self.clock.now()).map_err(|error| refused(error.into()))
    }

    /// A key that Roadstead issued: to its own nodes, or by IAM and STS.
    fn issued(&self, access_key: &str, token: Option<String>) -> Result<Option<IssuedKey>, Refused> {
        if let Some(key) = self.credentials.find(access_key) {
            return Ok(Some(key));
        }
        let Some(authority) = self.gate.authority() else {
            return Ok(None);
        };
        authority
            .find(access_key, token.as_deref())
            .map_err(|error| match error {
                KeyError::Invalid => Refused::UnknownKey,
                KeyError::Expired => Refused::Expired,
            })
    }
}

/// The token of a session's keys: a header, or in the query of a presigned URL.
fn session_token(parts: &Parts) -> Option<String> {
    if let Some(value) = parts.headers.get(SESSION_TOKEN) {
        return value.to_str().ok().map(str::to_owned);
    }
    let query = parts.uri.query()?;
    let pair = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case(SESSION_TOKEN).then_some(value)
    })?;
    let token = percent_encoding::percent_decode_str(pair).decode_utf8().ok()?;
    Some(token.into_owned())
}

fn user_agent(parts: &Parts) -> String {
    const LONGEST: usize = 512;
    let value = parts.headers.get(http::header::USER_AGENT);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().take(LONGEST).collect()
}

pub(crate) fn host(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(http::header::HOST)
        .and_then(|value| value.to_str().ok())
}

/// The service that a request says it is for, whether or not it is let in: a refusal is that service's too.
pub(crate) fn signed_for(parts: &Parts) -> Option<String> {
    let authorization = Authorization::find(&parts.headers, &parts.uri).ok()?;
    Some(authorization.service)
}

fn scheme(parts: &Parts) -> &'static str {
    parts.extensions.get::<Way>().map_or("http", |way| way.scheme())
}

/// Whether a request names one host; then it stands in `Host`, whichever way it came: in HTTP/2 the host is
/// in the URI, and in HTTP/1.1 it can be.
pub(crate) fn one_host(parts: &mut Parts) -> bool {
    if let Some(authority) = parts.uri.authority().cloned() {
        let named = authority.as_str();
        match host(parts) {
            Some(host) if !host.eq_ignore_ascii_case(named) => return false,
            Some(_) => {}
            None => {
                let Ok(value) = http::HeaderValue::from_str(named) else {
                    return false;
                };
                parts.headers.insert(http::header::HOST, value);
            }
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        match path.parse() {
            Ok(uri) => parts.uri = uri,
            Err(_) => return false,
        }
    }
    parts.headers.get_all(http::header::HOST).iter().count() == 1
}

/// Whether a page of another site could have sent this: its browser would name the site as `Origin`, or,
/// with a name that resolves to us, as `Host`.
pub(crate) fn foreign(parts: &Parts) -> bool {
    if parts.headers.contains_key(http::header::ORIGIN) {
        return true;
    }
    let Some(host) = host(parts) else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => return rest.split(']').next() != Some("::1"),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let loopback = name
        .parse::<std::net::Ipv4Addr>()
        .is_ok_and(|address| address.is_loopback());
    !(loopback || name == "localhost" || name.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn only_loopback_names_without_an_origin_are_our_own() {
        for (headers, expected) in [
            (&[("host", "127.0.0.1:4566")][..], false),
            (&[("host", "localhost:4566")], false),
            (&[("host", "localhost")], false),
            (&[("host", "ecs.localhost:4566")], false),
            (&[("host", "[::1]:4566")], false),
            (&[("host", "127.8.8.8")], false),
            (&[("host", "evil.example:4566")], true),
            (&[("host", "127.0.0.1.evil.example")], true),
            (&[("host", "[::2]:4566")], true),
            (&[("host", "169.254.170.2:4566")], true),
            (&[("host", "localhost"), ("origin", "http://localhost")], true),
            (&[], true),
        ] {
            assert_eq!(foreign(&parts(headers)), expected, "{headers:?}");
        }
    }
}
