//! Tags, which every resource carries the same way: one set of rules, one place that reads and writes them.

pub(crate) mod list;
mod resource;
mod rules;
pub(crate) mod tag;
#[cfg(test)]
mod tests;
pub(crate) mod untag;

use std::collections::BTreeMap;

use roadstead_api_ecs::Tag;
use serde::{Deserialize, Serialize};

use crate::error::Result;

/// The tags of a resource, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

/// The tags of whatever an ARN names, for policies; nothing has none.
pub(crate) async fn tags_of(ecs: &crate::Ecs, ctx: &roadstead_base::Ctx, arn: &str) -> Vec<(String, String)> {
    match resource::update(ecs, ctx, arn, |_| Ok(())).await {
        Ok(tags) => tags.0.into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

/// A record that carries tags.
pub(crate) trait Tagged {
    fn tags_mut(&mut self) -> &mut Tags;
}

impl Tags {
    /// The tags of a request for a new resource.
    pub(crate) fn of(tags: Option<Vec<Tag>>) -> Result<Self> {
        rules::check(tags.unwrap_or_default()).map(Self)
    }

    /// Adds these, over what was there.
    pub(crate) fn merge(&mut self, more: Tags) -> Result<()> {
        self.0.extend(more.0);
        rules::check_count(self.0.keys().filter(|key| !rules::is_reserved(key)).count())
    }

    /// A tag that the platform itself puts on, under a key that users cannot give.
    pub(crate) fn set_managed(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_owned(), value.to_owned());
    }

    /// Takes these away, if they are there. What the platform put on cannot be taken away.
    pub(crate) fn remove(&mut self, keys: &[String]) -> Result<()> {
        if let Some(key) = keys.iter().find(|key| rules::is_reserved(key)) {
            return Err(rules::reserved(key));
        }
        self.0.retain(|key, _| !keys.contains(key));
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// As the API shows them, in order of keys.
    pub fn to_api(&self) -> Vec<Tag> {
        self.iter()
            .map(|(key, value)| Tag {
                key: Some(key.to_owned()),
                value: Some(value.to_owned()),
            })
            .collect()
    }
}
