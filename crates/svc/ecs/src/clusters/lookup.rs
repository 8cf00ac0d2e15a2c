//! Finding the cluster a request means.

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_base::{Caller, Ctx};
use roadstead_store::Entry;

use crate::Ecs;
use crate::clusters::{ClusterRecord, ClusterStatus};
use crate::error::{Error, Result};
use crate::names::ClusterName;
use crate::tables::cluster_key;

/// The cluster named by name or ARN, `default` when none is; also one that was deleted.
///
/// # Errors
/// There is none: `ClusterNotFoundException`.
pub(crate) async fn get_cluster(ecs: &Ecs, ctx: &Ctx, cluster: Option<&str>) -> Result<Entry<ClusterRecord>> {
    let name = ClusterName::of(ctx, cluster)?;
    if name.as_str() == FARGATE_CLUSTER && ctx.caller == Caller::Root {
        return Err(Error::ClusterNotFound);
    }
    ecs.clusters()
        .get(&cluster_key(&ctx.partition(), &name))
        .await?
        .ok_or(Error::ClusterNotFound)
}

/// As [`get_cluster`], for calls that put something into it. Whoever does so commits with
/// `compare_unmodified` of this entry, or a cluster could be deleted under what is put into it.
pub(crate) async fn active_cluster(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: Option<&str>,
) -> Result<Entry<ClusterRecord>> {
    let entry = get_cluster(ecs, ctx, cluster).await?;
    match entry.value.status {
        ClusterStatus::Active => Ok(entry),
        ClusterStatus::Inactive => Err(Error::ClusterInactive),
    }
}
