//! Whatever bytes come, parsers answer: no panic, no runaway recursion, no memory beyond the input's, and
//! what they accept they can write again. Bounded in cases; `PROPTEST_CASES` raises the bound.

mod support;

use http::{HeaderMap, HeaderValue, Method, Uri};
use proptest::prelude::*;
use roadstead_base::Timestamp;
use roadstead_protocol::rest::Router;
use roadstead_protocol::sigv4::{Authorization, Chunks, Request, decode_chunks, verify};
use roadstead_protocol::{
    ApiError, HttpRequest, Operation, Protocol, ServiceModel, TimeFormat, Value, cbor, check, codec, xml,
};
use serde_json::{Value as Json, json};
use support::load;

const PROTOCOLS: &[(&str, &[&str])] = &[
    ("json", &["rpc"]),
    ("query", &["rpc", "query"]),
    ("ec2", &["ec2"]),
    ("rest-json", &["rest"]),
    ("rest-xml", &["rest"]),
    ("smithy-rpc-v2-cbor", &["rpc"]),
];

/// The synthetic service in every protocol, made once.
fn models() -> &'static [&'static ServiceModel] {
    static MODELS: std::sync::OnceLock<Vec<&'static ServiceModel>> = std::sync::OnceLock::new();
    MODELS.get_or_init(|| {
        let synthetic: Json = serde_json::from_str(include_str!("data/synthetic.json")).expect("JSON");
        let model = |(protocol, parts): &(&str, &[&str])| {
            let operations: serde_json::Map<String, Json> = parts
                .iter()
                .flat_map(|part| synthetic[part].as_object().cloned().unwrap_or_default())
                .collect();
            load(&json!({
                "metadata": { "protocol": protocol, "jsonVersion": "1.1", "apiVersion": "1", "targetPrefix": "S" },
                "shapes": synthetic["shapes"],
                "operations": operations,
            }))
        };
        PROTOCOLS.iter().map(model).collect()
    })
}

/// Decodes with one operation; what is accepted is checked and written again.
fn feed(model: &'static ServiceModel, operation: &'static Operation, request: &HttpRequest<'_>) {
    let codec = codec(model.protocols[0]);
    match codec.decode(model, operation, request) {
        Ok(value) => {
            if let Some(shape) = operation.input {
                let _ = check(model, shape, &value);
            }
            let _ = codec.encode(model, operation, value, "id");
        }
        Err(error) => {
            let error = ApiError::client("ValidationException", error.to_string());
            let written = codec
                .encode_error(Some(model), &error, "id")
                .expect("text alone can be written");
            assert_eq!(written.status, 400);
        }
    }
}

/// Bytes that look like the protocol's bodies for long enough to get somewhere.
fn body(protocol: Protocol) -> BoxedStrategy<Vec<u8>> {
    let tokens: &'static [&'static str] = match protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => &[
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"text\"",
            "\"part\"",
            "\"parts\"",
            "\"textMap\"",
            "\"Name\"",
            "\"inner\"",
            "\"time\"",
            "\"bytes\"",
            "1",
            "-1e999",
            "1e400",
            "null",
            "true",
            "\"\\ud800\"",
            "\"a\"",
            " ",
        ],
        Protocol::Query | Protocol::Ec2 => &[
            "Action=Everything",
            "&",
            "=",
            ".",
            "1",
            "0",
            "99999999999",
            "text",
            "parts",
            "member",
            "entry",
            "key",
            "value",
            "Name",
            "inner",
            "flatTexts",
            "Id",
            "Piece",
            "%",
            "%41",
            "%ff",
            "+",
            "Version=1",
        ],
        Protocol::RestXml => &[
            "<Everything>",
            "</Everything>",
            "<text>",
            "</text>",
            "<part>",
            "</part>",
            "<parts>",
            "</parts>",
            "<member>",
            "</member>",
            "<Name/>",
            "<inner>",
            "</inner>",
            "&amp;",
            "&#x41;",
            "&#",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<!DOCTYPE",
            "<?xml",
            "?>",
            "x",
            "='",
            "'",
            " xmlns=\"u\"",
            "\u{e9}",
        ],
        Protocol::RpcV2Cbor => &[
            "\u{1}", "\u{18}", "\u{60}", "\u{61}a", "d", "text", "part", "\u{7f}", "\u{40}", "\u{00}",
        ],
    };
    let of_tokens = prop::collection::vec(prop::sample::select(tokens), 0..40)
        .prop_map(|parts| parts.concat().into_bytes());
    let of_bytes = prop::collection::vec(any::<u8>(), 0..200);
    if protocol == Protocol::RpcV2Cbor {
        let heads = vec![
            0xa1u8, 0xbf, 0x9f, 0x81, 0xff, 0x64, 0x7f, 0x5f, 0xc1, 0xfb, 0x1b, 0x9b, 0xbb, 0x5b, 0xf6,
        ];
        let of_heads = prop::collection::vec(prop_oneof![prop::sample::select(heads), any::<u8>()], 0..80);
        prop_oneof![of_heads, of_bytes].boxed()
    } else {
        prop_oneof![3 => of_tokens, 1 => of_bytes].boxed()
    }
}

fn any_request() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    (0..PROTOCOLS.len(), any::<usize>()).prop_flat_map(|(model, operation)| {
        (Just(model), Just(operation), body(models()[model].protocols[0]))
    })
}

fn header_text() -> impl Strategy<Value = String> {
    "[ -~]{0,60}|[0-9]{1,30}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(1000)))]

    #[test]
    fn bodies((model, operation, body) in any_request()) {
        let model = models()[model];
        let operation = &model.operations[operation % model.operations.len()];
        let headers = HeaderMap::new();
        let path = operation.uri.split('?').next().unwrap_or("/").replace(['{', '}', '+'], "");
        feed(model, operation, &HttpRequest { method: &Method::POST, path: &path, query: "mode=full", headers: &headers, body: &body });
    }

    #[test]
    fn heads(path in "(/[a-z%+{}. ]{0,8}){0,6}", query in "([a-z%+]{0,6}=?[ -~]{0,8}&?){0,5}", values in prop::collection::vec(header_text(), 6)) {
        let mut headers = HeaderMap::new();
        for (name, value) in ["x-etag", "x-at", "x-epoch", "x-flags", "x-depth", "x-meta-a"].iter().zip(&values) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(*name, value.clone());
                headers.append(*name, value);
            }
        }
        for model in models().iter().filter(|model| matches!(model.protocols[0], Protocol::RestJson | Protocol::RestXml)) {
            let _ = Router::new(model).find(&Method::PUT, &path, &query, &headers);
            for operation in model.operations {
                for path in [path.as_str(), "/things/a/parts/b", "/blobs/a", "/things"] {
                    feed(model, operation, &HttpRequest { method: &Method::PUT, path, query: &query, headers: &headers, body: b"" });
                }
            }
        }
    }

    #[test]
    fn values_survive_cbor(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(item) = cbor::parse(&bytes) {
            let mut written = Vec::new();
            item.write(&mut written);
            let again = cbor::parse(&written).expect("what was written is read");
            // NaN is unlike itself.
            prop_assert_eq!(format!("{item:?}"), format!("{again:?}"));
        }
    }

    #[test]
    fn text_survives_xml(text in any::<String>(), name in "[a-z]{1,8}") {
        let mut writer = xml::Writer::document();
        writer.open(&name, &[("a", &text)]);
        writer.text(&text);
        writer.close(&name);
        let element = xml::parse(&writer.finish()).expect("what was written is read");
        let carried = |c: char| (c as u32) >= 0x20 && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\n' | '\t' | '\r');
        let wanted: String = text.chars().map(|c| if carried(c) { c } else { '\u{fffd}' }).collect();
        prop_assert_eq!(&element.text, &wanted);
        prop_assert_eq!(element.attribute("a"), (!text.is_empty()).then_some(wanted.as_str()));
    }

    #[test]
    fn times_survive_their_formats(millis in -62_135_596_800_000i64..253_402_207_199_000) {
        let seconds = Timestamp(millis).as_seconds();
        for (format, grain) in [(TimeFormat::DateTime, 0.001), (TimeFormat::Epoch, 0.001), (TimeFormat::HttpDate, 1.0)] {
            let text = format.print(seconds);
            match TimeFormat::parse(&text) {
                Some(again) => prop_assert!((again - seconds).abs() < grain + 0.0006, "{} {}", seconds, text),
                // The form has years of four digits.
                None => prop_assert!(format == TimeFormat::HttpDate && millis < 0, "{}", text),
            }
        }
    }

    #[test]
    fn times_of_any_text(text in ".{0,40}") {
        let _ = TimeFormat::parse(&text);
    }

    #[test]
    fn signatures(header in "(AWS4-HMAC-SHA256 )?((Credential|SignedHeaders|Signature)=[ -~]{0,40},? ?){0,4}", query in "(X-Amz-(Algorithm|Credential|Date|Expires|SignedHeaders|Signature)=[A-Za-z0-9%/-]{0,30}&){0,7}", date in "[0-9TZ]{0,18}") {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("h"));
        headers.insert("x-amz-date", date.parse().expect("ASCII"));
        let uri: Uri = format!("/?{query}").parse().expect("a URI");
        if let Ok(value) = HeaderValue::from_str(&header) {
            headers.insert("authorization", value);
        }
        for headers in [headers.clone(), { headers.remove("authorization"); headers }] {
            if let Ok(found) = Authorization::find(&headers, &uri) {
                let request = Request { method: &Method::GET, uri: &uri, headers: &headers, body: b"" };
                prop_assert!(verify(&found, request, "secret", Timestamp(1_800_000_000_000)).is_err());
            }
        }
    }

    #[test]
    fn chunks(body in prop::collection::vec(prop_oneof![Just(b"5\r\n".to_vec()), Just(b"hello".to_vec()), Just(b"\r\n".to_vec()), Just(b"0\r\n".to_vec()), Just(b";chunk-signature=".to_vec()), Just(b"x-amz-checksum-crc32:NhCmhg==\r\n".to_vec()), prop::collection::vec(any::<u8>(), 0..8)], 0..12), trailer in any::<bool>()) {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-content-sha256", HeaderValue::from_static(if trailer { "STREAMING-UNSIGNED-PAYLOAD-TRAILER" } else { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" }));
        headers.insert("x-amz-decoded-content-length", HeaderValue::from_static("5"));
        headers.insert("x-amz-trailer", HeaderValue::from_static("x-amz-checksum-crc32"));
        let chunks = Chunks::of(&headers).expect("known").expect("chunks");
        if let Ok(data) = decode_chunks(chunks, &headers, &body.concat(), None) {
            prop_assert_eq!(data.len(), 5);
        }
    }
}

#[test]
fn huge_claims_cost_nothing() {
    let deep = |open: &str| open.repeat(1_000_000).into_bytes();
    let model = |protocol| {
        *models()
            .iter()
            .find(|model| model.speaks(protocol))
            .expect("a model")
    };
    for (protocol, body) in [
        (Protocol::Json11, deep("[")),
        (Protocol::Json11, deep("{\"part\":")),
        (Protocol::RestXml, deep("<part>")),
        (Protocol::RpcV2Cbor, vec![0x81; 1_000_000]),
        (
            Protocol::RpcV2Cbor,
            vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        (Protocol::RpcV2Cbor, vec![0xbb, 0, 0, 0, 1, 0, 0, 0, 0]),
        (
            Protocol::Query,
            [b"Action=Everything&".to_vec(), deep("a.")].concat(),
        ),
        (
            Protocol::Query,
            [b"Action=Everything".to_vec(), deep("&a=1")].concat(),
        ),
    ] {
        let model = model(protocol);
        let operation = model.operation("Everything").expect("it has it");
        let headers = HeaderMap::new();
        let path = operation.uri;
        let request = HttpRequest {
            method: &Method::POST,
            path,
            query: "",
            headers: &headers,
            body: &body,
        };
        let got: Result<Value, _> = codec(protocol).decode(model, operation, &request);
        assert!(got.is_err(), "{protocol:?}");
    }
}
