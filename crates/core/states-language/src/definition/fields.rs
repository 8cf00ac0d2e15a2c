//! Fields that many states have: what they take and give, and numbers and texts that may be computed.

use serde_json::Value;
use unicode_ident::{is_xid_continue, is_xid_start};

use super::reader::Reader;
use super::templates::Reading;
use super::{Io, QueryLanguage};
use crate::path::{Path, Place, Root};
use crate::template::Template;

/// Which of the fields a type of state has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Has {
    /// `InputPath`, `OutputPath`, `Output`
    pub(super) edges: bool,
    /// `Parameters`, `ResultPath`
    pub(super) shapes: bool,
    /// `ResultSelector`
    pub(super) selector: bool,
    /// `Arguments`
    pub(super) arguments: bool,
    /// `Assign`
    pub(super) assign: bool,
}

/// The fields of what goes in and out.
pub(super) fn io(reader: &Reader<'_>, reading: Reading<'_>, has: Has) -> Io {
    let mut io = Io::default();
    let template = |name: &'static str| {
        reader
            .get(name)
            .map(|value| reading.template(value, name, &reader.below(name)))
    };
    // What a state's work came to is there once it is done.
    let done = Reading {
        working: false,
        ..reading
    };
    match reading.language {
        QueryLanguage::JsonPath => {
            if has.edges {
                io.input_path = path(reader, "InputPath");
                io.output_path = path(reader, "OutputPath");
            }
            if has.shapes {
                reader.object("Parameters");
                io.parameters = template("Parameters");
                io.result_path = place(reader);
            }
            if has.selector {
                reader.object("ResultSelector");
                io.result_selector = template("ResultSelector");
            }
        }
        QueryLanguage::Jsonata => {
            if has.edges {
                io.output = reader
                    .get("Output")
                    .map(|value| done.template(value, "Output", &reader.below("Output")));
            }
            if has.arguments {
                io.parameters = template("Arguments");
            }
        }
    }
    if has.assign {
        io.assign = assign(reader, done, "Assign");
    }
    io
}

/// A path, or `null`.
fn path(reader: &Reader<'_>, name: &'static str) -> Option<Option<Path>> {
    match reader.get(name)? {
        Value::Null => Some(None),
        Value::String(text) => match Path::parse(text) {
            Ok(path) => Some(Some(path)),
            Err(fault) => {
                reader.schema(name, format!("Value is not a valid JSONPath: {fault}"));
                None
            }
        },
        _ => {
            reader.schema(name, "Value is not a valid JSONPath");
            None
        }
    }
}

const NO_REFERENCE: &str = "Value is not a Reference Path: it names exactly one place of the input";

/// A path that names one place.
pub(super) fn reference(reader: &Reader<'_>, name: &str, value: &Value) -> Option<Path> {
    let fault = match value.as_str().map(Path::parse) {
        Some(Ok(path)) if path.is_reference() => return Some(path),
        Some(Ok(_)) => NO_REFERENCE.to_owned(),
        Some(Err(fault)) => format!("Value is not a Reference Path: {fault}"),
        None => "Value is not a Reference Path".to_owned(),
    };
    reader.schema(name, fault);
    None
}

/// `ResultPath`: a reference path, or `null`.
pub(super) fn place(reader: &Reader<'_>) -> Option<Option<Place>> {
    match reader.get("ResultPath")? {
        Value::Null => Some(None),
        Value::String(text) => match Place::parse(text) {
            Ok(place) => Some(Some(place)),
            Err(fault) => {
                reader.schema("ResultPath", format!("Value is not a Reference Path: {fault}"));
                None
            }
        },
        _ => {
            reader.schema("ResultPath", "Value is not a Reference Path");
            None
        }
    }
}

/// Variables, by name.
pub(super) fn assign(reader: &Reader<'_>, reading: Reading<'_>, field: &str) -> Vec<(String, Template)> {
    if reader.object("Assign").is_none() {
        return Vec::new();
    }
    let Some(value) = reader.get("Assign") else {
        return Vec::new();
    };
    let at = reader.below("Assign");
    let Template::Object(members) = reading.template(value, field, &at) else {
        return Vec::new();
    };
    for (name, _) in &members {
        if name == "states" || !is_identifier(name) {
            let message = format!(
                "'{name}' is not a valid variable name: a letter, then letters, digits and '_', at most 80, and not 'states'"
            );
            reader.report.schema(message, &at);
        }
    }
    members
}

/// An identifier as Unicode has them (Standard Annex #31).
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(is_xid_start);
    first && characters.all(is_xid_continue) && name.chars().count() <= 80
}

/// An integer within bounds, or what gives one: a path in `by_path`, an expression.
pub(super) fn number(
    reader: &Reader<'_>,
    reading: Reading<'_>,
    name: &'static str,
    by_path: &'static str,
    (least, most): (u64, u64),
) -> Option<Template> {
    if let Some(computed) = computed(reader, reading, name, by_path) {
        return Some(computed);
    }
    reader
        .integer(name, least, most)
        .map(|number| Template::Literal(Value::from(number)))
}

/// A text, or what gives one.
pub(super) fn text(
    reader: &Reader<'_>,
    reading: Reading<'_>,
    name: &'static str,
    by_path: &'static str,
) -> Option<Template> {
    if let Some(computed) = computed(reader, reading, name, by_path) {
        return Some(computed);
    }
    reader
        .string(name)
        .map(|text| Template::Literal(Value::from(text)))
}

fn computed(
    reader: &Reader<'_>,
    reading: Reading<'_>,
    name: &'static str,
    by_path: &'static str,
) -> Option<Template> {
    match reading.language {
        QueryLanguage::JsonPath => {
            reader.exclusive(&[name, by_path]);
            let value = reader.get(by_path)?;
            // If it is there too, that has been told of.
            reader.get(name);
            // Only the fields of Fail take functions; a path is all that the others take.
            if matches!(by_path, "ErrorPath" | "CausePath") {
                let template = reading.dynamic(value, by_path, &reader.below(by_path));
                if let Template::Path(path, _) = &template
                    && !path.is_reference()
                {
                    reader.schema(by_path, NO_REFERENCE);
                }
                return Some(template);
            }
            let path = reference(reader, by_path, value)?;
            if path.root() == &Root::Context {
                reader.schema(by_path, NO_REFERENCE);
            }
            Some(Template::Path(path, by_path.to_owned()))
        }
        QueryLanguage::Jsonata => match reader.get(name)? {
            Value::String(text) if text.starts_with("{%") => Some(
                reading
                    .query(text, name, &reader.below(name))
                    .unwrap_or(Template::Literal(Value::Null)),
            ),
            _ => None,
        },
    }
}
