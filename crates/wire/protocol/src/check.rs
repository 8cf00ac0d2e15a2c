//! The model's constraints, checked before a handler sees a request: what is required, how long, how
//! large, of which form. One walk over the tables for every service and protocol.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use regex::Regex;

use crate::model::{Kind, ServiceModel, ShapeId};
use crate::value::Value;

/// Why a request does not fit its model. Paths are the model's member names: `containerDefinitions[0].name`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Violation {
    #[error("Value null at '{path}' failed to satisfy constraint: Member must not be null")]
    Missing { path: String },
    #[error("Unknown parameter: '{path}'")]
    Unknown { path: String },
    #[error("'{path}' has the wrong type: expected {wanted}, found {found}")]
    Type {
        path: String,
        wanted: &'static str,
        found: String,
    },
    #[error("Value{} at '{path}' failed to satisfy constraint: Member must have length {bound}", quoted(.value))]
    Length {
        path: String,
        /// Of a text that is no secret.
        value: Option<String>,
        bound: String,
    },
    #[error("Value '{value}' at '{path}' failed to satisfy constraint: Member must have value {bound}")]
    Range {
        path: String,
        value: String,
        bound: String,
    },
    #[error(
        "Value{} at '{path}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}",
        quoted(.value)
    )]
    Pattern {
        path: String,
        /// None: it is a secret.
        value: Option<String>,
        pattern: &'static str,
    },
    #[error("Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{}]", values.join(", "))]
    Enum {
        path: String,
        value: String,
        values: &'static [&'static str],
    },
}

fn quoted(value: &Option<String>) -> String {
    value
        .as_ref()
        .map(|value| format!(" '{value}'"))
        .unwrap_or_default()
}

impl Violation {
    pub fn path(&self) -> &str {
        match self {
            Self::Missing { path }
            | Self::Unknown { path }
            | Self::Type { path, .. }
            | Self::Length { path, .. }
            | Self::Range { path, .. }
            | Self::Pattern { path, .. }
            | Self::Enum { path, .. } => path,
        }
    }
}

pub(crate) fn join(path: &str, member: &str) -> String {
    if path.is_empty() {
        member.to_owned()
    } else {
        format!("{path}.{member}")
    }
}

/// The first constraint that `value` breaks, in the order of the model's members.
///
/// # Errors
/// The violation, with the path of the member.
pub fn check(model: &ServiceModel, shape: ShapeId, value: &Value) -> Result<(), Violation> {
    walk(model, shape, value, &mut String::new())
}

fn walk(model: &ServiceModel, shape: ShapeId, value: &Value, path: &mut String) -> Result<(), Violation> {
    let here = |path: &String| path.clone();
    match (&model.shape(shape).kind, value) {
        (Kind::Structure { members, .. }, Value::Map(fields)) => {
            for member in *members {
                match fields.iter().find(|(name, _)| name == member.name) {
                    Some((_, value)) => {
                        within(path, member.name, |path| walk(model, member.shape, value, path))?
                    }
                    None if member.required => {
                        return Err(Violation::Missing {
                            path: join(path, member.name),
                        });
                    }
                    None => {}
                }
            }
            Ok(())
        }
        (Kind::List { member, min, max, .. }, Value::List(items)) => {
            length(items.len(), *min, *max, path, None)?;
            for (index, item) in items.iter().enumerate() {
                let end = path.len();
                path.push_str(&format!("[{index}]"));
                walk(model, member.shape, item, path)?;
                path.truncate(end);
            }
            Ok(())
        }
        (
            Kind::Map {
                key,
                value: member,
                min,
                max,
                ..
            },
            Value::Map(fields),
        ) => {
            length(fields.len(), *min, *max, path, None)?;
            for (name, value) in fields {
                within(path, name, |path| {
                    walk(model, key.shape, &Value::Str(name.to_string()), path)?;
                    walk(model, member.shape, value, path)
                })?;
            }
            Ok(())
        }
        (
            Kind::Text {
                min,
                max,
                pattern,
                values,
            },
            Value::Str(text),
        ) => {
            let shown = || (!model.shape(shape).sensitive).then(|| clip(text));
            length(text.chars().count(), *min, *max, path, Some(&shown))?;
            if !values.is_empty() && !values.contains(&text.as_str()) {
                return Err(Violation::Enum {
                    path: here(path),
                    value: clip(text),
                    values,
                });
            }
            match pattern {
                Some(pattern) if !matches(pattern, text) => Err(Violation::Pattern {
                    path: here(path),
                    value: shown(),
                    pattern,
                }),
                _ => Ok(()),
            }
        }
        (Kind::Blob { min, max, .. }, Value::Blob(bytes)) => length(bytes.len(), *min, *max, path, None),
        (Kind::Integer { min, max }, Value::Int(number)) => range(
            *number,
            min.or(Some(i32::MIN.into())),
            max.or(Some(i32::MAX.into())),
            path,
        ),
        (Kind::Long { min, max }, Value::Int(number)) => range(*number, *min, *max, path),
        (Kind::Double { min, max }, Value::Float(number)) => range(*number, *min, *max, path),
        (Kind::Boolean, Value::Bool(_)) | (Kind::Timestamp { .. }, Value::Time(_)) => Ok(()),
        (Kind::Structure { document: true, .. }, Value::Document(_)) => Ok(()),
        (kind, other) => Err(Violation::Type {
            path: here(path),
            wanted: kind_name(kind),
            found: other.kind().to_owned(),
        }),
    }
}

fn within<T>(path: &mut String, member: &str, inner: impl FnOnce(&mut String) -> T) -> T {
    let end = path.len();
    if end > 0 {
        path.push('.');
    }
    path.push_str(member);
    let result = inner(path);
    path.truncate(end);
    result
}

pub(crate) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Structure { document: true, .. } => "document",
        Kind::Structure { .. } => "structure",
        Kind::List { .. } => "list",
        Kind::Map { .. } => "map",
        Kind::Text { .. } => "string",
        Kind::Blob { .. } => "blob",
        Kind::Integer { .. } | Kind::Long { .. } => "integer",
        Kind::Double { .. } => "number",
        Kind::Boolean => "boolean",
        Kind::Timestamp { .. } => "timestamp",
    }
}

fn length(
    count: usize,
    min: Option<u64>,
    max: Option<u64>,
    path: &str,
    value: Option<&dyn Fn() -> Option<String>>,
) -> Result<(), Violation> {
    let count = count as u64;
    let bound = match (min, max) {
        (Some(min), _) if count < min => format!("greater than or equal to {min}"),
        (_, Some(max)) if count > max => format!("less than or equal to {max}"),
        _ => return Ok(()),
    };
    Err(Violation::Length {
        path: path.to_owned(),
        value: value.and_then(|shown| shown()),
        bound,
    })
}

fn range<T: PartialOrd + std::fmt::Display>(
    number: T,
    min: Option<T>,
    max: Option<T>,
    path: &str,
) -> Result<(), Violation> {
    let bound = match (&min, &max) {
        (Some(min), _) if number < *min => format!("greater than or equal to {min}"),
        (_, Some(max)) if number > *max => format!("less than or equal to {max}"),
        _ => return Ok(()),
    };
    Err(Violation::Range {
        path: path.to_owned(),
        value: number.to_string(),
        bound,
    })
}

fn clip(text: &str) -> String {
    text.chars().take(256).collect()
}

/// Patterns are Java's; they are matched against the whole text. Those of the models in use also compile here, which
/// `bad_input` of the dispatcher holds.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: OnceLock<Mutex<Compiled>> = OnceLock::new();
    let compiled = COMPILED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .entry(pattern)
        .or_insert_with(|| compile(pattern).map(Arc::new))
        .clone();
    compiled.is_none_or(|compiled| compiled.is_match(text))
}

type Compiled = HashMap<&'static str, Option<Arc<Pattern>>>;

/// A pattern of a model.
#[derive(Debug, Clone)]
pub enum Pattern {
    Plain(Regex),
    /// One that looks ahead, which the quicker engine does not.
    Looking(fancy_regex::Regex),
}

impl Pattern {
    /// Whether the whole text is of the pattern. One that takes too long to find out is not: it backtracks.
    pub fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Plain(regex) => regex.is_match(text),
            Self::Looking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }
}

/// Java's `\w`, `\d` and `\s` are of ASCII alone, those of the engines here of all of Unicode.
pub fn ascii(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars();
    let mut within = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let class = match chars.next() {
                    Some('w') => "0-9A-Za-z_",
                    Some('d') => "0-9",
                    Some('s') => r" \t\n\x0B\f\r",
                    other => {
                        text.push('\\');
                        text.extend(other);
                        continue;
                    }
                };
                match within {
                    true => text.push_str(class),
                    false => text.push_str(&format!("[{class}]")),
                }
                continue;
            }
            '[' => within = true,
            ']' => within = false,
            _ => {}
        }
        text.push(c);
    }
    text
}

/// The pattern anchored at both ends, or nothing if it cannot be one.
pub fn compile(pattern: &str) -> Option<Pattern> {
    let whole = format!("^(?s:{})$", ascii(pattern));
    let plain = Regex::new(&whole).ok().map(Pattern::Plain);
    plain.or_else(|| fancy_regex::Regex::new(&whole).ok().map(Pattern::Looking))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_look_ahead_hold_as_well() {
        const NAME: &str = "^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$";
        const ALIAS: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";
        for (pattern, text, fits) in [
            (NAME, "7", false),
            (NAME, "a:b", false),
            (NAME, "x y", false),
            (NAME, "7.a-b_c", true),
            (ALIAS, "7", false),
            (ALIAS, "7a", true),
            (ALIAS, "a b", false),
            ("^[a-z]+$", "ab", true),
            ("[a-z]+", "ab\nc", false),
            ("[\\w+=,.@-]+", "a_b", true),
            ("[\\w+=,.@-]+", "\u{fc}", false),
            ("\\w+\\s\\d", "a 7", true),
            ("\\w+\\s\\d", "a\u{a0}7", false),
            ("\\w+\\s\\d", "a \u{667}", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
