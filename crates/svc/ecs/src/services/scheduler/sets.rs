//! Keeping the task sets of a service whose controller is EXTERNAL: each as a service of its own, of its part of the
//! desired count.

use std::sync::Arc;
use std::time::Duration;

use roadstead_deployment::plan;
use roadstead_reconcile::Action;
use roadstead_store::Entry;

use super::{look, places, start, stop};
use crate::Ecs;
use crate::error::Result;
use crate::services::ServiceRecord;
use crate::services::news::News;
use crate::services::sets::{TaskSetRecord, own_tasks};
use crate::tasks::{LastStatus, TaskRecord};

/// Does one thing. None: there may be another.
pub(super) async fn keep(
    ecs: &Ecs,
    entry: &Entry<ServiceRecord>,
    mut next: ServiceRecord,
    mut news: News,
    tasks: &[Arc<Entry<TaskRecord>>],
) -> Result<Option<Action>> {
    let now = ecs.clock.now();
    if next.is_active() && forget(&mut next, tasks) {
        ecs.write_down(entry, next, &news).await?;
        return Ok(None);
    }
    let ids: Vec<String> = next.sets.iter().map(|set| set.deployment.id.clone()).collect();
    let mut waits: Vec<u64> = Vec::new();
    let mut steady = !ids.is_empty();
    for id in &ids {
        let Some(set) = next.set(id) else { continue };
        let own = own_tasks(tasks, id);
        let subject = look::Subject::set(&next, set);
        let snapshot = look::look(ecs, entry, &next, subject, &own, now).await?;
        let plan = plan(&snapshot);
        if !plan.stop.is_empty() {
            news.about(Some(id));
            stop::stop(ecs, entry, next, news, &own, &plan.stop).await?;
            return Ok(None);
        }
        waits.extend(plan.again.map(i64::unsigned_abs));
        if let Some(wanted) = plan.start {
            match start::held_back(ecs, &next, id, &wanted).await? {
                // The others do not wait for this one.
                Some(left) => waits.push(left),
                None => {
                    news.about(Some(id));
                    let balance = places::balance(&snapshot);
                    start::start(ecs, entry, next, news, id, (wanted, balance)).await?;
                    return Ok(None);
                }
            }
        }
        steady &= plan.steady;
        if plan.steady {
            arrive(&mut next, id, &mut news);
        }
    }
    if steady && !next.steady {
        next.steady = true;
        news.about(None);
        news.line("has reached a steady state.");
        news.action("INFO", "SERVICE_STEADY_STATE", None);
    }
    ecs.write_down(entry, next, &news).await?;
    let again = waits.into_iter().min().map(Duration::from_millis);
    Ok(Some(again.map_or(Action::Done, Action::Again)))
}

/// Says once that a task set is as it is to be.
fn arrive(service: &mut ServiceRecord, id: &str, news: &mut News) {
    let Some(set) = service
        .set_mut(id)
        .filter(|set| !set.steady && !set.was_deleted())
    else {
        return;
    };
    set.steady = true;
    news.about(Some(id));
    news.line("has reached a steady state.");
    news.action("INFO", "TASKSET_STEADY_STATE", None);
}

/// Forgets the task sets that were deleted and whose tasks have stopped; whether there was one.
fn forget(service: &mut ServiceRecord, tasks: &[Arc<Entry<TaskRecord>>]) -> bool {
    let before = service.sets.len();
    let gone = |set: &TaskSetRecord| {
        let own = own_tasks(tasks, &set.deployment.id);
        set.was_deleted() && own.iter().all(|task| task.value.last == LastStatus::Stopped)
    };
    service.sets.retain(|set| !gone(set));
    service.sets.len() < before
}
