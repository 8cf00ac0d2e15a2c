//! What is kept of a task definition.

use roadstead_api_ecs::{TaskDefinition, TaskDefinitionStatus};
use serde::{Deserialize, Serialize};

use crate::definitions::revisions::Revisions;
use crate::names::{Family, TaskDefinitionId};
use crate::stored::Stored;
use crate::tags::{Tagged, Tags};

/// A family: what gives its revisions their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FamilyRecord {
    pub(crate) family: Family,
    /// The highest revision ever given; it stays when revisions are deregistered.
    pub(crate) last_revision: i32,
    /// The ACTIVE revisions; all others up to the last are INACTIVE.
    pub(crate) active: Revisions,
}

/// The definition as the API shows it: checked, with every default filled in.
pub type Definition = TaskDefinition;

/// One revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinitionRecord {
    pub id: TaskDefinitionId,
    pub definition: Stored<Definition>,
    pub tags: Tags,
}

impl TaskDefinitionRecord {
    pub fn is_active(&self) -> bool {
        self.definition.status == Some(TaskDefinitionStatus::Active)
    }
}

impl Tagged for TaskDefinitionRecord {
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}
