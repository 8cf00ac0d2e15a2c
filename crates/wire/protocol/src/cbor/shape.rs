//! Values as CBOR items, by their shapes.

use std::borrow::Cow;

use super::item::{CborError, Item, parse};
use crate::check::{Violation, join, kind_name};
use crate::error::ApiError;
use crate::json::{error_message_name, error_type};
use crate::model::{Kind, Member, ServiceModel, ShapeId};
use crate::text::in_range;
use crate::value::{Fields, Value};

/// The body does not hold a request.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is not a CBOR item: {0}")]
    Syntax(#[from] CborError),
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// Reads a request. An empty body is an empty structure.
///
/// # Errors
/// [`BodyError`]: the body is not CBOR, a member is unknown or of another type.
pub fn decode(model: &ServiceModel, shape: Option<ShapeId>, body: &[u8]) -> Result<Value, BodyError> {
    if body.is_empty() {
        return Ok(Value::empty());
    }
    let item = parse(body)?;
    match (shape, item) {
        (Some(shape), item) => Ok(from_item(model, shape, item, "")?),
        (None, Item::Map(entries)) if entries.is_empty() => Ok(Value::empty()),
        (None, Item::Map(entries)) => Err(Violation::Unknown {
            path: entries
                .into_iter()
                .next()
                .map(|(name, _)| name)
                .unwrap_or_default(),
        }
        .into()),
        (None, other) => Err(Violation::Type {
            path: String::new(),
            wanted: "structure",
            found: found(&other).to_owned(),
        }
        .into()),
    }
}

fn found(item: &Item) -> &'static str {
    match item {
        Item::Int(_) => "integer",
        Item::Bytes(_) => "blob",
        Item::Text(_) => "string",
        Item::List(_) => "list",
        Item::Map(_) => "structure",
        Item::Time(_) => "timestamp",
        Item::Bool(_) => "boolean",
        Item::Float(_) => "number",
        Item::Null => "null",
    }
}

fn from_item(model: &ServiceModel, shape: ShapeId, item: Item, path: &str) -> Result<Value, Violation> {
    let kind = &model.shape(shape).kind;
    let wrong = |item: &Item| Violation::Type {
        path: path.to_owned(),
        wanted: kind_name(kind),
        found: found(item).to_owned(),
    };
    match (kind, item) {
        (Kind::Structure { members, .. }, Item::Map(entries)) => {
            let mut fields = Fields::with_capacity(entries.len().min(members.len()));
            for (name, item) in entries {
                let here = join(path, &name);
                // The protocol goes by the members' own names; botocore sends the others where there are any.
                let known = |member: &&Member| member.name == name || member.wire_name() == name;
                let Some(member) = members.iter().find(known) else {
                    return Err(Violation::Unknown { path: here });
                };
                if fields.iter().any(|(name, _)| name == member.name) {
                    return Err(Violation::Type {
                        path: here,
                        wanted: "one value",
                        found: "two".to_owned(),
                    });
                }
                if item != Item::Null {
                    let value = from_item(model, member.shape, item, &here)?;
                    fields.push((Cow::Borrowed(member.name), value));
                }
            }
            Ok(Value::Map(fields))
        }
        (Kind::List { member, .. }, Item::List(items)) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| from_item(model, member.shape, item, &format!("{path}[{index}]")))
            .collect::<Result<_, _>>()
            .map(Value::List),
        (Kind::Map { value, .. }, Item::Map(entries)) => entries
            .into_iter()
            .filter(|(_, item)| *item != Item::Null)
            .map(|(name, item)| {
                let value = from_item(model, value.shape, item, &join(path, &name))?;
                Ok((Cow::Owned(name), value))
            })
            .collect::<Result<_, _>>()
            .map(Value::Map),
        (Kind::Text { .. }, Item::Text(text)) => Ok(Value::Str(text)),
        (Kind::Blob { .. }, Item::Bytes(bytes)) => Ok(Value::Blob(bytes)),
        (Kind::Boolean, Item::Bool(flag)) => Ok(Value::Bool(flag)),
        (Kind::Integer { .. } | Kind::Long { .. }, Item::Int(number)) => i64::try_from(number)
            .map(Value::Int)
            .map_err(|_| wrong(&Item::Int(number))),
        (Kind::Integer { .. } | Kind::Long { .. }, Item::Float(number))
            if number.fract() == 0.0 && number.abs() < 9.0e15 =>
        {
            Ok(Value::Int(number as i64))
        }
        (Kind::Double { .. }, Item::Float(number)) => Ok(Value::Float(number)),
        (Kind::Double { .. }, Item::Int(number)) => Ok(Value::Float(number as f64)),
        (Kind::Timestamp { .. }, Item::Time(seconds)) => in_range(seconds)
            .map(Value::Time)
            .ok_or_else(|| wrong(&Item::Time(seconds))),
        (_, other) => Err(wrong(&other)),
    }
}

fn to_item(model: &ServiceModel, shape: ShapeId, value: Value) -> Item {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure { members, .. }, Value::Map(fields)) => Item::Map(
            fields
                .into_iter()
                .filter_map(|(name, value)| {
                    let member = members.iter().find(|member| member.name == name)?;
                    Some((member.name.to_owned(), to_item(model, member.shape, value)))
                })
                .collect(),
        ),
        (Kind::List { member, .. }, Value::List(items)) => Item::List(
            items
                .into_iter()
                .map(|item| to_item(model, member.shape, item))
                .collect(),
        ),
        (Kind::Map { value: member, .. }, Value::Map(fields)) => Item::Map(
            fields
                .into_iter()
                .map(|(name, value)| (name.into_owned(), to_item(model, member.shape, value)))
                .collect(),
        ),
        (_, value) => plain(value),
    }
}

/// A scalar, or a part of an error that no model documents.
fn plain(value: Value) -> Item {
    match value {
        Value::Bool(flag) => Item::Bool(flag),
        Value::Int(number) => Item::Int(number.into()),
        Value::Float(number) => Item::Float(number),
        Value::Str(text) => Item::Text(text),
        Value::Blob(bytes) => Item::Bytes(bytes),
        Value::Time(seconds) => Item::Time(seconds),
        Value::List(items) => Item::List(items.into_iter().map(plain).collect()),
        Value::Map(fields) => Item::Map(
            fields
                .into_iter()
                .map(|(name, value)| (name.into_owned(), plain(value)))
                .collect(),
        ),
        // The protocol has no documents; no model of it has them either.
        Value::Document(json) => Item::Text(json.to_string()),
        Value::Events(_) => Item::Null,
    }
}

/// A response body; nothing for an operation without output.
pub fn encode(model: &ServiceModel, shape: Option<ShapeId>, value: Value) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(shape) = shape {
        to_item(model, shape, value).write(&mut out);
    }
    out
}

/// An error body: `__type`, `message` and the members of the error's shape.
pub fn encode_error(model: Option<&ServiceModel>, error: &ApiError) -> Vec<u8> {
    let mut entries = vec![
        (
            "__type".to_owned(),
            Item::Text(error_type(model, error).to_owned()),
        ),
        (
            error_message_name(model, error).to_owned(),
            Item::Text(error.message.clone()),
        ),
    ];
    let shape = model.and_then(|model| Some((model, model.error_shape(&error.code)?)));
    for (name, value) in &error.members {
        let member = shape.and_then(|(model, shape)| match &shape.kind {
            Kind::Structure { members, .. } => Some((model, members.iter().find(|m| m.name == name)?)),
            _ => None,
        });
        entries.push(match member {
            Some((model, member)) => (
                member.name.to_owned(),
                to_item(model, member.shape, value.clone()),
            ),
            None => (name.to_string(), plain(value.clone())),
        });
    }
    let mut out = Vec::new();
    Item::Map(entries).write(&mut out);
    out
}
