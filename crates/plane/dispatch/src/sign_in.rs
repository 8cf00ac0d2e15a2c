//! From a request's signature to the caller. Issued keys are held to their signature everywhere; a
//! stranger's key is worth what the listener says.

use http::request::Parts;
use roadstead_base::{Caller, Ctx, Region};
use roadstead_protocol::sigv4::{Authorization, ChunkKey, Request, SignatureError, verify};

use crate::credentials::IssuedKey;
use crate::dispatcher::Dispatcher;
use crate::listener::Trust;

/// Why a request is not let in. Each service says it in its own words: see [`crate::render`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
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
        let key = dispatcher.credentials.find(&authorization.access_key);
        if key.is_none() && trust == Trust::IssuedOnly {
            return Err(Refused::UnknownKey);
        }
        Ok(Self {
            authorization,
            region,
            key,
        })
    }

    /// The service that the request is signed for.
    pub(crate) fn service(&self) -> &str {
        &self.authorization.service
    }

    /// The caller, once the signature holds for the body; and the key of the body's chunks, if there are any.
    pub(crate) fn prove(
        self,
        dispatcher: &Dispatcher,
        parts: &Parts,
        body: &[u8],
        service: &'static str,
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
            .map(|host| format!("http://{host}"))
            .unwrap_or_default();
        let Some(key) = key else {
            let account = authorization
                .access_key
                .parse()
                .unwrap_or_else(|_| dispatcher.default_account.clone());
            return Ok((dispatcher.ctx(account, region, Caller::Root, endpoint), None));
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
        let ctx = dispatcher.ctx(key.account, region, key.caller, endpoint);
        Ok((ctx, Some(chunks)))
    }
}

pub(crate) fn host(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(http::header::HOST)
        .and_then(|value| value.to_str().ok())
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
