//! Tags of buses and rules, under the rules that AWS tags share.

pub(crate) mod list;
pub(crate) mod tag;
pub(crate) mod untag;

use std::collections::BTreeMap;

use roadstead_api_events::Tag;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const MAX_TAGS: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Tags of a request.
    pub(crate) fn of(tags: Option<Vec<Tag>>) -> Result<Self> {
        let mut all = Self::default();
        all.add(tags.unwrap_or_default())?;
        Ok(all)
    }

    /// Adds these, over what was there.
    pub(crate) fn add(&mut self, tags: Vec<Tag>) -> Result<()> {
        for Tag { key, value } in tags {
            if key.to_ascii_lowercase().starts_with("aws:") {
                return Err(Error::invalid(format!(
                    "Parameter Tags is not valid. Reason: the key {key} begins with aws:, which is reserved."
                )));
            }
            self.0.insert(key, value);
        }
        if self.0.len() > MAX_TAGS {
            return Err(Error::Limit(format!(
                "A resource can have at most {MAX_TAGS} tags."
            )));
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, keys: &[String]) {
        self.0.retain(|key, _| !keys.contains(key));
    }

    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    pub(crate) fn to_api(&self) -> Vec<Tag> {
        self.pairs()
            .into_iter()
            .map(|(key, value)| Tag { key, value })
            .collect()
    }
}
