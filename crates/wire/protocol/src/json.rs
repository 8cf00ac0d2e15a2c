//! awsJson 1.0 and 1.1: the body is the input, member for member; time is seconds, blobs are base64.
//! Source: the Smithy specification of the AWS JSON protocols.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json};

use crate::check::{Violation, join, kind_name};
use crate::error::ApiError;
use crate::model::{Kind, ServiceModel, ShapeId};
use crate::value::{Fields, Value};

/// The body does not hold a request.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Not JSON, not an object, or nested too deeply.
    #[error("the body is not a JSON object: {0}")]
    Syntax(String),
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Reads a request. An empty body is an empty structure.
///
/// # Errors
/// [`BodyError`]: the text is no JSON object, a member is unknown or of another type.
pub fn decode(model: &ServiceModel, shape: Option<ShapeId>, body: &[u8]) -> Result<Value, BodyError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::empty());
    }
    let json: Json = serde_json::from_slice(body).map_err(|error| BodyError::Syntax(error.to_string()))?;
    if !json.is_object() {
        return Err(BodyError::Syntax(
            "its outermost value is not an object".to_owned(),
        ));
    }
    match (shape, json) {
        (Some(shape), json) => Ok(from_json(model, shape, json, "")?),
        (None, Json::Object(members)) => match members.keys().next() {
            Some(name) => Err(Violation::Unknown { path: name.clone() }.into()),
            None => Ok(Value::empty()),
        },
        (None, _) => Ok(Value::empty()),
    }
}

/// One JSON value as the shape says.
///
/// # Errors
/// A member is unknown, or a value is of another type.
pub fn from_json(model: &ServiceModel, shape: ShapeId, json: Json, path: &str) -> Result<Value, Violation> {
    let kind = &model.shape(shape).kind;
    let wrong = |found: &Json| Violation::Type {
        path: path.to_owned(),
        wanted: kind_name(kind),
        found: json_kind(found).to_owned(),
    };
    match (kind, json) {
        (Kind::Structure { document: true, .. }, json) => Ok(Value::Document(json)),
        (Kind::Structure { members, .. }, Json::Object(object)) => {
            let mut fields = Fields::with_capacity(object.len());
            for (name, json) in object {
                let Some(member) = members.iter().find(|member| member.wire_name() == name) else {
                    return Err(Violation::Unknown {
                        path: join(path, &name),
                    });
                };
                if !json.is_null() {
                    let value = from_json(model, member.shape, json, &join(path, member.name))?;
                    fields.push((Cow::Borrowed(member.name), value));
                }
            }
            Ok(Value::Map(fields))
        }
        (Kind::List { member, .. }, Json::Array(items)) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| from_json(model, member.shape, item, &format!("{path}[{index}]")))
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Kind::Map { value, .. }, Json::Object(object)) => object
            .into_iter()
            .filter(|(_, json)| !json.is_null())
            .map(|(name, json)| {
                let value = from_json(model, value.shape, json, &join(path, &name))?;
                Ok((Cow::Owned(name), value))
            })
            .collect::<Result<_, _>>()
            .map(Value::Map),
        (Kind::Text { .. }, Json::String(text)) => Ok(Value::Str(text)),
        (Kind::Blob { .. }, Json::String(text)) => {
            STANDARD
                .decode(&text)
                .map(Value::Blob)
                .map_err(|_| Violation::Type {
                    path: path.to_owned(),
                    wanted: "base64",
                    found: "string".to_owned(),
                })
        }
        (Kind::Boolean, Json::Bool(flag)) => Ok(Value::Bool(flag)),
        (Kind::Integer { .. } | Kind::Long { .. }, Json::Number(number)) => whole(&number)
            .map(Value::Int)
            .ok_or_else(|| wrong(&Json::Number(number))),
        (Kind::Double { .. }, Json::Number(number)) => Ok(Value::Float(number.as_f64().unwrap_or(f64::NAN))),
        (Kind::Double { .. }, Json::String(text)) => match text.as_str() {
            "NaN" => Ok(Value::Float(f64::NAN)),
            "Infinity" => Ok(Value::Float(f64::INFINITY)),
            "-Infinity" => Ok(Value::Float(f64::NEG_INFINITY)),
            _ => Err(wrong(&Json::String(text))),
        },
        (Kind::Timestamp { .. }, Json::Number(number)) => {
            Ok(Value::Time(number.as_f64().unwrap_or_default()))
        }
        (Kind::Timestamp { .. }, Json::String(text)) => text
            .parse::<jiff::Timestamp>()
            .map(|time| Value::Time(time.as_millisecond() as f64 / 1000.0))
            .map_err(|_| wrong(&Json::String(text))),
        (_, other) => Err(wrong(&other)),
    }
}

/// Clients may write a whole number with a zero fraction.
fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && float.abs() < 9.0e15)
            .map(|float| float as i64)
    })
}

fn json_kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_f64() => "fractional number",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "list",
        Json::Object(_) => "structure",
    }
}

/// Writes a value as the shape says.
pub fn to_json(model: &ServiceModel, shape: ShapeId, value: Value) -> Json {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure { members, .. }, Value::Map(fields)) => Json::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| {
                    let member = members.iter().find(|member| member.name == name)?;
                    Some((member.wire_name().to_owned(), to_json(model, member.shape, value)))
                })
                .collect(),
        ),
        (Kind::List { member, .. }, Value::List(items)) => Json::Array(
            items
                .into_iter()
                .map(|item| to_json(model, member.shape, item))
                .collect(),
        ),
        (Kind::Map { value: member, .. }, Value::Map(fields)) => Json::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.into_owned(), to_json(model, member.shape, value)))
                .collect(),
        ),
        (_, value) => plain(value),
    }
}

/// A scalar, or an error's member, without a shape to go by.
fn plain(value: Value) -> Json {
    match value {
        Value::Bool(flag) => Json::Bool(flag),
        Value::Int(number) => Json::Number(number.into()),
        Value::Float(number) | Value::Time(number) => Number::from_f64(number).map_or_else(
            || {
                Json::String(
                    if number.is_nan() {
                        "NaN"
                    } else if number > 0.0 {
                        "Infinity"
                    } else {
                        "-Infinity"
                    }
                    .into(),
                )
            },
            Json::Number,
        ),
        Value::Str(text) => Json::String(text),
        Value::Blob(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::List(items) => Json::Array(items.into_iter().map(plain).collect()),
        Value::Map(fields) => Json::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.into_owned(), plain(value)))
                .collect(),
        ),
        Value::Document(json) => json,
    }
}

/// A response body.
pub fn encode(model: &ServiceModel, shape: Option<ShapeId>, value: Value) -> Vec<u8> {
    let json = shape.map_or_else(|| Json::Object(Map::new()), |shape| to_json(model, shape, value));
    json.to_string().into_bytes()
}

/// An error body: `__type`, `message` and the members of the error's shape.
pub fn encode_error(error: &ApiError) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("__type".to_owned(), Json::String(error.code.to_string()));
    body.insert("message".to_owned(), Json::String(error.message.clone()));
    for (name, value) in &error.members {
        body.insert(name.to_string(), plain(value.clone()));
    }
    Json::Object(body).to_string().into_bytes()
}
