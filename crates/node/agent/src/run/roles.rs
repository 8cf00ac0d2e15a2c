//! The keys of tasks' roles. Only in memory: after a restart the control plane sends them again, and until then
//! whoever asks is told to wait.

use std::collections::HashMap;
use std::sync::Mutex;

use roadstead_acs::{ROLE_OF_APPLICATION, ROLE_OF_EXECUTION, RoleCredentials};

use super::engine::lock;

#[derive(Default)]
struct TaskRoles {
    application: Option<RoleCredentials>,
    execution: Option<RoleCredentials>,
}

/// By the tasks' ARNs.
#[derive(Default)]
pub(super) struct Roles(Mutex<HashMap<String, TaskRoles>>);

impl Roles {
    /// Keeps keys; those that are none, such as an announced role's whose keys are still to come, replace none.
    pub(super) fn put(&self, task: &str, role_type: &str, keys: &RoleCredentials) -> bool {
        let mut all = lock(&self.0);
        let slot = match role_type {
            ROLE_OF_APPLICATION => &mut all.entry(task.to_owned()).or_default().application,
            ROLE_OF_EXECUTION => &mut all.entry(task.to_owned()).or_default().execution,
            _ => return false,
        };
        if keys.has_keys() || slot.is_none() {
            *slot = Some(keys.clone());
        }
        true
    }

    /// The keys of the task's own role.
    pub(super) fn application(&self, task: &str) -> Option<RoleCredentials> {
        let all = lock(&self.0);
        all.get(task)?
            .application
            .clone()
            .filter(RoleCredentials::has_keys)
    }

    /// The keys that the agent prepares the task with.
    pub(super) fn execution(&self, task: &str) -> Option<RoleCredentials> {
        let all = lock(&self.0);
        all.get(task)?.execution.clone().filter(RoleCredentials::has_keys)
    }

    pub(super) fn forget(&self, task: &str) {
        lock(&self.0).remove(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(id: &str, key: &str) -> RoleCredentials {
        RoleCredentials {
            credentials_id: id.into(),
            access_key_id: key.into(),
            ..RoleCredentials::default()
        }
    }

    #[test]
    fn an_announcement_replaces_no_keys() {
        let roles = Roles::default();
        assert!(roles.put("task", ROLE_OF_APPLICATION, &keys("a", "")));
        assert_eq!(roles.application("task"), None);
        assert!(roles.put("task", ROLE_OF_APPLICATION, &keys("a", "ASIA1")));
        assert!(roles.put("task", ROLE_OF_APPLICATION, &keys("a", "")));
        assert_eq!(
            roles
                .application("task")
                .map(|keys| keys.access_key_id)
                .as_deref(),
            Some("ASIA1")
        );
        assert_eq!(
            (roles.execution("task"), roles.application("other")),
            (None, None)
        );
        assert!(!roles.put("task", "Other", &keys("a", "ASIA1")));
        roles.forget("task");
        assert_eq!(roles.application("task"), None);
    }
}
