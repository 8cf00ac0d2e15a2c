//! Stopping tasks: what is meant for all of a batch, and what the service says of it, in one commit.

use std::sync::Arc;

use roadstead_deployment::{Setback, Stop, Why};
use roadstead_store::{Entry, Transaction};

use crate::Ecs;
use crate::error::Result;
use crate::names::TaskId;
use crate::services::news::News;
use crate::services::owner::listed;
use crate::services::scheduler::{BATCH, account};
use crate::services::{ServiceRecord, write};
use crate::tasks::{Desired, LastStatus, StopCode, TaskRecord, abandon};

/// Nothing more is to be done for it by its service.
pub(super) fn is_ending(task: &TaskRecord) -> bool {
    task.last >= LastStatus::Stopping
        || (task.last == LastStatus::Provisioning && task.desired == Desired::Stopped)
}

pub(super) async fn stop(
    ecs: &Ecs,
    entry: &Entry<ServiceRecord>,
    mut next: ServiceRecord,
    mut news: News,
    tasks: &[Arc<Entry<TaskRecord>>],
    stops: &[Stop],
) -> Result<()> {
    let now = ecs.clock.now();
    let mut transaction = Transaction::new(&ecs.store);
    let mut stopped: Vec<TaskId> = Vec::new();
    for stop in stops.iter().take(BATCH) {
        let Some(found) = tasks.iter().find(|task| task.value.id.as_str() == stop.task.0) else {
            continue;
        };
        let by = found.value.started_by.clone().unwrap_or_default();
        let mut task = found.value.clone();
        let reason = match stop.why {
            Why::Unhealthy => "Task failed container health checks".to_owned(),
            Why::ScaleIn | Why::Replaced | Why::Leaving => {
                format!("Scaling activity initiated by (deployment {by})")
            }
        };
        abandon(&mut task, StopCode::ServiceSchedulerInitiated, reason);
        task.times.stopping.get_or_insert(now);
        task.version += 1;
        transaction = crate::tasks::write::replace(ecs, transaction, found, &task)?;
        if stop.why == Why::Unhealthy {
            news.line(format!("(task {}) failed container health checks.", task.id));
            if let Some(deployment) = next.maker_mut(&by) {
                account::set_back(deployment, Setback::Failure, now, &mut news);
            }
        }
        next.unsettle(&by);
        stopped.push(task.id);
    }
    news.line(format!(
        "has stopped {} running tasks: {}.",
        stopped.len(),
        listed(stopped.iter())
    ));
    // Whether it was committed or somebody else was faster, the next look sees.
    let _ = write::replace(ecs, transaction, entry, next, &news)
        .0
        .commit()
        .await?;
    Ok(())
}
