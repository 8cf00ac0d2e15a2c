//! Placeholder.

use serde::{Deserialize, Serialize};

use crate::tags::{Tagged, Tags};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    pub tags: Tags,
}

impl Tagged for TaskRecord {
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
