//! The ec2 query protocol: a form in, XML out. Lists are always flattened in requests, names are
//! capitalised there, and responses have no element around their result.
//! Source: the Smithy specification of the ec2Query protocol.

use std::borrow::Cow;

use crate::check::{Violation, join, kind_name};
use crate::error::ApiError;
use crate::form::Node;
pub use crate::form::{Form, FormError};
use crate::model::{Kind, Member, Operation, ServiceModel, ShapeId};
use crate::text;
use crate::value::{Fields, Value};
use crate::xml::{self, Writer};

impl Form {
    /// The request's input as the operation's shape says.
    ///
    /// # Errors
    /// A parameter is unknown or of another type.
    pub fn decode(self, model: &ServiceModel, shape: Option<ShapeId>) -> Result<Value, Violation> {
        match shape {
            Some(shape) => decode(self.root, model, shape, ""),
            None => match self.root.children.into_keys().next() {
                Some(path) => Err(Violation::Unknown { path }),
                None => Ok(Value::empty()),
            },
        }
    }
}

fn decode(node: Node, model: &ServiceModel, shape: ShapeId, path: &str) -> Result<Value, Violation> {
    let kind = &model.shape(shape).kind;
    if matches!(kind, Kind::Structure { .. } | Kind::List { .. }) {
        node.no_text(kind_name(kind), path)?;
    }
    match kind {
        Kind::Structure { members, .. } => structure(node, model, members, path),
        Kind::List { member, .. } => {
            let unknown = |name: String| Violation::Unknown {
                path: join(path, &name),
            };
            node.numbered()
                .map_err(unknown)?
                .into_iter()
                .map(|(number, node)| decode(node, model, member.shape, &join(path, &number.to_string())))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        Kind::Map { .. } => Err(Violation::Type {
            path: path.to_owned(),
            wanted: "a member this protocol can carry",
            found: "map".to_owned(),
        }),
        _ => match node.children.into_keys().next() {
            Some(extra) => Err(Violation::Unknown {
                path: join(path, &extra),
            }),
            None => text::scalar_at(kind, &node.text.unwrap_or_default(), path),
        },
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
        if let Some(child) = node.children.remove(&*request_name(member)) {
            let value = decode(child, model, member.shape, &join(path, &request_name(member)))?;
            fields.push((Cow::Borrowed(member.name), value));
        }
    }
    match node.children.into_keys().next() {
        Some(extra) => Err(Violation::Unknown {
            path: join(path, &extra),
        }),
        None => Ok(Value::Map(fields)),
    }
}

/// `queryName` as it is, else the wire name capitalised.
fn request_name(member: &Member) -> Cow<'static, str> {
    if !member.query.is_empty() {
        return Cow::Borrowed(member.query);
    }
    let name = member.wire_name();
    match name.as_bytes().first() {
        Some(first) if first.is_ascii_lowercase() => {
            Cow::Owned(format!("{}{}", first.to_ascii_uppercase() as char, &name[1..]))
        }
        _ => Cow::Borrowed(name),
    }
}

/// A response body.
pub fn encode(model: &ServiceModel, operation: &Operation, value: Value, request_id: &str) -> Vec<u8> {
    let mut xml = Writer::document();
    let root = format!("{}Response", operation.name);
    xml.open(&root, &[("xmlns", model.xml_namespace)]);
    xml.leaf("requestId", request_id);
    match operation.output {
        Some(shape) => xml::write_members(&mut xml, model, shape, value, |_| true),
        None => xml.leaf("return", "true"),
    }
    xml.close(&root);
    xml.finish()
}

/// An error body.
pub fn encode_error(model: Option<&ServiceModel>, error: &ApiError, request_id: &str) -> Vec<u8> {
    let mut xml = Writer::document();
    xml.open("Response", &[]);
    xml.open("Errors", &[]);
    xml.open("Error", &[]);
    xml.leaf("Code", &error.code);
    xml.leaf("Message", &error.message);
    xml::write_error_members(&mut xml, model, error);
    xml.close("Error");
    xml.close("Errors");
    xml.leaf("RequestID", request_id);
    xml.close("Response");
    xml.finish()
}
