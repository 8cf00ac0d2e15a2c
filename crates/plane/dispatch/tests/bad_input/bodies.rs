//! Bodies as clients of each protocol write them, whether the value fits its shape or not.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_protocol::cbor::Item;
use roadstead_protocol::{Kind, Member, Operation, Protocol, ServiceModel, ShapeId};
use serde_json::Value as Json;

/// The input of a protocol that says everything in the body.
pub(crate) fn rpc(model: &ServiceModel, protocol: Protocol, operation: &Operation, input: &Json) -> Vec<u8> {
    match protocol {
        Protocol::RpcV2Cbor => {
            let mut body = Vec::new();
            item(model, operation.input, input).write(&mut body);
            body
        }
        Protocol::Query | Protocol::Ec2 => {
            let mut form = format!("Action={}&Version={}", operation.name, model.api_version);
            let writer = Form {
                model,
                ec2: protocol == Protocol::Ec2,
            };
            writer.pairs(&mut form, operation.input, "", input);
            form.into_bytes()
        }
        _ => json(model, operation.input, input).to_string().into_bytes(),
    }
}

/// With the names that JSON has for members.
pub(crate) fn json(model: &ServiceModel, shape: Option<ShapeId>, value: &Json) -> Json {
    match value {
        Json::Object(object) => object
            .iter()
            .map(|(name, value)| match member_of(model, shape, name) {
                Some(member) => (
                    member.wire_name().to_owned(),
                    json(model, Some(member.shape), value),
                ),
                None => (name.clone(), json(model, element_of(model, shape), value)),
            })
            .collect(),
        Json::Array(items) => {
            let element = element_of(model, shape);
            items.iter().map(|item| json(model, element, item)).collect()
        }
        scalar => scalar.clone(),
    }
}

pub(crate) fn scalar(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn kind(model: &ServiceModel, shape: Option<ShapeId>) -> Option<&'static Kind> {
    shape.map(|shape| &model.shape(shape).kind)
}

fn member_of(model: &ServiceModel, shape: Option<ShapeId>, name: &str) -> Option<&'static Member> {
    match kind(model, shape) {
        Some(Kind::Structure { members, .. }) => members.iter().find(|member| member.name == name),
        _ => None,
    }
}

fn element_of(model: &ServiceModel, shape: Option<ShapeId>) -> Option<ShapeId> {
    match kind(model, shape) {
        Some(Kind::List { member, .. }) => Some(member.shape),
        Some(Kind::Map { value, .. }) => Some(value.shape),
        _ => None,
    }
}

fn item(model: &ServiceModel, shape: Option<ShapeId>, value: &Json) -> Item {
    match (kind(model, shape), value) {
        (Some(Kind::Timestamp { .. }), Json::Number(number)) => Item::Time(number.as_f64().unwrap_or(0.0)),
        (Some(Kind::Blob { .. }), Json::String(text)) => match STANDARD.decode(text) {
            Ok(bytes) => Item::Bytes(bytes),
            Err(_) => Item::Text(text.clone()),
        },
        (_, Json::Null) => Item::Null,
        (_, Json::Bool(flag)) => Item::Bool(*flag),
        (_, Json::Number(number)) => match number.as_i64() {
            Some(whole) => Item::Int(whole.into()),
            None => Item::Float(number.as_f64().unwrap_or(0.0)),
        },
        (_, Json::String(text)) => Item::Text(text.clone()),
        (_, Json::Array(items)) => {
            let element = element_of(model, shape);
            Item::List(items.iter().map(|value| item(model, element, value)).collect())
        }
        (_, Json::Object(object)) => {
            let inner = |name: &str| {
                member_of(model, shape, name)
                    .map(|member| member.shape)
                    .or_else(|| element_of(model, shape))
            };
            let entries = object
                .iter()
                .map(|(name, value)| (name.clone(), item(model, inner(name), value)));
            Item::Map(entries.collect())
        }
    }
}

struct Form<'a> {
    model: &'a ServiceModel,
    ec2: bool,
}

impl Form<'_> {
    fn pairs(&self, form: &mut String, shape: Option<ShapeId>, name: &str, value: &Json) {
        self.value(form, shape, false, name, value);
    }

    fn value(&self, form: &mut String, shape: Option<ShapeId>, flat: bool, name: &str, value: &Json) {
        let join = |part: &str| {
            if name.is_empty() {
                part.to_owned()
            } else {
                format!("{name}.{part}")
            }
        };
        let kind = kind(self.model, shape);
        match (kind, value) {
            (
                Some(Kind::Map {
                    key,
                    value: inner,
                    flattened,
                    ..
                }),
                Json::Object(object),
            ) => {
                let wire = |member: &Member, default: &str| {
                    if member.wire.is_empty() {
                        default.to_owned()
                    } else {
                        member.wire.to_owned()
                    }
                };
                let base = if flat || *flattened {
                    name.to_owned()
                } else {
                    join("entry")
                };
                for (index, (name, value)) in object.iter().enumerate() {
                    let at = format!("{base}.{}", index + 1);
                    self.value(
                        form,
                        None,
                        false,
                        &format!("{at}.{}", wire(key, "key")),
                        &Json::from(name.as_str()),
                    );
                    self.value(
                        form,
                        Some(inner.shape),
                        false,
                        &format!("{at}.{}", wire(inner, "value")),
                        value,
                    );
                }
            }
            (_, Json::Object(object)) => {
                for (key, value) in object {
                    let member = member_of(self.model, shape, key);
                    let part = member.map_or(key.clone(), |member| self.name(member));
                    let flat = member.is_some_and(|member| self.flat(member));
                    self.value(form, member.map(|member| member.shape), flat, &join(&part), value);
                }
            }
            (_, Json::Array(items)) => {
                let (element, base) = match kind {
                    Some(Kind::List {
                        member, flattened, ..
                    }) if !(self.ec2 || flat || *flattened) => {
                        let part = if member.wire.is_empty() {
                            "member"
                        } else {
                            member.wire
                        };
                        (Some(member.shape), join(part))
                    }
                    Some(Kind::List { member, .. }) => (Some(member.shape), name.to_owned()),
                    _ => (None, name.to_owned()),
                };
                for (index, item) in items.iter().enumerate() {
                    self.value(form, element, false, &format!("{base}.{}", index + 1), item);
                }
            }
            (_, scalar_value) => {
                let _ = write!(form, "&{name}=");
                for byte in scalar(scalar_value).bytes() {
                    let _ = write!(form, "%{byte:02X}");
                }
            }
        }
    }

    fn flat(&self, member: &Member) -> bool {
        let shape = match &self.model.shape(member.shape).kind {
            Kind::List { flattened, .. } | Kind::Map { flattened, .. } => *flattened,
            _ => false,
        };
        shape || member.flattened
    }

    /// As the protocol names members in requests.
    fn name(&self, member: &Member) -> String {
        if !self.ec2 {
            return match &self.model.shape(member.shape).kind {
                Kind::List { member: element, .. } if self.flat(member) && !element.wire.is_empty() => {
                    element.wire.to_owned()
                }
                _ => member.wire_name().to_owned(),
            };
        }
        if !member.query.is_empty() {
            return member.query.to_owned();
        }
        let name = member.wire_name();
        name[..1].to_ascii_uppercase() + &name[1..]
    }
}

/// A value as an element of that name.
pub(crate) fn xml(model: &ServiceModel, shape: Option<ShapeId>, name: &str, value: &Json) -> String {
    let mut attributes = String::new();
    let inner = inner_xml(model, shape, value, &mut attributes);
    format!("<{name}{attributes}>{inner}</{name}>")
}

fn inner_xml(model: &ServiceModel, shape: Option<ShapeId>, value: &Json, attributes: &mut String) -> String {
    match (kind(model, shape), value) {
        (Some(Kind::Map { .. }), Json::Object(object)) => object
            .iter()
            .map(|(key, value)| entry(model, shape, "entry", key, value))
            .collect(),
        (_, Json::Object(object)) => {
            let mut out = String::new();
            for (key, value) in object {
                let member = member_of(model, shape, key);
                match member {
                    Some(member) if member.attribute => {
                        let _ = write!(
                            attributes,
                            " {}=\"{}\"",
                            member.wire_name(),
                            escape(&scalar(value))
                        );
                    }
                    Some(member) => out.push_str(&member_xml(model, member, value)),
                    None => out.push_str(&xml(model, None, key, value)),
                }
            }
            out
        }
        (found, Json::Array(items)) => {
            let (name, element) = match found {
                Some(Kind::List { member, .. }) if !member.wire.is_empty() => {
                    (member.wire, Some(member.shape))
                }
                Some(Kind::List { member, .. }) => ("member", Some(member.shape)),
                _ => ("member", None),
            };
            items.iter().map(|item| xml(model, element, name, item)).collect()
        }
        (_, value) => escape(&scalar(value)),
    }
}

fn member_xml(model: &ServiceModel, member: &Member, value: &Json) -> String {
    let name = member.wire_name();
    let shape = Some(member.shape);
    match (&model.shape(member.shape).kind, value) {
        (
            Kind::List {
                flattened,
                member: element,
                ..
            },
            Json::Array(items),
        ) if *flattened || member.flattened => {
            let name = if element.wire.is_empty() {
                name
            } else {
                element.wire
            };
            items
                .iter()
                .map(|item| xml(model, Some(element.shape), name, item))
                .collect()
        }
        (Kind::Map { flattened, .. }, Json::Object(object)) if *flattened || member.flattened => object
            .iter()
            .map(|(key, value)| entry(model, shape, name, key, value))
            .collect(),
        _ => xml(model, shape, name, value),
    }
}

fn entry(model: &ServiceModel, shape: Option<ShapeId>, name: &str, key: &str, value: &Json) -> String {
    let Some(Kind::Map { key: k, value: v, .. }) = kind(model, shape) else {
        return String::new();
    };
    let wire = |member: &Member, default: &'static str| {
        if member.wire.is_empty() {
            default
        } else {
            member.wire
        }
    };
    format!(
        "<{name}><{k}>{}</{k}>{}</{name}>",
        escape(key),
        xml(model, Some(v.shape), wire(v, "value"), value),
        k = wire(k, "key"),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
