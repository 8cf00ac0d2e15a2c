//! DescribeClusters.

use roadstead_api_ecs::{ClusterField, DescribeClustersRequest, DescribeClustersResponse, Failure};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::clusters::show::{Include, show};
use crate::error::{Error, Result};
use crate::names::{ClusterName, DEFAULT_CLUSTER};

/// Clusters of one call.
const MAX: usize = 100;

pub(crate) async fn describe_clusters(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeClustersRequest,
) -> Result<DescribeClustersResponse> {
    let DescribeClustersRequest {
        clusters: named,
        include,
    } = input;
    let mut named = named.unwrap_or_default();
    if named.is_empty() {
        named.push(DEFAULT_CLUSTER.to_owned());
    }
    if named.len() > MAX {
        return Err(Error::invalid(format!("clusters can have at most {MAX} items.")));
    }
    let include = include_of(&include.unwrap_or_default());
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for text in &named {
        match get_cluster(ecs, ctx, Some(text)).await {
            Ok(entry) => clusters.push(show(ecs, ctx, &entry.value, include).await?),
            Err(Error::ClusterNotFound) => {
                let arn = ClusterName::of(ctx, Some(text))?.arn(&ctx.partition());
                failures.push(Failure {
                    arn: Some(arn),
                    detail: None,
                    reason: Some("MISSING".to_owned()),
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(DescribeClustersResponse {
        clusters: Some(clusters),
        failures: Some(failures),
    })
}

/// No cluster has attachments or a configuration, since neither can be asked for yet.
fn include_of(fields: &[ClusterField]) -> Include {
    let mut include = Include::default();
    for field in fields {
        match field {
            ClusterField::Settings => include.settings = true,
            ClusterField::Statistics => include.statistics = true,
            ClusterField::Tags => include.tags = true,
            ClusterField::Attachments | ClusterField::Configurations => {}
        }
    }
    include
}

#[cfg(test)]
mod tests {
    use roadstead_api_ecs::{CreateClusterRequest, Ecs as _, Tag};

    use super::*;
    use crate::tests::{ctx, ecs, refused};

    async fn with_clusters(names: &[&str]) -> Ecs {
        let ecs = ecs();
        for name in names {
            let tags = vec![Tag {
                key: Some("name".into()),
                value: Some((*name).into()),
            }];
            let request = CreateClusterRequest {
                cluster_name: Some((*name).into()),
                tags: Some(tags),
                ..Default::default()
            };
            ecs.create_cluster(&ctx(), request).await.expect(name);
        }
        ecs
    }

    fn of(names: &[&str], include: Option<Vec<ClusterField>>) -> DescribeClustersRequest {
        let clusters = names.iter().map(|name| (*name).to_owned()).collect();
        DescribeClustersRequest {
            clusters: Some(clusters),
            include,
        }
    }

    #[tokio::test]
    async fn describe_clusters_finds_names_and_arns_and_names_what_is_missing() {
        let ecs = with_clusters(&["a", "default"]).await;
        let arn = "arn:aws:ecs:us-east-1:000000000000:cluster/a";
        let answer = ecs
            .describe_clusters(&ctx(), of(&["a", arn, "b"], None))
            .await
            .expect("answers");
        let names: Vec<_> = answer
            .clusters
            .expect("clusters")
            .into_iter()
            .map(|c| c.cluster_name)
            .collect();
        assert_eq!(names, [Some("a".to_owned()), Some("a".to_owned())]);
        let failures = answer.failures.expect("failures");
        assert_eq!(
            failures[0].arn.as_deref(),
            Some("arn:aws:ecs:us-east-1:000000000000:cluster/b")
        );
        assert_eq!(failures[0].reason.as_deref(), Some("MISSING"));
        for request in [DescribeClustersRequest::default(), of(&[], None)] {
            let clusters = ecs
                .describe_clusters(&ctx(), request)
                .await
                .expect("answers")
                .clusters;
            assert_eq!(clusters.expect("one")[0].cluster_name.as_deref(), Some("default"));
        }
    }

    #[tokio::test]
    async fn describe_clusters_shows_more_when_asked() {
        let ecs = with_clusters(&["a"]).await;
        let plain = ecs
            .describe_clusters(&ctx(), of(&["a"], None))
            .await
            .expect("answers")
            .clusters;
        let plain = plain.expect("clusters").remove(0);
        assert_eq!(
            (plain.tags, plain.settings, plain.statistics),
            (Some(vec![]), Some(vec![]), Some(vec![]))
        );
        let every = vec![
            ClusterField::Attachments,
            ClusterField::Configurations,
            ClusterField::Settings,
            ClusterField::Statistics,
            ClusterField::Tags,
        ];
        let full = ecs
            .describe_clusters(&ctx(), of(&["a"], Some(every)))
            .await
            .expect("answers")
            .clusters;
        let full = full.expect("clusters").remove(0);
        assert_eq!(full.tags.expect("tags")[0].value.as_deref(), Some("a"));
        assert_eq!(
            full.settings.expect("settings")[0].value.as_deref(),
            Some("disabled")
        );
        assert!(full.statistics.expect("statistics").iter().any(|pair| {
            pair.name.as_deref() == Some("runningFargateTasksCount") && pair.value.as_deref() == Some("0")
        }));
    }

    #[tokio::test]
    async fn describe_clusters_refuses_what_cannot_be_a_cluster() {
        let (ecs, ctx) = (with_clusters(&[]).await, ctx());
        let cases = [
            ("", "blank"),
            ("a b", "Invalid identifier"),
            ("arn:aws:ecs", "Invalid identifier"),
            (
                "arn:aws:ecs:eu-west-1:000000000000:cluster/a",
                "Your region is us-east-1",
            ),
            (
                "arn:aws:ecs:us-east-1:111111111111:cluster/a",
                "Your account is 000000000000",
            ),
            ("arn:aws:ec2:us-east-1:000000000000:vpc/a", "Invalid identifier"),
            (
                "arn:aws:ecs:us-east-1:000000000000:task/a",
                "Unsupported resource type: task",
            ),
        ];
        for (name, words) in cases {
            refused(
                ecs.describe_clusters(&ctx, of(&[name], None)).await,
                "InvalidParameterException",
                words,
            );
        }
        let many = vec!["a"; 101];
        refused(
            ecs.describe_clusters(&ctx, of(&many, None)).await,
            "InvalidParameterException",
            "at most 100",
        );
    }
}
