//! CreateTaskSet.

use roadstead_api_ecs::{CreateTaskSetRequest, CreateTaskSetResponse};
use roadstead_base::Ctx;
use roadstead_store::Transaction;

use super::lookup::{commit, external_service, percent};
use super::show::show;
use super::{Request, TaskSetRecord, TaskSetStatus};
use crate::Ecs;
use crate::capacity::strategy_of;
use crate::clusters::active_cluster;
use crate::error::{Error, Result, refuse};
use crate::services::ServiceRecord;
use crate::services::ask::{self, Of};
use crate::services::create::check_token;
use crate::services::parts;
use crate::services::record::{DeploymentRecord, RolloutState};
use crate::services::show::Include;
use crate::tags::Tags;
use crate::tasks::Launch;
use crate::tasks::run::{check_platform, launch_of};

const TRIES: usize = 32;
/// Task sets of one service, those on their way out included.
const MAX: usize = 5;

/// A second call with the same token answers the task set of the first.
pub(crate) async fn create_task_set(
    ecs: &Ecs,
    ctx: &Ctx,
    input: CreateTaskSetRequest,
) -> Result<CreateTaskSetResponse> {
    let request = input.client_token.clone().map(|token| Request {
        token,
        fingerprint: parts::fingerprint(
            CreateTaskSetRequest {
                client_token: None,
                ..input.clone()
            },
            "create-task-set",
        ),
    });
    for _ in 0..TRIES {
        if let Some((record, id)) = attempt(ecs, ctx, input.clone(), request.clone()).await? {
            let set = show(ecs, &record, &id, Include { tags: true }).await?;
            return Ok(CreateTaskSetResponse { task_set: Some(set) });
        }
    }
    Err(Error::Contended)
}

/// The service with the task set of that id; none if something changed while it was looked at.
async fn attempt(
    ecs: &Ecs,
    ctx: &Ctx,
    input: CreateTaskSetRequest,
    request: Option<Request>,
) -> Result<Option<(ServiceRecord, String)>> {
    let CreateTaskSetRequest {
        cluster,
        service,
        task_definition,
        capacity_provider_strategy,
        client_token,
        external_id,
        launch_type,
        load_balancers,
        network_configuration,
        platform_version,
        scale,
        service_registries,
        tags,
    } = input;
    check_token(client_token.as_deref())?;
    let entry = external_service(ecs, ctx, &cluster, &service).await?;
    let mut record = entry.value.clone();
    if let Some(id) = already(&record, request.as_ref())? {
        return Ok(Some((record, id)));
    }
    refuse("loadBalancers", load_balancers)?;
    refuse("serviceRegistries", service_registries)?;
    let scale = percent(scale)?;
    let tags = Tags::of(tags)?;
    let home = active_cluster(ecs, ctx, Some(&cluster)).await?;
    let providers = strategy_of(ctx, &home.value, launch_type, capacity_provider_strategy)?;
    // Every provider that there is stands for Fargate's capacity.
    let launch = if providers.is_empty() {
        launch_of(launch_type)?
    } else {
        Launch::Fargate
    };
    check_platform(launch, platform_version.as_deref())?;
    if record.sets.len() >= MAX {
        return Err(Error::invalid(format!(
            "{} deployments exist on the service. Unable to create new TaskSet since this exceeds the maximum limit.",
            record.sets.len()
        )));
    }
    let of = Of {
        task_definition,
        launch,
        network: network_configuration,
    };
    let (spec, wanted) = ask::first(ecs, ctx, &record, of, providers, platform_version).await?;
    let id = DeploymentRecord::id_of(&record.new_revision());
    record.steady = false;
    let now = ecs.clock.now();
    record.sets.push(TaskSetRecord {
        deployment: DeploymentRecord::new(id.clone(), spec, RolloutState::Completed, String::new(), now),
        status: TaskSetStatus::Active,
        external_id,
        scale,
        request,
        steady: false,
        unplaced: None,
        tags,
    });
    // The cluster still has its capacity providers.
    let transaction = wanted.guard(Transaction::new(&ecs.store).compare_unmodified(&home));
    let record = commit(ecs, transaction, &entry, record).await?;
    Ok(record.map(|record| (record, id)))
}

/// The task set of an earlier call with the same token.
///
/// # Errors
/// That call was another: `InvalidParameterException`.
fn already(service: &ServiceRecord, request: Option<&Request>) -> Result<Option<String>> {
    let Some(request) = request else {
        return Ok(None);
    };
    let known = service.sets.iter().find_map(|set| {
        let made = set.request.as_ref().filter(|made| made.token == request.token)?;
        Some((made, set.deployment.id.clone()))
    });
    match known {
        None => Ok(None),
        Some((made, id)) if made.fingerprint == request.fingerprint => Ok(Some(id)),
        Some(_) => Err(Error::invalid("Creation of task set was not idempotent.")),
    }
}
