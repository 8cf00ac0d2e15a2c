//! CreateService.

use roadstead_api_ecs as api;
use roadstead_api_ecs::{CreateServiceRequest, CreateServiceResponse};
use roadstead_base::{Ctx, random_hex};
use roadstead_store::{Entry, Outcome, Transaction};

use crate::Ecs;
use crate::capacity::strategy_of;
use crate::clusters::active_cluster;
use crate::error::{Error, Result};
use crate::linked;
use crate::names::ServiceName;
use crate::services::ask::{self, Of};
use crate::services::external;
use crate::services::news::News;
use crate::services::parts::{self, Around};
use crate::services::record::{Controller, Propagate, Scheduling, Spec};
use crate::services::show::{Include, show};
use crate::services::{ServiceRecord, ServiceStatus, write};
use crate::tables::{events_of, service_key};
use crate::tags::Tags;
use crate::tasks::Launch;
use crate::tasks::run::{check_platform, launch_of};

const TRIES: usize = 32;

pub(crate) async fn create_service(
    ecs: &Ecs,
    ctx: &Ctx,
    input: CreateServiceRequest,
) -> Result<CreateServiceResponse> {
    let fingerprint = parts::fingerprint(
        CreateServiceRequest {
            client_token: None,
            ..input.clone()
        },
        "create-service",
    );
    for _ in 0..TRIES {
        if let Some(record) = attempt(ecs, ctx, input.clone(), &fingerprint).await? {
            let service = show(ecs, &record, Include { tags: true }).await?;
            return Ok(CreateServiceResponse {
                service: Some(service),
            });
        }
    }
    Err(Error::Contended)
}

/// The service; none if something changed while it was looked at.
async fn attempt(
    ecs: &Ecs,
    ctx: &Ctx,
    input: CreateServiceRequest,
    fingerprint: &str,
) -> Result<Option<ServiceRecord>> {
    let CreateServiceRequest {
        service_name,
        availability_zone_rebalancing,
        capacity_provider_strategy,
        client_token,
        cluster,
        deployment_configuration,
        deployment_controller,
        desired_count,
        enable_ecs_managed_tags,
        enable_execute_command,
        health_check_grace_period_seconds,
        launch_type,
        load_balancers,
        network_configuration,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        role,
        scheduling_strategy,
        service_connect_configuration,
        service_registries,
        tags,
        task_definition,
        volume_configurations,
        vpc_lattice_configurations,
    } = input;
    check_token(client_token.as_deref())?;
    let cluster = active_cluster(ecs, ctx, cluster.as_deref()).await?;
    let name = ServiceName::new(&service_name)?;
    let key = service_key(&ctx.partition(), &cluster.value.name, &name);
    let gone = match ecs.services().get(&key).await? {
        None => None,
        Some(entry) => match already(&entry, fingerprint)? {
            Some(record) => return Ok(Some(record)),
            None => Some(entry),
        },
    };
    let around = Around {
        load_balancers,
        service_registries,
        service_connect: service_connect_configuration,
        volumes: volume_configurations,
        lattice: vpc_lattice_configurations,
        execute_command: enable_execute_command,
    };
    around.refuse()?;
    if role.is_some() {
        // Those with a load balancer were refused before.
        return Err(Error::invalid(
            "If you specify the role parameter, you must also specify a load balancer object with the loadBalancers \
             parameter.",
        ));
    }
    let controller = match deployment_controller.map(|controller| controller.r#type) {
        None | Some(api::DeploymentControllerType::Ecs) => Controller::Ecs,
        Some(api::DeploymentControllerType::External) => Controller::External,
        Some(other) => return Err(Error::unsupported(format!("deploymentController {other}"))),
    };
    let scheduling = match scheduling_strategy {
        None | Some(api::SchedulingStrategy::Replica) => Scheduling::Replica,
        Some(api::SchedulingStrategy::Daemon) => Scheduling::Daemon,
    };
    if controller == Controller::External {
        external::check_create(
            scheduling,
            deployment_configuration.as_ref(),
            &[
                ("TaskDefinition", task_definition.is_some()),
                ("LaunchType", launch_type.is_some()),
                (
                    "CapacityProviderStrategy",
                    !capacity_provider_strategy.iter().flatten().count().eq(&0),
                ),
                ("PlatformVersion", platform_version.is_some()),
                ("NetworkConfiguration", network_configuration.is_some()),
            ],
        )?;
    }
    let providers = strategy_of(ctx, &cluster.value, launch_type, capacity_provider_strategy)?;
    // Every provider that there is stands for Fargate's capacity.
    let launch = if providers.is_empty() {
        launch_of(launch_type)?
    } else {
        Launch::Fargate
    };
    parts::check_launch(scheduling, launch)?;
    check_platform(launch, platform_version.as_deref())?;
    let rolling = parts::rolling(deployment_configuration, parts::default_rolling(scheduling))?;
    let now = ecs.clock.now();
    let managed_tags = enable_ecs_managed_tags.unwrap_or_default();
    let mut record = ServiceRecord {
        partition: ctx.partition(),
        cluster: cluster.value.name.clone(),
        name,
        id: random_hex(32),
        status: ServiceStatus::Active,
        request: fingerprint.to_owned(),
        desired: match controller {
            Controller::Ecs => parts::desired(scheduling, desired_count, None)?,
            Controller::External => parts::desired(scheduling, desired_count, Some(0))?,
        },
        controller,
        scheduling,
        rolling,
        rebalancing: false,
        grace_seconds: parts::grace(health_check_grace_period_seconds)?,
        managed_tags,
        propagate: parts::propagate(propagate_tags, Propagate::None),
        constraints: parts::constraints(scheduling, placement_constraints)?,
        strategy: parts::strategy(scheduling, placement_strategy)?,
        role_arn: None,
        launch: (controller == Controller::Ecs).then_some(launch),
        deployments: Vec::new(),
        sets: Vec::new(),
        settled: None,
        current: None,
        started: 0,
        deployed: 0,
        events: 0,
        published: now.0.unsigned_abs(),
        steady: false,
        unplaced: None,
        created_at: now,
        created_by: ctx.caller.arn(&ctx.account),
        tags: Tags::of(tags)?,
    };
    record.rebalancing = parts::rebalancing(availability_zone_rebalancing, true, &record)?;
    let mut news = News::default();
    if controller == Controller::External {
        external::check_placement(&record)?;
        record.role_arn = Some(linked::require(ecs, ctx).await?);
        let bare = Transaction::new(&ecs.store);
        return commit(ecs, bare, &cluster, gone.as_ref(), record, &news).await;
    }
    let task_definition =
        task_definition.ok_or_else(|| Error::invalid("TaskDefinition can not be blank."))?;
    let of = Of {
        task_definition,
        launch,
        network: network_configuration,
    };
    let (spec, wanted) = ask::first(ecs, ctx, &record, of, providers, platform_version).await?;
    record.role_arn = role_of(ecs, ctx, &spec).await?;
    record.deploy(spec, now, &mut news);
    let guarded = wanted.guard(Transaction::new(&ecs.store));
    commit(ecs, guarded, &cluster, gone.as_ref(), record, &news).await
}

/// The service-linked role, of tasks with interfaces of a VPC; others need none.
pub(super) async fn role_of(ecs: &Ecs, ctx: &Ctx, spec: &Spec) -> Result<Option<String>> {
    if spec.network.is_some() {
        return linked::require(ecs, ctx).await.map(Some);
    }
    let _ = linked::attempt(ecs, ctx).await;
    Ok(None)
}

async fn commit(
    ecs: &Ecs,
    transaction: Transaction,
    cluster: &Entry<crate::ClusterRecord>,
    gone: Option<&Entry<ServiceRecord>>,
    record: ServiceRecord,
    news: &News,
) -> Result<Option<ServiceRecord>> {
    let mut transaction = transaction.compare_unmodified(cluster);
    if gone.is_some() {
        let events = events_of(&record.partition, &record.cluster, &record.name);
        transaction = transaction.delete_below(&events);
    }
    let (transaction, record) = write::insert(ecs, transaction, gone, record, news);
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)).then_some(record))
}

/// The service of an earlier call that was the same; none if there is none any more.
///
/// # Errors
/// There is one, and it was made otherwise, or is on its way out: `InvalidParameterException`.
fn already(entry: &Entry<ServiceRecord>, fingerprint: &str) -> Result<Option<ServiceRecord>> {
    match entry.value.status {
        ServiceStatus::Active if entry.value.request == fingerprint => Ok(Some(entry.value.clone())),
        ServiceStatus::Active => Err(Error::invalid("Creation of service was not idempotent.")),
        ServiceStatus::Draining => Err(Error::invalid(
            "Unable to Start a service that is still Draining.",
        )),
        ServiceStatus::Inactive { .. } => Ok(None),
    }
}

pub(super) fn check_token(token: Option<&str>) -> Result<()> {
    match token {
        Some(token) if token.len() > 36 || !token.bytes().all(|byte| (33..=126).contains(&byte)) => Err(
            Error::invalid("clientToken can have up to 36 characters, from code 33 to 126."),
        ),
        _ => Ok(()),
    }
}
