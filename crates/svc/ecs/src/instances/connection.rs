//! What becomes of an instance's record when its agent comes and goes: a new version, so that the event that tells
//! of it has its place among the others. Whether an agent is connected is no part of the record.

use roadstead_store::{Outcome, Transaction};

use crate::Ecs;
use crate::error::{Error, Result};
use crate::instances::{InstanceRef, write};

const TRIES: usize = 32;

/// An agent connected or went.
pub(crate) async fn changed(ecs: &Ecs, instance: &InstanceRef) {
    if let Err(error) = tell(ecs, instance).await {
        tracing::warn!(%error, instance = instance.arn(), "no event tells that an agent came or went");
    }
}

async fn tell(ecs: &Ecs, instance: &InstanceRef) -> Result<()> {
    if instance.is_fargate() {
        return Ok(());
    }
    for _ in 0..TRIES {
        let Some(entry) = ecs.instances().get(&instance.key()).await? else {
            return Ok(());
        };
        if entry.value.is_inactive() {
            return Ok(());
        }
        let mut record = entry.value.clone();
        record.version += 1;
        let transaction = write::replace(ecs, Transaction::new(&ecs.store), &entry, &record).await?;
        if let Outcome::Committed(_) = transaction.commit().await? {
            return Ok(());
        }
    }
    Err(Error::Contended)
}
