//! Finding the service a request means.

use roadstead_base::Ctx;
use roadstead_store::Entry;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::names::ServiceName;
use crate::services::{ServiceRecord, ServiceStatus};
use crate::tables::service_key;

/// The service named by name or ARN in the cluster, whatever its status.
///
/// # Errors
/// There is none: `ServiceNotFoundException`.
pub(super) async fn get_service(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
    service: &str,
) -> Result<Entry<ServiceRecord>> {
    let cluster = get_cluster(ecs, ctx, cluster).await?.value.name;
    let name = ServiceName::of(ctx, &cluster, service)?;
    ecs.services()
        .get(&service_key(&ctx.partition(), &cluster, &name))
        .await?
        .ok_or(Error::ServiceNotFound)
}

/// As [`get_service`], for calls that change it.
///
/// # Errors
/// It was deleted: `ServiceNotActiveException`; it is gone: `ServiceNotFoundException`.
pub(super) async fn active_service(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
    service: &str,
) -> Result<Entry<ServiceRecord>> {
    let entry = get_service(ecs, ctx, cluster, service).await?;
    match entry.value.status {
        ServiceStatus::Active => Ok(entry),
        ServiceStatus::Draining | ServiceStatus::Inactive { .. } => Err(Error::ServiceNotActive),
    }
}
