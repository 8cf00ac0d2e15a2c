//! PutClusterCapacityProviders: which providers a cluster has, and which are used when nobody says so.

use roadstead_api_ecs::{PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse, errors};
use roadstead_base::Ctx;
use roadstead_store::{Compare, Outcome, Transaction};

use crate::Ecs;
use crate::capacity::{StrategyItem, check_providers, check_strategy};
use crate::clusters::show::{Include, show};
use crate::clusters::{ClusterRecord, active_cluster};
use crate::error::{Error, Result};
use crate::tables::{services_of, tasks_of};
use crate::tasks::LastStatus;

const TRIES: usize = 32;

pub(crate) async fn put_cluster_capacity_providers(
    ecs: &Ecs,
    ctx: &Ctx,
    input: PutClusterCapacityProvidersRequest,
) -> Result<PutClusterCapacityProvidersResponse> {
    let PutClusterCapacityProvidersRequest {
        capacity_providers,
        cluster,
        default_capacity_provider_strategy,
    } = input;
    let providers = check_providers(ctx, Some(capacity_providers))?;
    let strategy = check_strategy(ctx, &providers, Some(default_capacity_provider_strategy))?;
    for _ in 0..TRIES {
        if let Some(record) = put(ecs, ctx, &cluster, &providers, &strategy).await? {
            let include = Include {
                settings: true,
                ..Include::default()
            };
            let cluster = show(ecs, ctx, &record, include).await?;
            return Ok(PutClusterCapacityProvidersResponse {
                cluster: Some(cluster),
            });
        }
    }
    Err(Error::Contended)
}

/// None if something changed meanwhile.
async fn put(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: &str,
    providers: &[String],
    strategy: &[StrategyItem],
) -> Result<Option<ClusterRecord>> {
    let entry = active_cluster(ecs, ctx, Some(cluster)).await?;
    let tasks_key = tasks_of(&ctx.partition(), &entry.value.name);
    let (tasks, seen) = ecs.tasks().all(&tasks_key).await?;
    let used = tasks.iter().map(|entry| &entry.value).find(|task| {
        let provider = task.capacity_provider.as_ref();
        task.last != LastStatus::Stopped && provider.is_some_and(|name| !providers.contains(name))
    });
    let services_key = services_of(&ctx.partition(), &entry.value.name);
    let (services, services_seen) = ecs.services().all(&services_key).await?;
    let needed = services
        .iter()
        .flat_map(|entry| entry.value.providers())
        .any(|name| !providers.contains(name));
    if used.is_some() || needed {
        return Err(Error::Other(errors::resource_in_use_exception(
            "The specified capacity provider is in use and cannot be removed.",
        )));
    }
    let record = ClusterRecord {
        capacity_providers: providers.to_vec(),
        default_strategy: strategy.to_vec(),
        ..entry.value.clone()
    };
    let outcome = Transaction::new(&ecs.store)
        .compare(Compare::none_newer_in(tasks_key.below(), seen))
        .compare(Compare::none_newer_in(services_key.below(), services_seen))
        .replace(&ecs.clusters(), &entry, &record)
        .commit()
        .await?;
    Ok(matches!(outcome, Outcome::Committed(_)).then_some(record))
}
