//! New keys for the roles of the tasks that an agent has: when it connects, since it keeps none over a restart, and
//! then again and again, long before they expire.

use std::time::Duration;

use roadstead_acs::ToAgent;

use crate::Ecs;
use crate::error::Result;
use crate::instances::InstanceRef;
use crate::tables::definition_key;
use crate::tasks::{Desired, definition_with, roles};

/// Keys last an hour.
pub(super) const AGAIN: Duration = Duration::from_secs(20 * 60);

/// The messages for every task that runs on this instance.
pub(super) async fn messages(ecs: &Ecs, instance: &InstanceRef) -> Result<Vec<ToAgent>> {
    let snapshot = ecs.present().await?.tasks.snapshot();
    let mut all = Vec::new();
    for entry in snapshot.iter() {
        let task = &entry.value;
        if task.host != *instance || !task.concerns_agent() || task.desired != Desired::Running {
            continue;
        }
        let key = definition_key(&task.partition, &task.definition);
        let Some(definition) = ecs.definitions().get(&key).await? else {
            continue;
        };
        let definition = definition_with(&definition.value.definition, task)?;
        all.extend(roles::renewals(&ecs.dispatcher, &definition, task));
    }
    Ok(all)
}
