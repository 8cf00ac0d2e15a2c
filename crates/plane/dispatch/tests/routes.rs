//! Every protocol through the gate: a service of our own making that speaks them all, and signatures in every
//! place where they can stand.

mod support;

use http::{HeaderMap, HeaderValue, Method, Uri};
use roadstead_base::Caller;
use roadstead_dispatch::Trust;
use roadstead_protocol::Value;
use roadstead_protocol::cbor::Item;
use roadstead_protocol::sigv4::{Authorization, ChunkKey, SigningKey, presign, sign};
use support::services::{CBOR, QUERY, REST_JSON, REST_XML};
use support::{LIMITS, NOW, World, world_of};

async fn world(trust: Trust) -> World {
    world_of(trust, LIMITS, &[&REST_JSON, &REST_XML, &CBOR]).await
}

fn stranger(service: &str) -> String {
    format!(
        "Host: localhost\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AK/20270115/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00\r\n"
    )
}

fn seen(world: &World) -> (String, Value) {
    let (operation, _, input) = world
        .seen
        .lock()
        .expect("no panic holds it")
        .pop()
        .expect("a call");
    (operation, input)
}

#[tokio::test]
async fn rest_requests_find_their_operation_by_method_and_path() {
    let world = world(Trust::UnknownIsRoot).await;
    let body = r#"{"note":"n"}"#;
    let (status, _, answer) = world
        .raw(&format!(
            "POST /notes/a%20b HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{body}",
            stranger("notes"),
            body.len()
        ))
        .await;
    assert_eq!((status, answer.as_str()), (201, "{}"));
    let (operation, input) = seen(&world);
    assert_eq!(operation, "Note");
    assert_eq!(input.get("name"), Some(&Value::Str("a b".into())));
    assert_eq!(input.get("note"), Some(&Value::Str("n".into())));
    for (line, status) in [
        ("GET /notes/x", 200),
        ("GET /notes/x?unknown=1", 400),
        ("DELETE /notes/x", 404),
        ("GET /other", 404),
        ("GET /notes/%ff", 404),
    ] {
        let (got, head, body) = world
            .raw(&format!("{line} HTTP/1.1\r\n{}\r\n", stranger("notes")))
            .await;
        assert_eq!(got, status, "{line}: {body}");
        assert_eq!(
            head.contains("x-amzn-errortype: "),
            status != 200,
            "{line}: {head}"
        );
    }
    let (status, head, body) = world
        .raw(&format!(
            "PUT /files/a HTTP/1.1\r\n{}X-Amz-Content-Sha256: STREAMING-X\r\nContent-Length: 0\r\n\r\n",
            stranger("s3")
        ))
        .await;
    assert_eq!(status, 400);
    assert!(head.contains("x-amz-request-id: "), "{head}");
    assert!(body.contains("<Error><Code>"), "{body}");
}

#[tokio::test]
async fn cbor_json_and_forms_reach_the_same_operation() {
    let world = world(Trust::UnknownIsRoot).await;
    let mut item = Vec::new();
    Item::Map(vec![("name".into(), Item::Text("c".into()))]).write(&mut item);
    let cbor = |path: &str, body: &[u8]| {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\n{}smithy-protocol: rpc-v2-cbor\r\nContent-Type: application/cbor\r\nContent-Length: {}\r\n\r\n",
            stranger("metrics"),
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    };
    let (status, head, _) = world
        .bytes(&cbor("/service/Metrics_2020/operation/Note", &item))
        .await;
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("smithy-protocol: rpc-v2-cbor"), "{head}");
    assert_eq!(seen(&world).1.get("name"), Some(&Value::Str("c".into())));
    for (path, body, status) in [
        ("/service/Metrics_2020/operation/Nope", &item[..], 400),
        ("/service/Metrics_2020/operation/Later", &item, 501),
        ("/service/Other/operation/Note", &item, 404),
        ("/service/Metrics_2020/operation/Note", b"\xff", 400),
        ("/service/Metrics_2020/operation/Note", b"\xa0", 400),
    ] {
        let (got, head, _) = world.bytes(&cbor(path, body)).await;
        assert_eq!(got, status, "{path} {body:?}: {head}");
    }
    let (_, _, answer) = world
        .bytes(&cbor("/service/Metrics_2020/operation/Note", b"\xa0"))
        .await;
    assert!(
        answer.contains("f__types") && answer.contains("gmessage"),
        "the error is CBOR too: {answer:?}"
    );

    let body = r#"{"name":"j"}"#;
    let (status, head, _) = world
        .raw(&format!(
            "POST / HTTP/1.1\r\n{}Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: Metrics_2020.Note\r\nContent-Length: {}\r\n\r\n{body}",
            stranger("metrics"),
            body.len()
        ))
        .await;
    assert_eq!(status, 200);
    assert!(head.contains("application/x-amz-json-1.0"), "{head}");
    assert_eq!(seen(&world).1.get("name"), Some(&Value::Str("j".into())));

    for (form, status, part) in [
        ("Action=Note&Version=2020-01-01&name=q", 200, "<NoteResult>"),
        (
            "Action=Note&Version=2020-01-01",
            400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>",
        ),
        ("Action=Nope&Version=2020-01-01", 400, "<Type>Sender</Type>"),
    ] {
        let (got, _, answer) = world
            .raw(&format!(
                "POST / HTTP/1.1\r\n{}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                stranger("metrics"),
                form.len()
            ))
            .await;
        assert_eq!(got, status, "{form}: {answer}");
        assert!(answer.contains(part), "{form}: {answer}");
    }
}

const KEY: SigningKey<'_> = SigningKey {
    access_key: "RSKEY",
    secret: "secret",
    region: "us-east-1",
    service: "s3",
};

#[tokio::test]
async fn presigned_requests_are_let_in_where_strangers_are_not() {
    let world = world(Trust::IssuedOnly).await;
    let path: Uri = "/files/a/b".parse().expect("a path");
    let signed = presign(&Method::PUT, &path, "localhost", &KEY, NOW, 60).expect("signs");
    let put = |uri: &str| {
        format!("PUT {uri} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndata")
    };
    let (status, _, body) = world.raw(&put(&signed.to_string())).await;
    assert_eq!(status, 200, "{body}");
    let (operation, ctx, input) = world
        .seen
        .lock()
        .expect("no panic holds it")
        .pop()
        .expect("a call");
    assert_eq!((operation.as_str(), ctx.caller), ("Upload", Caller::Node));
    assert_eq!(input.get("data"), Some(&Value::Blob(b"data".to_vec())));
    assert_eq!(input.get("name"), Some(&Value::Str("a/b".into())));

    let late = presign(
        &Method::PUT,
        &path,
        "localhost",
        &KEY,
        NOW.plus_millis(-61_000),
        60,
    )
    .expect("signs");
    let other = signed.to_string().replace("/files/a/b", "/files/a/c");
    let unknown = signed.to_string().replace("RSKEY", "OTHER");
    for (uri, code) in [
        (
            late.to_string(),
            "<Code>AccessDenied</Code><Message>Request has expired",
        ),
        (other, "<Code>SignatureDoesNotMatch</Code>"),
        (unknown, "<Code>InvalidAccessKeyId</Code>"),
    ] {
        let (status, _, body) = world.raw(&put(&uri)).await;
        assert_eq!(status, 403, "{uri}: {body}");
        assert!(body.contains(code), "{uri}: {body}");
    }
    assert_eq!(world.calls(), 0);
}

/// An upload in signed chunks, as clients send it.
fn chunked(data: &[u8], spoil: bool) -> Vec<u8> {
    let uri: Uri = "/files/chunked".parse().expect("a path");
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "localhost"),
        ("content-encoding", "gzip,aws-chunked"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("x-amz-decoded-content-length", data.len().into());
    sign(&Method::PUT, &uri, &mut headers, b"", &KEY, NOW);
    let authorization = Authorization::parse(&headers).expect("signed");
    let date = authorization.signed_at(&headers).expect("dated");
    let key = ChunkKey::new(&authorization, KEY.secret, &date);
    let mut body = Vec::new();
    let mut before = authorization.signature.clone();
    for chunk in data.chunks(1000).chain([&b""[..]]) {
        before = key.chunk(&before, chunk);
        body.extend_from_slice(format!("{:x};chunk-signature={before}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    if spoil && let Some(byte) = body.get_mut(500) {
        *byte ^= 1;
    }
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("ASCII")))
        .collect();
    let mut request = format!(
        "PUT /files/chunked HTTP/1.1\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    request
}

#[tokio::test]
async fn bodies_in_chunks_arrive_whole_or_not_at_all() {
    let world = world(Trust::IssuedOnly).await;
    let data: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
    let request = chunked(&data, false);
    let (status, _, body) = world.bytes(&request).await;
    assert_eq!(status, 200, "{body}");
    let (status, _, body) = world.bytes(&chunked(&data, true)).await;
    assert!((400..500).contains(&status), "{status} {body}");
    let (_, input) = seen(&world);
    assert_eq!(input.get("data"), Some(&Value::Blob(data)));
    assert_eq!(
        input.get("encoding"),
        Some(&Value::Str("gzip".into())),
        "what chunks are sent in is no member"
    );
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn deep_bodies_are_refused_in_the_form_of_the_protocol() {
    let world = world_of(
        Trust::UnknownIsRoot,
        LIMITS,
        &[&REST_JSON, &REST_XML, &CBOR, &QUERY],
    )
    .await;
    let form = format!("Action=Note&Version=2010-05-08&name{}=x", ".1".repeat(15_000));
    let json = format!("{{\"note\":{}{}}}", "[".repeat(15_000), "]".repeat(15_000));
    let cbor = "smithy-protocol: rpc-v2-cbor\r\nContent-Type: application/cbor\r\n";
    for (service, path, more, body, part) in [
        (
            "notes",
            "/notes/a",
            "",
            json.into_bytes(),
            "SerializationException",
        ),
        (
            "s3",
            "/notes/a",
            "",
            "<note>".repeat(9000).into_bytes(),
            "<Code>MalformedXML",
        ),
        (
            "metrics",
            "/service/Metrics_2020/operation/Note",
            cbor,
            vec![0x81; 60_000],
            "SerializationException",
        ),
        (
            "people",
            "/",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            form.into_bytes(),
            "<Code>MalformedQueryString",
        ),
    ] {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\n{}{more}Content-Length: {}\r\n\r\n",
            stranger(service),
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let (status, head, answer) = world.bytes(&request).await;
        assert_eq!(status, 400, "{service}: {answer}");
        assert!(
            head.contains(&part.to_lowercase()) || answer.contains(part),
            "{service}: {head} {answer}"
        );
    }
    assert_eq!(world.calls(), 0);
}
