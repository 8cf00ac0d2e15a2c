//! Round trips against botocore itself: its serializers make requests that we decode, its parsers read what
//! we encode. The script beside this test drives; this side answers its questions.

mod support;

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use roadstead_protocol::rest::Router;
use roadstead_protocol::{ApiError, HttpRequest, HttpResponse, Protocol, ServiceModel, Value, codec};
use serde_json::{Value as Json, json};
use support::{exact, load, shaped};

/// The project's own environment if it is there, else the machine's.
fn python(root: &Path) -> PathBuf {
    let own = root.join("target/venv/bin/python");
    if own.exists() {
        own
    } else {
        PathBuf::from("python3")
    }
}

#[test]
fn botocore_understands_us_and_we_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/botocore/peer.py");
    let mut child = Command::new(python(&root))
        .arg(script)
        .arg(&root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python with botocore; scripts/setup.sh test installs it");
    let mut answers = child.stdin.take().expect("piped");
    let questions = BufReader::new(child.stdout.take().expect("piped"));
    let mut models = HashMap::new();
    let mut outcome = None;
    for line in questions.lines() {
        let question: Json = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if let Some(done) = question.get("done") {
            outcome = Some((done.clone(), question["failures"].clone()));
        }
        let answer = answer(&mut models, &question).unwrap_or_else(|reason| json!({ "failed": reason }));
        writeln!(answers, "{answer}").expect("it listens");
    }
    let status = child.wait().expect("it ends");
    let (counts, failures) = outcome.expect("it came to its end; is botocore installed?");
    assert!(
        status.success() && failures == 0,
        "{failures} failures, told above; {counts}"
    );
    for (kind, least) in [
        ("services", 2),
        ("request", 250),
        ("response", 250),
        ("error", 10),
        ("vector", 200),
    ] {
        let count = counts[kind].as_u64().unwrap_or(0);
        assert!(count >= least, "only {count} of kind {kind}");
    }
}

type Models = HashMap<String, &'static ServiceModel>;

fn answer(models: &mut Models, question: &Json) -> Result<Json, String> {
    let text = |key: &str| question[key].as_str().map(str::to_owned);
    if let Some(name) = text("load") {
        models.insert(name, load(&question["model"]));
    } else if let Some(name) = text("decode") {
        return decode(models[&name], question);
    } else if let Some(name) = text("encode") {
        let model = models[&name];
        let operation = model
            .operation(question["operation"].as_str().unwrap_or_default())
            .ok_or("no such operation")?;
        let output = match operation.output {
            Some(shape) => shaped(model, shape, &question["output"]).ok_or("no output")?,
            None => Value::empty(),
        };
        let response = codec(model.protocols[0])
            .encode(model, operation, output, "the-id")
            .map_err(|error| error.to_string())?;
        return Ok(told(response));
    } else if let Some(name) = text("error") {
        let model = models[&name];
        let code = text("code").unwrap_or_default();
        let status = question["status"].as_u64().unwrap_or(400) as u16;
        let mut error = ApiError::new(code.clone(), status, text("message").unwrap_or_default());
        if let Some(shape) = model.shapes.iter().position(|shape| shape.error_code == code)
            && let Some(Value::Map(members)) = shaped(model, shape as u16, &question["members"])
        {
            error.members = members;
        }
        let response = codec(model.protocols[0])
            .encode_error(Some(model), &error, "the-id")
            .map_err(|error| error.to_string())?;
        return Ok(told(response));
    }
    Ok(json!({}))
}

fn decode(model: &'static ServiceModel, question: &Json) -> Result<Json, String> {
    let name = question["operation"].as_str().unwrap_or_default();
    let operation = model.operation(name).ok_or("no such operation")?;
    let request = &question["request"];
    let method = request["method"]
        .as_str()
        .unwrap_or("POST")
        .parse()
        .expect("a method");
    let uri = request["uri"].as_str().unwrap_or("/");
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        let value = value.as_str().expect("text");
        headers.insert(
            name,
            HeaderValue::from_bytes(value.as_bytes()).map_err(|_| format!("a header {value:?}"))?,
        );
    }
    let body = STANDARD
        .decode(request["body"].as_str().unwrap_or_default())
        .expect("base64");
    let protocol = model.protocols[0];
    if matches!(protocol, Protocol::RestJson | Protocol::RestXml) {
        let routed = Router::new(model)
            .find(&method, path, query, &headers)
            .map(|operation| operation.name);
        if routed != Some(name) {
            return Err(format!("{method} {uri} leads to {routed:?}"));
        }
    }
    let request = HttpRequest {
        method: &method,
        path,
        query,
        headers: &headers,
        body: &body,
    };
    let value = codec(protocol).decode(model, operation, &request);
    let value =
        value.map_err(|error| format!("{error}: {uri} {headers:?} {:?}", String::from_utf8_lossy(&body)))?;
    Ok(json!({ "value": exact(&value) }))
}

fn told(mut response: HttpResponse) -> Json {
    // As the front does.
    response
        .headers
        .insert("x-amzn-requestid", HeaderValue::from_static("the-id"));
    let headers: serde_json::Map<String, Json> = response
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                Json::from(String::from_utf8_lossy(value.as_bytes())),
            )
        })
        .collect();
    json!({ "status": response.status, "headers": headers, "body": STANDARD.encode(&response.body) })
}
