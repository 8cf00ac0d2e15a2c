//! Tags under the rules that AWS resources share: at most fifty, unique keys, none that begins with `aws:`. Source: "Tag
//! naming limits and requirements" of the tagging guide. Each service has words of its own for what breaks them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Tags of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagFault {
    /// The key of the tag at this index begins with `aws:`.
    Reserved {
        index: usize,
        key: String,
    },
    TooMany,
}

impl Tags {
    pub const MAX: usize = 50;

    /// Keys that begin so, in capitals too, are the platform's own.
    pub fn is_reserved(key: &str) -> bool {
        key.get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
    }

    /// Adds keys with their values, over what was there. After a fault some may have been added.
    pub fn add(&mut self, tags: impl IntoIterator<Item = (String, String)>) -> Result<(), TagFault> {
        for (index, (key, value)) in tags.into_iter().enumerate() {
            if Self::is_reserved(&key) {
                return Err(TagFault::Reserved { index, key });
            }
            self.0.insert(key, value);
        }
        match self.0.len() > Self::MAX {
            true => Err(TagFault::TooMany),
            false => Ok(()),
        }
    }

    pub fn remove(&mut self, keys: &[String]) {
        self.0.retain(|key, _| !keys.contains(key));
    }

    /// Keys and values, by key.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let pair = |(key, value): (&String, &String)| (key.clone(), value.clone());
        self.0.iter().map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(keys: impl IntoIterator<Item = &'static str>) -> Vec<(String, String)> {
        let tag = |key: &str| (key.to_owned(), String::from("v"));
        keys.into_iter().map(tag).collect()
    }

    #[test]
    fn later_tags_win_and_some_cannot_be() {
        let mut all = Tags::default();
        all.add(tags(["b", "a", "a"])).expect("taken");
        all.add([("a".into(), "other".into())]).expect("taken");
        assert_eq!(all.pairs()[0], ("a".into(), "other".into()));
        all.remove(&["a".into(), "unknown".into()]);
        assert_eq!(all.pairs(), tags(["b"]));
        for key in ["aws:x", "AWS:x", "aws:"] {
            let fault = all.add(tags(["fine", key]));
            let reserved = TagFault::Reserved {
                index: 1,
                key: key.into(),
            };
            assert_eq!(fault, Err(reserved), "{key}");
        }
        all.add(tags(["aws", "aw", "äws:"])).expect("not reserved");
    }

    #[test]
    fn fifty_are_enough() {
        let number = |number: usize| (number.to_string(), String::new());
        let mut all = Tags::default();
        all.add((0..Tags::MAX).map(number)).expect("fifty");
        all.add([number(0)]).expect("no more than before");
        assert_eq!(all.add([number(Tags::MAX)]), Err(TagFault::TooMany));
    }
}
