//! From the neutral form to Rust types and back. Generated structures get this by macro.

use std::borrow::Cow;
use std::collections::BTreeMap;

use roadstead_base::Timestamp;

use crate::value::{Fields, Value};

/// A value does not have the type its member has. The codecs check types first, so outside callers never
/// see this; a mismatch means a codec and a generated type disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {wanted}, found {found}")]
pub struct DecodeError {
    pub path: String,
    pub wanted: &'static str,
    pub found: Cow<'static, str>,
}

impl DecodeError {
    pub fn new(wanted: &'static str, found: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: String::new(),
            wanted,
            found: found.into(),
        }
    }

    #[must_use]
    pub fn at(mut self, member: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{member}{dot}{}", self.path);
        self
    }
}

/// A type that stands for a shape.
pub trait Wire: Sized {
    fn into_value(self) -> Value;

    /// # Errors
    /// The value is of another type.
    fn from_value(value: Value) -> Result<Self, DecodeError>;
}

/// Bytes, base64 in the JSON and XML protocols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

macro_rules! scalar {
    ($type:ty, $wanted:literal, $variant:ident, $into:expr, $from:expr) => {
        impl Wire for $type {
            fn into_value(self) -> Value {
                let into: fn($type) -> _ = $into;
                Value::$variant(into(self))
            }
            fn from_value(value: Value) -> Result<Self, DecodeError> {
                match value {
                    Value::$variant(inner) => {
                        let from: fn(_) -> Option<$type> = $from;
                        from(inner).ok_or_else(|| DecodeError::new($wanted, "a value out of range"))
                    }
                    other => Err(DecodeError::new($wanted, other.kind())),
                }
            }
        }
    };
}

scalar!(String, "string", Str, |s| s, Some);
scalar!(bool, "boolean", Bool, |b| b, Some);
scalar!(i64, "integer", Int, |i| i, Some);
scalar!(i32, "integer", Int, i64::from, |i: i64| i32::try_from(i).ok());
scalar!(f64, "number", Float, |f| f, Some);
scalar!(Blob, "blob", Blob, |b| b.0, |b| Some(Blob(b)));
scalar!(Timestamp, "timestamp", Time, Timestamp::as_seconds, |s| Some(
    Timestamp::from_seconds(s)
));
scalar!(serde_json::Value, "document", Document, |d| d, Some);

impl<T: Wire> Wire for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(Wire::into_value).collect())
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        let Value::List(items) = value else {
            return Err(DecodeError::new("list", value.kind()));
        };
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| T::from_value(item).map_err(|error| error.at(&format!("[{index}]"))))
            .collect()
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn into_value(self) -> Value {
        Value::Map(
            self.into_iter()
                .map(|(key, value)| (Cow::Owned(key), value.into_value()))
                .collect(),
        )
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        let Value::Map(fields) = value else {
            return Err(DecodeError::new("map", value.kind()));
        };
        fields
            .into_iter()
            .map(|(key, value)| {
                let value = T::from_value(value).map_err(|error| error.at(&key))?;
                Ok((key.into_owned(), value))
            })
            .collect()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn into_value(self) -> Value {
        (*self).into_value()
    }

    fn from_value(value: Value) -> Result<Self, DecodeError> {
        T::from_value(value).map(Box::new)
    }
}

/// The output of operations that have none.
impl Wire for () {
    fn into_value(self) -> Value {
        Value::Map(Fields::new())
    }

    fn from_value(_: Value) -> Result<Self, DecodeError> {
        Ok(())
    }
}
