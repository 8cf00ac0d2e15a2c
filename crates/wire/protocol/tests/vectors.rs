//! The official protocol test vectors, read the server's way: what a client must send is decoded to what it
//! meant, and what a client must understand is what we write. See `data/vectors/README.md`.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use roadstead_protocol::rest::Router;
use roadstead_protocol::{HttpRequest, Protocol, ServiceModel, codec};
use serde_json::{Value as Json, json};
use support::{load, plain, same};

/// Requests that a server of ours reads otherwise, and why.
const INPUT_EXCEPTIONS: &[(&str, &str)] = &[
    (
        "RestJsonHostWithPath",
        "the path of the endpoint is the client's configuration",
    ),
    ("Ec2ProtocolIdempotencyTokenAutoFill", TOKEN),
    ("QueryProtocolIdempotencyTokenAutoFill", TOKEN),
    ("RestJsonQueryIdempotencyTokenAutoFill", TOKEN),
    ("QueryIdempotencyTokenAutoFill", TOKEN),
    ("RestJsonQueryParamsStringListMap", MAP),
    ("RestXmlQueryParamsStringListMap", MAP),
    ("RestJsonQueryPrecedence", MAP),
    ("RestXmlQueryPrecedence", MAP),
    ("AllQueryStringTypes", MAP),
    ("RestXmlQueryStringEscaping", MAP),
    ("RestXmlSupportsNaNFloatQueryValues", MAP),
    ("RestXmlSupportsInfinityFloatQueryValues", MAP),
    ("RestXmlSupportsNegativeInfinityFloatQueryValues", MAP),
    ("RestXmlZeroAndFalseQueryValues", MAP),
    ("RestJsonHttpWithEmptyStructurePayload", EMPTY),
    ("RestJsonHttpWithHeadersButNoPayload", EMPTY),
];
const TOKEN: &str = "the client makes the token up, and we read it";
const MAP: &str = "a map of the query string holds all of it, as servers are told";
const EMPTY: &str = "an empty object is an empty structure";

/// Without nulls, which no protocol sends, and without empty collections, which some do not.
fn without(json: &Json, empty: bool) -> Json {
    let kept = |json: &&Json| {
        !json.is_null()
            && !(empty
                && (json.as_array().is_some_and(Vec::is_empty)
                    || json.as_object().is_some_and(serde_json::Map::is_empty)))
    };
    match json {
        Json::Object(members) => members
            .iter()
            .filter(|(_, json)| kept(json))
            .map(|(name, json)| (name.clone(), without(json, empty)))
            .collect(),
        Json::Array(items) => items.iter().map(|json| without(json, empty)).collect(),
        json => json.clone(),
    }
}

fn suites(side: &str) -> Vec<(String, Vec<Json>)> {
    let folder = format!("{}/tests/data/vectors/{side}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the vectors")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a file");
            let name = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default()
                .to_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}

fn model_of(suite: &Json, case: &Json) -> &'static ServiceModel {
    let name = case["given"]["name"].as_str().expect("a name");
    load(&json!({
        "metadata": suite["metadata"],
        "shapes": suite["shapes"],
        "operations": { name: case["given"] },
    }))
}

fn headers(of: &Json) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in of.as_object().into_iter().flatten() {
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).expect("a name"),
            HeaderValue::from_str(value.as_str().expect("text")).expect("a value"),
        );
    }
    headers
}

fn body_of(protocol: Protocol, text: &Json) -> Vec<u8> {
    let text = text.as_str().unwrap_or_default();
    match protocol {
        Protocol::RpcV2Cbor => STANDARD.decode(text).expect("base64"),
        _ => text.as_bytes().to_vec(),
    }
}

/// What the request of the case means to us.
fn decoded(suite: &Json, case: &Json) -> Result<Json, String> {
    let model = model_of(suite, case);
    let operation = &model.operations[0];
    let sent = &case["serialized"];
    let method = sent["method"]
        .as_str()
        .unwrap_or("POST")
        .parse()
        .expect("a method");
    let uri = sent["uri"].as_str().unwrap_or("/");
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let headers = headers(&sent["headers"]);
    let body = body_of(model.protocols[0], &sent["body"]);
    let request = HttpRequest {
        method: &method,
        path,
        query,
        headers: &headers,
        body: &body,
    };
    match model.protocols[0] {
        Protocol::RestJson | Protocol::RestXml => {
            let routed = Router::new(model).find(&method, path, query, &headers);
            let routed = routed.map(|operation| operation.name);
            if routed != Some(operation.name) {
                return Err(format!("the route leads to {routed:?}"));
            }
        }
        Protocol::RpcV2Cbor => {
            let routed = roadstead_protocol::cbor::route(path);
            if routed != Some((model.target_prefix, operation.name)) {
                return Err(format!("the route leads to {routed:?}"));
            }
        }
        _ => {}
    }
    let value = codec(model.protocols[0]).decode(model, operation, &request);
    value
        .map(|value| plain(&value))
        .map_err(|error| error.to_string())
}

#[test]
fn requests_are_read_as_their_clients_meant_them() {
    let (mut good, mut bad) = (0, Vec::new());
    for (file, suites) in suites("input") {
        for suite in &suites {
            for case in suite["cases"].as_array().expect("cases") {
                let id = case["id"].as_str().expect("an id");
                let got = decoded(suite, case);
                let wanted = &case["params"];
                let excepted = INPUT_EXCEPTIONS.iter().any(|(known, _)| *known == id);
                let meant = |got: &Json| {
                    let forms = [wanted.clone(), without(wanted, false), without(wanted, true)];
                    forms.iter().any(|wanted| same(got, wanted))
                };
                match got {
                    Ok(got) if meant(&got) != excepted => good += 1,
                    Err(_) if excepted => good += 1,
                    got => bad.push(format!(
                        "{file} {id}: got {got:?}\n   wanted {wanted}\n   sent {}",
                        case["serialized"]
                    )),
                }
            }
        }
    }
    assert!(
        bad.is_empty(),
        "{good} good, {} bad:\n{}",
        bad.len(),
        bad.join("\n")
    );
    assert!(good > 300, "only {good} cases were found");
}
