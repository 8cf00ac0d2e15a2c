//! What a task changes of its definition's containers.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A container override as it travels: the environment as a map or as the API's list of pairs.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Overrides {
    #[serde(rename = "name")]
    _name: Option<String>,
    pub(super) command: Option<Vec<String>>,
    pub(super) environment: Environment,
    pub(super) cpu: Option<i64>,
    pub(super) memory: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Environment {
    Map(BTreeMap<String, String>),
    Pairs(Vec<Pair>),
}

#[derive(Deserialize)]
pub(super) struct Pair {
    name: String,
    value: String,
}

impl Default for Environment {
    fn default() -> Self {
        Self::Map(BTreeMap::new())
    }
}

impl Environment {
    pub(super) fn into_map(self) -> BTreeMap<String, String> {
        match self {
            Self::Map(map) => map,
            Self::Pairs(pairs) => pairs.into_iter().map(|pair| (pair.name, pair.value)).collect(),
        }
    }
}
