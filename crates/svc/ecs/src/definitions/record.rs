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
    /// The ACTIVE revisions; those up to the last that are nowhere else are INACTIVE.
    pub(crate) active: Revisions,
    /// Those that are DELETE_IN_PROGRESS.
    #[serde(default, skip_serializing_if = "Revisions::is_empty")]
    pub(crate) deleting: Revisions,
    /// Those that are no more.
    #[serde(default, skip_serializing_if = "Revisions::is_empty")]
    pub(crate) deleted: Revisions,
}

impl FamilyRecord {
    pub(crate) fn new(family: Family) -> Self {
        Self {
            family,
            last_revision: 0,
            active: Revisions::default(),
            deleting: Revisions::default(),
            deleted: Revisions::default(),
        }
    }

    pub(crate) fn is_inactive(&self, revision: i32) -> bool {
        let elsewhere = [&self.active, &self.deleting, &self.deleted];
        !elsewhere.into_iter().any(|them| them.contains(revision))
    }

    /// Every revision was deleted; what is left is the number that comes next.
    pub(crate) fn is_gone(&self) -> bool {
        usize::try_from(self.last_revision).is_ok_and(|last| last == self.deleted.len())
    }
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
