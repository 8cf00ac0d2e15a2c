//! Whatever is wrong with a signature, each service says it in codes of its own, and its handler never hears of it.

mod support;

use http::{HeaderMap, HeaderValue, Method, Uri};
use roadstead_dispatch::Trust;
use roadstead_protocol::sigv4::{MAX_SKEW_MS, SigningKey, sign};
use support::services::{CBOR, QUERY, REST_JSON, REST_XML};
use support::{LIMITS, NOW, World, world_of};

/// One call of each service.
struct Sample {
    service: &'static str,
    method: &'static str,
    uri: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const ECS: Sample = Sample {
    service: "ecs",
    method: "POST",
    uri: "/",
    headers: &[
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListTasks"),
    ],
    body: "{}",
};
const EC2: Sample = Sample {
    service: "ec2",
    method: "POST",
    uri: "/",
    headers: &[FORM],
    body: "Action=DescribeVpcs&Version=2016-11-15",
};
const PEOPLE: Sample = Sample {
    service: "people",
    method: "POST",
    uri: "/",
    headers: &[FORM],
    body: "Action=Note&Version=2010-05-08&name=a",
};
const FILES: Sample = Sample {
    service: "s3",
    method: "GET",
    uri: "/notes/a",
    headers: &[],
    body: "",
};
const NOTES: Sample = Sample {
    service: "notes",
    method: "GET",
    uri: "/notes/a",
    headers: &[],
    body: "",
};
const METRICS: Sample = Sample {
    service: "metrics",
    method: "POST",
    uri: "/service/Metrics_2020/operation/Note",
    headers: &[
        ("smithy-protocol", "rpc-v2-cbor"),
        ("content-type", "application/cbor"),
    ],
    body: "\u{7f}",
};

#[derive(Clone, Copy, Debug)]
enum Wrong {
    Nothing,
    /// Dated that many milliseconds from now.
    Date(i64),
    Secret,
    Key,
    Absent,
    Malformed,
    /// Signed for another service.
    Scope,
    /// Another body than the one that was signed.
    Body,
}

impl Sample {
    fn request(&self, wrong: Wrong) -> Vec<u8> {
        let method: Method = self.method.parse().expect("a method");
        let uri: Uri = self.uri.parse().expect("a path");
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("localhost"));
        for (name, value) in self.headers {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        if self.service == "s3" {
            let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
            headers.insert("x-amz-content-sha256", HeaderValue::from_static(digest));
        }
        let key = SigningKey {
            access_key: if matches!(wrong, Wrong::Key) {
                "OTHERKEY"
            } else {
                "RSKEY"
            },
            secret: if matches!(wrong, Wrong::Secret) {
                "guess"
            } else {
                "secret"
            },
            region: "us-east-1",
            service: if matches!(wrong, Wrong::Scope) {
                "other"
            } else {
                self.service
            },
        };
        let at = match wrong {
            Wrong::Date(millis) => NOW.plus_millis(millis),
            _ => NOW,
        };
        // What cannot stand in a string literal: an empty map of CBOR is one byte.
        let mut body = match self.service {
            "metrics" => b"\xa1dnameaa".to_vec(),
            _ => self.body.as_bytes().to_vec(),
        };
        sign(&method, &uri, &mut headers, &body, &key, at);
        match wrong {
            Wrong::Absent => {
                headers.remove("authorization");
            }
            Wrong::Malformed => {
                headers.insert(
                    "authorization",
                    HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=a"),
                );
            }
            Wrong::Body => body.push(b' '),
            _ => {}
        }
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("ASCII")))
            .collect();
        let mut request = format!(
            "{} {} HTTP/1.1\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n",
            self.method,
            self.uri,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        request
    }
}

async fn world() -> World {
    let models = [
        &roadstead_api_ecs::MODEL,
        &roadstead_api_ec2::MODEL,
        &QUERY,
        &REST_JSON,
        &REST_XML,
        &CBOR,
    ];
    world_of(Trust::IssuedOnly, LIMITS, &models).await
}

#[tokio::test]
async fn each_service_says_in_its_own_codes_what_is_wrong() {
    use Wrong::{Absent, Body, Date, Key, Malformed, Scope, Secret};
    let world = world().await;
    let late = Date(-MAX_SKEW_MS - 1000);
    let early = Date(MAX_SKEW_MS + 1000);
    for (sample, cases) in [
        (
            &ECS,
            &[
                (late, 400, "InvalidSignatureException"),
                (early, 400, "InvalidSignatureException"),
                (Secret, 400, "InvalidSignatureException"),
                (Body, 400, "InvalidSignatureException"),
                (Key, 400, "UnrecognizedClientException"),
                (Absent, 400, "MissingAuthenticationTokenException"),
                (Malformed, 400, "IncompleteSignatureException"),
                (Scope, 400, "InvalidSignatureException"),
            ][..],
        ),
        (
            &EC2,
            &[
                (late, 400, "<Code>RequestExpired<"),
                (early, 400, "<Code>RequestExpired<"),
                (Secret, 403, "<Code>SignatureDoesNotMatch<"),
                (Key, 401, "<Code>AuthFailure<"),
                (Absent, 403, "<Code>MissingAuthenticationToken<"),
            ],
        ),
        (
            &PEOPLE,
            &[
                (late, 400, "<Code>RequestExpired<"),
                (Secret, 403, "<Code>SignatureDoesNotMatch<"),
                (Scope, 403, "<Code>SignatureDoesNotMatch<"),
            ],
        ),
        (
            &FILES,
            &[
                (late, 403, "<Code>RequestTimeTooSkewed<"),
                (early, 403, "<Code>RequestTimeTooSkewed<"),
                (Secret, 403, "<Code>SignatureDoesNotMatch<"),
                (Key, 403, "<Code>InvalidAccessKeyId<"),
                (Body, 400, "<Code>XAmzContentSHA256Mismatch<"),
            ],
        ),
        (
            &NOTES,
            &[
                (late, 400, "Signature expired: "),
                (early, 400, "Signature not yet current: "),
                (Secret, 400, "does not match the signature you provided"),
            ],
        ),
        (
            &METRICS,
            &[
                (late, 400, "InvalidSignatureException"),
                (Secret, 403, "InvalidSignatureException"),
            ],
        ),
    ] {
        for (wrong, status, part) in cases {
            let (got, _, body) = world.bytes(&sample.request(*wrong)).await;
            assert_eq!(got, *status, "{} {wrong:?}: {body}", sample.service);
            assert!(body.contains(part), "{} {wrong:?}: {body}", sample.service);
        }
        assert_eq!(world.calls(), 0, "{}: the handler heard of it", sample.service);
        for good in [Wrong::Nothing, Date(-MAX_SKEW_MS), Date(MAX_SKEW_MS)] {
            let (got, _, body) = world.bytes(&sample.request(good)).await;
            assert!(
                (200..300).contains(&got),
                "{} {good:?}: {got} {body}",
                sample.service
            );
        }
        world.seen.lock().expect("no panic holds it").clear();
    }
}

/// A request is worth nothing once its time is over, whoever recorded it; and nothing in it can be changed.
#[tokio::test]
async fn a_recorded_request_ends_with_its_time() {
    let world = world().await;
    // The world's clock stands still: an older recording is the same as a later clock.
    for (age, status) in [(0, 200), (MAX_SKEW_MS, 200), (MAX_SKEW_MS + 1000, 400)] {
        let recorded = ECS.request(Wrong::Date(-age));
        let (got, _, body) = world.bytes(&recorded).await;
        assert_eq!(got, status, "{age}: {body}");
        let text = String::from_utf8(recorded).expect("text");
        for (from, to) in [
            ("ListTasks", "StopTasks"),
            ("us-east-1", "eu-west-1"),
            ("host: localhost", "host: 127.0.0.1"),
            ("x-amz-date: 2027", "x-amz-date: 2028"),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            let (got, _, body) = world.raw(&changed).await;
            assert!((400..500).contains(&got), "{from}: {got} {body}");
        }
    }
}
