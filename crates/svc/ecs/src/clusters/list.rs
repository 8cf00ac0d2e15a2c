//! ListClusters: the ACTIVE ones, in order of names.

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_api_ecs::{ListClustersRequest, ListClustersResponse};
use roadstead_base::{Caller, Ctx};

use crate::Ecs;
use crate::clusters::ClusterStatus;
use crate::error::Result;
use crate::paging::Paging;

pub(crate) async fn list_clusters(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListClustersRequest,
) -> Result<ListClustersResponse> {
    let ListClustersRequest {
        max_results,
        next_token,
    } = input;
    let paging = Paging::of(ctx, &["ListClusters"], max_results, next_token.as_deref())?;
    let partition = ctx.partition();
    let clusters = ecs.clusters();
    let (entries, _) = clusters.all(&clusters.within(&partition)).await?;
    let shown = entries.into_iter().map(|entry| entry.value).filter(|cluster| {
        // Of customers and of services that ask on their behalf.
        let hidden = cluster.name.as_str() == FARGATE_CLUSTER && ctx.caller != Caller::Node;
        cluster.status == ClusterStatus::Active && !hidden
    });
    let page = paging.cut(ctx, shown, |cluster| cluster.name.to_string(), false);
    let arns = page
        .items
        .iter()
        .map(|cluster| cluster.name.arn(&partition))
        .collect();
    Ok(ListClustersResponse {
        cluster_arns: Some(arns),
        next_token: page.next_token,
    })
}

#[cfg(test)]
mod tests {
    use roadstead_api_ecs::{CreateClusterRequest, DeleteClusterRequest, Ecs as _};

    use super::*;
    use crate::tests::{ctx, memory, over, refused};

    #[tokio::test]
    async fn list_clusters_pages_through_the_active_ones_and_across_a_restart() {
        let (store, ctx) = (memory(), ctx());
        let ecs = over(&store);
        for name in ["e", "c", "a", "d", "b", "gone"] {
            let request = CreateClusterRequest {
                cluster_name: Some(name.into()),
                ..Default::default()
            };
            ecs.create_cluster(&ctx, request).await.expect(name);
        }
        ecs.delete_cluster(
            &ctx,
            DeleteClusterRequest {
                cluster: "gone".into(),
            },
        )
        .await
        .expect("deleted");
        let (mut seen, mut next_token) = (Vec::new(), None);
        loop {
            let request = ListClustersRequest {
                max_results: Some(2),
                next_token,
            };
            let page = over(&store).list_clusters(&ctx, request).await.expect("a page");
            seen.extend(page.cluster_arns.expect("arns"));
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        let wanted: Vec<String> = ["a", "b", "c", "d", "e"]
            .map(|name| format!("arn:aws:ecs:us-east-1:000000000000:cluster/{name}"))
            .into();
        assert_eq!(seen, wanted);
    }

    #[tokio::test]
    async fn list_clusters_refuses_odd_pages() {
        let (ecs, ctx) = (over(&memory()), ctx());
        let odd = ListClustersRequest {
            max_results: Some(0),
            next_token: None,
        };
        refused(
            ecs.list_clusters(&ctx, odd).await,
            "InvalidParameterException",
            "maxResults",
        );
        let forged = ListClustersRequest {
            max_results: None,
            next_token: Some("x".into()),
        };
        refused(
            ecs.list_clusters(&ctx, forged).await,
            "InvalidParameterException",
            "nextToken",
        );
    }
}
