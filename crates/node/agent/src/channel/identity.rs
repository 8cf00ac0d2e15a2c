//! Who the node is, across restarts: its instance id, what its registrations were answered, and the highest
//! timeline that each control plane has spoken of.

use std::collections::BTreeMap;
use std::sync::Arc;

use roadstead_base::random_hex;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::journal::{self, Journal, JournalError};

const KIND: &str = "node";
const KEY: &str = "node/identity";

/// What is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeRecord {
    /// `i-…`
    pub instance_id: String,
    /// By cluster.
    pub registrations: BTreeMap<String, Registration>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Registration {
    pub container_instance_arn: Option<String>,
    /// The highest timeline or sequence number seen; a manifest must be above it.
    pub timeline: i64,
}

/// The node's identity, shared by its registrations.
#[derive(Clone)]
pub struct Identity {
    journal: Arc<dyn Journal>,
    record: Arc<Mutex<NodeRecord>>,
}

impl Identity {
    /// Finds the identity or makes one; `instance_id` says which it has to be.
    ///
    /// # Errors
    /// The disk, or a record of a newer format.
    pub async fn open(journal: Arc<dyn Journal>, instance_id: Option<&str>) -> Result<Self, JournalError> {
        let mut record = match journal.all(KIND).await?.get("identity") {
            Some(text) => journal::read(KEY, text)?,
            None => NodeRecord::default(),
        };
        let id = match instance_id {
            Some(id) => id.to_owned(),
            None if record.instance_id.is_empty() => format!("i-{}", random_hex(17)),
            None => record.instance_id.clone(),
        };
        if record.instance_id != id {
            // Registrations belong to the machine they were made for.
            record = NodeRecord {
                instance_id: id,
                registrations: BTreeMap::new(),
            };
        }
        let identity = Self {
            journal,
            record: Arc::new(Mutex::new(record)),
        };
        let record = identity.record.lock().await.clone();
        identity.save(&record).await?;
        Ok(identity)
    }

    pub async fn instance_id(&self) -> String {
        self.record.lock().await.instance_id.clone()
    }

    pub async fn registration(&self, cluster: &str) -> Registration {
        self.record
            .lock()
            .await
            .registrations
            .get(cluster)
            .cloned()
            .unwrap_or_default()
    }

    /// # Errors
    /// The disk; then nothing has changed.
    pub async fn set_arn(&self, cluster: &str, arn: Option<&str>) -> Result<(), JournalError> {
        self.change(cluster, |registration| {
            if registration.container_instance_arn.as_deref() != arn {
                // Another instance of the cluster has a timeline of its own.
                *registration = Registration {
                    container_instance_arn: arn.map(str::to_owned),
                    timeline: 0,
                };
            }
        })
        .await
    }

    /// # Errors
    /// The disk; then nothing has changed.
    pub async fn set_timeline(&self, cluster: &str, timeline: i64) -> Result<(), JournalError> {
        self.change(cluster, |registration| {
            registration.timeline = registration.timeline.max(timeline)
        })
        .await
    }

    async fn change(
        &self,
        cluster: &str,
        change: impl FnOnce(&mut Registration),
    ) -> Result<(), JournalError> {
        let mut record = self.record.lock().await;
        let mut new = record.clone();
        change(new.registrations.entry(cluster.to_owned()).or_default());
        if new != *record {
            self.save(&new).await?;
            *record = new;
        }
        Ok(())
    }

    async fn save(&self, record: &NodeRecord) -> Result<(), JournalError> {
        let text = journal::write(record).map_err(|source| JournalError::Corrupt {
            path: KEY.into(),
            source,
        })?;
        self.journal.put(KEY, text).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Memory;

    #[tokio::test]
    async fn a_node_stays_who_it_is_and_timelines_only_grow() {
        let disk: Arc<dyn Journal> = Arc::new(Memory::default());
        let first = Identity::open(disk.clone(), None).await.expect("opens");
        let id = first.instance_id().await;
        assert!(id.starts_with("i-") && id.len() == 19, "{id}");
        first.set_arn("default", Some("arn:1")).await.expect("writes");
        first.set_timeline("default", 10).await.expect("writes");
        first.set_timeline("default", 4).await.expect("writes");
        let second = Identity::open(disk.clone(), None).await.expect("opens");
        assert_eq!(second.instance_id().await, id);
        let registration = second.registration("default").await;
        assert_eq!(
            (
                registration.container_instance_arn.as_deref(),
                registration.timeline
            ),
            (Some("arn:1"), 10)
        );
        let moved = Identity::open(disk, Some("i-other")).await.expect("opens");
        assert_eq!(moved.registration("default").await, Registration::default());
    }
}
