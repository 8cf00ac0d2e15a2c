//! Finding the cluster a request means.

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_base::Ctx;
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
    if name.as_str() == FARGATE_CLUSTER && ctx.caller.is_customer() {
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

#[cfg(test)]
mod tests {
    use roadstead_api_ecs::{
        CreateClusterRequest, DeleteClusterRequest, DescribeClustersRequest, Ecs as _, ListClustersRequest,
    };

    use roadstead_base::Caller;

    use super::*;
    use crate::tests::{ctx, ecs, refused};

    #[tokio::test]
    async fn the_reserved_cluster_is_there_for_nodes_alone() {
        let (ecs, user) = (ecs(), ctx());
        let node = Ctx {
            caller: Caller::Node,
            ..ctx()
        };
        let named = CreateClusterRequest {
            cluster_name: Some(FARGATE_CLUSTER.into()),
            ..Default::default()
        };
        ecs.create_cluster(&node, named).await.expect("a node may");
        assert!(active_cluster(&ecs, &node, Some(FARGATE_CLUSTER)).await.is_ok());
        let error = active_cluster(&ecs, &user, Some(FARGATE_CLUSTER))
            .await
            .expect_err("a user may not");
        assert_eq!(error.to_string(), "Cluster not found.");
        let listed = ecs
            .list_clusters(&user, ListClustersRequest::default())
            .await
            .expect("answers");
        assert_eq!(listed.cluster_arns, Some(vec![]));
        let clusters = Some(vec![FARGATE_CLUSTER.into()]);
        let described = ecs
            .describe_clusters(
                &user,
                DescribeClustersRequest {
                    clusters,
                    include: None,
                },
            )
            .await;
        assert_eq!(described.expect("answers").failures.expect("failures").len(), 1);
        let deleted = ecs
            .delete_cluster(
                &user,
                DeleteClusterRequest {
                    cluster: FARGATE_CLUSTER.into(),
                },
            )
            .await;
        refused(deleted, "ClusterNotFoundException", "Cluster not found.");
    }

    #[tokio::test]
    async fn nothing_is_put_into_a_deleted_cluster() {
        let (ecs, ctx) = (ecs(), ctx());
        ecs.create_cluster(&ctx, CreateClusterRequest::default())
            .await
            .expect("made");
        assert_eq!(
            active_cluster(&ecs, &ctx, None)
                .await
                .expect("the default")
                .value
                .name
                .as_str(),
            "default"
        );
        ecs.delete_cluster(
            &ctx,
            DeleteClusterRequest {
                cluster: "default".into(),
            },
        )
        .await
        .expect("deleted");
        let error = active_cluster(&ecs, &ctx, None).await.expect_err("it is gone");
        assert_eq!(error.to_string(), "The referenced cluster was inactive.");
    }
}
