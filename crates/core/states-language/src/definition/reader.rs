//! Taking an object of a definition apart: each field that is asked for is known, and what is left over is refused by name.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::QueryLanguage;
use super::json::below;
use crate::diagnostic::{Code, Diagnostic};

/// Where faults are gathered.
#[derive(Debug, Default)]
pub(super) struct Report(RefCell<Vec<Diagnostic>>);

impl Report {
    pub(super) fn add(&self, code: Code, message: impl Into<String>, at: &str) {
        self.0.borrow_mut().push(Diagnostic {
            code,
            message: message.into(),
            location: Some(at.to_owned()),
        });
    }

    pub(super) fn add_nowhere(&self, code: Code, message: impl Into<String>) {
        self.0.borrow_mut().push(Diagnostic {
            code,
            message: message.into(),
            location: None,
        });
    }

    pub(super) fn schema(&self, message: impl Into<String>, at: &str) {
        self.add(Code::SchemaValidationFailed, message, at);
    }

    pub(super) fn into_all(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

/// An object of a definition.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) report: &'a Report,
    /// Its JSON pointer.
    pub(super) at: String,
    map: &'a Map<String, Value>,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    /// Nothing, and a fault, if the value is no object.
    pub(super) fn of(value: &'a Value, at: &str, report: &'a Report) -> Option<Reader<'a>> {
        let Value::Object(map) = value else {
            report.schema("Expected value of type Object", at);
            return None;
        };
        Some(Reader {
            report,
            at: at.to_owned(),
            map,
            asked: RefCell::default(),
        })
    }

    pub(super) fn below(&self, name: &str) -> String {
        below(&self.at, name)
    }

    /// The field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.map.get(name)
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        self.map.keys()
    }

    /// Whether the field is there, without having asked for it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    pub(super) fn schema(&self, name: &str, message: impl Into<String>) {
        self.report.schema(message, &self.below(name));
    }

    fn typed<T>(&self, name: &str, kind: &str, take: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.get(name)?;
        let taken = take(value);
        if taken.is_none() {
            self.schema(name, format!("Expected value of type {kind}"));
        }
        taken
    }

    pub(super) fn string(&self, name: &str) -> Option<&'a str> {
        self.typed(name, "String", Value::as_str)
    }

    /// Where a rule or a catcher leads. What names nothing has been told of, and is empty.
    pub(super) fn next(&self) -> String {
        self.require(&["Next"]);
        let next = self.string("Next");
        if next == Some("") {
            self.schema("Next", "The value of 'Next' must not be empty");
        }
        next.unwrap_or_default().to_owned()
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        self.typed(name, "Boolean", Value::as_bool)
    }

    pub(super) fn array(&self, name: &str) -> Option<&'a Vec<Value>> {
        self.typed(name, "Array", Value::as_array)
    }

    pub(super) fn object(&self, name: &str) -> Option<&'a Map<String, Value>> {
        self.typed(name, "Object", Value::as_object)
    }

    /// An integer from `least` to `most`.
    pub(super) fn integer(&self, name: &str, least: u64, most: u64) -> Option<u64> {
        let number = self.typed(name, "Integer", |value| {
            value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX))
        })?;
        match u64::try_from(number)
            .ok()
            .filter(|number| (least..=most).contains(number))
        {
            Some(number) => Some(number),
            None => {
                self.schema(
                    name,
                    format!("The value of '{name}' must be an integer from {least} to {most}"),
                );
                None
            }
        }
    }

    /// The fields that must be there.
    pub(super) fn require(&self, names: &[&str]) {
        let absent: Vec<&str> = names.iter().copied().filter(|name| !self.has(name)).collect();
        if !absent.is_empty() {
            self.report.schema(
                format!("These fields are required: [{}]", absent.join(", ")),
                &self.at,
            );
        }
    }

    /// At most one of the fields may be there.
    pub(super) fn exclusive(&self, names: &[&str]) {
        if names.iter().filter(|name| self.has(name)).count() > 1 {
            self.report.schema(
                format!(
                    "You cannot set more than one of the fields [{}]",
                    names.join(", ")
                ),
                &self.at,
            );
        }
    }

    /// Refuses what was never asked for.
    pub(super) fn finish(self, language: QueryLanguage) {
        for name in self
            .map
            .keys()
            .filter(|name| !self.asked.borrow().contains(name.as_str()))
        {
            let (here, there) = match language {
                QueryLanguage::JsonPath if JSONATA.contains(&name.as_str()) => ("JSONPath", "JSONata"),
                QueryLanguage::Jsonata if JSON_PATH.contains(&name.as_str()) => ("JSONata", "JSONPath"),
                _ => {
                    self.report
                        .schema(format!("Field '{name}' is not supported"), &self.at);
                    continue;
                }
            };
            let message = format!(
                "The QueryLanguage is set to '{here}', but field '{name}' is only supported for the '{there}' QueryLanguage"
            );
            self.report.schema(message, &self.at);
        }
    }
}

/// Fields of JSONata states alone.
const JSONATA: [&str; 4] = ["Arguments", "Output", "Items", "Condition"];

/// Fields of JSONPath states alone.
const JSON_PATH: [&str; 15] = [
    "InputPath",
    "OutputPath",
    "Parameters",
    "ResultSelector",
    "ResultPath",
    "ItemsPath",
    "MaxConcurrencyPath",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ErrorPath",
    "CausePath",
    "Variable",
    "Result",
];
