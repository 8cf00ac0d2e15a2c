//! Services that once spoke the query protocol: whatever a client speaks to them, it learns an error by the code of
//! the query protocol, and by the name that protocols without such codes give it.

mod support;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use roadstead_base::{AccountId, Caller, RoleSession, Timestamp, User};
use roadstead_dispatch::{
    Asked, Authority, Because, Denial, IssuedKey, KeyError, RoleError, ServiceAssumes, SessionKeys, Trust,
};
use roadstead_protocol::sigv4::{SigningKey, sign};
use support::services::CBOR;
use support::{LIMITS, NOW, world_of};

/// Knows one key, which may do nothing, and one that ended; not the platform's own.
struct Nobody;

impl Authority for Nobody {
    fn find(&self, access_key: &str, _token: Option<&str>) -> Result<Option<IssuedKey>, KeyError> {
        let ann = User {
            arn: "arn:aws:iam::000000000000:user/ann".into(),
            name: "ann".into(),
            id: "AIDA".into(),
        };
        match access_key {
            "AKANN" => Ok(Some(IssuedKey {
                secret: "secret".into(),
                account: "000000000000".parse().expect("an account"),
                caller: Caller::User(Arc::new(ann)),
            })),
            "ASIAOLD" => Err(KeyError::Expired),
            "RSKEY" => Ok(None),
            _ => Err(KeyError::Invalid),
        }
    }

    fn account_of(&self, _access_key: &str) -> Option<AccountId> {
        None
    }

    fn decide(&self, asked: Asked<'_>) -> Result<(), Denial> {
        Err(Denial {
            caller: asked.ctx.caller.arn(&asked.ctx.account),
            action: asked.action.to_owned(),
            resource: asked.resource.to_owned(),
            because: Because::NoIdentityPolicy,
        })
    }

    fn assume(&self, assumes: ServiceAssumes<'_>) -> Result<Arc<RoleSession>, RoleError> {
        Err(RoleError::NoSuchRole(assumes.role_arn.to_owned()))
    }

    fn issue(&self, _: &Caller, _: &AccountId, _: Timestamp) -> SessionKeys {
        unreachable!("nobody is given keys")
    }
}

/// A call in one of the protocols: where to, its headers, its body.
type Sample = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [u8],
);

/// The same call in several protocols, whose key and secret sign it; what comes of it: status, query code, name.
type Case<'a> = (&'a [Sample], &'a str, &'a str, u16, &'a str, &'a str);

const JSON_TYPE: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
const CBOR_TYPE: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");
const FORM_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

const JSON: Sample = (
    "/",
    &[JSON_TYPE, ("x-amz-target", "Metrics_2020.Note")],
    b"{\"name\":\"a\"}",
);
const AS_CBOR: Sample = (
    "/service/Metrics_2020/operation/Note",
    &[CBOR_TYPE],
    b"\xa1dnameaa",
);
const FORM: Sample = ("/", &[FORM_TYPE], b"Action=Note&Version=2020-01-01&name=a");

fn request((uri, named, body): Sample, access_key: &str, secret: &str) -> Vec<u8> {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost"));
    for (name, value) in named {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let key = SigningKey {
        access_key,
        secret,
        region: "us-east-1",
        service: "metrics",
    };
    let path: Uri = uri.parse().expect("a path");
    if !access_key.is_empty() {
        sign(&Method::POST, &path, &mut headers, body, &key, NOW);
    }
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("ASCII")))
        .collect();
    let length = body.len();
    let mut request =
        format!("POST {uri} HTTP/1.1\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n")
            .into_bytes();
    request.extend_from_slice(body);
    request
}

#[tokio::test]
async fn an_error_has_its_query_code_in_every_protocol() {
    let world = world_of(Trust::IssuedOnly, LIMITS, &[&CBOR]).await;
    world.dispatcher.set_authority(Arc::new(Nobody));
    let no_such = (
        "/",
        &[JSON_TYPE, ("x-amz-target", "Metrics_2020.Nope")][..],
        &b"{}"[..],
    );
    let no_such_form = ("/", &[FORM_TYPE][..], &b"Action=Nope&Version=2020-01-01"[..]);
    let invalid = (JSON.0, JSON.1, &b"{}"[..]);
    let invalid_form = (FORM.0, FORM.1, &b"Action=Note&Version=2020-01-01"[..]);
    let cases: [Case<'_>; 6] = [
        (
            &[JSON, AS_CBOR, FORM],
            "AKANN",
            "secret",
            403,
            "AccessDenied",
            "AccessDeniedException",
        ),
        (
            &[JSON, AS_CBOR, FORM],
            "ASIAOLD",
            "secret",
            403,
            "ExpiredToken",
            "ExpiredTokenException",
        ),
        (
            &[JSON, AS_CBOR, FORM],
            "AKOTHER",
            "secret",
            403,
            "InvalidClientTokenId",
            "UnrecognizedClientException",
        ),
        (
            &[JSON, AS_CBOR, FORM],
            "AKANN",
            "guess",
            403,
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
        ),
        (
            &[no_such, no_such_form],
            "AKANN",
            "secret",
            400,
            "InvalidAction",
            "UnknownOperationException",
        ),
        (
            &[invalid, invalid_form],
            "RSKEY",
            "secret",
            400,
            "ValidationError",
            "ValidationException",
        ),
    ];
    for (samples, key, secret, status, query_code, name) in cases {
        for sample in samples {
            let (got, head, body) = world.bytes(&request(*sample, key, secret)).await;
            assert_eq!(got, status, "{sample:?}: {head} {body}");
            let form = sample.1 == [FORM_TYPE];
            let header = format!("x-amzn-query-error: {};sender\r\n", query_code.to_lowercase());
            assert_eq!(head.contains(&header), !form, "{query_code} {sample:?}: {head}");
            let part = match form {
                true => format!("<Code>{query_code}</Code>"),
                false => name.to_owned(),
            };
            assert!(body.contains(&part), "{sample:?}: {body}");
        }
    }
    assert_eq!(world.calls(), 0, "none of them reached the service");
}
