//! The text that is signed, and the keys it is signed with.
//! Source: "Create a signed AWS API request" in the IAM user guide.

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::{ALGORITHM, Authorization, Request};

/// The signature over a request whose payload has the given digest, or the word that stands for it.
pub(super) fn signature(
    authorization: &Authorization,
    request: Request<'_>,
    payload: &str,
    date: &str,
    secret: &str,
) -> String {
    let canonical = canonical_request(authorization, request, payload);
    let to_sign = format!(
        "{ALGORITHM}\n{date}\n{}\n{}",
        authorization.scope(),
        sha256_hex(canonical.as_bytes())
    );
    hex::encode(hmac(&signing_key(authorization, secret), to_sign.as_bytes()))
}

/// The key of one day, region and service.
pub(super) fn signing_key(authorization: &Authorization, secret: &str) -> Vec<u8> {
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), authorization.date.as_bytes());
    for part in [
        authorization.region.as_str(),
        authorization.service.as_str(),
        "aws4_request",
    ] {
        key = hmac(&key, part.as_bytes());
    }
    key
}

fn canonical_request(authorization: &Authorization, request: Request<'_>, payload: &str) -> String {
    let path = canonical_path(request.uri.path(), &authorization.service);
    let query = canonical_query(request.uri.query().unwrap_or_default());
    let mut text = format!("{}\n{path}\n{query}\n", request.method);
    for name in &authorization.signed_headers {
        let values: Vec<String> = request
            .headers
            .get_all(name.as_str())
            .iter()
            .map(|value| collapse(&String::from_utf8_lossy(value.as_bytes())))
            .collect();
        text.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    text.push_str(&format!(
        "\n{}\n{payload}",
        authorization.signed_headers.join(";")
    ));
    text
}

/// Every service but S3 normalises the path and encodes it a second time.
fn canonical_path(path: &str, service: &str) -> String {
    if service == "s3" {
        return encode(&decode(path), true);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut normal = format!("/{}", parts.join("/"));
    if path.ends_with('/') && normal.len() > 1 {
        normal.push('/');
    }
    encode(normal.as_bytes(), true)
}

/// Sorted by name and value. The signature itself is no part of what is signed.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&decode(name), false), encode(&decode(value), false))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&")
}

fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

pub(super) fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte as char),
            b'/' if keep_slash => out.push('/'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn collapse(value: &str) -> String {
    value
        .split(' ')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}

pub(super) fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

pub(super) fn sha256_hex(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

pub(super) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normal_and_encoded_twice_but_for_s3() {
        for (path, service, expected) in [
            // A space that came as it is, which the published suite has and no HTTP parser lets through.
            ("/example space/", "service", "/example%20space/"),
            ("/example%20space/", "service", "/example%2520space/"),
            ("/example%20space/", "s3", "/example%20space/"),
            ("//a/./b/../c/", "service", "/a/c/"),
            ("//a/./b/../c/", "s3", "//a/./b/../c/"),
            ("/../..", "service", "/"),
            ("", "service", "/"),
        ] {
            assert_eq!(canonical_path(path, service), expected, "{path} {service}");
        }
    }
}
