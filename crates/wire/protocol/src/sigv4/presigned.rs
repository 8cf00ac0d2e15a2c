//! Signatures in the query string, for requests that somebody else sends: good for as long as they say, a
//! week at most.
//! Source: "Authenticating requests: using query parameters" in the S3 API reference.

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use roadstead_base::Timestamp;

use super::canonical::{encode, sha256_hex, signature};
use super::{ALGORITHM, Authorization, Request, SignatureError, SigningKey, format_amz_date};

/// Seconds for which a presigned request may be good: seven days.
pub const MAX_EXPIRES: u32 = 604_800;

/// The signature in a query string, if there is one.
///
/// # Errors
/// A part is missing, there twice, or not of its form.
pub(super) fn parse(query: &str) -> Result<Option<Authorization>, SignatureError> {
    let signed = |pair: &str| pair.starts_with("X-Amz-Algorithm=") || pair.starts_with("X-Amz-Signature=");
    if !query.split('&').any(signed) {
        return Ok(None);
    }
    let part = |name: &str, missing: &'static str| {
        let mut found = query.split('&').filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        });
        let value = found.next().ok_or(SignatureError::Malformed(missing))?;
        if found.next().is_some() {
            return Err(SignatureError::Malformed("it has a part twice"));
        }
        percent_decode_str(value)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| SignatureError::Malformed("it is not UTF-8"))
    };
    if part("X-Amz-Algorithm", "it has no X-Amz-Algorithm")? != ALGORITHM {
        return Err(SignatureError::Malformed("its algorithm is not AWS4-HMAC-SHA256"));
    }
    let date = part("X-Amz-Date", "it has no X-Amz-Date")?;
    let expires = part("X-Amz-Expires", "it has no X-Amz-Expires")?;
    let expires = expires
        .parse()
        .ok()
        .filter(|seconds| (1..=MAX_EXPIRES).contains(seconds))
        .ok_or(SignatureError::Malformed(
            "its X-Amz-Expires is not between 1 and 604800 seconds",
        ))?;
    let mut authorization = Authorization::assemble(
        &part("X-Amz-Credential", "it has no X-Amz-Credential")?,
        &part("X-Amz-SignedHeaders", "it has no X-Amz-SignedHeaders")?,
        &part("X-Amz-Signature", "it has no X-Amz-Signature")?,
    )?;
    authorization.presigned = Some((date, expires));
    Ok(Some(authorization))
}

/// The path and query of a request that anybody may send to `host` within `expires` seconds.
pub fn presign(
    method: &Method,
    uri: &Uri,
    host: &str,
    key: &SigningKey<'_>,
    now: Timestamp,
    expires: u32,
) -> Option<Uri> {
    let date = format_amz_date(now);
    let mut authorization = Authorization {
        access_key: key.access_key.to_owned(),
        date: date.get(..8)?.to_owned(),
        region: key.region.to_owned(),
        service: key.service.to_owned(),
        signed_headers: vec!["host".to_owned()],
        signature: String::new(),
        presigned: Some((date.clone(), expires)),
    };
    let credential = format!("{}/{}", authorization.access_key, authorization.scope());
    let query = format!(
        "{}{}X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host",
        uri.query().unwrap_or_default(),
        if uri.query().is_some_and(|query| !query.is_empty()) {
            "&"
        } else {
            ""
        },
        encode(credential.as_bytes(), false),
    );
    let unsigned: Uri = format!("{}?{query}", uri.path()).parse().ok()?;
    let mut headers = HeaderMap::new();
    headers.insert(http::header::HOST, host.parse().ok()?);
    let request = Request {
        method,
        uri: &unsigned,
        headers: &headers,
        body: b"",
    };
    let payload = if key.service == "s3" {
        "UNSIGNED-PAYLOAD".to_owned()
    } else {
        sha256_hex(b"")
    };
    authorization.signature = signature(&authorization, request, &payload, &date, key.secret);
    format!("{unsigned}&X-Amz-Signature={}", authorization.signature)
        .parse()
        .ok()
}
