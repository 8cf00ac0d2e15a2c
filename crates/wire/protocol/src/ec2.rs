//! The ec2 query protocol: a form in, XML out. Lists are always flattened in requests, names are
//! capitalised, and list elements are `item`s in responses.
//! Source: the Smithy specification of the ec2Query protocol.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::check::{Violation, join, kind_name};
use crate::error::ApiError;
use crate::model::{Kind, Member, Operation, ServiceModel, ShapeId};
use crate::value::{Fields, Value};

/// More parameters than any documented request has.
const MAX_PARAMETERS: usize = 10_000;
/// Deeper than any model nests.
const MAX_DEPTH: usize = 16;

/// The body is not a form of this protocol.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("the request has no Action")]
    NoAction,
    #[error("the body is not a form: {0}")]
    Syntax(&'static str),
    #[error(transparent)]
    Violation(#[from] Violation),
}

/// A form taken apart at its dots.
#[derive(Debug, Default)]
pub struct Form {
    pub action: String,
    pub version: Option<String>,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Form {
    /// # Errors
    /// The body is no form, has too many parameters or no `Action`.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        let body = std::str::from_utf8(body).map_err(|_| FormError::Syntax("it is not UTF-8"))?;
        let mut form = Self::default();
        for (count, pair) in body.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(FormError::Syntax("it has more than 10000 parameters"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_part(name)?, decode_part(value)?);
            match name.as_str() {
                "Action" => form.action = value,
                "Version" => form.version = Some(value),
                _ => form.root.insert(&name, value)?,
            }
        }
        if form.action.is_empty() {
            Err(FormError::NoAction)
        } else {
            Ok(form)
        }
    }

    /// The request's input as the operation's shape says.
    ///
    /// # Errors
    /// A parameter is unknown or of another type.
    pub fn decode(self, model: &ServiceModel, shape: Option<ShapeId>) -> Result<Value, Violation> {
        match shape {
            Some(shape) => self.root.decode(model, shape, ""),
            None => match self.root.children.into_keys().next() {
                Some(path) => Err(Violation::Unknown { path }),
                None => Ok(Value::empty()),
            },
        }
    }
}

fn decode_part(text: &str) -> Result<String, FormError> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text)
        .decode_utf8()
        .map_err(|_| FormError::Syntax("it is not UTF-8"))?;
    Ok(decoded.into_owned())
}

impl Node {
    fn insert(&mut self, name: &str, value: String) -> Result<(), FormError> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= MAX_DEPTH {
                return Err(FormError::Syntax("a parameter is nested more than 16 deep"));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.text = Some(value);
        Ok(())
    }

    fn decode(self, model: &ServiceModel, shape: ShapeId, path: &str) -> Result<Value, Violation> {
        let kind = &model.shape(shape).kind;
        match kind {
            Kind::Structure { members, .. } => self.structure(model, members, path),
            Kind::List { member, .. } => self.list(model, member.shape, path),
            Kind::Map { .. } => Err(Violation::Type {
                path: path.to_owned(),
                wanted: "a member this protocol can carry",
                found: "map".to_owned(),
            }),
            _ => match self.children.into_keys().next() {
                Some(extra) => Err(Violation::Unknown {
                    path: join(path, &extra),
                }),
                None => scalar(kind, self.text.unwrap_or_default(), path),
            },
        }
    }

    fn structure(mut self, model: &ServiceModel, members: &[Member], path: &str) -> Result<Value, Violation> {
        let mut fields = Fields::new();
        for member in members {
            if let Some(child) = self.children.remove(&*request_name(member)) {
                let value = child.decode(model, member.shape, &join(path, &request_name(member)))?;
                fields.push((Cow::Borrowed(member.name), value));
            }
        }
        match self.children.into_keys().next() {
            Some(extra) => Err(Violation::Unknown {
                path: join(path, &extra),
            }),
            None => Ok(Value::Map(fields)),
        }
    }

    /// Elements in the order of their numbers; gaps are allowed, as the service allows them.
    fn list(self, model: &ServiceModel, element: ShapeId, path: &str) -> Result<Value, Violation> {
        let mut items = BTreeMap::new();
        for (number, node) in self.children {
            let index: u32 = number.parse().map_err(|_| Violation::Unknown {
                path: join(path, &number),
            })?;
            items.insert(index, node.decode(model, element, &join(path, &number))?);
        }
        Ok(Value::List(items.into_values().collect()))
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

fn scalar(kind: &Kind, text: String, path: &str) -> Result<Value, Violation> {
    let parsed = match kind {
        Kind::Text { .. } => return Ok(Value::Str(text)),
        Kind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Integer { .. } | Kind::Long { .. } => text.trim().parse().ok().map(Value::Int),
        Kind::Double { .. } => text.trim().parse().ok().map(Value::Float),
        Kind::Blob { .. } => STANDARD.decode(text.trim()).ok().map(Value::Blob),
        Kind::Timestamp { .. } => text
            .trim()
            .parse::<jiff::Timestamp>()
            .ok()
            .map(|time| Value::Time(time.as_millisecond() as f64 / 1000.0)),
        Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. } => None,
    };
    parsed.ok_or_else(|| Violation::Type {
        path: path.to_owned(),
        wanted: kind_name(kind),
        found: text.chars().take(64).collect(),
    })
}

/// A response body.
pub fn encode(model: &ServiceModel, operation: &Operation, value: Value, request_id: &str) -> Vec<u8> {
    let mut xml = String::with_capacity(1024);
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
    xml.push_str(operation.name);
    xml.push_str("Response xmlns=\"");
    xml.push_str(model.xml_namespace);
    xml.push_str("\">");
    element(&mut xml, "requestId", |xml| escape(xml, request_id));
    match operation.output {
        Some(shape) => write(&mut xml, model, shape, value),
        None => xml.push_str("<return>true</return>"),
    }
    xml.push_str("</");
    xml.push_str(operation.name);
    xml.push_str("Response>");
    xml.into_bytes()
}

/// An error body.
pub fn encode_error(error: &ApiError, request_id: &str) -> Vec<u8> {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    element(&mut xml, "Response", |xml| {
        element(xml, "Errors", |xml| {
            element(xml, "Error", |xml| {
                element(xml, "Code", |xml| escape(xml, &error.code));
                element(xml, "Message", |xml| escape(xml, &error.message));
            });
        });
        element(xml, "RequestID", |xml| escape(xml, request_id));
    });
    xml.into_bytes()
}

fn element(xml: &mut String, name: &str, content: impl FnOnce(&mut String)) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    content(xml);
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn write(xml: &mut String, model: &ServiceModel, shape: ShapeId, value: Value) {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure { members, .. }, Value::Map(fields)) => {
            for (name, value) in fields {
                if let Some(member) = members.iter().find(|member| member.name == name) {
                    element(xml, member.wire_name(), |xml| {
                        write(xml, model, member.shape, value)
                    });
                }
            }
        }
        (Kind::List { member, .. }, Value::List(items)) => {
            let name = if member.wire.is_empty() {
                "item"
            } else {
                member.wire
            };
            for item in items {
                element(xml, name, |xml| write(xml, model, member.shape, item));
            }
        }
        (_, Value::Str(text)) => escape(xml, &text),
        (_, Value::Bool(flag)) => xml.push_str(if flag { "true" } else { "false" }),
        (_, Value::Int(number)) => xml.push_str(&number.to_string()),
        (_, Value::Float(number)) => xml.push_str(&number.to_string()),
        (_, Value::Blob(bytes)) => xml.push_str(&STANDARD.encode(bytes)),
        (_, Value::Time(seconds)) => {
            xml.push_str(&roadstead_base::Timestamp::from_seconds(seconds).to_rfc3339());
        }
        // The protocol has no maps or documents, and no model of it uses them.
        (_, Value::List(_) | Value::Map(_) | Value::Document(_)) => {}
    }
}

/// Characters XML 1.0 cannot carry become U+FFFD.
fn escape(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#xD;"),
            '\n' | '\t' => xml.push(c),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
}
