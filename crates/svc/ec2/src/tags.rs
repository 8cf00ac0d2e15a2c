//! Tags: their limits, and the tags of a resource at its creation.
//! Source: "Tag your Amazon EC2 resources" and `TagSpecification` in the EC2 API reference.

use roadstead_api_ec2::{Tag, TagSpecification};
use roadstead_base::Caller;

use crate::error::{self, Result};
use crate::records::Tags;

/// Of one resource, those of the platform not counted.
pub(crate) const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 127;
const MAX_VALUE: usize = 256;
/// Keys that belong to the platform.
pub(crate) const RESERVED: &str = "aws:";

/// A key that this caller may set or delete.
pub(crate) fn key(caller: &Caller, key: Option<String>) -> Result<String> {
    let key = key.unwrap_or_default();
    if key.is_empty() {
        return Err(error::invalid_value("Tag key cannot be null or empty."));
    }
    if key.chars().count() > MAX_KEY {
        return Err(error::invalid_value(format!(
            "Tag key exceeds the maximum length of {MAX_KEY} characters"
        )));
    }
    let reserved = key
        .get(..RESERVED.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED));
    if reserved && !matches!(caller, Caller::Service(_)) {
        return Err(error::invalid_value(
            "Tag keys starting with 'aws:' are reserved for internal use",
        ));
    }
    Ok(key)
}

/// Tags that this caller may set, each key once.
pub(crate) fn checked(caller: &Caller, tags: Vec<Tag>) -> Result<Tags> {
    let mut checked = Tags::new();
    for Tag { key: name, value } in tags {
        let name = key(caller, name)?;
        let value = value.unwrap_or_default();
        if value.chars().count() > MAX_VALUE {
            return Err(error::invalid_value(format!(
                "Tag value exceeds the maximum length of {MAX_VALUE} characters"
            )));
        }
        if checked.contains_key(&name) {
            return Err(error::invalid_value(format!(
                "Duplicate tag key '{name}' specified."
            )));
        }
        checked.insert(name, value);
    }
    Ok(checked)
}

/// Refuses more tags than a resource can have.
pub(crate) fn limit(tags: &Tags) -> Result<()> {
    if tags.keys().filter(|key| !key.starts_with(RESERVED)).count() > MAX_TAGS {
        return Err(error::other(
            "TagLimitExceeded",
            format!("More than {MAX_TAGS} tags specified"),
        ));
    }
    Ok(())
}

/// The tags of a resource that is being made, which is of this type.
pub(crate) fn at_creation(
    caller: &Caller,
    specifications: Option<Vec<TagSpecification>>,
    resource_type: &str,
) -> Result<Tags> {
    let mut found = None;
    for TagSpecification {
        resource_type: named,
        tags,
    } in specifications.unwrap_or_default()
    {
        let named = named.unwrap_or_default();
        if named.is_empty() {
            return Err(error::invalid_value(
                "Tag specification resource type must have a value",
            ));
        }
        if named != resource_type {
            return Err(error::invalid_value(format!(
                "'{}' is not a valid taggable resource type for this operation.",
                error::clip(&named)
            )));
        }
        let tags = tags.unwrap_or_default();
        if tags.is_empty() {
            return Err(error::invalid_value(
                "Tag specification must have at least one tag",
            ));
        }
        if found.replace(checked(caller, tags)?).is_some() {
            return Err(error::invalid_value(format!(
                "The same resource type may not be specified more than once in tag specifications: {resource_type}"
            )));
        }
    }
    let tags = found.unwrap_or_default();
    limit(&tags)?;
    Ok(tags)
}

/// As describe calls show them.
pub(crate) fn shown(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
        }
    }

    #[test]
    fn tags_keep_to_their_limits() {
        let check = |tags: Vec<Tag>, wanted: Option<&str>| {
            let got = checked(&Caller::Root, tags.clone()).and_then(|tags| limit(&tags));
            assert_eq!(
                got.err().map(|error| error.code.into_owned()).as_deref(),
                wanted,
                "{tags:?}"
            );
        };
        check(vec![tag("a", ""), tag("A", "x")], None);
        check(vec![tag("a", "1"), tag("a", "2")], Some("InvalidParameterValue"));
        check(vec![tag("", "1")], Some("InvalidParameterValue"));
        check(vec![tag("aws:x", "1")], Some("InvalidParameterValue"));
        check(vec![tag("AWS:x", "1")], Some("InvalidParameterValue"));
        check(vec![tag(&"k".repeat(127), &"v".repeat(256))], None);
        check(vec![tag(&"k".repeat(128), "")], Some("InvalidParameterValue"));
        check(vec![tag("k", &"v".repeat(257))], Some("InvalidParameterValue"));
        check((0..50).map(|i| tag(&format!("k{i}"), "")).collect(), None);
        check(
            (0..51).map(|i| tag(&format!("k{i}"), "")).collect(),
            Some("TagLimitExceeded"),
        );
        assert!(
            checked(
                &Caller::Service("ecs.amazonaws.com"),
                vec![tag("aws:ecs:cluster", "1")]
            )
            .is_ok()
        );
    }

    #[test]
    fn tags_at_creation_must_be_meant_for_the_resource() {
        let of = |resource_type: &str, tags: Vec<Tag>| TagSpecification {
            resource_type: Some(resource_type.to_owned()),
            tags: Some(tags),
        };
        let check = |specifications: Vec<TagSpecification>, wanted: std::result::Result<usize, &str>| {
            let got = at_creation(&Caller::Root, Some(specifications), "vpc").map(|tags| tags.len());
            assert_eq!(
                got.as_ref().map_err(|error| error.message.as_str()),
                wanted.as_ref().map_err(|text| *text)
            );
        };
        check(vec![], Ok(0));
        check(vec![of("vpc", vec![tag("a", "b")])], Ok(1));
        check(
            vec![of("instance", vec![tag("a", "b")])],
            Err("'instance' is not a valid taggable resource type for this operation."),
        );
        check(
            vec![of("vpc", vec![])],
            Err("Tag specification must have at least one tag"),
        );
        check(
            vec![of("vpc", vec![tag("a", "b")]), of("vpc", vec![tag("c", "d")])],
            Err("The same resource type may not be specified more than once in tag specifications: vpc"),
        );
    }
}
