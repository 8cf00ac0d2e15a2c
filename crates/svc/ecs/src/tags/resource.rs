//! Reading and changing the tags of whatever an ARN names.

use roadstead_base::Ctx;
use roadstead_store::{Change, Key, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Ecs;
use crate::clusters::{ClusterStatus, get_cluster};
use crate::error::{Error, Result};
use crate::names::{ClusterName, ResourceName};
use crate::services::ServiceRecord;
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
                own_tags,
                change,
            )
            .await
        }
        ResourceName::TaskDefinition(id) => {
            let key = definition_key(&partition, &id);
            record(&ecs.definitions(), &key, "task definition", own_tags, change).await
        }
        ResourceName::Task(cluster, id) => {
            check_cluster(ecs, ctx, &cluster).await?;
            let key = task_key(&partition, &cluster, &id);
            record(&ecs.tasks(), &key, "task", own_tags, change).await
        }
        ResourceName::ContainerInstance(cluster, id) => {
            check_cluster(ecs, ctx, &cluster).await?;
            let key = instance_key(&partition, &cluster, &id);
            record(&ecs.instances(), &key, "container instance", own_tags, change).await
        }
        ResourceName::Service(cluster, name) => {
            check_cluster(ecs, ctx, &cluster).await?;
            let key = service_key(&partition, &cluster, &name);
            record(&ecs.services(), &key, "service", own_tags, change).await
        }
        ResourceName::TaskSet(cluster, name, id) => {
            check_cluster(ecs, ctx, &cluster).await?;
            let key = service_key(&partition, &cluster, &name);
            record(
                &ecs.services(),
                &key,
                "task set",
                |service: &mut ServiceRecord| service.set_mut(id.as_str()).map(|set| &mut set.tags),
                change,
            )
            .await
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

/// Of a record that is the resource.
fn own_tags<T: Tagged>(record: &mut T) -> Option<&mut Tags> {
    Some(record.tags_mut())
}

/// `tags_of` finds the resource's tags in the record, if it is there.
async fn record<T>(
    table: &Table<T>,
    key: &Key,
    what: &str,
    tags_of: impl Fn(&mut T) -> Option<&mut Tags>,
    change: impl Fn(&mut Tags) -> Result<()>,
) -> Result<Tags>
where
    T: Clone + Serialize + DeserializeOwned,
{
    let missing = || {
        Error::ResourceNotFound(format!(
            "The specified {what} could not be found. Specify a valid {what} and try again."
        ))
    };
    let updated = table
        .update(key, |existing| {
            let mut record = existing.cloned().ok_or_else(missing)?;
            let tags = tags_of(&mut record).ok_or_else(missing)?;
            let before = tags.clone();
            change(tags)?;
            Ok::<_, Error>(if *tags == before {
                Change::Keep
            } else {
                Change::Put(record)
            })
        })
        .await?;
    let mut record = updated.value.ok_or_else(missing)?;
    tags_of(&mut record).map(|tags| tags.clone()).ok_or_else(missing)
}
