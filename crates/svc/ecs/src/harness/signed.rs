//! Signed requests, as an agent with credentials of its own makes them.

use http::{HeaderMap, HeaderValue, Method, Uri};
use roadstead_base::Timestamp;
use roadstead_protocol::sigv4::{SigningKey, sign};

use crate::harness::{NODE_KEY, NODE_SECRET};

/// The headers of a GET as a node sends it.
pub(super) fn headers(uri: &Uri, host: &str, now: Timestamp) -> HeaderMap {
    of(uri, host, b"", NODE_SECRET, now)
}

/// The same with a body, which only a later part of a connection has.
pub(super) fn of(uri: &Uri, host: &str, body: &[u8], secret: &str, now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::HOST, HeaderValue::from_str(host).expect("a host"));
    let key = SigningKey {
        access_key: NODE_KEY,
        secret,
        region: "us-east-1",
        service: "ecs",
    };
    sign(&Method::GET, uri, &mut headers, body, &key, now);
    headers
}
