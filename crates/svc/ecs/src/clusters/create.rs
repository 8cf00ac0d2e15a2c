//! CreateCluster. Creating a cluster that is there answers it as it is; one that was deleted comes back new.

use roadstead_acs::FARGATE_CLUSTER;
use roadstead_api_ecs::{ClusterSetting, CreateClusterRequest, CreateClusterResponse};
use roadstead_base::Ctx;
use roadstead_store::Change;

use crate::Ecs;
use crate::capacity::{check_providers, check_strategy};
use crate::clusters::show::{Include, show};
use crate::clusters::{ClusterRecord, ClusterStatus};
use crate::error::{Error, Result, refuse};
use crate::linked;
use crate::names::{ClusterName, DEFAULT_CLUSTER};
use crate::tables::cluster_key;
use crate::tags::Tags;

pub(crate) async fn create_cluster(
    ecs: &Ecs,
    ctx: &Ctx,
    input: CreateClusterRequest,
) -> Result<CreateClusterResponse> {
    let CreateClusterRequest {
        capacity_providers,
        cluster_name,
        configuration,
        default_capacity_provider_strategy,
        service_connect_defaults,
        settings,
        tags,
    } = input;
    refuse("configuration", configuration)?;
    refuse("serviceConnectDefaults", service_connect_defaults)?;
    check_settings(settings.unwrap_or_default())?;
    let providers = check_providers(ctx, capacity_providers)?;
    let strategy = check_strategy(ctx, &providers, default_capacity_provider_strategy)?;
    let name = ClusterName::new(cluster_name.as_deref().unwrap_or(DEFAULT_CLUSTER))?;
    if name.as_str() == FARGATE_CLUSTER && ctx.caller.is_customer() {
        return Err(Error::invalid(format!(
            "The cluster name {FARGATE_CLUSTER} is reserved."
        )));
    }
    let tags = Tags::of(tags)?;
    let key = cluster_key(&ctx.partition(), &name);
    let created_at = ecs.clock.now();
    let updated = ecs
        .clusters()
        .update(&key, |existing| match existing {
            Some(existing) if existing.status == ClusterStatus::Active => {
                let same = (tags.is_empty() || tags == existing.tags)
                    && (providers.is_empty() || providers == existing.capacity_providers)
                    && (strategy.is_empty() || strategy == existing.default_strategy);
                if same {
                    Ok(Change::Keep)
                } else {
                    Err(Error::invalid(
                        "Arguments on this idempotent request are inconsistent with arguments used in previous \
                         request(s).",
                    ))
                }
            }
            _ => Ok(Change::Put(ClusterRecord {
                name: name.clone(),
                status: ClusterStatus::Active,
                tags: tags.clone(),
                created_at,
                capacity_providers: providers.clone(),
                default_strategy: strategy.clone(),
            })),
        })
        .await?;
    let record = updated.value.ok_or(Error::ClusterNotFound)?;
    // A cluster goes without it.
    let _ = linked::attempt(ecs, ctx).await;
    let cluster = show(
        ecs,
        ctx,
        &record,
        Include {
            settings: true,
            tags: true,
            statistics: false,
        },
    )
    .await?;
    Ok(CreateClusterResponse {
        cluster: Some(cluster),
    })
}

/// There is one setting, and its one value that has an effect here is the default.
pub(super) fn check_settings(settings: Vec<ClusterSetting>) -> Result<()> {
    for ClusterSetting { name, value } in settings {
        let name = name.ok_or_else(|| Error::invalid("A cluster setting needs a name."))?;
        match value.as_deref() {
            Some("disabled") => {}
            Some(value @ ("enabled" | "enhanced")) => {
                return Err(Error::unsupported(format!("settings: {name} = {value}")));
            }
            Some(_) | None => {
                return Err(Error::invalid(format!(
                    "Invalid value for the cluster setting {name}: use enhanced, enabled or disabled."
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use roadstead_api_ecs::{ClusterSettingName, CreateClusterRequest, DeleteClusterRequest, Ecs as _, Tag};

    use super::*;
    use crate::tests::{ctx, ecs, memory, over, refused};

    fn named(name: &str) -> CreateClusterRequest {
        CreateClusterRequest {
            cluster_name: Some(name.into()),
            ..Default::default()
        }
    }

    fn setting(value: &str) -> CreateClusterRequest {
        let setting = ClusterSetting {
            name: Some(ClusterSettingName::ContainerInsights),
            value: Some(value.into()),
        };
        CreateClusterRequest {
            settings: Some(vec![setting]),
            ..named("s")
        }
    }

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: Some(key.into()),
            value: Some(value.into()),
        }
    }

    #[tokio::test]
    async fn create_cluster_names_it_or_calls_it_default() {
        let (ecs, ctx) = (ecs(), ctx());
        for (request, name) in [
            (named("Web_1-a"), "Web_1-a"),
            (CreateClusterRequest::default(), "default"),
        ] {
            let cluster = ecs
                .create_cluster(&ctx, request)
                .await
                .expect(name)
                .cluster
                .expect("a cluster");
            assert_eq!(cluster.cluster_name.as_deref(), Some(name));
            let arn = format!("arn:aws:ecs:us-east-1:000000000000:cluster/{name}");
            assert_eq!(cluster.cluster_arn, Some(arn));
            assert_eq!(cluster.status.as_deref(), Some("ACTIVE"));
            assert_eq!(cluster.registered_container_instances_count, Some(0));
        }
    }

    #[tokio::test]
    async fn create_cluster_refuses_names_no_cluster_can_have() {
        let (ecs, ctx) = (ecs(), ctx());
        let long = "x".repeat(256);
        for name in [
            "",
            "a b",
            "a/b",
            "ü",
            "arn:aws:ecs:us-east-1:000000000000:cluster/x",
            &long,
        ] {
            refused(
                ecs.create_cluster(&ctx, named(name)).await,
                "InvalidParameterException",
                "cluster name",
            );
        }
        refused(
            ecs.create_cluster(&ctx, named("AWSFargate")).await,
            "InvalidParameterException",
            "reserved",
        );
    }

    #[tokio::test]
    async fn create_cluster_settings_are_shown_or_refused() {
        let (ecs, ctx) = (ecs(), ctx());
        let cluster = ecs
            .create_cluster(&ctx, setting("disabled"))
            .await
            .expect("passes")
            .cluster
            .expect("one");
        assert_eq!(
            cluster.settings.expect("settings")[0].value.as_deref(),
            Some("disabled")
        );
        for value in ["enabled", "enhanced"] {
            let result = ecs.create_cluster(&ctx, setting(value)).await;
            refused(result, "InvalidParameterException", "settings: containerInsights");
        }
        refused(
            ecs.create_cluster(&ctx, setting("on")).await,
            "InvalidParameterException",
            "Invalid value",
        );
    }

    #[tokio::test]
    async fn create_cluster_refuses_what_is_not_there_yet_by_name() {
        let (ecs, ctx) = (ecs(), ctx());
        let cases = [
            (
                "configuration",
                CreateClusterRequest {
                    configuration: Some(Default::default()),
                    ..named("c")
                },
            ),
            (
                "serviceConnectDefaults",
                CreateClusterRequest {
                    service_connect_defaults: Some(Default::default()),
                    ..named("c")
                },
            ),
        ];
        for (member, request) in cases {
            let words = format!("{member} is not supported by Roadstead yet.");
            refused(
                ecs.create_cluster(&ctx, request).await,
                "InvalidParameterException",
                &words,
            );
        }
        let nothing_asked = CreateClusterRequest {
            capacity_providers: Some(vec![]),
            ..named("c")
        };
        ecs.create_cluster(&ctx, nothing_asked)
            .await
            .expect("an empty list asks for nothing");
    }

    #[tokio::test]
    async fn create_cluster_twice_is_once_also_after_a_restart() {
        let (store, ctx) = (memory(), ctx());
        let tagged = CreateClusterRequest {
            tags: Some(vec![tag("a", "1")]),
            ..named("c")
        };
        let first = over(&store)
            .create_cluster(&ctx, tagged.clone())
            .await
            .expect("first")
            .cluster;
        assert_eq!(first.as_ref().expect("one").tags, Some(vec![tag("a", "1")]));
        let again = over(&store);
        assert_eq!(
            again.create_cluster(&ctx, tagged).await.expect("again").cluster,
            first
        );
        assert_eq!(
            again
                .create_cluster(&ctx, named("c"))
                .await
                .expect("by name")
                .cluster,
            first
        );
        let other = CreateClusterRequest {
            tags: Some(vec![tag("a", "2")]),
            ..named("c")
        };
        refused(
            again.create_cluster(&ctx, other).await,
            "InvalidParameterException",
            "idempotent",
        );
    }

    #[tokio::test]
    async fn a_deleted_cluster_comes_back_new() {
        let (ecs, ctx) = (Arc::new(ecs()), ctx());
        let tagged = CreateClusterRequest {
            tags: Some(vec![tag("a", "1")]),
            ..named("c")
        };
        ecs.create_cluster(&ctx, tagged).await.expect("made");
        ecs.delete_cluster(&ctx, DeleteClusterRequest { cluster: "c".into() })
            .await
            .expect("deleted");
        let cluster = ecs
            .create_cluster(&ctx, named("c"))
            .await
            .expect("again")
            .cluster
            .expect("one");
        assert_eq!(
            (cluster.status.as_deref(), cluster.tags),
            (Some("ACTIVE"), Some(vec![]))
        );
    }
}
