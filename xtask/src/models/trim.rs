//! From a whole model to the operations that exist here: names, types and constraints, no prose. Trimmed
//! by operation, never by member, so that no member can be overlooked.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::{Extra, ExtraValue, Query, Service};

const METADATA: &[&str] = &[
    "apiVersion",
    "awsQueryCompatible",
    "endpointPrefix",
    "jsonVersion",
    "protocol",
    "protocols",
    "serviceFullName",
    "serviceId",
    "signingName",
    "targetPrefix",
    "xmlNamespace",
];
const SHAPE: &[&str] = &[
    "type",
    "required",
    "enum",
    "min",
    "max",
    "pattern",
    "flattened",
    "exception",
    "fault",
    "error",
    "payload",
    "document",
    "union",
    "timestampFormat",
    "streaming",
    "eventstream",
    "event",
    "sensitive",
    "locationName",
    "xmlNamespace",
];
const MEMBER: &[&str] = &[
    "shape",
    "locationName",
    "queryName",
    "location",
    "flattened",
    "idempotencyToken",
    "xmlAttribute",
    "timestampFormat",
    "streaming",
    "eventpayload",
    "eventheader",
    "jsonvalue",
    "hostLabel",
    "xmlNamespace",
];

pub(crate) fn trim(data: &Path, service: &Service) -> Result<String> {
    let model = read(&data.join(&service.source))?;
    let operations = model["operations"]
        .as_object()
        .context("the model has operations")?;
    for name in &service.operations {
        if !operations.contains_key(name) {
            bail!("{} has no operation {name}", service.name);
        }
    }
    let mut reached = BTreeSet::new();
    let mut kept = Map::new();
    for (name, operation) in operations
        .iter()
        .filter(|(name, _)| service.operations.contains(name))
    {
        for part in ["input", "output"] {
            if let Some(shape) = operation[part]["shape"].as_str() {
                reach(&model, shape, &mut reached);
            }
        }
        for error in operation["errors"].as_array().into_iter().flatten() {
            reach(&model, error["shape"].as_str().unwrap_or_default(), &mut reached);
        }
        kept.insert(
            name.clone(),
            pick(
                operation,
                &["http", "input", "output", "errors", "endpoint"],
                &["documentation"],
            ),
        );
    }
    let mut shapes: Map<String, Value> = reached
        .iter()
        .map(|name| (name.clone(), shape(&model["shapes"][name])))
        .collect();
    for Extra {
        shape,
        member,
        r#type,
    } in &service.extra
    {
        if !shapes.contains_key(r#type) || shapes[shape]["members"].get(member).is_some() {
            bail!(
                "{}: {shape}.{member} of type {} cannot be added",
                service.name,
                r#type
            );
        }
        shapes[shape]["members"][member] = json!({ "shape": r#type });
    }
    for ExtraValue { shape, value } in &service.values {
        match shapes
            .get_mut(shape)
            .and_then(|shape| shape["enum"].as_array_mut())
        {
            Some(values) if !values.iter().any(|known| known == value) => values.push(json!(value)),
            _ => bail!("{}: {shape} cannot have the value {value}", service.name),
        }
    }
    let mut metadata = pick(&model["metadata"], METADATA, &[]);
    if let Some(query) = &service.query {
        also_query(query, &mut metadata, &mut kept, &mut shapes)?;
    }
    let absent: Vec<&String> = operations
        .keys()
        .filter(|name| !service.operations.contains(name))
        .collect();
    let mut trimmed = json!({
        "metadata": metadata,
        "operations": kept,
        "absent": absent,
        "shapes": shapes,
    });
    // Nothing but its route says which operation a REST request asks for.
    let protocol = model["metadata"]["protocol"].as_str().unwrap_or_default();
    if protocol.starts_with("rest-") {
        let route = |name: &&String| {
            let http = &operations[*name]["http"];
            json!({"name": name, "method": http["method"], "uri": http["requestUri"]})
        };
        trimmed["absentRoutes"] = absent.iter().map(route).collect();
    }
    Ok(serde_json::to_string_pretty(&trimmed)? + "\n")
}

/// Adds the query protocol, and what its messages call things.
fn also_query(
    query: &Query,
    metadata: &mut Value,
    operations: &mut Map<String, Value>,
    shapes: &mut Map<String, Value>,
) -> Result<()> {
    metadata["xmlNamespace"] = json!(query.namespace);
    match metadata["protocols"].as_array_mut() {
        Some(protocols) => protocols.push(json!("query")),
        None => metadata["protocols"] = json!([metadata["protocol"], "query"]),
    }
    for (name, operation) in operations.iter_mut() {
        if !operation["output"].is_null() {
            operation["output"]["resultWrapper"] = json!(format!("{name}Result"));
        }
    }
    for (path, name) in &query.names {
        let found = path.split_once('.').and_then(|(shape, member)| {
            let shape = shapes.get_mut(shape)?;
            match member {
                // Of a map; other protocols do not write these names.
                "key" | "value" => Some((shape.get_mut(member)?, "locationName")),
                member => Some((shape.get_mut("members")?.get_mut(member)?, "formName")),
            }
        });
        let (member, column) = found.with_context(|| format!("there is no {path}"))?;
        member[column] = json!(name);
    }
    for (shape, (code, status)) in &query.codes {
        let shape = shapes
            .get_mut(shape)
            .with_context(|| format!("there is no {shape}"))?;
        shape["error"] = json!({"code": code, "httpStatusCode": status});
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Value> {
    let plain = folder.join("service-2.json");
    let packed = folder.join("service-2.json.gz");
    let text = if plain.exists() {
        std::fs::read_to_string(&plain)?
    } else {
        let mut text = String::new();
        let file = std::fs::File::open(&packed).with_context(|| format!("opening {}", packed.display()))?;
        flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
        text
    };
    Ok(serde_json::from_str(&text)?)
}

fn reach(model: &Value, name: &str, reached: &mut BTreeSet<String>) {
    if !reached.insert(name.to_owned()) {
        return;
    }
    let shape = &model["shapes"][name];
    let members = shape["members"].as_object().into_iter().flat_map(Map::values);
    for part in members.chain([&shape["member"], &shape["key"], &shape["value"]]) {
        if let Some(inner) = part["shape"].as_str() {
            reach(model, inner, reached);
        }
    }
}

fn pick(value: &Value, keep: &[&str], drop_inside: &[&str]) -> Value {
    let mut out = Map::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        if keep.contains(&key.as_str()) {
            let mut value = value.clone();
            if let Value::Object(inner) = &mut value {
                inner.retain(|key, _| !drop_inside.contains(&key.as_str()));
            }
            out.insert(key.clone(), value);
        }
    }
    Value::Object(out)
}

fn shape(full: &Value) -> Value {
    let mut out = pick(full, SHAPE, &["documentation"]);
    if let Some(members) = full["members"].as_object() {
        let members: Map<String, Value> = members
            .iter()
            .map(|(name, member)| (name.clone(), pick(member, MEMBER, &[])))
            .collect();
        out["members"] = Value::Object(members);
    }
    for part in ["member", "key", "value"] {
        if !full[part].is_null() {
            out[part] = pick(&full[part], MEMBER, &[]);
        }
    }
    out
}
