//! What a pattern asks of one value.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::numeric::Range;
use crate::wildcard::Wildcard;

/// A member of the list that a pattern gives for a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    Numeric(Range),
    Cidr(IpNet),
    /// There is a value.
    Present,
    /// There is none; decided where the whole event is seen, never of a value.
    Absent,
    NoneOf(Vec<f64>),
    NoText(Vec<Text>),
}

/// Tests of strings alone. Lower-case forms are kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Is(String),
    IsAnyCase(String),
    Prefix(String),
    PrefixAnyCase(String),
    Suffix(String),
    SuffixAnyCase(String),
    Wildcard(Wildcard),
}

impl Test {
    pub(crate) fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Bool(wanted) => value.as_bool() == Some(*wanted),
            Self::Number(wanted) => value.is_number() && value.as_f64() == Some(*wanted),
            Self::Text(text) => value.as_str().is_some_and(|value| text.matches(value)),
            Self::Numeric(range) => value.as_f64().is_some_and(|value| range.contains(value)),
            Self::Cidr(block) => value
                .as_str()
                .and_then(|value| value.parse::<IpAddr>().ok())
                .is_some_and(|address| block.contains(&address)),
            Self::Present => true,
            Self::Absent => false,
            Self::NoneOf(numbers) => !value.as_f64().is_some_and(|value| numbers.contains(&value)),
            Self::NoText(texts) => !value
                .as_str()
                .is_some_and(|value| texts.iter().any(|text| text.matches(value))),
        }
    }
}

impl Text {
    pub(crate) fn matches(&self, value: &str) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::IsAnyCase(wanted) => value.to_lowercase() == *wanted,
            Self::Prefix(prefix) => value.starts_with(prefix.as_str()),
            Self::PrefixAnyCase(prefix) => value.to_lowercase().starts_with(prefix.as_str()),
            Self::Suffix(suffix) => value.ends_with(suffix.as_str()),
            Self::SuffixAnyCase(suffix) => value.to_lowercase().ends_with(suffix.as_str()),
            Self::Wildcard(wildcard) => wildcard.matches(value),
        }
    }
}
