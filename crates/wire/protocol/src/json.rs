//! awsJson 1.0 and 1.1: the body is the input, member for member; time is seconds, blobs are base64.
//! Source: the Smithy specification of the AWS JSON protocols.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json};

use crate::check::{Violation, join, kind_name};
use crate::error::ApiError;
use crate::model::{Kind, Location, Member, ServiceModel, ShapeId};
use crate::text::{TimeFormat, in_range, print_float};
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
            structure(model, members, object, path, |_| true)
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
        (Kind::Timestamp { .. }, Json::Number(number)) => number
            .as_f64()
            .and_then(in_range)
            .map(Value::Time)
            .ok_or_else(|| wrong(&Json::Number(number))),
        (Kind::Timestamp { .. }, Json::String(text)) => TimeFormat::parse(&text)
            .map(Value::Time)
            .ok_or_else(|| wrong(&Json::String(text))),
        (_, other) => Err(wrong(&other)),
    }
}

/// The members of a structure that `wanted` keeps; any other is unknown here.
pub(crate) fn structure(
    model: &ServiceModel,
    members: &[Member],
    object: Map<String, Json>,
    path: &str,
    wanted: impl Fn(&Member) -> bool,
) -> Result<Value, Violation> {
    let mut fields = Fields::with_capacity(object.len().min(members.len()));
    for (name, json) in object {
        let known = |member: &&Member| key(member) == name && wanted(member);
        let Some(member) = members.iter().find(known) else {
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

/// What a member is called in JSON. The name on the wire of one that REST puts elsewhere is that of its header or
/// parameter; where a whole request is JSON, as in calls by name, it has the name that the model gives it.
fn key(member: &Member) -> &'static str {
    match member.location {
        Location::Body => member.wire_name(),
        Location::Header
        | Location::Headers
        | Location::QueryString
        | Location::StatusCode
        | Location::Uri => member.name,
    }
}

/// A response has no path and no query string: what is at home there in requests keeps its name on the wire.
fn written(member: &Member) -> &'static str {
    match member.location {
        Location::QueryString | Location::Uri => member.wire_name(),
        _ => key(member),
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
    formatted(model, shape, None, value)
}

/// One member, whose own time format goes before its shape's.
pub(crate) fn member_to_json(model: &ServiceModel, member: &Member, value: Value) -> Json {
    formatted(model, member.shape, member.timestamp, value)
}

fn formatted(model: &ServiceModel, shape: ShapeId, time: Option<&str>, value: Value) -> Json {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure { members, .. }, Value::Map(fields)) => Json::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| {
                    let member = members.iter().find(|member| member.name == name)?;
                    Some((written(member).to_owned(), member_to_json(model, member, value)))
                })
                .collect(),
        ),
        (Kind::List { member, .. }, Value::List(items)) => Json::Array(
            items
                .into_iter()
                .map(|item| member_to_json(model, member, item))
                .collect(),
        ),
        (Kind::Map { value: member, .. }, Value::Map(fields)) => Json::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.into_owned(), member_to_json(model, member, value)))
                .collect(),
        ),
        (kind, Value::Time(seconds)) => match TimeFormat::of(time, kind, TimeFormat::Epoch) {
            TimeFormat::Epoch => plain(Value::Time(seconds)),
            format => Json::String(format.print(seconds)),
        },
        (_, value) => plain(value),
    }
}

/// A scalar, or an error's member, without a shape to go by.
fn plain(value: Value) -> Json {
    match value {
        Value::Bool(flag) => Json::Bool(flag),
        Value::Int(number) => Json::Number(number.into()),
        Value::Float(number) => {
            Number::from_f64(number).map_or_else(|| Json::String(print_float(number)), Json::Number)
        }
        // Whole seconds are written as a whole number, as the services do.
        Value::Time(seconds) if seconds.fract() == 0.0 && seconds.abs() < 9.0e15 => {
            Json::Number((seconds as i64).into())
        }
        Value::Time(seconds) => Number::from_f64(seconds).map_or(Json::Null, Json::Number),
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
        // Events follow an answer; they are no part of it.
        Value::Events(_) => Json::Null,
    }
}

/// A response body.
pub fn encode(model: &ServiceModel, shape: Option<ShapeId>, value: Value) -> Vec<u8> {
    let json = shape.map_or_else(|| Json::Object(Map::new()), |shape| to_json(model, shape, value));
    json.to_string().into_bytes()
}

/// An error body: `__type`, `message` and the members of the error's shape.
pub fn encode_error(model: Option<&ServiceModel>, error: &ApiError) -> Vec<u8> {
    let mut body = error_members(model, error, |_| true);
    body.insert(
        "__type".to_owned(),
        Json::String(error_type(model, error).to_owned()),
    );
    Json::Object(body).to_string().into_bytes()
}

/// The message and the members that `wanted` keeps, by the error's shape if a model documents it.
pub(crate) fn error_members(
    model: Option<&ServiceModel>,
    error: &ApiError,
    wanted: impl Fn(&Member) -> bool,
) -> Map<String, Json> {
    let mut body = Map::new();
    body.insert(
        error_message_name(model, error).to_owned(),
        Json::String(error.message.clone()),
    );
    let shape = model.and_then(|model| Some((model, model.error_shape(&error.code)?)));
    for (name, value) in &error.members {
        let member = shape.and_then(|(model, shape)| match &shape.kind {
            Kind::Structure { members, .. } => Some((model, members.iter().find(|m| m.name == name)?)),
            _ => None,
        });
        match member {
            Some((model, member)) if wanted(member) => {
                let json = member_to_json(model, member, value.clone());
                body.insert(member.wire_name().to_owned(), json);
            }
            Some(_) => {}
            None => {
                body.insert(name.to_string(), plain(value.clone()));
            }
        }
    }
    body
}

/// What clients read an error's name from: its shape's name where clients also get the query code, which is
/// the code everywhere else.
pub(crate) fn error_type<'a>(model: Option<&ServiceModel>, error: &'a ApiError) -> &'a str {
    match model.filter(|model| model.query_compatible) {
        Some(model) => match model.error_shape(&error.code) {
            Some(shape) => shape.name,
            None => common_error_name(&error.code),
        },
        None => &error.code,
    }
}

/// The errors that no model documents because all services have them: what the query protocol calls them, and
/// what the others do. Source: "Common Errors" in the API references of services of either kind.
fn common_error_name(query_code: &str) -> &str {
    match query_code {
        "AccessDenied" => "AccessDeniedException",
        "ExpiredToken" => "ExpiredTokenException",
        "IncompleteSignature" => "IncompleteSignatureException",
        "InvalidAction" => "UnknownOperationException",
        "InvalidClientTokenId" => "UnrecognizedClientException",
        "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
        "RequestExpired" | "SignatureDoesNotMatch" => "InvalidSignatureException",
        "ValidationError" => "ValidationException",
        other => other,
    }
}

/// `Message` where the error's shape writes it so.
pub(crate) fn error_message_name(model: Option<&ServiceModel>, error: &ApiError) -> &'static str {
    let shape = model.and_then(|model| model.error_shape(&error.code));
    match shape.map(|shape| &shape.kind) {
        Some(Kind::Structure { members, .. }) if members.iter().any(|m| m.wire_name() == "Message") => {
            "Message"
        }
        _ => "message",
    }
}
