//! From what a client sends to a message that is kept: what it may hold, and how large it is.

use std::collections::BTreeMap;

use roadstead_api_sqs::{MessageAttributeValue, MessageSystemAttributeValue};
use roadstead_base::{Caller, Ctx};
use roadstead_protocol::Blob;

use crate::error::{Error, Result};
use crate::records::{Attribute, Attributes, Content};

/// Of a message with its attributes, and of all messages of a batch together.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
const MAX_ATTRIBUTES: usize = 10;
const MAX_NAME: usize = 256;
const TRACE_HEADER: &str = "AWSTraceHeader";

/// The characters that XML allows.
pub(crate) fn check_body(body: &str) -> Result<()> {
    if body.is_empty() {
        return Err(Error::Missing("MessageBody".into()));
    }
    let allowed = |c: char| matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    match body.chars().all(allowed) {
        true => Ok(()),
        false => Err(Error::Contents),
    }
}

pub(crate) fn size(body: &str, attributes: &Attributes) -> usize {
    let one = |(name, Attribute { data_type, content }): (&String, &Attribute)| {
        let content = match content {
            Content::Text(text) => text.len(),
            Content::Bytes(bytes) => bytes.len(),
        };
        name.len() + data_type.len() + content
    };
    body.len() + attributes.iter().map(one).sum::<usize>()
}

pub(crate) fn attributes(given: Option<BTreeMap<String, MessageAttributeValue>>) -> Result<Attributes> {
    let given = given.unwrap_or_default();
    if given.len() > MAX_ATTRIBUTES {
        return Err(Error::Value(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            given.len()
        )));
    }
    let mut all = Attributes::new();
    for (name, value) in given {
        check_name(&name)?;
        let MessageAttributeValue {
            data_type,
            binary_list_values,
            binary_value,
            string_list_values,
            string_value,
        } = value;
        no_lists(binary_list_values, string_list_values)?;
        let attribute = attribute(&name, data_type, string_value, binary_value)?;
        all.insert(name, attribute);
    }
    Ok(all)
}

fn no_lists(bytes: Option<Vec<Blob>>, texts: Option<Vec<String>>) -> Result<()> {
    let none = bytes.is_none_or(|list| list.is_empty()) && texts.is_none_or(|list| list.is_empty());
    if none {
        return Ok(());
    }
    Err(Error::Unsupported(
        "Message attribute list values in SendMessage operation are not supported.".into(),
    ))
}

fn check_name(name: &str) -> Result<()> {
    let fine = !name.is_empty()
        && name.len() <= MAX_NAME
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..");
    if !fine {
        return Err(Error::Value(format!(
            "Invalid attribute name '{name}'. It can contain letters, digits, and _-. where no period is first, last or beside another."
        )));
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(Error::Value(format!(
            "Message attribute name '{name}' starts with a prefix that is reserved, AWS. or Amazon."
        )));
    }
    Ok(())
}

fn attribute(name: &str, data_type: String, text: Option<String>, bytes: Option<Blob>) -> Result<Attribute> {
    let wrong = |why: &str| Error::Value(format!("The message attribute '{name}' {why}"));
    if data_type.len() > MAX_NAME {
        return Err(wrong("has a type of more than 256 characters."));
    }
    let kind = data_type.split('.').next().unwrap_or_default();
    let empty = || {
        wrong(&format!(
            "must contain a non-empty message attribute value for message attribute type '{kind}'."
        ))
    };
    let content = match (kind, text, bytes) {
        ("String" | "Number", Some(_), Some(_)) | ("Binary", Some(_), Some(_)) => {
            return Err(wrong("must contain one value, and not two."));
        }
        ("String" | "Number", text, None) => {
            Content::Text(text.filter(|text| !text.is_empty()).ok_or_else(empty)?)
        }
        ("Binary", None, bytes) => {
            let bytes = bytes.map(|bytes| bytes.0).filter(|bytes| !bytes.is_empty());
            Content::Bytes(bytes.ok_or_else(empty)?)
        }
        ("String" | "Number" | "Binary", _, _) => return Err(empty()),
        _ => {
            return Err(wrong(
                "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.",
            ));
        }
    };
    if let Content::Text(text) = &content {
        check_body(text)?;
        if kind == "Number" && text.parse::<f64>().is_err() {
            return Err(wrong("is no number."));
        }
    }
    Ok(Attribute { data_type, content })
}

/// The one attribute for the system, and the digest's input for it.
pub(crate) fn system(given: Option<BTreeMap<String, MessageSystemAttributeValue>>) -> Result<Attributes> {
    let mut all = Attributes::new();
    for (name, value) in given.unwrap_or_default() {
        if name != TRACE_HEADER {
            return Err(Error::Value(format!(
                "Message system attribute name '{name}' is invalid."
            )));
        }
        let MessageSystemAttributeValue {
            data_type,
            binary_list_values,
            binary_value,
            string_list_values,
            string_value,
        } = value;
        no_lists(binary_list_values, string_list_values)?;
        if data_type != "String" {
            return Err(Error::Value(format!(
                "The message system attribute '{name}' must be of the type String."
            )));
        }
        let attribute = attribute(&name, data_type, string_value, binary_value)?;
        all.insert(name, attribute);
    }
    Ok(all)
}

/// The trace header among them.
pub(crate) fn trace_header(system: &Attributes) -> Option<String> {
    match &system.get(TRACE_HEADER)?.content {
        Content::Text(text) => Some(text.clone()),
        Content::Bytes(_) => None,
    }
}

/// As messages are shown.
pub(crate) fn show(attribute: Attribute) -> MessageAttributeValue {
    let Attribute { data_type, content } = attribute;
    let mut shown = MessageAttributeValue {
        data_type,
        ..Default::default()
    };
    match content {
        Content::Text(text) => shown.string_value = Some(text),
        Content::Bytes(bytes) => shown.binary_value = Some(Blob(bytes)),
    }
    shown
}

/// Who sent it, as `SenderId` says it.
pub(crate) fn sender(ctx: &Ctx) -> String {
    match &ctx.caller {
        Caller::User(user) => user.id.clone(),
        Caller::Role(session) => session.user_id(),
        Caller::Service(name) => (*name).to_owned(),
        Caller::Root | Caller::Node => ctx.account.to_string(),
    }
}
