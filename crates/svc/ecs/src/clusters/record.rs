//! What is kept of a cluster.

use roadstead_base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capacity::StrategyItem;
use crate::names::ClusterName;
use crate::tags::{Tagged, Tags};

/// A deleted cluster stays behind as INACTIVE, since tasks that ran in it still name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ClusterStatus {
    Active,
    Inactive,
}

impl ClusterStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    pub name: ClusterName,
    pub status: ClusterStatus,
    pub tags: Tags,
    pub created_at: Timestamp,
    /// The capacity providers that strategies may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capacity_providers: Vec<String>,
    /// Used where neither a launch type nor a strategy is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_strategy: Vec<StrategyItem>,
}

impl Tagged for ClusterRecord {
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
