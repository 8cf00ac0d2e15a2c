//! Finding the task set a request means, and its tasks.

use std::sync::Arc;

use roadstead_api_ecs::{Scale, ScaleUnit};
use roadstead_base::Ctx;
use roadstead_store::{Entry, Outcome, Transaction};

use super::TaskSetId;
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::lookup::active_service;
use crate::services::news::News;
use crate::services::record::Controller;
use crate::services::{ServiceRecord, write};
use crate::tasks::TaskRecord;

/// The ACTIVE service of a request about task sets.
///
/// # Errors
/// Its controller is another: `InvalidParameterException`.
pub(super) async fn external_service(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: &str,
    service: &str,
) -> Result<Entry<ServiceRecord>> {
    let entry = active_service(ecs, ctx, Some(cluster), service).await?;
    match entry.value.controller {
        Controller::External => Ok(entry),
        Controller::Ecs => Err(Error::invalid(
            "Amazon ECS only supports task set management on services configured to use external deployment \
             controllers.",
        )),
    }
}

/// The id of the task set that a request names.
///
/// # Errors
/// The service has none of that name: `TaskSetNotFoundException`.
pub(super) fn named(ctx: &Ctx, service: &ServiceRecord, text: &str) -> Result<String> {
    let id = TaskSetId::of(ctx, &service.cluster, &service.name, text)?;
    match service.set(id.as_str()) {
        Some(set) => Ok(set.deployment.id.clone()),
        None => Err(Error::TaskSetNotFound),
    }
}

/// Percent; none given: 0, as the service does.
///
/// # Errors
/// It is not between 0 and 100: `InvalidParameterException`.
pub(super) fn percent(scale: Option<Scale>) -> Result<f64> {
    let Scale { unit, value } = scale.unwrap_or_default();
    match unit {
        None | Some(ScaleUnit::Percent) => {}
    }
    let value = value.unwrap_or_default();
    if (0.0..=100.0).contains(&value) {
        Ok(value)
    } else {
        Err(Error::invalid("scale.value must be between 0 and 100."))
    }
}

/// Writes what became of the service's task sets; none: something changed since it was looked at.
pub(super) async fn commit(
    ecs: &Ecs,
    transaction: Transaction,
    entry: &Entry<ServiceRecord>,
    record: ServiceRecord,
) -> Result<Option<ServiceRecord>> {
    if record == entry.value {
        return Ok(Some(record));
    }
    let (transaction, record) = write::replace(ecs, transaction, entry, record, &News::default());
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)).then_some(record))
}

/// Those of the service's tasks that a task set started.
pub(crate) fn own_tasks(tasks: &[Arc<Entry<TaskRecord>>], set: &str) -> Vec<Arc<Entry<TaskRecord>>> {
    let own = tasks
        .iter()
        .filter(|entry| entry.value.started_by.as_deref() == Some(set));
    own.cloned().collect()
}
