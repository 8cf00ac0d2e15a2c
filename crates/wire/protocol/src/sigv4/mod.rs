//! AWS Signature Version 4, both sides: servers verify, the node agent signs. In the header, in the query
//! string (presigned), and for bodies in chunks.
//! Source: "Signature Version 4 signing process" in the IAM user guide.

mod canonical;
mod chunked;
mod presigned;

use http::{HeaderMap, Method, Uri};
use roadstead_base::Timestamp;

use canonical::{constant_time_eq, sha256_hex, signature};
pub use chunked::{ChunkKey, Chunks, decode as decode_chunks};
pub use presigned::{MAX_EXPIRES, presign};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's date may be from ours, in milliseconds: fifteen minutes, as each service's page of common
/// errors says. It bounds for how long a signature in a header can be replayed.
pub const MAX_SKEW_MS: i64 = 15 * 60 * 1000;

/// The parts of an `Authorization` header, or of a presigned query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub access_key: String,
    /// `YYYYMMDD`
    pub date: String,
    pub region: String,
    pub service: String,
    /// Lower case, in the order of the header.
    pub signed_headers: Vec<String>,
    pub signature: String,
    /// Of a presigned query: `YYYYMMDDTHHMMSSZ`, and for how many seconds from then it is good.
    pub presigned: Option<(String, u32)>,
}

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the request has no Authorization header")]
    Absent,
    #[error("the request's signature is malformed: {0}")]
    Malformed(&'static str),
    #[error(
        "Signature {}: {date} is now {} than {bound} ({now} {} 15 min.)",
        if *late { "expired" } else { "not yet current" },
        if *late { "earlier" } else { "later" },
        if *late { '-' } else { '+' }
    )]
    Skewed {
        date: String,
        now: String,
        /// The furthest date that would have done.
        bound: String,
        late: bool,
    },
    #[error("Request has expired: it was good for {seconds} seconds from {date}")]
    Expired { date: String, seconds: u32 },
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method."
    )]
    Mismatch,
    #[error("the body does not have the digest that was signed")]
    Body,
}

impl Authorization {
    /// # Errors
    /// The header is absent or not of Signature Version 4.
    pub fn parse(headers: &HeaderMap) -> Result<Self, SignatureError> {
        let header = headers
            .get(http::header::AUTHORIZATION)
            .ok_or(SignatureError::Absent)?;
        let text = header
            .to_str()
            .map_err(|_| SignatureError::Malformed("it is not ASCII"))?;
        let rest = text
            .strip_prefix(ALGORITHM)
            .ok_or(SignatureError::Malformed("its algorithm is not AWS4-HMAC-SHA256"))?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => return Err(SignatureError::Malformed("it has a part that is not known")),
            }
        }
        let credential = credential.ok_or(SignatureError::Malformed("it has no Credential"))?;
        let signed = signed.ok_or(SignatureError::Malformed("it has no SignedHeaders"))?;
        let signature = signature.ok_or(SignatureError::Malformed("it has no Signature"))?;
        Self::assemble(credential, signed, signature)
    }

    /// From the header, or else from the query string of a presigned request.
    ///
    /// # Errors
    /// Neither is there, both are, or what is there is malformed.
    pub fn find(headers: &HeaderMap, uri: &Uri) -> Result<Self, SignatureError> {
        let presigned = presigned::parse(uri.query().unwrap_or_default())?;
        match (presigned, headers.contains_key(http::header::AUTHORIZATION)) {
            (Some(_), true) => Err(SignatureError::Malformed(
                "it is signed both in a header and in the query string",
            )),
            (Some(presigned), false) => Ok(presigned),
            (None, _) => Self::parse(headers),
        }
    }

    fn assemble(credential: &str, signed: &str, signature: &str) -> Result<Self, SignatureError> {
        let mut scope = credential.rsplitn(5, '/');
        let (Some("aws4_request"), Some(service), Some(region), Some(date), Some(access_key)) = (
            scope.next(),
            scope.next(),
            scope.next(),
            scope.next(),
            scope.next(),
        ) else {
            return Err(SignatureError::Malformed(
                "its Credential is not key/date/region/service/aws4_request",
            ));
        };
        if access_key.is_empty() {
            return Err(SignatureError::Malformed("its access key is empty"));
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed.split(';').map(str::to_ascii_lowercase).collect(),
            signature: signature.to_owned(),
            presigned: None,
        })
    }

    /// The date that is signed: of the query string, or of `X-Amz-Date` or `Date`.
    ///
    /// # Errors
    /// There is none.
    pub fn signed_at(&self, headers: &HeaderMap) -> Result<String, SignatureError> {
        match &self.presigned {
            Some((date, _)) => Ok(date.clone()),
            None => amz_date(headers),
        }
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// What was signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Checks a request against the secret of its access key.
///
/// # Errors
/// [`SignatureError`]: the date is too far from `now`, the host or date is not signed, or it does not match.
pub fn verify(
    authorization: &Authorization,
    request: Request<'_>,
    secret: &str,
    now: Timestamp,
) -> Result<(), SignatureError> {
    let date = authorization.signed_at(request.headers)?;
    if authorization.date.len() != 8 || !date.starts_with(&authorization.date) {
        return Err(SignatureError::Malformed(
            "its Credential has another date than the request",
        ));
    }
    let signed_at =
        parse_amz_date(&date).ok_or(SignatureError::Malformed("its date is not YYYYMMDDTHHMMSSZ"))?;
    in_time(authorization, signed_at, &date, now)?;
    if !authorization.signed_headers.iter().any(|name| name == "host") {
        return Err(SignatureError::Malformed("the host is not signed"));
    }
    let unsigned = |name: &http::HeaderName| {
        // The token may be added after signing; whoever issued it knows it anyway.
        name.as_str().starts_with("x-amz-")
            && name != "x-amz-security-token"
            && !authorization.signed_headers.iter().any(|n| n == name.as_str())
    };
    if request.headers.keys().any(unsigned) {
        return Err(SignatureError::Malformed("an X-Amz- header is not signed"));
    }
    let payload = payload_digest(authorization, request)?;
    let expected = signature(authorization, request, &payload, &date, secret);
    if constant_time_eq(expected.as_bytes(), authorization.signature.as_bytes()) {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}

/// A signature in a header is good around its date, which also bounds how long it can be replayed; one in a
/// query string as long as it says.
fn in_time(
    authorization: &Authorization,
    signed_at: Timestamp,
    date: &str,
    now: Timestamp,
) -> Result<(), SignatureError> {
    let age = now.0.saturating_sub(signed_at.0);
    let skewed = |late: bool| SignatureError::Skewed {
        date: date.to_owned(),
        now: format_amz_date(now),
        bound: format_amz_date(now.plus_millis(if late { -MAX_SKEW_MS } else { MAX_SKEW_MS })),
        late,
    };
    match authorization.presigned {
        Some((_, seconds)) if age > i64::from(seconds) * 1000 => Err(SignatureError::Expired {
            date: date.to_owned(),
            seconds,
        }),
        None if age > MAX_SKEW_MS => Err(skewed(true)),
        _ if age < -MAX_SKEW_MS => Err(skewed(false)),
        _ => Ok(()),
    }
}

/// What signs a request.
#[derive(Clone, Debug)]
pub struct SigningKey<'a> {
    pub access_key: &'a str,
    pub secret: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

/// Adds `X-Amz-Date` and `Authorization` to a request whose `Host` is set. What `X-Amz-Content-Sha256` says
/// is signed as it is.
pub fn sign(
    method: &Method,
    uri: &Uri,
    headers: &mut HeaderMap,
    body: &[u8],
    key: &SigningKey<'_>,
    now: Timestamp,
) {
    let date = format_amz_date(now);
    if let Ok(value) = http::HeaderValue::from_str(&date) {
        headers.insert("x-amz-date", value);
    }
    let mut signed: Vec<String> = headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .filter(|name| signable(name))
        .collect();
    signed.sort();
    let mut authorization = Authorization {
        access_key: key.access_key.to_owned(),
        date: date[..8].to_owned(),
        region: key.region.to_owned(),
        service: key.service.to_owned(),
        signed_headers: signed,
        signature: String::new(),
        presigned: None,
    };
    let request = Request {
        method,
        uri,
        headers,
        body,
    };
    // A word, where the body is signed in chunks or not at all.
    let stated = headers
        .get("x-amz-content-sha256")
        .and_then(|value| value.to_str().ok());
    let payload = stated.map_or_else(|| sha256_hex(body), str::to_owned);
    authorization.signature = signature(&authorization, request, &payload, &date, key.secret);
    let text = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={}",
        authorization.access_key,
        authorization.scope(),
        authorization.signed_headers.join(";"),
        authorization.signature
    );
    if let Ok(value) = http::HeaderValue::from_str(&text) {
        headers.insert(http::header::AUTHORIZATION, value);
    }
}

fn signable(name: &str) -> bool {
    name == "host" || name == "content-type" || name.starts_with("x-amz-")
}

fn amz_date(headers: &HeaderMap) -> Result<String, SignatureError> {
    headers
        .get("x-amz-date")
        .or_else(|| headers.get(http::header::DATE))
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
        .ok_or(SignatureError::Malformed("the request has no X-Amz-Date"))
}

/// The digest that is signed, or the word that stands for it.
fn payload_digest(authorization: &Authorization, request: Request<'_>) -> Result<String, SignatureError> {
    let stated = request.headers.get("x-amz-content-sha256");
    if Chunks::of(request.headers)?.is_some() {
        // The chunks have signatures of their own.
        let word = stated.and_then(|value| value.to_str().ok()).unwrap_or_default();
        return Ok(word.to_owned());
    }
    let actual = sha256_hex(request.body);
    match stated.and_then(|value| value.to_str().ok()) {
        // A presigned request of S3 is made before its body is known.
        None if authorization.presigned.is_some() && authorization.service == "s3" => {
            Ok("UNSIGNED-PAYLOAD".to_owned())
        }
        None => Ok(actual),
        Some("UNSIGNED-PAYLOAD") => Ok("UNSIGNED-PAYLOAD".to_owned()),
        Some(stated) if stated == actual => Ok(actual),
        Some(_) => Err(SignatureError::Body),
    }
}

/// `20260102T030405Z`
pub fn format_amz_date(at: Timestamp) -> String {
    at.to_rfc3339()
        .split('.')
        .next()
        .unwrap_or_default()
        .replace(['-', ':'], "")
        + "Z"
}

fn parse_amz_date(text: &str) -> Option<Timestamp> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let (d, t) = (&text[..8], &text[9..15]);
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        &d[..4],
        &d[4..6],
        &d[6..],
        &t[..2],
        &t[2..4],
        &t[4..]
    )
    .parse::<jiff::Timestamp>()
    .ok()
    .map(|time| Timestamp(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_440_938_160_000); // 20150830T123600Z
    const KEY: SigningKey<'_> = SigningKey {
        access_key: "AKIDEXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region: "us-east-1",
        service: "service",
    };

    fn signed(uri: &str) -> (Uri, HeaderMap) {
        let uri: Uri = uri.parse().expect("a URI");
        let mut headers = HeaderMap::new();
        headers.insert("host", "example.amazonaws.com".parse().expect("a header"));
        sign(&Method::GET, &uri, &mut headers, b"", &KEY, NOW);
        (uri, headers)
    }

    /// Signatures that AWS's published test suite states for these requests (get-vanilla and
    /// get-vanilla-query-order-key-case).
    #[test]
    fn signs_as_the_published_suite() {
        for (uri, signature) in [
            (
                "/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            let (_, headers) = signed(uri);
            assert_eq!(
                Authorization::parse(&headers).expect("parses").signature,
                signature,
                "{uri}"
            );
        }
    }

    #[test]
    fn verifies_what_it_signed_and_nothing_else() {
        let (uri, headers) = signed("/a%20b?x=1");
        let authorization = Authorization::parse(&headers).expect("parses");
        let request = Request {
            method: &Method::GET,
            uri: &uri,
            headers: &headers,
            body: b"",
        };
        assert_eq!(verify(&authorization, request, KEY.secret, NOW), Ok(()));
        assert_eq!(
            verify(&authorization, request, "other", NOW),
            Err(SignatureError::Mismatch)
        );
        let other = Request {
            body: b"changed",
            ..request
        };
        assert_eq!(
            verify(&authorization, other, KEY.secret, NOW),
            Err(SignatureError::Mismatch)
        );
        let at = |millis: i64| verify(&authorization, request, KEY.secret, NOW.plus_millis(millis));
        assert_eq!(at(MAX_SKEW_MS), Ok(()));
        assert_eq!(at(-MAX_SKEW_MS), Ok(()));
        let late = at(MAX_SKEW_MS + 1).expect_err("too late").to_string();
        assert_eq!(
            late,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123600Z (20150830T125100Z - 15 min.)"
        );
        let early = at(-MAX_SKEW_MS - 1).expect_err("too early").to_string();
        assert!(
            early.starts_with("Signature not yet current: 20150830T123600Z is now later than "),
            "{early}"
        );
    }

    #[test]
    fn refuses_malformed_headers() {
        for text in [
            "",
            "Basic x",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().expect("a header"));
            assert!(Authorization::parse(&headers).is_err(), "{text}");
        }
    }
}
