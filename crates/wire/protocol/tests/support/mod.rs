//! Tables from a model's JSON at run time, as `cargo xtask models` writes them at build time: so that the
//! codecs can be held to models that no crate was generated for. What is made here lives until the end.

#![allow(dead_code)] // each test binary uses its part

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_protocol::{
    Kind, Location, Member, Namespace, Operation, Protocol, ServiceModel, Shape, Value,
};
use serde_json::Value as Json;

fn keep(text: &Json) -> &'static str {
    text.as_str()
        .map_or("", |text| Box::leak(text.to_owned().into_boxed_str()))
}

fn optional(text: &Json) -> Option<&'static str> {
    text.is_string().then(|| keep(text))
}

fn all<T>(items: Vec<T>) -> &'static [T] {
    Box::leak(items.into_boxed_slice())
}

/// A model with `metadata`, `shapes` and `operations`.
pub(crate) fn load(model: &Json) -> &'static ServiceModel {
    let shapes = model["shapes"].as_object().cloned().unwrap_or_default();
    let names: Vec<String> = shapes.keys().cloned().collect();
    let id = |name: &Json| {
        let found = names
            .iter()
            .position(|known| Some(known.as_str()) == name.as_str());
        found.unwrap_or_else(|| panic!("no shape {name}")) as u16
    };
    let metadata = &model["metadata"];
    let operations = model["operations"].as_object().into_iter().flatten();
    let operations = operations.map(|(name, operation)| {
        let shape = |part: &str| {
            operation
                .get(part)
                .filter(|part| part["shape"].is_string())
                .map(|part| id(&part["shape"]))
        };
        Operation {
            name: keep(&Json::from(name.as_str())),
            method: optional(&operation["http"]["method"]).unwrap_or("POST"),
            uri: optional(&operation["http"]["requestUri"]).unwrap_or("/"),
            input: shape("input"),
            output: shape("output"),
            result_wrapper: keep(&operation["output"]["resultWrapper"]),
            host_prefix: keep(&operation["endpoint"]["hostPrefix"]),
            status: operation["http"]["responseCode"].as_u64().unwrap_or(0) as u16,
            input_wire: keep(&operation["input"]["locationName"]),
            input_namespace: keep(&operation["input"]["xmlNamespace"]["uri"]),
            output_wire: keep(&operation["output"]["locationName"]),
        }
    });
    let operations = all(operations.collect());
    let table = shapes.iter().map(|(name, shape)| {
        let error = shape["exception"].as_bool() == Some(true);
        let code = optional(&shape["error"]["code"]);
        Shape {
            name: keep(&Json::from(name.as_str())),
            kind: kind(shape, &id),
            wire: keep(&shape["locationName"]),
            namespace: namespace(&shape["xmlNamespace"]),
            error_code: if error {
                code.unwrap_or(keep(&Json::from(name.as_str())))
            } else {
                ""
            },
            error_status: match shape["error"]["httpStatusCode"].as_u64() {
                Some(status) => status as u16,
                None if error && shape["fault"].as_bool() == Some(true) => 500,
                None if error => 400,
                None => 0,
            },
            sensitive: shape["sensitive"].as_bool() == Some(true),
            event_stream: shape["eventstream"].as_bool() == Some(true),
        }
    });
    let table = all(table.collect());
    let json10 = metadata["jsonVersion"] == "1.0";
    let protocol = match metadata["protocol"].as_str() {
        Some("json") if json10 => Protocol::Json10,
        Some("json") => Protocol::Json11,
        Some("query") => Protocol::Query,
        Some("ec2") => Protocol::Ec2,
        Some("rest-json") => Protocol::RestJson,
        Some("rest-xml") => Protocol::RestXml,
        Some("smithy-rpc-v2-cbor") => Protocol::RpcV2Cbor,
        other => panic!("the unknown protocol {other:?}"),
    };
    let uri = &metadata["xmlNamespace"];
    Box::leak(Box::new(ServiceModel {
        name: "test",
        signing_name: "test",
        api_version: keep(&metadata["apiVersion"]),
        target_prefix: keep(&metadata["targetPrefix"]),
        xml_namespace: if uri.is_string() {
            keep(uri)
        } else {
            keep(&uri["uri"])
        },
        protocols: all(vec![protocol]),
        shapes: table,
        operations,
        absent_routes: &[],
        absent: &[],
        query_compatible: !metadata["awsQueryCompatible"].is_null(),
        bare_errors: metadata["serviceId"] == "S3",
    }))
}

fn namespace(value: &Json) -> Namespace {
    match value {
        Json::String(_) => Namespace {
            uri: keep(value),
            prefix: "",
        },
        other => Namespace {
            uri: keep(&other["uri"]),
            prefix: keep(&other["prefix"]),
        },
    }
}

fn kind(shape: &Json, id: &dyn Fn(&Json) -> u16) -> Kind {
    let flag = |key: &str| shape[key].as_bool() == Some(true);
    let (min, max) = (shape["min"].as_u64(), shape["max"].as_u64());
    let (low, high) = (shape["min"].as_i64(), shape["max"].as_i64());
    let member = |name: &str, json: &Json, required: bool| member(name, json, required, id);
    match shape["type"].as_str() {
        Some("structure") => {
            let required: Vec<&str> = shape["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Json::as_str)
                .collect();
            let members = shape["members"].as_object().into_iter().flatten();
            let members = members.map(|(name, json)| member(name, json, required.contains(&name.as_str())));
            Kind::Structure {
                members: all(members.collect()),
                payload: optional(&shape["payload"]),
                document: flag("document"),
                union: flag("union"),
            }
        }
        Some("list") => Kind::List {
            member: member("member", &shape["member"], false),
            flattened: flag("flattened"),
            min,
            max,
        },
        Some("map") => Kind::Map {
            key: member("key", &shape["key"], false),
            value: member("value", &shape["value"], false),
            flattened: flag("flattened"),
            min,
            max,
        },
        Some("string") => {
            let values = shape["enum"].as_array().into_iter().flatten().map(keep);
            Kind::Text {
                min,
                max,
                pattern: optional(&shape["pattern"]),
                values: all(values.collect()),
            }
        }
        Some("blob") => Kind::Blob {
            min,
            max,
            streaming: flag("streaming"),
        },
        Some("integer") => Kind::Integer { min: low, max: high },
        Some("long") => Kind::Long { min: low, max: high },
        Some("double" | "float") => Kind::Double {
            min: shape["min"].as_f64(),
            max: shape["max"].as_f64(),
        },
        Some("boolean") => Kind::Boolean,
        Some("timestamp") => Kind::Timestamp {
            format: optional(&shape["timestampFormat"]),
        },
        other => panic!("a shape of the unknown type {other:?}"),
    }
}

fn member(name: &str, json: &Json, required: bool, id: &dyn Fn(&Json) -> u16) -> Member {
    let flag = |key: &str| json[key].as_bool() == Some(true);
    Member {
        name: keep(&Json::from(name)),
        shape: id(&json["shape"]),
        required,
        wire: keep(&json["locationName"]),
        query: keep(&json["queryName"]),
        form: "",
        location: match json["location"].as_str() {
            Some("header") => Location::Header,
            Some("headers") => Location::Headers,
            Some("uri") => Location::Uri,
            Some("querystring") => Location::QueryString,
            Some("statusCode") => Location::StatusCode,
            _ => Location::Body,
        },
        flattened: flag("flattened"),
        attribute: flag("xmlAttribute"),
        idempotency_token: flag("idempotencyToken"),
        timestamp: optional(&json["timestampFormat"]),
        namespace: namespace(&json["xmlNamespace"]),
        json_value: flag("jsonvalue"),
        event_payload: flag("eventpayload"),
        event_header: flag("eventheader"),
    }
}

/// A value as the vectors write it: times in seconds, blobs as text, the special numbers as words.
pub(crate) fn plain(value: &Value) -> Json {
    match value {
        Value::Bool(flag) => Json::from(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) if number.is_finite() => Json::from(*number),
        Value::Float(number) if number.is_nan() => Json::from("NaN"),
        Value::Float(number) => Json::from(if *number > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Str(text) => Json::from(text.as_str()),
        Value::Blob(bytes) => Json::from(String::from_utf8_lossy(bytes).into_owned()),
        Value::Time(seconds) => Json::from(*seconds),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(fields) => Json::Object(
            fields
                .iter()
                .map(|(name, value)| (name.to_string(), plain(value)))
                .collect(),
        ),
        Value::Document(json) => json.clone(),
        Value::Events(_) => Json::Null,
    }
}

/// A value with everything JSON cannot carry in an object of its own.
pub(crate) fn exact(value: &Value) -> Json {
    match value {
        Value::Float(number) if !number.is_finite() => serde_json::json!({ "$float": plain(value) }),
        Value::Blob(bytes) => serde_json::json!({ "$bytes": STANDARD.encode(bytes) }),
        Value::Time(seconds) => serde_json::json!({ "$time": seconds }),
        Value::List(items) => items.iter().map(exact).collect(),
        Value::Map(fields) => Json::Object(
            fields
                .iter()
                .map(|(name, value)| (name.to_string(), exact(value)))
                .collect(),
        ),
        other => plain(other),
    }
}

/// The other way, by a shape, from either form. Nulls are left out.
pub(crate) fn shaped(model: &ServiceModel, shape: u16, json: &Json) -> Option<Value> {
    let map = |object: &serde_json::Map<String, Json>, of: &dyn Fn(&str) -> Option<u16>| {
        let fields = object.iter().filter_map(|(name, json)| {
            let shape = of(name).unwrap_or_else(|| panic!("no member {name}"));
            Some((name.clone().into(), shaped(model, shape, json)?))
        });
        Value::Map(fields.collect())
    };
    Some(match (&model.shape(shape).kind, json) {
        (Kind::Structure { document: true, .. }, json) => Value::Document(json.clone()),
        (_, Json::Null) => return None,
        (Kind::Structure { members, .. }, Json::Object(object)) => map(object, &|name| {
            members
                .iter()
                .find(|member| member.name == name)
                .map(|member| member.shape)
        }),
        (Kind::Map { value, .. }, Json::Object(object)) => map(object, &|_| Some(value.shape)),
        (Kind::List { member, .. }, Json::Array(items)) => Value::List(
            items
                .iter()
                .filter_map(|item| shaped(model, member.shape, item))
                .collect(),
        ),
        (Kind::Blob { .. }, Json::Object(tagged)) => Value::Blob(
            STANDARD
                .decode(tagged["$bytes"].as_str().expect("text"))
                .expect("base64"),
        ),
        (Kind::Timestamp { .. }, Json::Object(tagged)) => {
            Value::Time(tagged["$time"].as_f64().expect("a time"))
        }
        (Kind::Double { .. }, Json::String(text)) => Value::Float(match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        }),
        (Kind::Double { .. }, json) => Value::Float(json.as_f64().expect("a number")),
        (Kind::Timestamp { .. }, json) => Value::Time(json.as_f64().expect("a time")),
        (Kind::Blob { .. }, Json::String(text)) => Value::Blob(text.clone().into_bytes()),
        (Kind::Text { .. }, Json::String(text)) => Value::Str(text.clone()),
        (Kind::Boolean, Json::Bool(flag)) => Value::Bool(*flag),
        (Kind::Integer { .. } | Kind::Long { .. }, json) => Value::Int(json.as_i64().expect("whole")),
        (kind, json) => panic!("{json} is no {kind:?}"),
    })
}

/// Equal, with whole and fractional numbers alike.
pub(crate) fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
