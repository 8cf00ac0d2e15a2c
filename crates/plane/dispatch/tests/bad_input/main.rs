//! Everything a model forbids, sent to every operation: members missing, of the wrong type, out of range, too
//! long or short, of the wrong pattern, unknown, and bodies that are too large. The answer is always a 4xx in
//! the service's form, and the handler never hears of it. Derived from `models/`, so that an operation or a
//! service is tried as soon as it exists, in every protocol it speaks; a service of our own making speaks those
//! that no service here does yet.

mod bodies;
mod requests;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../../../wire/protocol/tests/support/mod.rs"]
mod tables;
mod values;

use std::path::Path;

use requests::Sender;
use roadstead_dispatch::Trust;
use roadstead_protocol::check::compile;
use roadstead_protocol::{Kind, Operation, Protocol, ServiceModel};
use serde_json::{Value as Json, json};
use support::{LIMITS, World, world_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A model as the generated crate of the service has it, from its file.
fn model(name: &str, file: &Json) -> &'static ServiceModel {
    let tables = tables::load(file);
    let metadata = &file["metadata"];
    let keep = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let signing = metadata["signingName"]
        .as_str()
        .or(metadata["endpointPrefix"].as_str());
    let protocols = match metadata["protocols"].as_array() {
        Some(all) => all
            .iter()
            .filter_map(Json::as_str)
            .map(|name| protocol(metadata, name))
            .collect(),
        None => tables.protocols.to_vec(),
    };
    Box::leak(Box::new(ServiceModel {
        name: keep(name),
        signing_name: keep(signing.unwrap_or(name)),
        api_version: tables.api_version,
        target_prefix: tables.target_prefix,
        xml_namespace: tables.xml_namespace,
        protocols: Box::leak(protocols.into_boxed_slice()),
        shapes: tables.shapes,
        operations: tables.operations,
        absent: tables.absent,
        absent_routes: tables.absent_routes,
        query_compatible: tables.query_compatible,
        bare_errors: tables.bare_errors,
    }))
}

fn protocol(metadata: &Json, name: &str) -> Protocol {
    let mut one = json!({ "metadata": metadata });
    one["metadata"]["protocol"] = name.into();
    tables::load(&one).protocols[0]
}

/// Operations that take more than a listener's bound: how much, their tests in tests/e2e say.
const LARGE: [&str; 3] = ["CreateFunction", "PublishLayerVersion", "UpdateFunctionCode"];

/// One request on a connection that stays open.
async fn send(stream: &mut TcpStream, request: &[u8]) -> (u16, String, Vec<u8>) {
    stream.write_all(request).await.expect("writes");
    let mut got = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut buffer).await.expect("reads");
        assert!(
            count > 0,
            "closed after {:.300}",
            String::from_utf8_lossy(request)
        );
        got.extend_from_slice(&buffer[..count]);
        let Some(end) = got.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&got[..end]).into_owned();
        let lines = head.to_ascii_lowercase();
        let length = lines
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
        if got.len() - end - 4 >= length.unwrap_or(0) {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            return (status.expect("a status"), head, got[end + 4..].to_vec());
        }
    }
}

/// How many bad requests an operation got.
async fn try_operation(
    world: &World,
    sender: &Sender,
    operation: &Operation,
    wrong: &mut Vec<String>,
) -> usize {
    let mut stream = world.connect().await;
    let name = operation.name;
    let shown = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .chars()
            .take(600)
            .collect::<String>()
    };
    let before = world.calls();
    let good = sender.request(operation, &sender.good(operation));
    let (status, _, body) = send(&mut stream, &good).await;
    if world.calls() != before + 1 {
        let (good, body) = (shown(&good), shown(&body));
        wrong.push(format!(
            "{name} refuses what its model accepts: {good}\n  {status} {body}"
        ));
        return 0;
    }
    let bad = sender.bad(operation);
    let mut tried = 0;
    for (what, input) in bad {
        let request = sender.request(operation, &input);
        if request.len() > LIMITS.body {
            continue;
        }
        let (status, head, body) = send(&mut stream, &request).await;
        tried += 1;
        if !(400..500).contains(&status) || !sender.well_formed(&head, &body) {
            wrong.push(format!(
                "{name}, {what}: {}\n  {status} {head}\n{}",
                shown(&request),
                shown(&body)
            ));
        }
        if head.to_ascii_lowercase().contains("connection: close") {
            stream = world.connect().await;
        }
    }
    if LARGE.contains(&name) {
        return tried;
    }
    let mut large = sender.request(operation, &sender.good(operation));
    let end = large
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    large.truncate(end);
    let head = String::from_utf8_lossy(&large).into_owned();
    let (kept, _) = head.rsplit_once("Content-Length: ").expect("a length");
    let large = format!(
        "{kept}Content-Length: {}\r\n\r\n{}",
        LIMITS.body + 1,
        "x".repeat(LIMITS.body + 1)
    );
    let (status, head, body) = send(&mut world.connect().await, large.as_bytes()).await;
    if status != 413 || !sender.well_formed(&head, &body) {
        wrong.push(format!("{name}, too large: {status} {head}\n{}", shown(&body)));
    }
    if world.calls() != before + 1 {
        wrong.push(format!(
            "{name}: the handler heard of something it should not have"
        ));
    }
    tried
}

async fn try_everything(model: &'static ServiceModel) -> usize {
    let world = world_of(Trust::UnknownIsRoot, LIMITS, &[model]).await;
    let mut wrong = Vec::new();
    let mut tried = 0;
    for protocol in model.protocols {
        let sender = Sender {
            model,
            protocol: *protocol,
        };
        for operation in model.operations {
            tried += try_operation(&world, &sender, operation, &mut wrong).await;
        }
    }
    let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        wrong.is_empty(),
        "{}: {} of {tried}:\n{shown}",
        model.name,
        wrong.len()
    );
    tried
}

#[tokio::test]
async fn every_service_refuses_everything_its_model_forbids() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../models");
    let mut services = 0;
    for entry in std::fs::read_dir(folder).expect("the models") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let file = serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("JSON");
        let model = model(name, &file);
        for shape in model.shapes {
            if let Kind::Text {
                pattern: Some(pattern),
                min: _,
                max: _,
                values: _,
            } = &shape.kind
            {
                assert!(
                    compile(pattern).is_some(),
                    "{name}: {} would be let through: {pattern}",
                    shape.name
                );
            }
        }
        let tried = try_everything(model).await;
        // Some models forbid little: that of sns has hardly a bound.
        assert!(tried > 5 * model.operations.len(), "{name}: only {tried}");
        services += 1;
    }
    assert!(services >= 2, "only {services}");
}

/// What the tables of the files say is what the generated crates say.
#[test]
fn the_files_are_what_was_generated() {
    for (name, generated) in [
        ("ecs", &roadstead_api_ecs::MODEL),
        ("ec2", &roadstead_api_ec2::MODEL),
    ] {
        let path = format!("{}/../../../models/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let file: Json = serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON");
        let loaded = model(name, &file);
        let lines = |model: &ServiceModel| -> Vec<String> {
            let shapes = model.shapes.iter().map(|shape| format!("{shape:?}"));
            let operations = model.operations.iter().map(|operation| format!("{operation:?}"));
            shapes.chain(operations).collect()
        };
        let (loaded_lines, lines) = (lines(loaded), lines(generated));
        assert_eq!(loaded_lines.len(), lines.len());
        for (loaded, generated) in loaded_lines.iter().zip(&lines) {
            assert_eq!(loaded, generated);
        }
        assert_eq!(
            (
                loaded.name,
                loaded.signing_name,
                loaded.protocols,
                loaded.target_prefix
            ),
            (
                generated.name,
                generated.signing_name,
                generated.protocols,
                generated.target_prefix
            )
        );
    }
}

#[tokio::test]
async fn so_does_a_service_in_each_of_the_protocols() {
    let strict: Json = serde_json::from_str(include_str!("strict.json")).expect("JSON");
    for (protocol, version, part) in [
        ("json", "1.0", "rpc"),
        ("json", "1.1", "rpc"),
        ("query", "1.1", "rpc"),
        ("ec2", "1.1", "ec2"),
        ("rest-json", "1.1", "rest"),
        ("rest-xml", "1.1", "rest"),
        ("smithy-rpc-v2-cbor", "1.1", "rpc"),
    ] {
        let file = json!({
            "metadata": {
                "protocol": protocol, "protocols": [protocol], "jsonVersion": version, "apiVersion": "2026-01-01",
                "targetPrefix": "Strict", "endpointPrefix": "strict",
            },
            "shapes": strict["shapes"],
            "operations": strict[part],
        });
        let tried = try_everything(model("strict", &file)).await;
        assert!(tried > 60, "{protocol}: only {tried}");
    }
}
