//! What each function gives. An `Err` says which argument is wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{Function, arrays};
use crate::Dice;

/// What `Hash`, `Base64Encode` and `Base64Decode` take: so many characters.
const CODED: usize = 10_000;

pub(super) fn call(function: Function, arguments: Vec<Value>, dice: &Dice) -> Result<Value, String> {
    match (function, arguments.as_slice()) {
        (Function::Array, _) => Ok(Value::Array(arguments)),
        (Function::Format, [template, values @ ..]) => format(text(template)?, values).map(Value::String),
        (Function::StringToJson, [json]) => {
            serde_json::from_str(text(json)?).map_err(|fault| format!("the string is no JSON: {fault}"))
        }
        (Function::JsonToString, [value]) => Ok(Value::String(value.to_string())),
        (Function::ArrayPartition, [items, size]) => arrays::partition(items, size),
        (Function::ArrayContains, [items, value]) => arrays::contains(items, value),
        (Function::ArrayRange, [first, last, step]) => arrays::range(first, last, step),
        (Function::ArrayGetItem, [items, index]) => arrays::item(items, index),
        (Function::ArrayLength, [items]) => arrays::list(items).map(|items| Value::from(items.len())),
        (Function::ArrayUnique, [items]) => arrays::unique(items),
        (Function::Base64Encode, [value]) => Ok(Value::String(STANDARD.encode(coded(value)?))),
        (Function::Base64Decode, [value]) => decode(coded(value)?).map(Value::String),
        (Function::Hash, [value, algorithm]) => {
            let data = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if data.chars().count() > CODED {
                return Err(format!("at most {CODED} characters are hashed"));
            }
            hash(data.as_bytes(), text(algorithm)?).map(Value::String)
        }
        (Function::JsonMerge, [first, second, deep]) => merge(first, second, deep),
        (Function::MathRandom, [from, to]) => random(from, to, dice.bits()),
        (Function::MathRandom, [from, to, seed]) => {
            random(from, to, Dice::new(arrays::integer(seed)? as u128).bits())
        }
        (Function::MathAdd, [left, right]) => {
            let sum = arrays::integer(left)?.checked_add(arrays::integer(right)?);
            sum.filter(|sum| i32::try_from(*sum).is_ok())
                .map(Value::from)
                .ok_or("the sum is out of range".to_owned())
        }
        (Function::StringSplit, [value, separators]) => split(text(value)?, text(separators)?),
        (Function::Uuid, _) => Ok(Value::String(dice.uuid())),
        _ => Err("the number of arguments is wrong".to_owned()),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("a string was expected, not {value}"))
}

fn coded(value: &Value) -> Result<&str, String> {
    let text = text(value)?;
    if text.chars().count() > CODED {
        Err(format!("at most {CODED} characters are taken"))
    } else {
        Ok(text)
    }
}

fn decode(text: &str) -> Result<String, String> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|fault| format!("the string is not base64: {fault}"))?;
    String::from_utf8(bytes).map_err(|_| "what was encoded is no text".to_owned())
}

/// Stand for themselves after a backslash.
const RESERVED: [char; 4] = ['\'', '{', '}', '\\'];

/// What is written in apostrophes, without its backslashes. One that nothing reserved follows is open.
pub(super) fn unescape(written: &str) -> Result<String, String> {
    let mut meant = String::with_capacity(written.len());
    let mut characters = written.chars();
    while let Some(one) = characters.next() {
        meant.push(match one {
            '\\' => characters
                .next()
                .filter(|one| RESERVED.contains(one))
                .ok_or_else(|| format!("a backslash in '{written}' is followed by none of ' {{ }} and \\"))?,
            other => other,
        });
    }
    Ok(meant)
}

/// `{}` takes the next value; `\{` and `\}` are braces.
fn format(template: &str, values: &[Value]) -> Result<String, String> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut characters = template.chars().peekable();
    while let Some(one) = characters.next() {
        match one {
            '\\' if characters.peek().is_some_and(|one| RESERVED.contains(one)) => {
                text.extend(characters.next())
            }
            '{' if characters.peek() == Some(&'}') => {
                characters.next();
                match values.next() {
                    Some(Value::String(value)) => text.push_str(value),
                    Some(value @ (Value::Array(_) | Value::Object(_))) => {
                        return Err(format!(
                            "a string, number, boolean or null was expected, not {value}"
                        ));
                    }
                    Some(value) => text.push_str(&value.to_string()),
                    None => return Err("there are more '{}' than values".to_owned()),
                }
            }
            '{' | '}' => return Err("a brace that stands for itself is written with a backslash".to_owned()),
            other => text.push(other),
        }
    }
    if values.next().is_some() {
        Err("there are more values than '{}'".to_owned())
    } else {
        Ok(text)
    }
}

/// The digest in hexadecimal.
pub(crate) fn hash(data: &[u8], algorithm: &str) -> Result<String, String> {
    Ok(match algorithm {
        "MD5" => hex::encode(md5::Md5::digest(data)),
        "SHA-1" => hex::encode(Sha1::digest(data)),
        "SHA-256" => hex::encode(Sha256::digest(data)),
        "SHA-384" => hex::encode(Sha384::digest(data)),
        "SHA-512" => hex::encode(Sha512::digest(data)),
        other => {
            return Err(format!(
                "'{other}' is none of MD5, SHA-1, SHA-256, SHA-384 and SHA-512"
            ));
        }
    })
}

/// Members of the second take the place of those of the first. The service merges shallowly only.
fn merge(first: &Value, second: &Value, deep: &Value) -> Result<Value, String> {
    let (Value::Object(first), Value::Object(second)) = (first, second) else {
        return Err("two objects were expected".to_owned());
    };
    if deep != &Value::Bool(false) {
        return Err("only shallow merging is supported: the third argument is false".to_owned());
    }
    let mut merged = first.clone();
    merged.extend(second.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(Value::Object(merged))
}

/// At least `from`, less than `to`.
fn random(from: &Value, to: &Value, bits: u64) -> Result<Value, String> {
    let (from, to) = (arrays::integer(from)?, arrays::integer(to)?);
    let width = to
        .checked_sub(from)
        .filter(|width| *width > 0)
        .ok_or("the end is not beyond the start".to_owned())?;
    Ok(Value::Number(Number::from(
        from + ((u128::from(bits) * width as u128) >> 64) as i64,
    )))
}

/// Each character of `separators` separates; what would be empty is left out.
fn split(text: &str, separators: &str) -> Result<Value, String> {
    let parts = text
        .split(|one| separators.contains(one))
        .filter(|part| !part.is_empty());
    Ok(parts.map(Value::from).collect())
}
