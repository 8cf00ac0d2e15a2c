//! From a request's signature to the caller. Issued keys are held to their signature everywhere; a
//! stranger's key is worth what the listener says.

use http::request::Parts;
use roadstead_base::{Caller, Ctx, Region};
use roadstead_protocol::sigv4::{Authorization, Request, SignatureError, verify};

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

/// Who sends this request to the service that signs as `service`.
pub(crate) fn sign_in(
    dispatcher: &Dispatcher,
    trust: Trust,
    parts: &Parts,
    body: &[u8],
    service: &'static str,
) -> Result<Ctx, Refused> {
    let authorization = Authorization::parse(&parts.headers)?;
    if authorization.service != service {
        return Err(Refused::Service { wanted: service });
    }
    let region: Region = authorization.region.parse().map_err(|_| Refused::Region)?;
    let endpoint = host(parts)
        .map(|host| format!("http://{host}"))
        .unwrap_or_default();
    if let Some(key) = dispatcher.credentials.find(&authorization.access_key) {
        let request = Request {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            body,
        };
        verify(&authorization, request, &key.secret, dispatcher.clock.now())?;
        return Ok(dispatcher.ctx(key.account, region, key.caller, endpoint));
    }
    match trust {
        Trust::IssuedOnly => Err(Refused::UnknownKey),
        Trust::UnknownIsRoot => {
            let account = authorization
                .access_key
                .parse()
                .unwrap_or_else(|_| dispatcher.default_account.clone());
            Ok(dispatcher.ctx(account, region, Caller::Root, endpoint))
        }
    }
}

pub(crate) fn host(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(http::header::HOST)
        .and_then(|value| value.to_str().ok())
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
