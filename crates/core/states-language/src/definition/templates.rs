//! Reading payload templates, arguments, outputs and assignments.

use serde_json::Value;

use super::QueryLanguage;
use super::json::below;
use super::reader::Report;
use crate::diagnostic::Code;
use crate::intrinsic::Intrinsic;
use crate::jsonata::Jsonata;
use crate::path::Path;
use crate::template::Template;

/// What is being read, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) report: &'a Report,
    pub(super) language: QueryLanguage,
    /// Whether an error was caught, so that `$states.errorOutput` is there.
    pub(super) caught: bool,
    /// Whether the state's work is still to be done, so that `$states.result` is not there.
    pub(super) working: bool,
}

impl Reading<'_> {
    /// A value with computed parts. `field` is its name in causes, `at` its JSON pointer.
    pub(super) fn template(&self, value: &Value, field: &str, at: &str) -> Template {
        match self.language {
            QueryLanguage::JsonPath => self.payload(value, at),
            QueryLanguage::Jsonata => self.queries(value, field, at),
        }
    }

    fn payload(&self, value: &Value, at: &str) -> Template {
        match value {
            Value::Object(map) => {
                let mut members: Vec<(String, Template)> = Vec::with_capacity(map.len());
                for (key, value) in map {
                    let at = below(at, key);
                    let (name, member) = match key.strip_suffix(".$") {
                        Some(name) => (name, self.dynamic(value, key, &at)),
                        None => (key.as_str(), self.payload(value, &at)),
                    };
                    if members.iter().any(|(other, _)| other == name) {
                        self.report.schema(
                            format!("The fields '{name}' and '{name}.$' exclude each other"),
                            &at,
                        );
                    }
                    members.push((name.to_owned(), member));
                }
                Template::Object(members)
            }
            Value::Array(items) => Template::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.payload(item, &format!("{at}/{index}")))
                    .collect(),
            ),
            Value::String(text) => {
                if looks_dynamic(text) {
                    self.report.add(Code::NoDollar, "The value looks like a path or an intrinsic function, but the name of the field does not end with '.$'", at);
                }
                Template::Literal(value.clone())
            }
            _ => Template::Literal(value.clone()),
        }
    }

    /// What stands in a field whose name ends in `.$`, or in one that takes a path or a function.
    pub(super) fn dynamic(&self, value: &Value, field: &str, at: &str) -> Template {
        let read = value
            .as_str()
            .and_then(|text| match text.strip_prefix("States.") {
                Some(_) => Intrinsic::parse(text)
                    .ok()
                    .map(|call| Template::Call(call, field.to_owned())),
                None => Path::parse(text)
                    .ok()
                    .map(|path| Template::Path(path, field.to_owned())),
            });
        read.unwrap_or_else(|| {
            let reason = value.as_str().and_then(reason).map_or_else(String::new, |reason| format!(": {reason}"));
            let message =
                format!("The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call{reason}");
            self.report.schema(message, at);
            Template::Literal(Value::Null)
        })
    }

    fn queries(&self, value: &Value, field: &str, at: &str) -> Template {
        match value {
            Value::Object(map) => Template::Object(
                map.iter()
                    .map(|(key, value)| {
                        (
                            key.clone(),
                            self.queries(value, &format!("{field}/{key}"), &below(at, key)),
                        )
                    })
                    .collect(),
            ),
            Value::Array(items) => Template::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.queries(item, &format!("{field}[{index}]"), &format!("{at}/{index}"))
                    })
                    .collect(),
            ),
            Value::String(text) => self
                .query(text, field, at)
                .unwrap_or_else(|| Template::Literal(value.clone())),
            _ => Template::Literal(value.clone()),
        }
    }

    /// An expression, if that is what the text is meant to be.
    pub(super) fn query(&self, text: &str, field: &str, at: &str) -> Option<Template> {
        if !text.starts_with("{%") {
            return None;
        }
        let Some(inner) = Jsonata::within(text) else {
            self.report.add(
                Code::InvalidJsonataExpression,
                "An expression that begins with '{%' ends with '%}'",
                at,
            );
            return None;
        };
        match Jsonata::parse(inner) {
            Ok(query) => {
                let places = [
                    ("errorOutput", self.caught, "a Catch"),
                    ("result", !self.working, "Output and Assign"),
                ];
                for (member, there, place) in places {
                    if !there && query.reads(member) {
                        let message =
                            format!("Reference to '$states.{member}' is only supported in {place}.");
                        self.report.add(Code::UnsupportedJsonataExpression, message, at);
                    }
                }
                Some(Template::Query(query, field.to_owned()))
            }
            Err(fault) => {
                self.report.add(fault.code, fault.message, at);
                None
            }
        }
    }
}

fn looks_dynamic(text: &str) -> bool {
    text.starts_with("$.")
        || text.starts_with("$$.")
        || text.starts_with("States.") && Intrinsic::parse(text).is_ok()
}

fn reason(text: &str) -> Option<String> {
    let fault = if text.starts_with("States.") {
        Intrinsic::parse(text).err()
    } else {
        Path::parse(text).err()
    };
    fault.map(|fault| fault.to_string())
}
