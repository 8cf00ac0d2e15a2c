//! Reading and changing the tags of whatever an ARN names.

use roadstead_base::Ctx;
use roadstead_store::{Change, Key, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Ecs;
use crate::clusters::{ClusterStatus, get_cluster};
use crate::error::{Error, Result};
use crate::names::{ClusterName, ResourceName};
use crate::tables::{cluster_key, definition_key, instance_key, service_key, task_key};
use crate::tags::{Tagged, Tags};

/// Lets `change` change the tags of the resource and answers them as they are then; writes only if they did.
pub(super) async fn update(
    ecs: &Ecs,
    ctx: &Ctx,
    resource_arn: &str,
    change: impl Fn(&mut Tags) -> Result<()>,
) -> Result<Tags> {
    let partition = ctx.partition();
    match ResourceName::of(ctx, resource_arn)? {
        ResourceName::Cluster(name) => {
            check_cluster(ecs, ctx, &name).await?;
            record(
                &ecs.clusters(),
                &cluster_key(&partition, &name),
                "cluster",
                change,
            )
            .await
        }
        ResourceName::TaskDefinition(id) => {
            let key = definition_key(&partition, &id);
            record(&ecs.definitions(), &key, "task definition", change).await
        }
        ResourceName::Task(cluster, id) => {
            check_cluster(ecs, ctx, &cluster).await?;
            record(&ecs.tasks(), &task_key(&partition, &cluster, &id), "task", change).await
        }
        ResourceName::ContainerInstance(cluster, id) => {
            check_cluster(ecs, ctx, &cluster).await?;
            let key = instance_key(&partition, &cluster, &id);
            record(&ecs.instances(), &key, "container instance", change).await
        }
        ResourceName::Service(cluster, name) => {
            check_cluster(ecs, ctx, &cluster).await?;
            let key = service_key(&partition, &cluster, &name);
            record(&ecs.services(), &key, "service", change).await
        }
    }
}

async fn check_cluster(ecs: &Ecs, ctx: &Ctx, cluster: &ClusterName) -> Result<()> {
    match get_cluster(ecs, ctx, Some(cluster.as_str())).await?.value.status {
        ClusterStatus::Active => Ok(()),
        ClusterStatus::Inactive => Err(Error::invalid(
            "The specified cluster is inactive. Specify an active cluster and try again.",
        )),
    }
}

async fn record<T>(
    table: &Table<T>,
    key: &Key,
    what: &str,
    change: impl Fn(&mut Tags) -> Result<()>,
) -> Result<Tags>
where
    T: Tagged + Clone + Serialize + DeserializeOwned,
{
    let updated = table
        .update(key, |existing| {
            let Some(existing) = existing else {
                return Err(Error::ResourceNotFound(format!(
                    "The specified {what} could not be found. Specify a valid {what} and try again."
                )));
            };
            let mut record = existing.clone();
            let before = record.tags_mut().clone();
            change(record.tags_mut())?;
            Ok(if *record.tags_mut() == before {
                Change::Keep
            } else {
                Change::Put(record)
            })
        })
        .await?;
    Ok(updated
        .value
        .map(|mut record| record.tags_mut().clone())
        .unwrap_or_default())
}
