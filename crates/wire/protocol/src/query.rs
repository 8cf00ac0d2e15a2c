//! The query protocol: a form in, XML out, the result in an element of its own beside the metadata.
//! Source: the Smithy specification of the awsQuery protocol, and what botocore sends and reads.

use std::borrow::Cow;

use crate::check::{Violation, join, kind_name};
use crate::error::{ApiError, Fault};
use crate::form::{Form, Node};
use crate::model::{Kind, Member, Operation, ServiceModel, ShapeId};
use crate::text;
use crate::value::{Fields, Value};
use crate::xml::{self, Writer};

/// The request's input as the operation's shape says.
///
/// # Errors
/// A parameter is unknown or of another type.
pub fn decode(form: Form, model: &ServiceModel, shape: Option<ShapeId>) -> Result<Value, Violation> {
    match shape {
        Some(shape) => value(form.root, model, shape, false, ""),
        None => match form.root.children.into_keys().next() {
            Some(path) => Err(Violation::Unknown { path }),
            None => Ok(Value::empty()),
        },
    }
}

fn unknown(path: &str, name: &str) -> Violation {
    Violation::Unknown {
        path: join(path, name),
    }
}

fn value(
    node: Node,
    model: &ServiceModel,
    shape: ShapeId,
    flat: bool,
    path: &str,
) -> Result<Value, Violation> {
    let kind = &model.shape(shape).kind;
    if matches!(
        kind,
        Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. }
    ) {
        node.no_text(kind_name(kind), path)?;
    }
    match kind {
        Kind::Structure { members, .. } => structure(node, model, members, path),
        Kind::List {
            member, flattened, ..
        } => {
            let node = if flat || *flattened {
                node
            } else {
                only_child(
                    node,
                    if member.wire.is_empty() {
                        "member"
                    } else {
                        member.wire
                    },
                    path,
                )?
            };
            node.numbered()
                .map_err(|name| unknown(path, &name))?
                .into_iter()
                .map(|(number, node)| value(node, model, member.shape, false, &format!("{path}.{number}")))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        Kind::Map {
            key,
            value: inner,
            flattened,
            ..
        } => {
            let node = if flat || *flattened {
                node
            } else {
                only_child(node, "entry", path)?
            };
            let name = |member: &Member, default| {
                if member.wire.is_empty() {
                    default
                } else {
                    member.wire
                }
            };
            node.numbered()
                .map_err(|name| unknown(path, &name))?
                .into_iter()
                .map(|(number, mut node)| {
                    let path = format!("{path}.{number}");
                    let key = node.children.remove(name(key, "key")).and_then(|node| node.text);
                    let found = node.children.remove(name(inner, "value"));
                    if let Some(extra) = node.children.into_keys().next() {
                        return Err(unknown(&path, &extra));
                    }
                    let (Some(key), Some(found)) = (key, found) else {
                        return Err(Violation::Missing { path });
                    };
                    let value = value(found, model, inner.shape, false, &join(&path, &key))?;
                    Ok((Cow::Owned(key), value))
                })
                .collect::<Result<_, _>>()
                .map(Value::Map)
        }
        _ => match node.children.into_keys().next() {
            Some(extra) => Err(unknown(path, &extra)),
            None => text::scalar_at(kind, &node.text.unwrap_or_default(), path),
        },
    }
}

/// The one child that a list or map may have; without it, it is empty.
fn only_child(mut node: Node, name: &str, path: &str) -> Result<Node, Violation> {
    let child = node.children.remove(name).unwrap_or_default();
    match node.children.into_keys().next() {
        Some(extra) => Err(unknown(path, &extra)),
        None => Ok(child),
    }
}

fn structure(
    mut node: Node,
    model: &ServiceModel,
    members: &[Member],
    path: &str,
) -> Result<Value, Violation> {
    let mut fields = Fields::new();
    for member in members {
        let mut name = member.form_name();
        let mut flat = member.flattened;
        if let Kind::List {
            member: element,
            flattened,
            ..
        } = &model.shape(member.shape).kind
        {
            flat |= flattened;
            // The elements of a flattened list go by their own name, but an empty one by the list's.
            if flat && !element.wire.is_empty() && !node.children.contains_key(name) {
                name = element.wire;
            }
        }
        if let Some(child) = node.children.remove(name) {
            let value = value(child, model, member.shape, flat, &join(path, member.name))?;
            fields.push((Cow::Borrowed(member.name), value));
        }
    }
    match node.children.into_keys().next() {
        Some(extra) => Err(unknown(path, &extra)),
        None => Ok(Value::Map(fields)),
    }
}

/// A response body.
pub fn encode(model: &ServiceModel, operation: &Operation, value: Value, request_id: &str) -> Vec<u8> {
    let mut xml = Writer::document();
    let root = format!("{}Response", operation.name);
    xml.open(&root, &[("xmlns", model.xml_namespace)]);
    if let Some(shape) = operation.output {
        let wrapper = match operation.result_wrapper {
            "" => Cow::Owned(format!("{}Result", operation.name)),
            wrapper => Cow::Borrowed(wrapper),
        };
        xml.open(&wrapper, &[]);
        xml::write_members(&mut xml, model, shape, value, |_| true);
        xml.close(&wrapper);
    }
    xml.open("ResponseMetadata", &[]);
    xml.leaf("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&root);
    xml.finish()
}

/// An error body: `ErrorResponse` around whose fault it was, code, message and the error's own members.
pub fn encode_error(model: Option<&ServiceModel>, error: &ApiError, request_id: &str) -> Vec<u8> {
    let mut xml = Writer::document();
    let namespace = model.map_or("", |model| model.xml_namespace);
    xml.open("ErrorResponse", &[("xmlns", namespace)]);
    write_error(&mut xml, model, error);
    xml.leaf("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.finish()
}

/// The `Error` element, which rest-xml writes in the same way.
pub(crate) fn write_error(xml: &mut Writer, model: Option<&ServiceModel>, error: &ApiError) {
    let fault = match error.fault() {
        Fault::Client => "Sender",
        Fault::Server => "Receiver",
    };
    xml.open("Error", &[]);
    xml.leaf("Type", fault);
    xml.leaf("Code", error_code(model, error));
    xml.leaf("Message", &error.message);
    xml::write_error_members(xml, model, error);
    xml.close("Error");
}

/// The code a client of this protocol knows an error by.
pub(crate) fn error_code<'a>(model: Option<&ServiceModel>, error: &'a ApiError) -> &'a str {
    match model.and_then(|model| model.error_shape(&error.code)) {
        Some(shape) => shape.error_code,
        None => &error.code,
    }
}
