//! DeleteCluster. A cluster goes only when nothing is in it, which is checked in the same commit that marks it.

use roadstead_api_ecs::{DeleteClusterRequest, DeleteClusterResponse};
use roadstead_base::Ctx;
use roadstead_store::{Compare, Outcome, Transaction};

use crate::clusters::show::{Include, show};
use crate::clusters::{ClusterRecord, ClusterStatus, get_cluster};
use crate::error::{Error, Result};
use crate::tables::{instances_of, services_of, tasks_of};
use crate::{Ecs, instances, tasks};

/// How often it looks again when something in the cluster changed meanwhile.
const TRIES: usize = 32;

pub(crate) async fn delete_cluster(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteClusterRequest,
) -> Result<DeleteClusterResponse> {
    let DeleteClusterRequest { cluster } = input;
    for _ in 0..TRIES {
        if let Some(record) = mark(ecs, ctx, &cluster).await? {
            let cluster = show(ecs, ctx, &record, Include::default()).await?;
            return Ok(DeleteClusterResponse {
                cluster: Some(cluster),
            });
        }
    }
    Err(Error::Contended)
}

/// The cluster, now INACTIVE; none if something changed while it was looked at.
async fn mark(ecs: &Ecs, ctx: &Ctx, cluster: &str) -> Result<Option<ClusterRecord>> {
    let entry = get_cluster(ecs, ctx, Some(cluster)).await?;
    if entry.value.status == ClusterStatus::Inactive {
        return Ok(Some(entry.value));
    }
    let partition = ctx.partition();
    let instances_key = instances_of(&partition, &entry.value.name);
    let (instances, instances_seen) = ecs.instances().all(&instances_key).await?;
    if instances::counts::count(instances.iter().map(|entry| &entry.value)) > 0 {
        return Err(Error::ClusterContainsContainerInstances);
    }
    let tasks_key = tasks_of(&partition, &entry.value.name);
    let (tasks, tasks_seen) = ecs.tasks().all(&tasks_key).await?;
    let counts = tasks::counts::count(tasks.iter().map(|entry| &entry.value));
    if counts.running() + counts.pending() > 0 {
        return Err(Error::ClusterContainsTasks);
    }
    let services_key = services_of(&partition, &entry.value.name);
    let (services, services_seen) = ecs.services().all(&services_key).await?;
    if services.iter().any(|service| !service.value.is_gone()) {
        return Err(Error::ClusterContainsServices);
    }
    let record = ClusterRecord {
        status: ClusterStatus::Inactive,
        ..entry.value.clone()
    };
    let outcome = Transaction::new(&ecs.store)
        .compare(Compare::none_newer_in(instances_key.below(), instances_seen))
        .compare(Compare::none_newer_in(tasks_key.below(), tasks_seen))
        .compare(Compare::none_newer_in(services_key.below(), services_seen))
        .replace(&ecs.clusters(), &entry, &record)
        .commit()
        .await?;
    Ok(matches!(outcome, Outcome::Committed(_)).then_some(record))
}

#[cfg(test)]
mod tests {
    use roadstead_api_ecs::{CreateClusterRequest, DescribeClustersRequest, Ecs as _};

    use super::*;
    use crate::tests::{ctx, ecs, refused};

    #[tokio::test]
    async fn delete_cluster_leaves_it_inactive_and_twice_is_once() {
        let (ecs, ctx) = (ecs(), ctx());
        let request = CreateClusterRequest {
            cluster_name: Some("c".into()),
            ..Default::default()
        };
        ecs.create_cluster(&ctx, request).await.expect("made");
        for name in ["c", "arn:aws:ecs:us-east-1:000000000000:cluster/c"] {
            let answer = ecs
                .delete_cluster(&ctx, DeleteClusterRequest { cluster: name.into() })
                .await;
            let cluster = answer.expect("deleted").cluster.expect("a cluster");
            assert_eq!(cluster.status.as_deref(), Some("INACTIVE"));
        }
        let request = DescribeClustersRequest {
            clusters: Some(vec!["c".into()]),
            include: None,
        };
        let clusters = ecs
            .describe_clusters(&ctx, request)
            .await
            .expect("answers")
            .clusters;
        assert_eq!(clusters.expect("clusters")[0].status.as_deref(), Some("INACTIVE"));
    }

    #[tokio::test]
    async fn delete_cluster_refuses_what_is_not_there() {
        let (ecs, ctx) = (ecs(), ctx());
        let missing = DeleteClusterRequest { cluster: "c".into() };
        refused(
            ecs.delete_cluster(&ctx, missing).await,
            "ClusterNotFoundException",
            "Cluster not found.",
        );
        let blank = DeleteClusterRequest {
            cluster: String::new(),
        };
        refused(
            ecs.delete_cluster(&ctx, blank).await,
            "InvalidParameterException",
            "blank",
        );
    }
}
