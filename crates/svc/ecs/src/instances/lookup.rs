//! Finding the container instance a request means. The capacity behind FARGATE stands in a cluster that only
//! nodes may name; for everybody else there is no such cluster.

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_base::{AccountId, Arn, Caller, Ctx, Partition, Region};
use roadstead_store::Entry;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::instances::{ContainerInstanceRecord, InstanceRef};
use crate::names::{ClusterName, ContainerInstanceId};

/// The cluster a request about container instances names; it exists, or is the reserved one and the caller a
/// node.
pub(crate) async fn named_cluster(ecs: &Ecs, ctx: &Ctx, cluster: Option<&str>) -> Result<ClusterName> {
    let name = ClusterName::of(ctx, cluster)?;
    if name.as_str() == FARGATE_CLUSTER {
        return if ctx.caller == Caller::Node {
            Ok(name)
        } else {
            Err(Error::ClusterNotFound)
        };
    }
    get_cluster(ecs, ctx, cluster).await.map(|entry| entry.value.name)
}

/// The instance of a full ARN, for agents: a node may name any instance, others those of their own account and
/// region.
pub(crate) async fn find_by_arn(
    ecs: &Ecs,
    ctx: &Ctx,
    text: &str,
) -> Result<Option<Entry<ContainerInstanceRecord>>> {
    let bad = || Error::invalid("Invalid identifier: it is not the ARN of a container instance.");
    let arn: Arn = text.parse().map_err(|_| bad())?;
    let partition = Partition {
        account: arn.account.parse::<AccountId>().map_err(|_| bad())?,
        region: arn.region.parse::<Region>().map_err(|_| bad())?,
    };
    let rest = arn
        .resource_of("container-instance")
        .filter(|_| arn.service == "ecs")
        .ok_or_else(bad)?;
    let (cluster, id) = rest.split_once('/').ok_or_else(bad)?;
    let own = Ctx {
        account: partition.account.clone(),
        region: partition.region.clone(),
        ..ctx.clone()
    };
    let cluster = ClusterName::of(&own, Some(cluster))?;
    let id = ContainerInstanceId::of(&own, &cluster, id)?;
    let name = InstanceRef {
        partition,
        cluster,
        id,
    };
    let hidden = ctx.caller != Caller::Node && (name.is_fargate() || name.partition != ctx.partition());
    if hidden {
        return Ok(None);
    }
    Ok(ecs.instances().get(&name.key()).await?)
}
