//! A request's body: read within bounds of size, time and memory; and, once its signature is known to be
//! good, freed of the wrappings it was sent in.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use roadstead_protocol::sigv4::{ChunkKey, Chunks, SignatureError, decode_chunks};
use roadstead_protocol::{ApiError, Kind, Location, Operation, ServiceModel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::listener::Limits;

/// Bodies of all connections of a listener together, in KiB.
pub(crate) const MEMORY: usize = 256 * 1024;

/// A body, and its place in memory for as long as it is held.
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

/// Operations whose bodies may be larger than a listener takes otherwise, by service.
/// Source: "Lambda quotas": archives of 50 MB that are uploaded directly, here in base64 and with the rest of a request;
/// events of 6 MB fit anyway.
const LARGE: [(&str, &str); 3] = [
    ("lambda", "CreateFunction"),
    ("lambda", "PublishLayerVersion"),
    ("lambda", "UpdateFunctionCode"),
];
const LARGE_BODY: usize = 70 * 1024 * 1024;

/// The bounds for a request of that operation.
pub(crate) fn limits_of(model: &ServiceModel, operation: &Operation, limits: Limits) -> Limits {
    let large = LARGE.contains(&(model.name, operation.name));
    Limits {
        body: limits.body.max(if large { LARGE_BODY } else { 0 }),
        ..limits
    }
}

/// Reads a body whole.
pub(crate) async fn read(
    parts: &Parts,
    body: Incoming,
    limits: Limits,
    memory: &Arc<Semaphore>,
) -> Result<Held, ApiError> {
    let too_large = || {
        ApiError::new(
            "RequestEntityTooLarge",
            413,
            format!("The body is larger than {} bytes.", limits.body),
        )
    };
    if let Some(expected) = parts.headers.get(http::header::EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(ApiError::new(
            "ExpectationFailed",
            417,
            "Expect can be 100-continue here, and nothing else.",
        ));
    }
    // Nothing of a body that is too large is asked for.
    let least = body.size_hint().lower();
    if least > limits.body as u64 {
        return Err(too_large());
    }
    let most = body.size_hint().upper().unwrap_or(limits.body as u64);
    let kib = most.min(limits.body as u64).div_ceil(1024).min(MEMORY as u64) as u32;
    let place = tokio::time::timeout(limits.read, memory.clone().acquire_many_owned(kib)).await;
    let Ok(Ok(place)) = place else {
        return Err(ApiError::new(
            "ServiceUnavailable",
            503,
            "Too many large requests at once; please try again.",
        ));
    };
    let limited = Limited::new(body, limits.body).collect();
    let bytes = match tokio::time::timeout(limits.read, limited).await {
        Err(_) => {
            return Err(ApiError::new(
                "RequestTimeout",
                408,
                "The body did not arrive in time.",
            ));
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(_)) => {
            return Err(ApiError::client(
                "IncompleteBody",
                "The body ended before its stated length.",
            ));
        }
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    Ok(Held { bytes, _place: place })
}

/// Takes the body out of its chunks, signed or not.
pub(crate) fn unchunk(
    headers: &HeaderMap,
    body: Bytes,
    key: Option<&ChunkKey>,
) -> Result<Bytes, SignatureError> {
    match Chunks::of(headers)? {
        Some(chunks) => decode_chunks(chunks, headers, &body, key).map(Bytes::from),
        None => Ok(body),
    }
}

/// Takes `aws-chunked` out of `Content-Encoding`: it says how the body travelled, not what it is. After the
/// signature has been verified.
pub(crate) fn strip_chunking(headers: &mut HeaderMap) {
    let name = http::header::CONTENT_ENCODING;
    let lines: Result<Vec<&str>, _> = headers.get_all(&name).iter().map(|line| line.to_str()).collect();
    // What cannot be read stays, to be refused.
    let Ok(lines) = lines else { return };
    let rest: Vec<String> = lines
        .into_iter()
        .flat_map(|line| line.split(','))
        .map(|encoding| encoding.trim().to_owned())
        .filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    headers.remove(&name);
    if let Ok(value) = rest.join(",").parse()
        && !rest.is_empty()
    {
        headers.insert(name, value);
    }
}

/// Takes off what `Content-Encoding` says was put on.
pub(crate) fn decompress(headers: &HeaderMap, body: Bytes, limits: Limits) -> Result<Bytes, ApiError> {
    let compressed = encodings(headers)?.iter().any(|encoding| encoding == "gzip");
    if compressed {
        inflate(&body, limits.body)
    } else {
        Ok(body)
    }
}

/// Whether the operation takes `Content-Encoding` for itself: then it describes an object, not the request.
pub(crate) fn keeps_encoding(model: &ServiceModel, operation: &Operation) -> bool {
    let kind = operation.input.map(|shape| &model.shape(shape).kind);
    let Some(Kind::Structure { members, .. }) = kind else {
        return false;
    };
    members.iter().any(|member| {
        member.location == Location::Header && member.wire_name().eq_ignore_ascii_case("content-encoding")
    })
}

/// In the order in which they were applied.
fn encodings(headers: &HeaderMap) -> Result<Vec<String>, ApiError> {
    let mut all = Vec::new();
    for line in headers.get_all(http::header::CONTENT_ENCODING) {
        let line = line.to_str().unwrap_or("?");
        for encoding in line.split(',').map(|part| part.trim().to_ascii_lowercase()) {
            match encoding.as_str() {
                "gzip" | "identity" | "aws-chunked" => all.push(encoding),
                "" => {}
                other => {
                    let shown: String = other.chars().take(32).collect();
                    return Err(ApiError::new(
                        "UnsupportedMediaType",
                        415,
                        format!("Content-Encoding can be gzip here, and not {shown}."),
                    ));
                }
            }
        }
    }
    // Compressed more than once is more often an attack than a client.
    if all.iter().filter(|encoding| *encoding == "gzip").count() > 1 {
        return Err(ApiError::new(
            "UnsupportedMediaType",
            415,
            "The body is compressed more than once.",
        ));
    }
    Ok(all)
}

fn inflate(body: &[u8], most: usize) -> Result<Bytes, ApiError> {
    let mut inflated = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(body).take(most as u64 + 1);
    if reader.read_to_end(&mut inflated).is_err() {
        return Err(ApiError::client(
            "SerializationException",
            "The body is not gzip, as its Content-Encoding says it is.",
        ));
    }
    if inflated.len() > most {
        return Err(ApiError::new(
            "RequestEntityTooLarge",
            413,
            format!("The body is larger than {most} bytes once it is inflated."),
        ));
    }
    Ok(inflated.into())
}
