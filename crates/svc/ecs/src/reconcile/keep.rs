//! What is kept for a while only: container instances that were deregistered, the tokens of calls, and task
//! definitions that are to go.

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Timestamp;
use roadstead_reconcile::{Action, Error, Reconciler};
use roadstead_store::{Key, Transaction};

use crate::acs::timeline_key;
use crate::error::Result;
use crate::instances::ledger::node_key;
use crate::instances::{ContainerInstanceRecord, InstanceStatus};
use crate::reconcile::{Worker, failed};

pub(super) struct Kept(pub(super) Arc<Worker>);

impl Reconciler for Kept {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, Error> {
        self.0.kept(key).await.map_err(failed)
    }

    fn keys(&self) -> Vec<Key> {
        let Some(mirrors) = self.0.present.0.get() else {
            return Vec::new();
        };
        let instances = mirrors.instances.snapshot();
        let tokens = mirrors.tokens.snapshot();
        let instances = instances.iter().map(|entry| entry.key.clone());
        instances
            .chain(tokens.iter().map(|entry| entry.key.clone()))
            .chain(self.0.going())
            .collect()
    }
}

fn remaining(instance: &ContainerInstanceRecord, now: Timestamp, keep: i64) -> Option<i64> {
    match instance.status {
        InstanceStatus::Inactive { since, .. } => Some(since.0 + keep - now.0),
        InstanceStatus::Active | InstanceStatus::Draining => None,
    }
}

fn wait(millis: i64) -> Action {
    Action::Again(Duration::from_millis(millis.unsigned_abs()))
}

impl Worker {
    async fn kept(&self, key: &Key) -> Result<Action> {
        let now = self.clock.now();
        if self.tokens().owns(key) {
            let Some(entry) = self.tokens().get(key).await? else {
                return Ok(Action::Done);
            };
            let left = entry.value.remaining(now);
            if left > 0 {
                return Ok(wait(left));
            }
            let _ = Transaction::new(&self.store)
                .compare_unmodified(&entry)
                .delete(key)
                .commit()
                .await?;
            return Ok(Action::Done);
        }
        if self.definitions().owns(key) {
            return self.let_go(key).await;
        }
        let Some(entry) = self.instances().get(key).await? else {
            return Ok(Action::Done);
        };
        let instance = &entry.value;
        match remaining(instance, now, self.options.keep_stopped_millis) {
            None => Ok(Action::Done),
            Some(left) if left > 0 => Ok(wait(left)),
            Some(_) => {
                let mut transaction = Transaction::new(&self.store)
                    .compare_unmodified(&entry)
                    .delete(key)
                    .delete(&timeline_key(&instance.name));
                // A machine's ledger goes with the last that is known of it.
                let ledger = self.nodes().get(&node_key(&instance.node())).await?;
                if let Some(ledger) = ledger.filter(|ledger| ledger.value.sold.is_empty()) {
                    transaction = transaction.compare_unmodified(&ledger).delete(&ledger.key);
                }
                let _ = transaction.commit().await?;
                Ok(Action::Done)
            }
        }
    }
}
