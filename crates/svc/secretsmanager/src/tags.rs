//! What a tag may be. Source: the Secrets Manager API reference, data type Tag, and the general rules for tags.

use std::collections::BTreeMap;

use roadstead_api_secretsmanager::Tag;
use roadstead_base::Tags;

use crate::error::{Error, Result};

/// Reads tags from a request.
pub(crate) fn read(tags: Vec<Tag>) -> Result<BTreeMap<String, String>> {
    let mut read = BTreeMap::new();
    for Tag { key, value } in tags {
        let key = key.ok_or_else(|| Error::parameter("A tag must have a Key."))?;
        let value = value.unwrap_or_default();
        if Tags::is_reserved(&key) {
            return Err(Error::parameter(format!(
                "Tag keys that begin with aws: are reserved: {key}"
            )));
        }
        let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
        if let Some(bad) = key.chars().chain(value.chars()).find(|c| !allowed(*c)) {
            return Err(Error::parameter(format!(
                "Invalid character {bad:?} in tag {key}."
            )));
        }
        if read.insert(key.clone(), value).is_some() {
            return Err(Error::parameter(format!("Duplicate tag key: {key}")));
        }
    }
    check_count(&read)?;
    Ok(read)
}

pub(crate) fn check_count(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > Tags::MAX {
        return Err(Error::parameter(format!(
            "A secret can have at most {} tags.",
            Tags::MAX
        )));
    }
    Ok(())
}

pub(crate) fn show(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let show = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    tags.iter().map(show).collect()
}
