//! What a tag may be. Source: the Amazon ECS API reference, data type Tag.

use std::collections::BTreeMap;

use roadstead_api_ecs::Tag;

use crate::error::{Error, Result};

/// Tags of one resource.
const MAX: usize = 50;
/// Characters of a key and of a value.
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

pub(super) fn check_count(count: usize) -> Result<()> {
    if count > MAX {
        return Err(Error::invalid(format!(
            "The maximum number of tags per resource is {MAX}; got {count}."
        )));
    }
    Ok(())
}

/// Keys that only the platform gives. They do not count against the limit.
pub(super) fn is_reserved(key: &str) -> bool {
    key.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

pub(super) fn reserved(key: &str) -> Error {
    let shown: String = key.chars().take(KEY_MAX).collect();
    Error::invalid(format!("Tag keys that begin with aws: are reserved: {shown}"))
}

pub(super) fn check(tags: Vec<Tag>) -> Result<BTreeMap<String, String>> {
    check_count(tags.len())?;
    let mut checked = BTreeMap::new();
    for Tag { key, value } in tags {
        let key = key
            .filter(|key| !key.is_empty())
            .ok_or_else(|| Error::invalid("Tag key can not be blank."))?;
        let value = value.unwrap_or_default();
        text("key", &key, KEY_MAX)?;
        text("value", &value, VALUE_MAX)?;
        if key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
        {
            return Err(Error::invalid(format!(
                "Tag keys that begin with aws: are reserved: {key}"
            )));
        }
        if checked.insert(key.clone(), value).is_some() {
            return Err(Error::invalid(format!("Duplicate tag key: {key}")));
        }
    }
    Ok(checked)
}

fn text(what: &str, text: &str, max: usize) -> Result<()> {
    let length = text.chars().count();
    if length > max {
        return Err(Error::invalid(format!(
            "A tag {what} has {length} characters, at most {max} are allowed."
        )));
    }
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    match text.chars().find(|c| !allowed(*c)) {
        Some(bad) => Err(Error::invalid(format!(
            "Invalid character {bad:?} in tag {what}: {text}"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: Some(key.into()),
            value: Some(value.into()),
        }
    }

    #[test]
    fn tags_within_the_rules_pass() {
        let fifty = (0..50).map(|i| tag(&format!("k{i}"), "")).collect();
        assert_eq!(check(fifty).expect("fifty").len(), 50);
        let tags = vec![
            tag("größe", "a b+c-d=e._:/@f"),
            Tag {
                key: Some("k".into()),
                value: None,
            },
        ];
        assert_eq!(check(tags).expect("passes")["k"], "");
        check(vec![tag(&"k".repeat(128), &"v".repeat(256))]).expect("longest");
        check(vec![tag("awsome", "aws:x")]).expect("only the key's prefix is reserved");
    }

    #[test]
    fn tags_beyond_the_rules_are_refused() {
        let refuse = |tags: Vec<Tag>, words: &str| {
            let error = check(tags).expect_err(words);
            assert!(
                matches!(&error, Error::InvalidParameter(message) if message.contains(words)),
                "{error}"
            );
        };
        refuse((0..51).map(|i| tag(&format!("k{i}"), "")).collect(), "50");
        refuse(vec![tag("", "v")], "blank");
        refuse(
            vec![Tag {
                key: None,
                value: Some("v".into()),
            }],
            "blank",
        );
        refuse(vec![tag(&"k".repeat(129), "")], "128");
        refuse(vec![tag("k", &"v".repeat(257))], "256");
        refuse(vec![tag("aws:x", "")], "reserved");
        refuse(vec![tag("AWS:x", "")], "reserved");
        refuse(vec![tag("a", "1"), tag("a", "2")], "Duplicate");
        refuse(vec![tag("a\n", "1")], "Invalid character");
        refuse(vec![tag("a", "1#")], "Invalid character");
    }
}
