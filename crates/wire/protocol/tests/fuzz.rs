//! Every parser of this crate, fed with valid messages and with what becomes of them by mutation: no panic, and what
//! is accepted can be written again. `hostile.rs` builds inputs from nothing; this begins inside the formats.

#[path = "support/fuzz.rs"]
mod fuzz;
mod support;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fuzz::Corpus;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use roadstead_base::{Pager, Timestamp};
use roadstead_protocol::rest::Router;
use roadstead_protocol::sigv4::{Authorization, ChunkKey, Chunks, Request, decode_chunks, verify};
use roadstead_protocol::{HttpRequest, Operation, ServiceModel, TimeFormat, cbor, check, codec, xml};
use serde_json::{Value as Json, json};
use support::load;

fn corpus(target: &str) -> Corpus {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/corpus", target]
        .iter()
        .collect();
    Corpus::read(&folder)
}

/// A service of the synthetic model that speaks this protocol.
fn model(protocol: &str, parts: &[&str]) -> &'static ServiceModel {
    let synthetic: Json = serde_json::from_str(include_str!("data/synthetic.json")).expect("JSON");
    let operations: serde_json::Map<String, Json> = parts
        .iter()
        .flat_map(|part| synthetic[part].as_object().cloned().unwrap_or_default())
        .collect();
    load(&json!({
        "metadata": { "protocol": protocol, "jsonVersion": "1.1", "apiVersion": "1", "targetPrefix": "S" },
        "shapes": synthetic["shapes"],
        "operations": operations,
    }))
}

/// The bodies of the official vectors of a protocol.
fn vectors(file: &str, binary: bool) -> Vec<Vec<u8>> {
    let path = format!(
        "{}/tests/data/vectors/input/{file}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let suites: Vec<Json> = serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON");
    suites
        .iter()
        .flat_map(|suite| suite["cases"].as_array().into_iter().flatten())
        .filter_map(|case| case["serialized"]["body"].as_str())
        .map(|body| {
            if binary {
                STANDARD.decode(body).expect("base64")
            } else {
                body.as_bytes().to_vec()
            }
        })
        .collect()
}

fn feed(model: &'static ServiceModel, operation: &'static Operation, request: &HttpRequest<'_>) {
    let codec = codec(model.protocols[0]);
    if let Ok(value) = codec.decode(model, operation, request) {
        if let Some(shape) = operation.input {
            let _ = check(model, shape, &value);
        }
        let _ = codec.encode(model, operation, value, "id");
    }
}

fn bodies(target: &str, protocol: &str, parts: &[&str], file: &str, words: &[&str]) {
    let model = model(protocol, parts);
    let headers = HeaderMap::new();
    let seeds = vectors(file, protocol.ends_with("cbor"));
    let count = corpus(target).with(seeds).words(words).feed(|body| {
        for operation in model.operations {
            let path = operation
                .uri
                .split('?')
                .next()
                .unwrap_or("/")
                .replace(['{', '}', '+'], "");
            let request = HttpRequest {
                method: &Method::POST,
                path: &path,
                query: "mode=full",
                headers: &headers,
                body,
            };
            feed(model, operation, &request);
        }
    });
    assert!(count > 100, "only {count}");
}

const JSON_WORDS: &[&str] = &[
    "{",
    "[",
    "\"part\":{",
    "\"parts\":[",
    "null",
    "\\ud83d",
    "1e400",
    "\"textMap\":{",
];

#[test]
fn json() {
    bodies("json", "json", &["rpc"], "json", JSON_WORDS);
}

#[test]
fn rest_json() {
    bodies("json", "rest-json", &["rest"], "rest-json", JSON_WORDS);
}

#[test]
fn query() {
    let words = [
        "&Action=Everything",
        "&parts.member.1.",
        "inner.inner.",
        "&textMap.entry.1.key=",
        ".99999999999",
        "%F0%9F",
    ];
    bodies("form", "query", &["rpc", "query"], "query", &words);
}

#[test]
fn ec2() {
    let words = [
        "&Action=Listed",
        "&PieceSet.1.",
        "Id.1=",
        ".4294967296",
        "%00",
        "&Version=1",
    ];
    bodies("form", "ec2", &["ec2"], "ec2", &words);
}

#[test]
fn rest_xml() {
    let words = [
        "<parts>",
        "</parts>",
        "<member>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "<!DOCTYPE a [",
        "&#x10ffff;",
        "&lt",
        " xmlns:a='u'",
    ];
    bodies("xml", "rest-xml", &["rest"], "rest-xml", &words);
}

#[test]
fn rpc_v2_cbor() {
    let words = ["\u{7f}", "dpart", "\u{1b}", "eparts", "\u{1}"];
    bodies(
        "cbor",
        "smithy-rpc-v2-cbor",
        &["rpc"],
        "smithy-rpc-v2-cbor",
        &words,
    );
}

#[test]
fn cbor_and_xml_read_what_they_wrote() {
    corpus("cbor")
        .with(vectors("smithy-rpc-v2-cbor", true))
        .feed(|input| {
            if let Ok(item) = cbor::parse(input) {
                let mut written = Vec::new();
                item.write(&mut written);
                let again = cbor::parse(&written).expect("what was written is read");
                assert_eq!(format!("{item:?}"), format!("{again:?}"));
            }
        });
    corpus("xml").with(vectors("rest-xml", false)).feed(|input| {
        let _ = xml::parse(input);
    });
}

/// A request's head: `METHOD path?query`, then headers. Lines that no HTTP parser lets through are left out.
fn head(input: &[u8]) -> Option<(Method, Uri, HeaderMap)> {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.lines();
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut headers = HeaderMap::new();
    for line in lines.take(64) {
        if let Some((name, value)) = line.split_once(':')
            && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
            && let Ok(value) = HeaderValue::from_bytes(value.trim().as_bytes())
        {
            headers.append(name, value);
        }
    }
    Some((method.parse().ok()?, uri.parse().ok()?, headers))
}

#[test]
fn heads() {
    let models = [model("rest-json", &["rest"]), model("rest-xml", &["rest"])];
    let routers = models.map(Router::new);
    let words = [
        "%2F",
        "%ff",
        "/../",
        "//",
        "&tag=",
        "x-meta-a: 1\n",
        "X-At: Mon, 16 Dec 2019 23:48:18 GMT\n",
        "\"a,b\",",
    ];
    corpus("heads").words(&words).feed(|input| {
        let Some((method, uri, headers)) = head(input) else {
            return;
        };
        let query = uri.query().unwrap_or_default();
        for (model, router) in models.iter().zip(&routers) {
            if let Some(operation) = router.find(&method, uri.path(), query, &headers) {
                let request = HttpRequest {
                    method: &method,
                    path: uri.path(),
                    query,
                    headers: &headers,
                    body: b"",
                };
                feed(model, operation, &request);
            }
        }
    });
}

#[test]
fn signatures() {
    const NOW: Timestamp = Timestamp(1_440_938_160_000);
    let words = [
        "Credential=",
        "SignedHeaders=",
        "Signature=",
        "X-Amz-Expires=",
        "AWS4-HMAC-SHA256",
        "/aws4_request",
        ";host",
        "20150830T123600Z",
    ];
    let mut verified = 0;
    corpus("signatures").words(&words).feed(|input| {
        if let Some((method, uri, headers)) = head(input)
            && let Ok(found) = Authorization::find(&headers, &uri)
        {
            let request = Request {
                method: &method,
                uri: &uri,
                headers: &headers,
                body: b"",
            };
            let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
            verified += usize::from(verify(&found, request, secret, NOW).is_ok());
            assert!(verify(&found, request, "another", NOW).is_err());
        }
    });
    assert!(verified > 0, "the seeds are good ones");
}

#[test]
fn chunks() {
    let uri: Uri = "/examplebucket/chunkObject.txt".parse().expect("a URI");
    let words = [
        "0\r\n",
        "\r\n",
        ";chunk-signature=",
        "x-amz-checksum-crc32:",
        "x-amz-trailer-signature:",
        "5\r\nhello\r\n",
    ];
    for kind in [
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
            ),
            ("x-amz-content-sha256", kind),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let authorization = Authorization::find(&headers, &uri).expect("parses");
        let key = ChunkKey::new(&authorization, "secret", "20130524T000000Z");
        let chunks = Chunks::of(&headers).expect("known").expect("chunks");
        corpus("chunks").words(&words).feed(|body| {
            for key in [None, Some(&key)] {
                if let Ok(data) = decode_chunks(chunks, &headers, body, key) {
                    assert_eq!(data.len(), 5, "the length that was stated");
                }
            }
        });
    }
}

#[test]
fn page_tokens() {
    let pager = Pager::new([7; 32]);
    let real = pager.encode("ecs/ListTasks", "task/0123456789abcdef");
    corpus("tokens").with([real.clone().into_bytes()]).feed(|input| {
        let token = String::from_utf8_lossy(input);
        if pager.decode("ecs/ListTasks", &token).is_ok() {
            assert_eq!(token, real, "a token that was not issued");
        }
        assert!(pager.decode("ecs/ListClusters", &token).is_err());
    });
}

#[test]
fn times() {
    let words = ["T", "Z", "+14:00", "GMT", "Mon, ", "Feb", "e9", "."];
    corpus("times").words(&words).feed(|input| {
        if let Some(seconds) = TimeFormat::parse(&String::from_utf8_lossy(input)) {
            for format in [TimeFormat::DateTime, TimeFormat::Epoch, TimeFormat::HttpDate] {
                let _ = format.print(seconds);
            }
        }
    });
}
