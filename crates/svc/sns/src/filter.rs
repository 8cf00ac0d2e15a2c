//! Whether a message passes a subscription's filter policy. The language is that of event patterns, over the message's
//! attributes or over the message itself.
//! Source: "Amazon SNS subscription filter policies" in the SNS developer guide.

use roadstead_patterns::Pattern;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::records::{Attributes, MessageRecord, Settings};

const MAX_KEYS: usize = 5;

pub(crate) fn check(policy: &str, of_body: bool) -> Result<()> {
    let wrong = |why: &str| Error::invalid(format!("FilterPolicy: {why}"));
    let json: Json = serde_json::from_str(policy).map_err(|error| wrong(&error.to_string()))?;
    let map = json.as_object().ok_or_else(|| wrong("it is no JSON object"))?;
    if map.len() > MAX_KEYS {
        return Err(wrong("it has more than 5 keys"));
    }
    if !of_body
        && map
            .iter()
            .any(|(name, rules)| !name.starts_with('$') && rules.is_object())
    {
        return Err(wrong(
            "Filter policy scope MessageAttributes does not support nested filter policy",
        ));
    }
    match map.is_empty() || policy.parse::<Pattern>().is_ok() {
        true => Ok(()),
        false => Err(wrong(
            &policy
                .parse::<Pattern>()
                .err()
                .map(|fault| fault.to_string())
                .unwrap_or_default(),
        )),
    }
}

pub(crate) fn passes(settings: &Settings, message: &MessageRecord) -> bool {
    let Some(policy) = settings.filter.as_deref().filter(|policy| policy.trim() != "{}") else {
        return true;
    };
    let Ok(pattern) = policy.parse::<Pattern>() else {
        tracing::error!(
            topic = message.topic,
            "a filter policy that was kept cannot be read"
        );
        return false;
    };
    if settings.filter_is_of_body {
        // A message that is no JSON object passes no filter of its contents.
        return serde_json::from_str::<Json>(&message.message).is_ok_and(|json| pattern.matches(&json));
    }
    pattern.matches(&Json::Object(of_attributes(&message.attributes)))
}

/// Texts as texts, numbers as numbers, arrays as their members; bytes cannot be filtered by.
fn of_attributes(attributes: &Attributes) -> Map<String, Json> {
    let value = |attribute: &crate::records::Attribute| {
        let text = attribute.text.as_ref()?;
        match attribute.data_type.as_str() {
            "String.Array" | "Number" => serde_json::from_str(text).ok(),
            _ => Some(Json::String(text.clone())),
        }
    };
    let pairs = attributes.iter();
    pairs
        .filter_map(|(name, attribute)| Some((name.clone(), value(attribute)?)))
        .collect()
}
