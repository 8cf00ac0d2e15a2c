//! A request's members, gathered from where the tables put them.

use std::borrow::Cow;

use super::route::{Template, parameters};
use super::{Style, header};
use crate::check::{Violation, join, kind_name};
use crate::codec::{HttpRequest, RequestError};
use crate::json;
use crate::model::{Kind, Location, Member, Operation, ServiceModel, ShapeId};
use crate::text;
use crate::value::{Fields, Value};
use crate::xml;

/// Query parameters that belong to the transport: a presigned request's signature, and the operation's name
/// that some clients add.
fn transport(parameter: &str) -> bool {
    parameter.starts_with("X-Amz-") || parameter == "x-id"
}

/// Reads a request that the operation's route fits.
///
/// # Errors
/// The path or body cannot be read; a member is unknown or of another type.
pub fn decode(
    style: Style,
    model: &ServiceModel,
    operation: &Operation,
    request: &HttpRequest<'_>,
) -> Result<Value, RequestError> {
    let template = Template::new(operation.uri);
    let labels = template
        .labels(request.path)
        .ok_or_else(|| RequestError::syntax("path", "it does not fit the operation's"))?;
    let query =
        parameters(request.query).ok_or_else(|| RequestError::syntax("query string", "it is not UTF-8"))?;
    let Some(shape) = operation.input else {
        refuse_unknown(&template, &[], &query)?;
        empty_body(style, request.body)?;
        return Ok(Value::empty());
    };
    let Kind::Structure { members, payload, .. } = &model.shape(shape).kind else {
        return Err(RequestError::syntax(
            "operation's table",
            "its input is no structure",
        ));
    };
    if !members.iter().any(is_query_map(model)) {
        refuse_unknown(&template, members, &query)?;
    }
    let mut fields = Fields::new();
    for member in *members {
        let value = match member.location {
            Location::Uri => {
                let label = labels.iter().find(|(name, _)| *name == member.wire_name());
                let kind = &model.shape(member.shape).kind;
                label
                    .map(|(_, label)| text::scalar_at(kind, label, member.name))
                    .transpose()?
            }
            Location::QueryString => from_query(model, member, &template, &query)?,
            Location::Header => {
                let lines = lines(request, member.wire_name(), member.name)?;
                (!lines.is_empty())
                    .then(|| header::read(model, member, &lines, member.name))
                    .transpose()?
            }
            Location::Headers => prefixed(request, member)?,
            Location::Body | Location::StatusCode => None,
        };
        if let Some(value) = value {
            fields.push((Cow::Borrowed(member.name), value));
        }
    }
    let payload = payload.and_then(|name| members.iter().find(|member| member.name == name));
    let body = match payload {
        Some(member) => payload_value(style, model, member, request.body)?
            .map(|value| vec![(Cow::Borrowed(member.name), value)]),
        None => Some(body_members(
            style,
            model,
            operation,
            shape,
            members,
            request.body,
        )?),
    };
    fields.extend(body.unwrap_or_default());
    Ok(Value::Map(fields))
}

fn is_query_map(model: &ServiceModel) -> impl Fn(&Member) -> bool {
    |member| {
        member.location == Location::QueryString && matches!(model.shape(member.shape).kind, Kind::Map { .. })
    }
}

fn refuse_unknown(
    template: &Template,
    members: &[Member],
    query: &[(String, String)],
) -> Result<(), Violation> {
    let known = |name: &str| {
        transport(name)
            || template.owns(name)
            || members
                .iter()
                .any(|member| member.location == Location::QueryString && member.wire_name() == name)
    };
    match query.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => Err(Violation::Unknown { path: name.clone() }),
        None => Ok(()),
    }
}

fn from_query(
    model: &ServiceModel,
    member: &Member,
    template: &Template,
    query: &[(String, String)],
) -> Result<Option<Value>, Violation> {
    let kind = &model.shape(member.shape).kind;
    let values: Vec<&str> = query
        .iter()
        .filter(|(name, _)| name == member.wire_name())
        .map(|(_, value)| value.as_str())
        .collect();
    match kind {
        Kind::Map { value: inner, .. } => {
            let mut entries = Fields::new();
            let many = matches!(model.shape(inner.shape).kind, Kind::List { .. });
            let free = query
                .iter()
                .filter(|(name, _)| !transport(name) && !template.owns(name));
            for (name, value) in free {
                let value = Value::Str(value.clone());
                match entries.iter_mut().find(|(key, _)| key == name) {
                    Some((_, Value::List(items))) => items.push(value),
                    Some((_, first)) => *first = value,
                    None if many => entries.push((Cow::Owned(name.clone()), Value::List(vec![value]))),
                    None => entries.push((Cow::Owned(name.clone()), value)),
                }
            }
            Ok((!entries.is_empty()).then_some(Value::Map(entries)))
        }
        Kind::List { member: element, .. } => {
            let element = &model.shape(element.shape).kind;
            let items: Vec<Value> = values
                .iter()
                .map(|text| text::scalar_at(element, text, member.name))
                .collect::<Result<_, _>>()?;
            Ok((!items.is_empty()).then_some(Value::List(items)))
        }
        kind => match values.as_slice() {
            [] => Ok(None),
            [text] => text::scalar_at(kind, text, member.name).map(Some),
            _ => Err(Violation::Type {
                path: member.name.to_owned(),
                wanted: kind_name(kind),
                found: "several".to_owned(),
            }),
        },
    }
}

fn lines<'a>(request: &HttpRequest<'a>, name: &str, path: &str) -> Result<Vec<&'a str>, Violation> {
    let not_text = |_| Violation::Type {
        path: path.to_owned(),
        wanted: "text",
        found: "bytes that are not UTF-8".to_owned(),
    };
    request
        .headers
        .get_all(name)
        .iter()
        .map(|value| std::str::from_utf8(value.as_bytes()).map_err(not_text))
        .collect()
}

/// Every header below a prefix, without the prefix.
fn prefixed(request: &HttpRequest<'_>, member: &Member) -> Result<Option<Value>, Violation> {
    let prefix = member.wire.to_ascii_lowercase();
    let mut entries = Fields::new();
    for name in request.headers.keys() {
        if let Some(key) = name.as_str().strip_prefix(&prefix).filter(|key| !key.is_empty()) {
            let value = lines(request, name.as_str(), &join(member.name, key))?.join(", ");
            entries.push((Cow::Owned(key.to_owned()), Value::Str(value)));
        }
    }
    Ok((!entries.is_empty()).then_some(Value::Map(entries)))
}

fn empty_body(style: Style, body: &[u8]) -> Result<(), RequestError> {
    let blank = body.iter().all(u8::is_ascii_whitespace);
    if blank || (style == Style::Json && body.trim_ascii() == b"{}") {
        return Ok(());
    }
    Err(RequestError::syntax("body", "the operation takes none"))
}

/// The one member that is the whole body. An empty body is an absent member.
fn payload_value(
    style: Style,
    model: &ServiceModel,
    member: &Member,
    body: &[u8],
) -> Result<Option<Value>, RequestError> {
    if body.is_empty() {
        return Ok(None);
    }
    let shape = model.shape(member.shape);
    match (&shape.kind, style) {
        (Kind::Blob { .. }, _) => Ok(Some(Value::Blob(body.to_vec()))),
        (Kind::Text { .. }, _) => match std::str::from_utf8(body) {
            Ok(text) => Ok(Some(Value::Str(text.to_owned()))),
            Err(_) => Err(RequestError::syntax("body", "it is not UTF-8")),
        },
        (_, Style::Json) => {
            let json = serde_json::from_slice(body)
                .map_err(|error| RequestError::syntax("JSON body", error.to_string()))?;
            Ok(Some(json::from_json(model, member.shape, json, member.name)?))
        }
        (_, Style::Xml) => {
            let root = root(body, &[member.wire, shape.wire, shape.name, member.name])?;
            Ok(Some(xml::read_value(
                model,
                member.shape,
                false,
                vec![root],
                member.name,
            )?))
        }
    }
}

/// The root, which must have one of the names that are not empty.
fn root(body: &[u8], names: &[&str]) -> Result<xml::Element, RequestError> {
    let root = xml::parse(body).map_err(|error| RequestError::syntax("XML body", error.to_string()))?;
    let named = names.iter().any(|name| !name.is_empty() && root.local() == *name);
    if named || names.iter().all(|name| name.is_empty()) {
        return Ok(root);
    }
    let wanted = names.iter().find(|name| !name.is_empty()).unwrap_or(&"");
    Err(RequestError::syntax(
        "XML body",
        format!("its root is not {wanted}"),
    ))
}

fn body_members(
    style: Style,
    model: &ServiceModel,
    operation: &Operation,
    shape: ShapeId,
    members: &[Member],
    body: &[u8],
) -> Result<Fields, RequestError> {
    let in_body = |member: &Member| member.location == Location::Body;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Fields::new());
    }
    if !members.iter().any(in_body) {
        empty_body(style, body)?;
        return Ok(Fields::new());
    }
    let value = match style {
        Style::Json => {
            let json = serde_json::from_slice(body)
                .map_err(|error| RequestError::syntax("JSON body", error.to_string()))?;
            let serde_json::Value::Object(object) = json else {
                return Err(RequestError::syntax(
                    "JSON body",
                    "its outermost value is not an object",
                ));
            };
            json::structure(model, members, object, "", in_body)?
        }
        Style::Xml => {
            let root = root(body, &[operation.input_wire, model.shape(shape).wire])?;
            xml::read_members(model, shape, root, "", in_body)?
        }
    };
    match value {
        Value::Map(fields) => Ok(fields),
        _ => Ok(Fields::new()),
    }
}
