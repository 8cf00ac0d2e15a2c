//! UpdateService. What tasks are made of makes a new deployment; the rest is kept to from now on.

use roadstead_api_ecs as api;
use roadstead_api_ecs::{UpdateServiceRequest, UpdateServiceResponse};
use roadstead_base::Ctx;
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ecs;
use crate::capacity::{StrategyItem, check_strategy};
use crate::clusters::{ClusterRecord, active_cluster};
use crate::error::{Error, Result};
use crate::services::ask::{Of, ask};
use crate::services::create::role_of;
use crate::services::external;
use crate::services::lookup::active_service;
use crate::services::news::News;
use crate::services::parts::{self, Around};
use crate::services::record::{Controller, RolloutState, Spec};
use crate::services::show::{Include, show};
use crate::services::{Owner, ServiceRecord, write};
use crate::stored::Stored;
use crate::tasks::Launch;
use crate::tasks::request;
use crate::tasks::run::check_platform;

const TRIES: usize = 32;

pub(crate) async fn update_service(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateServiceRequest,
) -> Result<UpdateServiceResponse> {
    for _ in 0..TRIES {
        if let Some(record) = attempt(ecs, ctx, input.clone()).await? {
            let service = show(ecs, &record, Include { tags: true }).await?;
            return Ok(UpdateServiceResponse {
                service: Some(service),
            });
        }
    }
    Err(Error::Contended)
}

/// The service as it is now; none if it changed while it was looked at.
async fn attempt(ecs: &Ecs, ctx: &Ctx, input: UpdateServiceRequest) -> Result<Option<ServiceRecord>> {
    let UpdateServiceRequest {
        service,
        availability_zone_rebalancing,
        capacity_provider_strategy,
        cluster,
        deployment_configuration,
        deployment_controller,
        desired_count,
        enable_ecs_managed_tags,
        enable_execute_command,
        force_new_deployment,
        health_check_grace_period_seconds,
        load_balancers,
        network_configuration,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        service_connect_configuration,
        service_registries,
        task_definition,
        volume_configurations,
        vpc_lattice_configurations,
    } = input;
    let entry = active_service(ecs, ctx, cluster.as_deref(), &service).await?;
    let around = Around {
        load_balancers,
        service_registries,
        service_connect: service_connect_configuration,
        volumes: volume_configurations,
        lattice: vpc_lattice_configurations,
        execute_command: enable_execute_command,
    };
    around.refuse()?;
    let before = &entry.value;
    if let Some(api::DeploymentController { r#type }) = deployment_controller
        && r#type != before.controller.to_api()
    {
        return Err(Error::unsupported(format!("deploymentController {type}")));
    }
    if before.controller == Controller::External {
        external::check_update(&[
            ("task definition", task_definition.is_some()),
            ("network configuration", network_configuration.is_some()),
            ("platform version", platform_version.is_some()),
            ("capacity provider strategy", capacity_provider_strategy.is_some()),
            ("deployment configuration", deployment_configuration.is_some()),
            (
                "Availability Zone rebalancing",
                availability_zone_rebalancing.is_some(),
            ),
            ("deployment", force_new_deployment == Some(true)),
        ])?;
    }
    let mut record = before.clone();
    record.desired = parts::desired(before.scheduling, desired_count, Some(before.desired))?;
    record.rolling = parts::rolling(deployment_configuration, before.rolling.clone())?;
    record.grace_seconds = parts::grace(health_check_grace_period_seconds)?.or(before.grace_seconds);
    record.managed_tags = enable_ecs_managed_tags.unwrap_or(before.managed_tags);
    record.propagate = parts::propagate(propagate_tags, before.propagate);
    if placement_constraints.is_some() {
        record.constraints = parts::constraints(before.scheduling, placement_constraints)?;
    }
    if placement_strategy.is_some() {
        record.strategy = parts::strategy(before.scheduling, placement_strategy)?;
    }
    record.rebalancing = parts::rebalancing(availability_zone_rebalancing, before.rebalancing, &record)?;
    let home = active_cluster(ecs, ctx, cluster.as_deref()).await?;
    let providers = match capacity_provider_strategy {
        None => None,
        items => Some(check_strategy(ctx, &home.value.capacity_providers, items)?),
    };
    let placed_otherwise = (&record.constraints, &record.strategy) != (&before.constraints, &before.strategy);
    let change = Change {
        placed_otherwise,
        task_definition,
        network: network_configuration,
        platform: platform_version,
        providers,
        force: force_new_deployment.unwrap_or_default(),
    };
    let mut news = News::default();
    if record.desired != before.desired {
        record.steady = false;
        for set in &mut record.sets {
            set.steady = false;
        }
    }
    if before.controller == Controller::External && placed_otherwise {
        external::check_placement(&record)?;
    }
    let mut transaction = Transaction::new(&ecs.store);
    if let Some((spec, wanted)) = new_spec(ecs, ctx, &record, change).await? {
        record.role_arn = role_of(ecs, ctx, &spec).await?;
        record.deploy(spec, ecs.clock.now(), &mut news);
        transaction = wanted.guard(transaction);
    }
    commit(ecs, transaction, &home, &entry, record, &news).await
}

async fn commit(
    ecs: &Ecs,
    mut transaction: Transaction,
    home: &Entry<ClusterRecord>,
    entry: &Entry<ServiceRecord>,
    record: ServiceRecord,
    news: &News,
) -> Result<Option<ServiceRecord>> {
    if record == entry.value && news.is_empty() {
        return Ok(Some(record));
    }
    if record.providers().next().is_some() {
        // The cluster still has them.
        transaction = transaction.compare_unmodified(home);
    }
    let (transaction, record) = write::replace(ecs, transaction, entry, record, news);
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)).then_some(record))
}

/// The members that tasks are made of.
struct Change {
    task_definition: Option<String>,
    network: Option<api::NetworkConfiguration>,
    platform: Option<String>,
    /// Of the cluster; empty: the launch type is to decide.
    providers: Option<Vec<StrategyItem>>,
    force: bool,
    /// Constraints or strategy are others, which are to be checked.
    placed_otherwise: bool,
}

/// What tasks are to be made of from now on, if that is a new deployment.
async fn new_spec(
    ecs: &Ecs,
    ctx: &Ctx,
    record: &ServiceRecord,
    change: Change,
) -> Result<Option<(Spec, request::Wanted)>> {
    let Some(primary) = record.primary() else {
        return Ok(None);
    };
    let before = &primary.spec;
    let providers = change.providers.unwrap_or_else(|| before.providers.clone());
    let provided_otherwise = providers != before.providers;
    if provided_otherwise && !change.force {
        return Err(Error::invalid(
            "When switching from launch type to capacity provider strategy on an existing service, or making a change to \
             a capacity provider strategy on a service that is already using one, you must force a new deployment.",
        ));
    }
    let asks = change.task_definition.is_some() || change.network.is_some() || change.platform.is_some();
    if !asks && !change.force && !change.placed_otherwise {
        return Ok(None);
    }
    let launch = match (provided_otherwise, providers.is_empty()) {
        (false, _) => before.launch,
        (true, true) => record.launch.unwrap_or(before.launch),
        // Every provider that there is stands for Fargate's capacity.
        (true, false) => Launch::Fargate,
    };
    parts::check_launch(record.scheduling, launch)?;
    check_platform(launch, change.platform.as_deref())?;
    let named = change.task_definition.clone();
    let network = change
        .network
        .or_else(|| before.network.as_ref().map(|network| network.0.clone()));
    let mut owner = Owner::trial(record.clone());
    if named.is_none() {
        owner = owner.going_on();
    }
    let of = Of {
        task_definition: named.unwrap_or_else(|| before.definition.to_string()),
        launch,
        network: network.clone(),
    };
    let asked = ask(record, of, owner, None)?;
    let wanted = request::check(ecs, ctx, asked).await?;
    let spec = Spec {
        definition: wanted.id.clone(),
        launch,
        providers,
        platform: match launch {
            Launch::Fargate => change.platform.or_else(|| before.platform.clone()),
            Launch::Ec2 => None,
        },
        network: network.map(Stored),
    };
    let same = spec == *before && primary.rollout != RolloutState::Failed;
    Ok((change.force || change.placed_otherwise || !same).then_some((spec, wanted)))
}
