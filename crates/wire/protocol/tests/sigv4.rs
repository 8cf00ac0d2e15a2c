//! Signature Version 4 by the cases that are published: the test suite, and the worked examples of the S3
//! API reference for presigned requests and for bodies in chunks.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use roadstead_base::Timestamp;
use roadstead_protocol::sigv4::{
    Authorization, ChunkKey, Chunks, Request, SignatureError, SigningKey, decode_chunks, presign, verify,
};
use serde_json::Value as Json;

/// 2015-08-30T12:36:00Z
const SUITE: Timestamp = Timestamp(1_440_938_160_000);
const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z
const EXAMPLE: Timestamp = Timestamp(1_369_353_600_000);
const EXAMPLE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The request whose path has a space, which no HTTP parser lets through: `canonical.rs` has its path.
const NO_HTTP: &[&str] = &["get-space"];

fn parts(case: &Json) -> Option<(Method, Uri, HeaderMap, String)> {
    let text = case["request"].as_str().expect("a request");
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    // A value that goes on in the next line is one value with spaces between, says HTTP.
    let head = head.replace("\n ", " ");
    let mut lines = head.lines();
    let first = lines
        .next()
        .expect("a first line")
        .strip_suffix(" HTTP/1.1")
        .expect("a version");
    let (method, uri) = first.split_once(' ').expect("a method");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_bytes(value.trim().as_bytes()).ok()?,
        );
    }
    // The signer adds the token, so the suite's requests do not have it yet.
    let token = case["canonical"]
        .as_str()?
        .lines()
        .find_map(|line| line.strip_prefix("x-amz-security-token:"));
    if let Some(token) = token {
        headers.insert("x-amz-security-token", HeaderValue::from_str(token).ok()?);
    }
    let authorization = case["authorization"].as_str().expect("an answer").trim();
    headers.insert(
        "authorization",
        HeaderValue::from_str(authorization).expect("ASCII"),
    );
    Some((method.parse().ok()?, uri.parse().ok()?, headers, body.to_owned()))
}

#[test]
fn every_case_of_the_published_suite_verifies() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("data/sigv4.json")).expect("JSON");
    let mut verified = 0;
    for case in &cases {
        let name = case["name"].as_str().expect("a name");
        let Some((method, uri, headers, body)) = parts(case) else {
            assert!(NO_HTTP.contains(&name), "{name} cannot be read");
            continue;
        };
        let authorization = Authorization::find(&headers, &uri).expect(name);
        let request = Request {
            method: &method,
            uri: &uri,
            headers: &headers,
            body: body.as_bytes(),
        };
        assert_eq!(
            verify(&authorization, request, SUITE_SECRET, SUITE),
            Ok(()),
            "{name}"
        );
        assert_eq!(
            verify(&authorization, request, "another secret", SUITE),
            Err(SignatureError::Mismatch),
            "{name}"
        );
        verified += 1;
    }
    assert_eq!(verified, cases.len() - NO_HTTP.len());
}

#[test]
fn the_presigned_example_verifies_until_it_expires() {
    let uri: Uri = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        .parse()
        .expect("a URI");
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("examplebucket.s3.amazonaws.com"));
    let authorization = Authorization::find(&headers, &uri).expect("parses");
    let request = Request {
        method: &Method::GET,
        uri: &uri,
        headers: &headers,
        body: b"",
    };
    let at = |seconds: i64| {
        verify(
            &authorization,
            request,
            EXAMPLE_SECRET,
            EXAMPLE.plus_millis(seconds * 1000),
        )
    };
    assert_eq!(at(0), Ok(()));
    assert_eq!(at(86_400), Ok(()));
    assert!(matches!(
        at(86_401),
        Err(SignatureError::Expired { seconds: 86_400, .. })
    ));
    assert_eq!(at(-900), Ok(()), "a clock that is ahead");
    assert!(matches!(
        at(-901),
        Err(SignatureError::Skewed { late: false, .. })
    ));
    let key = SigningKey {
        access_key: "AKIAIOSFODNN7EXAMPLE",
        secret: EXAMPLE_SECRET,
        region: "us-east-1",
        service: "s3",
    };
    let path = "/test.txt".parse().expect("a path");
    let made = presign(
        &Method::GET,
        &path,
        "examplebucket.s3.amazonaws.com",
        &key,
        EXAMPLE,
        86_400,
    );
    assert_eq!(made, Some(uri));
}

#[test]
fn presigned_requests_are_whole_or_refused() {
    let whole = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20130524%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let find = |query: &str, headers: &HeaderMap| {
        Authorization::find(headers, &format!("/?{query}").parse().expect("a URI"))
    };
    assert!(find(whole, &HeaderMap::new()).is_ok());
    let mut signed = HeaderMap::new();
    signed.insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 x"));
    assert!(matches!(find(whole, &signed), Err(SignatureError::Malformed(_))));
    for part in whole.split('&') {
        let without: Vec<&str> = whole.split('&').filter(|other| other != &part).collect();
        assert!(
            find(&without.join("&"), &HeaderMap::new()).is_err(),
            "without {part}"
        );
        assert!(
            find(&format!("{whole}&{part}"), &HeaderMap::new()).is_err(),
            "{part} twice"
        );
    }
    for expires in ["0", "604801", "-1", "x", "", "99999999999"] {
        let query = whole.replace("Expires=60", &format!("Expires={expires}"));
        assert!(find(&query, &HeaderMap::new()).is_err(), "{expires}");
    }
    assert!(find(&whole.replace("SHA256", "SHA1"), &HeaderMap::new()).is_err());
    assert_eq!(find("a=b", &HeaderMap::new()), Err(SignatureError::Absent));
}

#[test]
fn an_unsigned_amz_header_is_refused() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("data/sigv4.json")).expect("JSON");
    let case = cases
        .iter()
        .find(|case| case["name"] == "post-vanilla")
        .expect("the case");
    let (method, uri, mut headers, _) = parts(case).expect("parses");
    headers.insert("x-amz-target", HeaderValue::from_static("Other.Operation"));
    let authorization = Authorization::find(&headers, &uri).expect("parses");
    let request = Request {
        method: &method,
        uri: &uri,
        headers: &headers,
        body: b"",
    };
    assert_eq!(
        verify(&authorization, request, SUITE_SECRET, SUITE),
        Err(SignatureError::Malformed("an X-Amz- header is not signed"))
    );
}

/// The head of the worked example, with what differs between its two forms.
fn upload(kind: &'static str, signed: &str, seed: &str, more: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let all = [
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", kind),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
    ];
    for (name, value) in all.iter().chain(more) {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={signed},Signature={seed}"
    );
    headers.insert("authorization", authorization.parse().expect("ASCII"));
    headers
}

fn body(signatures: [&str; 3], trailer: &str) -> Vec<u8> {
    let (first, second) = ("a".repeat(65_536), "a".repeat(1024));
    let [a, b, c] = signatures;
    format!(
        "10000;chunk-signature={a}\r\n{first}\r\n400;chunk-signature={b}\r\n{second}\r\n0;chunk-signature={c}\r\n{trailer}\r\n"
    )
    .into_bytes()
}

fn key(headers: &HeaderMap) -> ChunkKey {
    let uri: Uri = "/examplebucket/chunkObject.txt".parse().expect("a URI");
    let authorization = Authorization::find(headers, &uri).expect("parses");
    let request = Request {
        method: &Method::PUT,
        uri: &uri,
        headers,
        body: b"",
    };
    assert_eq!(verify(&authorization, request, EXAMPLE_SECRET, EXAMPLE), Ok(()));
    ChunkKey::new(&authorization, EXAMPLE_SECRET, "20130524T000000Z")
}

#[test]
fn the_chunks_of_the_example_verify_one_after_the_other() {
    let headers = upload(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        &[("content-length", "66824")],
    );
    let key = key(&headers);
    let chunks = Chunks::of(&headers).expect("known").expect("chunks");
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let good = body(signatures, "");
    assert_eq!(good.len(), 66_824, "as the example says");
    let data = decode_chunks(chunks, &headers, &good, Some(&key)).expect("verifies");
    assert_eq!(data, vec![b'a'; 66_560]);

    let mut changed = good.clone();
    changed[200] = b'b';
    assert_eq!(
        decode_chunks(chunks, &headers, &changed, Some(&key)),
        Err(SignatureError::Mismatch)
    );
    let [a, b, c] = signatures;
    for wrong in [[b, a, c], [a, b, b], [a, "", c]] {
        let got = decode_chunks(chunks, &headers, &body(wrong, ""), Some(&key));
        assert_eq!(got, Err(SignatureError::Mismatch));
    }
    for cut in [1, 3, 90, 70_000] {
        let short = good.get(..good.len().saturating_sub(cut)).unwrap_or_default();
        assert!(
            decode_chunks(chunks, &headers, short, Some(&key)).is_err(),
            "cut by {cut}"
        );
    }
    let mut long = good.clone();
    long.extend_from_slice(b"x");
    assert!(decode_chunks(chunks, &headers, &long, Some(&key)).is_err());
}

#[test]
fn trailing_checksums_are_signed_and_true() {
    let headers = upload(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        &[("x-amz-trailer", "x-amz-checksum-crc32c")],
    );
    let key = key(&headers);
    let chunks = Chunks::of(&headers).expect("known").expect("chunks");
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let trailer = |checksum: &str, signature: &str| {
        format!("x-amz-checksum-crc32c:{checksum}\r\nx-amz-trailer-signature:{signature}\r\n")
    };
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    let read = |trailer: &str| decode_chunks(chunks, &headers, &body(signatures, trailer), Some(&key));
    assert_eq!(
        read(&trailer("sOO8/Q==", signature)).map(|data| data.len()),
        Ok(66_560)
    );
    assert_eq!(read(&trailer("sOO8/Q==", "00")), Err(SignatureError::Mismatch));
    assert_eq!(read(&trailer("AAAAAA==", signature)), Err(SignatureError::Body));
    assert!(read("").is_err(), "announced and missing");
    assert!(read("x-amz-checksum-sha1:AAAA\r\n").is_err(), "not announced");
}

#[test]
fn unsigned_chunks_are_framed_and_summed_all_the_same() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let chunks = Chunks::of(&headers).expect("known").expect("chunks");
    let good = b"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    assert_eq!(
        decode_chunks(chunks, &headers, good, None).as_deref(),
        Ok(&b"123456789"[..])
    );
    for bad in [
        "9\r\n123456780\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n",
        "9\r\n123456789\r\n0\r\n\r\n",
        "9\r\n123456789\r\n",
        "a\r\n123456789\r\n0\r\n\r\n",
        "+9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n",
        "ffffffffffffffff\r\n",
        "ffffffffffffffffff\r\n",
        "",
    ] {
        assert!(
            decode_chunks(chunks, &headers, bad.as_bytes(), None).is_err(),
            "{bad:?}"
        );
    }
    headers.insert("x-amz-decoded-content-length", HeaderValue::from_static("8"));
    assert!(
        decode_chunks(chunks, &headers, good, None).is_err(),
        "another length than stated"
    );
    headers.insert(
        "x-amz-content-sha256",
        HeaderValue::from_static("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"),
    );
    assert!(Chunks::of(&headers).is_err());
}
