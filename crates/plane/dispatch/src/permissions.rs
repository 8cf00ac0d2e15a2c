//! What an operation means to a policy: its actions, the ARNs of what it touches, its condition keys. Each
//! service says so for its own operations in a table; see `docs/adding-an-operation.md`.

use std::borrow::Cow;

use roadstead_base::{Arn, Ctx};
use roadstead_protocol::{BoxFuture, Value};

use crate::authority::Keys;

/// One thing that a caller must be allowed for an operation to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// `ecs:RunTask`
    pub action: Cow<'static, str>,
    /// An ARN each, all of which must be allowed; empty means `*`.
    pub resources: Vec<String>,
    pub keys: Keys,
}

impl Need {
    pub fn new(action: impl Into<Cow<'static, str>>) -> Self {
        Self {
            action: action.into(),
            resources: Vec::new(),
            keys: Keys::default(),
        }
    }

    /// To hand a role to a service.
    pub fn pass_role(role_arn: impl Into<String>, service: &'static str) -> Self {
        Self::new("iam:PassRole")
            .on([role_arn.into()])
            .with("iam:PassedToService", service)
    }

    #[must_use]
    pub fn on(mut self, resources: impl IntoIterator<Item = String>) -> Self {
        self.resources.extend(resources);
        self
    }

    /// With a value of a condition key.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.keys.add(key, value);
        self
    }

    /// With a value of a condition key, if there is one.
    #[must_use]
    pub fn with_some(self, key: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With the tags that the request puts on what it makes: `aws:RequestTag/…` and `aws:TagKeys`.
    #[must_use]
    pub fn tagging(mut self, tags: &[(String, String)]) -> Self {
        for (key, value) in tags {
            self.keys.add(format!("aws:RequestTag/{key}"), value.clone());
            self.keys.add("aws:TagKeys", key.clone());
        }
        self
    }

    /// With the keys of tags that the request takes off: `aws:TagKeys`.
    #[must_use]
    pub fn untagging(mut self, keys: &[&str]) -> Self {
        for key in keys {
            self.keys.add("aws:TagKeys", *key);
        }
        self
    }
}

/// A call as a table sees it.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub ctx: &'a Ctx,
    pub operation: &'static str,
    pub input: &'a Value,
}

impl<'a> Asking<'a> {
    /// A string of the input, by the model's name of the member.
    pub fn text(&self, member: &str) -> Option<&'a str> {
        text(self.input, member)
    }

    /// A list of strings of the input.
    pub fn texts(&self, member: &str) -> Vec<&'a str> {
        match self.input.get(member) {
            Some(Value::List(items)) => items.iter().filter_map(as_text).collect(),
            _ => Vec::new(),
        }
    }

    /// A list of tags: structures of `key` and `value`, in whichever case.
    pub fn tags(&self, member: &str) -> Vec<(String, String)> {
        tags(self.input.get(member))
    }

    /// The ARN of something in the call's own account and region; an ARN stays as it is.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        if resource.starts_with("arn:") {
            return resource.to_owned();
        }
        Arn::new(service, &self.ctx.region, &self.ctx.account, resource).to_string()
    }
}

/// A member that is a string.
pub fn text<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(as_text)
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Str(text) => Some(text),
        _ => None,
    }
}

/// A list of structures of `key` and `value`, in whichever case.
pub fn tags(value: Option<&Value>) -> Vec<(String, String)> {
    let Some(Value::List(items)) = value else {
        return Vec::new();
    };
    let member = |item: &Value, names: [&str; 2]| {
        let found = names.iter().find_map(|name| text(item, name));
        found.map(str::to_owned)
    };
    items
        .iter()
        .filter_map(|item| {
            let key = member(item, ["key", "Key"])?;
            Some((key, member(item, ["value", "Value"]).unwrap_or_default()))
        })
        .collect()
}

/// What an operation needs. Several needs must all be allowed.
pub struct Rule {
    pub operation: &'static str,
    pub needs: fn(&Asking<'_>) -> Vec<Need>,
}

/// What a service says of its operations.
pub trait Permissions: Send + Sync + 'static {
    /// The prefix of its actions where it is not the name that requests are signed for.
    fn prefix(&self) -> Option<&'static str> {
        None
    }

    /// Whether nodes' agents have any business here. Their keys lie on every machine.
    fn serves_nodes(&self) -> bool {
        true
    }

    /// Operations that need something other than `<prefix>:<Operation>` on `*`.
    fn rules(&self) -> &'static [Rule];

    /// The ARN of a resource that its rule could name only in part, such as one whose path the request leaves out.
    fn whole_arn<'a>(&'a self, _ctx: &'a Ctx, arn: String) -> BoxFuture<'a, String> {
        Box::pin(async { arn })
    }

    /// The tags of a resource, for `aws:ResourceTag/…`.
    fn resource_tags<'a>(&'a self, _ctx: &'a Ctx, _arn: &'a str) -> BoxFuture<'a, Vec<(String, String)>> {
        Box::pin(async { Vec::new() })
    }

    /// The policy of a resource, for services whose resources have one of their own.
    fn resource_policy<'a>(&'a self, _ctx: &'a Ctx, _arn: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_either_case() {
        let tag = |names: [&'static str; 2]| {
            Value::Map(vec![
                (names[0].into(), Value::Str("team".into())),
                (names[1].into(), Value::Str("a".into())),
            ])
        };
        let list = Value::List(vec![tag(["key", "value"]), tag(["Key", "Value"])]);
        let one = ("team".to_owned(), "a".to_owned());
        assert_eq!(tags(Some(&list)), [one.clone(), one]);
    }

    #[test]
    fn what_is_tagged_shows_in_the_keys() {
        let need =
            Need::new("ecs:TagResource").tagging(&[("a".into(), "1".into()), ("b".into(), "2".into())]);
        assert_eq!(need.keys.get("aws:requesttag/a"), Some(&["1".to_owned()][..]));
        assert_eq!(
            need.keys.get("aws:TagKeys"),
            Some(&["a".to_owned(), "b".to_owned()][..])
        );
    }
}
