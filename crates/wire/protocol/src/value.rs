//! The neutral form of a message: what every protocol decodes to and encodes from. Members go by the
//! model's own names here; the names on the wire are the codecs' business.

use std::borrow::Cow;

pub type Fields = Vec<(Cow<'static, str>, Value)>;

/// A message or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Blob(Vec<u8>),
    /// Seconds since 1970.
    Time(f64),
    List(Vec<Value>),
    /// A structure or a map.
    Map(Fields),
    /// A free-form document.
    Document(serde_json::Value),
    /// What follows an answer, in services' own hands.
    Events(crate::events::EventStream),
}

impl Value {
    pub fn empty() -> Self {
        Self::Map(Fields::new())
    }

    /// The member of a structure.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Map(fields) => fields.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "number",
            Self::Str(_) => "string",
            Self::Blob(_) => "blob",
            Self::Time(_) => "timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "structure",
            Self::Document(_) => "document",
            Self::Events(_) => "event stream",
        }
    }
}
