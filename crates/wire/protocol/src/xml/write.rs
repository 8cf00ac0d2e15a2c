//! Values as XML, by their shapes.

use std::borrow::Cow;

use crate::error::ApiError;
use crate::model::{Kind, Member, Namespace, ServiceModel, ShapeId};
use crate::text::{self, TimeFormat};
use crate::value::{Fields, Value};

/// A document in the making. Text is escaped here and nowhere else.
#[derive(Debug, Default)]
pub struct Writer(String);

impl Writer {
    pub fn document() -> Self {
        let mut xml = String::with_capacity(1024);
        xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self(xml)
    }

    /// Attributes without a value are left out.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape(&mut self.0, value);
            self.0.push('"');
        }
        self.0.push('>');
    }

    pub fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    pub fn text(&mut self, text: &str) {
        escape(&mut self.0, text);
    }

    pub fn leaf(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        self.text(text);
        self.close(name);
    }

    pub fn finish(self) -> Vec<u8> {
        self.0.into_bytes()
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

/// The attribute that declares a namespace, with its value.
pub(crate) fn declaration(namespace: Namespace) -> (Cow<'static, str>, &'static str) {
    if namespace.prefix.is_empty() {
        (Cow::Borrowed("xmlns"), namespace.uri)
    } else {
        (Cow::Owned(format!("xmlns:{}", namespace.prefix)), namespace.uri)
    }
}

/// The name of a flattened list's elements: their own if they have one, else the list's.
pub(crate) fn flat_name(list: &'static str, element: &Member) -> &'static str {
    if element.wire.is_empty() {
        list
    } else {
        element.wire
    }
}

/// The members of a structure that `wanted` keeps, without an element around them.
pub(crate) fn write_members(
    xml: &mut Writer,
    model: &ServiceModel,
    shape: ShapeId,
    value: Value,
    wanted: impl Fn(&Member) -> bool,
) {
    let (Kind::Structure { members, .. }, Value::Map(fields)) = (&model.shape(shape).kind, value) else {
        return;
    };
    for (name, value) in fields {
        let member = members.iter().find(|member| member.name == name);
        if let Some(member) = member.filter(|member| wanted(member) && !member.attribute) {
            write_value(xml, model, member, member.form_name(), value);
        }
    }
}

/// One member under a name of the caller's choice.
pub(crate) fn write_value(
    xml: &mut Writer,
    model: &ServiceModel,
    member: &Member,
    name: &'static str,
    value: Value,
) {
    let shape = model.shape(member.shape);
    let namespace = if member.namespace == Namespace::NONE {
        shape.namespace
    } else {
        member.namespace
    };
    let (xmlns, uri) = declaration(namespace);
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Map(fields)) => {
            let (attributes, fields) = split_attributes(members, fields);
            let mut all = vec![(xmlns.as_ref(), uri)];
            all.extend(attributes.iter().map(|(name, value)| (*name, value.as_str())));
            xml.open(name, &all);
            write_members(xml, model, member.shape, Value::Map(fields), |_| true);
            xml.close(name);
        }
        (
            Kind::List {
                member: element,
                flattened,
                ..
            },
            Value::List(items),
        ) => {
            if *flattened || member.flattened {
                for item in items {
                    write_value(xml, model, element, flat_name(name, element), item);
                }
                return;
            }
            xml.open(name, &[(&xmlns, uri)]);
            for item in items {
                write_value(xml, model, element, flat_name("member", element), item);
            }
            xml.close(name);
        }
        (
            Kind::Map {
                key,
                value: inner,
                flattened,
                ..
            },
            Value::Map(fields),
        ) => {
            let flat = *flattened || member.flattened;
            let entry = if flat { name } else { "entry" };
            if !flat {
                xml.open(name, &[(&xmlns, uri)]);
            }
            for (text, value) in fields {
                xml.open(entry, &[]);
                let text = Value::Str(text.into_owned());
                write_value(xml, model, key, flat_name("key", key), text);
                write_value(xml, model, inner, flat_name("value", inner), value);
                xml.close(entry);
            }
            if !flat {
                xml.close(name);
            }
        }
        (kind, value) => {
            xml.open(name, &[(&xmlns, uri)]);
            let format = TimeFormat::of(member.timestamp, kind, TimeFormat::DateTime);
            xml.text(&text::print(&value, format).unwrap_or_default());
            xml.close(name);
        }
    }
}

/// What goes into the start of the element, and the rest.
pub(crate) fn split_attributes(members: &[Member], fields: Fields) -> (Vec<(&'static str, String)>, Fields) {
    let mut attributes = Vec::new();
    let mut rest = Fields::new();
    for (name, value) in fields {
        match members
            .iter()
            .find(|member| member.name == name && member.attribute)
        {
            Some(member) => attributes.push((
                member.wire_name(),
                text::print(&value, TimeFormat::DateTime).unwrap_or_default(),
            )),
            None => rest.push((name, value)),
        }
    }
    (attributes, rest)
}

/// The members of an error beside its code and message.
pub(crate) fn write_error_members(xml: &mut Writer, model: Option<&ServiceModel>, error: &ApiError) {
    let shape = model.and_then(|model| Some((model, model.error_shape(&error.code)?)));
    for (name, value) in &error.members {
        let member = shape.and_then(|(model, shape)| match &shape.kind {
            Kind::Structure { members, .. } => Some((model, members.iter().find(|m| m.name == name)?)),
            _ => None,
        });
        match member {
            Some((model, member)) => write_value(xml, model, member, member.wire_name(), value.clone()),
            // An error that no model documents says what can be said without one.
            None => {
                if let Some(text) = text::print(value, TimeFormat::DateTime) {
                    xml.leaf(name, &text);
                }
            }
        }
    }
}
