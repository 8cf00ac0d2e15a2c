//! Forms taken apart at their dots, for the two query protocols. Both send the same kind of form and differ
//! only in how they name members and number elements.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::check::Violation;

/// More parameters than any documented request has.
const MAX_PARAMETERS: usize = 10_000;
/// Deeper than any model nests.
const MAX_DEPTH: usize = 32;
const TWICE: FormError = FormError::Syntax("it has a parameter twice");

/// The body is not a form of this protocol.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    #[error("the request has no Action")]
    NoAction,
    #[error("the body is not a form: {0}")]
    Syntax(&'static str),
}

/// A form: what it asks for, and its parameters as a tree.
#[derive(Debug, Default)]
pub struct Form {
    pub action: String,
    pub version: Option<String>,
    pub(crate) root: Node,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) text: Option<String>,
    pub(crate) children: BTreeMap<String, Node>,
}

impl Form {
    /// # Errors
    /// The body is no form, has too many parameters or no `Action`.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        let body = std::str::from_utf8(body).map_err(|_| FormError::Syntax("it is not UTF-8"))?;
        let mut form = Self::default();
        for (count, pair) in body.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(FormError::Syntax("it has more than 10000 parameters"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_part(name)?, decode_part(value)?);
            match name.as_str() {
                "Action" if form.action.is_empty() => form.action = value,
                "Version" if form.version.is_none() => form.version = Some(value),
                "Action" | "Version" => return Err(TWICE),
                // A presigned query carries its signature beside its parameters.
                name if name.starts_with("X-Amz-") => {}
                _ => form.root.insert(&name, value)?,
            }
        }
        if form.action.is_empty() {
            Err(FormError::NoAction)
        } else {
            Ok(form)
        }
    }
}

fn decode_part(text: &str) -> Result<String, FormError> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text)
        .decode_utf8()
        .map_err(|_| FormError::Syntax("it is not UTF-8"))?;
    Ok(decoded.into_owned())
}

impl Node {
    fn insert(&mut self, name: &str, value: String) -> Result<(), FormError> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= MAX_DEPTH {
                return Err(FormError::Syntax("a parameter is nested more than 32 deep"));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        match node.text.replace(value) {
            None => Ok(()),
            Some(_) => Err(TWICE),
        }
    }

    /// A structure, list or map has parts, not a text; but an empty list is sent as an empty text.
    pub(crate) fn no_text(&self, wanted: &'static str, path: &str) -> Result<(), Violation> {
        match &self.text {
            Some(text) if !text.is_empty() => Err(Violation::Type {
                path: path.to_owned(),
                wanted,
                found: "string".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The numbered children in the order of their numbers, gaps allowed; or the name that is no number.
    pub(crate) fn numbered(self) -> Result<Vec<(u32, Node)>, String> {
        let mut items = BTreeMap::new();
        for (number, node) in self.children {
            match number.parse::<u32>() {
                Ok(index) if !number.starts_with('+') => items.insert(index, node),
                _ => return Err(number),
            };
        }
        Ok(items.into_iter().collect())
    }
}
