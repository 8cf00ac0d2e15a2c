//! Bodies in signed chunks (`aws-chunked`), which clients use when they do not know a body's digest before
//! they send it. Each chunk's signature covers the one before it, the first one the request's own.
//! Source: "Signature calculations for the Authorization header: transferring payload in multiple chunks"
//! and its page on trailing headers, in the S3 API reference.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::canonical::{constant_time_eq, hmac, sha256_hex, signing_key};
use super::{Authorization, SignatureError};
use crate::checksum::crc;

/// Chunks of one body: a client that sends them byte by byte is refused.
const MAX_CHUNKS: usize = 65_536;
const MAX_LINE: usize = 4096;
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What `x-amz-content-sha256` says about a body in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`
    Signed,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`
    SignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`
    UnsignedTrailer,
}

impl Chunks {
    /// # Errors
    /// The body is in chunks of a form that is not known here.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, SignatureError> {
        let stated = headers.get("x-amz-content-sha256");
        let stated = stated.and_then(|value| value.to_str().ok()).unwrap_or_default();
        match stated {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Ok(Some(Self::Signed)),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Ok(Some(Self::SignedTrailer)),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Ok(Some(Self::UnsignedTrailer)),
            other if other.starts_with("STREAMING-") => Err(SignatureError::Malformed(
                "x-amz-content-sha256 names chunks of an unknown kind",
            )),
            _ => Ok(None),
        }
    }

    fn signed(self) -> bool {
        self != Self::UnsignedTrailer
    }
}

/// What chunks are signed with.
#[derive(Clone)]
pub struct ChunkKey {
    key: Vec<u8>,
    scope: String,
    date: String,
    seed: String,
}

impl ChunkKey {
    /// For a request whose own signature has been verified.
    pub fn new(authorization: &Authorization, secret: &str, date: &str) -> Self {
        Self {
            key: signing_key(authorization, secret),
            scope: authorization.scope(),
            date: date.to_owned(),
            seed: authorization.signature.clone(),
        }
    }

    /// The signature of a chunk after one with the signature `before`.
    pub fn chunk(&self, before: &str, data: &[u8]) -> String {
        self.sign("PAYLOAD", &format!("{before}\n{EMPTY}\n{}", sha256_hex(data)))
    }

    /// The signature of the trailing headers, `name:value` and a line feed each.
    pub fn trailer(&self, before: &str, lines: &str) -> String {
        self.sign("TRAILER", &format!("{before}\n{}", sha256_hex(lines.as_bytes())))
    }

    fn sign(&self, what: &str, rest: &str) -> String {
        let text = format!("AWS4-HMAC-SHA256-{what}\n{}\n{}\n{rest}", self.date, self.scope);
        hex::encode(hmac(&self.key, text.as_bytes()))
    }
}

/// Takes the chunks apart: the data they carry. Signatures are verified where a key is given; lengths and
/// checksums in trailers always.
///
/// # Errors
/// The framing is broken, a signature or a checksum does not match, or a trailer is not known.
pub fn decode(
    chunks: Chunks,
    headers: &HeaderMap,
    body: &[u8],
    key: Option<&ChunkKey>,
) -> Result<Vec<u8>, SignatureError> {
    let mut reader = Reader { body, at: 0 };
    let mut data = Vec::with_capacity(body.len());
    let mut before = key.map(|key| key.seed.clone()).unwrap_or_default();
    for _ in 0..MAX_CHUNKS {
        let (length, stated) = reader.chunk_head()?;
        let range = reader.take(length)?;
        let chunk = &body[range];
        if let Some(key) = key.filter(|_| chunks.signed()) {
            let expected = key.chunk(&before, chunk);
            if !constant_time_eq(expected.as_bytes(), stated.unwrap_or_default().as_bytes()) {
                return Err(SignatureError::Mismatch);
            }
            before = expected;
        }
        if length > 0 {
            data.extend_from_slice(chunk);
            reader.line_end()?;
            continue;
        }
        trailers(
            chunks,
            &mut reader,
            headers,
            &data,
            key.map(|key| (key, before.as_str())),
        )?;
        let stated = headers.get("x-amz-decoded-content-length");
        let stated = stated.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        return match stated {
            Some(length) if length == data.len() => Ok(data),
            Some(_) => Err(SignatureError::Body),
            None => Err(SignatureError::Malformed(
                "a body in chunks needs X-Amz-Decoded-Content-Length",
            )),
        };
    }
    Err(SignatureError::Malformed("the body has more than 65536 chunks"))
}

const BROKEN: SignatureError = SignatureError::Malformed("the chunks of the body are broken");

struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<Range<usize>, SignatureError> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.body.len())
            .ok_or(BROKEN)?;
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    fn line_end(&mut self) -> Result<(), SignatureError> {
        let range = self.take(2)?;
        if &self.body[range] == b"\r\n" {
            Ok(())
        } else {
            Err(BROKEN)
        }
    }

    /// Up to the next line end, which is passed over.
    fn line(&mut self) -> Result<&'a str, SignatureError> {
        let rest = &self.body[self.at..];
        let end = rest
            .windows(2)
            .take(MAX_LINE)
            .position(|pair| pair == b"\r\n")
            .ok_or(BROKEN)?;
        self.at += end + 2;
        std::str::from_utf8(&rest[..end]).map_err(|_| BROKEN)
    }

    /// `hex-length[;chunk-signature=hex]`
    fn chunk_head(&mut self) -> Result<(usize, Option<&'a str>), SignatureError> {
        let line = self.line()?;
        let (length, extension) = line.split_once(';').map_or((line, None), |(l, e)| (l, Some(e)));
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_hexdigit());
        let length = usize::from_str_radix(length, 16)
            .ok()
            .filter(|_| digits)
            .ok_or(BROKEN)?;
        let signature = match extension {
            Some(extension) => Some(extension.strip_prefix("chunk-signature=").ok_or(BROKEN)?),
            None => None,
        };
        Ok((length, signature))
    }
}

/// What stands after the last chunk: checksums that `x-amz-trailer` announced, and their signature.
fn trailers(
    chunks: Chunks,
    reader: &mut Reader<'_>,
    headers: &HeaderMap,
    data: &[u8],
    key: Option<(&ChunkKey, &str)>,
) -> Result<(), SignatureError> {
    if chunks == Chunks::Signed {
        reader.line_end()?;
        return if reader.at == reader.body.len() {
            Ok(())
        } else {
            Err(BROKEN)
        };
    }
    let announced = headers
        .get("x-amz-trailer")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut announced: Vec<String> = announced
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    let (mut signed, mut signature) = (String::new(), None);
    while reader.at < reader.body.len() {
        let line = reader.line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(BROKEN)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "x-amz-trailer-signature" {
            signature = Some(value.to_owned());
            continue;
        }
        let Some(at) = announced.iter().position(|known| *known == name) else {
            return Err(SignatureError::Malformed(
                "a trailer was not announced in X-Amz-Trailer",
            ));
        };
        announced.swap_remove(at);
        checksum(&name, value, data)?;
        signed.push_str(&format!("{name}:{value}\n"));
    }
    if reader.at != reader.body.len() {
        return Err(BROKEN);
    }
    if !announced.is_empty() {
        return Err(SignatureError::Malformed(
            "a trailer that X-Amz-Trailer announced is missing",
        ));
    }
    if let Some((key, before)) = key.filter(|_| chunks.signed()) {
        let expected = key.trailer(before, &signed);
        let stated = signature.unwrap_or_default();
        if !constant_time_eq(expected.as_bytes(), stated.as_bytes()) {
            return Err(SignatureError::Mismatch);
        }
    }
    Ok(())
}

fn checksum(name: &str, value: &str, data: &[u8]) -> Result<(), SignatureError> {
    let actual = match name {
        "x-amz-checksum-crc32" => crc::crc32(data).to_be_bytes().to_vec(),
        "x-amz-checksum-crc32c" => crc::crc32c(data).to_be_bytes().to_vec(),
        "x-amz-checksum-crc64nvme" => crc::crc64nvme(data).to_be_bytes().to_vec(),
        "x-amz-checksum-sha256" => Sha256::digest(data).to_vec(),
        _ => {
            return Err(SignatureError::Malformed(
                "the trailer is no checksum that is known here (crc32, crc32c, crc64nvme, sha256)",
            ));
        }
    };
    if STANDARD.encode(actual) == value {
        Ok(())
    } else {
        Err(SignatureError::Body)
    }
}
