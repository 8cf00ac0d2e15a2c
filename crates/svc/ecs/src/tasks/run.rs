//! RunTask.

use roadstead_api_ecs::{LaunchType, RunTaskRequest, RunTaskResponse, errors};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::capacity::{shares, strategy_of};
use crate::clusters::active_cluster;
use crate::error::{Error, Result, refuse};
use crate::names::ClusterName;
use crate::tables::task_key;
use crate::tasks::Launch;
use crate::tasks::launch::{self, Choice};
use crate::tasks::placement::Placement;
use crate::tasks::request::{self, Asked};
use crate::tasks::show::{Include, show};
use crate::tasks::token::{self, Token, TokenRecord};

const MAX_COUNT: i32 = 10;

pub(crate) async fn run_task(ecs: &Ecs, ctx: &Ctx, input: RunTaskRequest) -> Result<RunTaskResponse> {
    let fingerprint = token::fingerprint(&input);
    let RunTaskRequest {
        task_definition,
        capacity_provider_strategy,
        client_token,
        cluster,
        count,
        enable_ecs_managed_tags,
        enable_execute_command,
        group,
        launch_type,
        network_configuration,
        overrides,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        reference_id,
        started_by,
        tags,
        volume_configurations,
    } = input;
    let token = Token::of(ctx, client_token, fingerprint)?;
    let mut replaces = None;
    if let Some(token) = &token
        && let Some(earlier) = token.earlier(ecs, ctx).await?
    {
        if earlier.value.remaining(ecs.clock.now()) > 0 {
            return again(ecs, ctx, &earlier.value).await;
        }
        replaces = Some(earlier);
    }
    refuse("enableExecuteCommand", enable_execute_command)?;
    refuse("referenceId", reference_id)?;
    refuse("volumeConfigurations", volume_configurations)?;
    let count = count.unwrap_or(1);
    if !(1..=MAX_COUNT).contains(&count) {
        return Err(Error::invalid(format!(
            "count must be between 1 and {MAX_COUNT}."
        )));
    }
    let strategy = {
        let cluster = active_cluster(ecs, ctx, cluster.as_deref()).await?.value;
        strategy_of(ctx, &cluster, launch_type, capacity_provider_strategy)?
    };
    // Every provider that there is stands for Fargate's capacity.
    let launch = if strategy.is_empty() {
        launch_of(launch_type)?
    } else {
        Launch::Fargate
    };
    check_platform(launch, platform_version.as_deref())?;
    let placement = Placement::of(launch, placement_constraints, placement_strategy)?;
    let asked = Asked {
        cluster,
        task_definition,
        launch,
        enable_ecs_managed_tags,
        group,
        network_configuration,
        overrides,
        placement,
        propagate_tags,
        started_by,
        started_by_max: 128,
        tags,
        owner: None,
    };
    let mut wanted = request::check(ecs, ctx, asked).await?;
    let count = usize::try_from(count).unwrap_or(1);
    wanted.providers = shares(&strategy, &[], count);
    let choice = Choice::Anywhere(count);
    let launched = launch::launch(ecs, ctx, &mut wanted, &choice, token.as_ref(), replaces.as_ref()).await?;
    let Some(launched) = launched else {
        // The same call, made twice at once, was first elsewhere.
        let earlier = match &token {
            Some(token) => token.earlier(ecs, ctx).await?,
            None => None,
        };
        return again(ecs, ctx, &earlier.ok_or(Error::Contended)?.value).await;
    };
    let include = Include { tags: true };
    Ok(RunTaskResponse {
        tasks: Some(
            launched
                .tasks
                .iter()
                .map(|task| show(ecs, task, include))
                .collect(),
        ),
        failures: Some(launched.failures),
    })
}

pub(crate) fn launch_of(launch_type: Option<LaunchType>) -> Result<Launch> {
    match launch_type {
        None | Some(LaunchType::Ec2) => Ok(Launch::Ec2),
        Some(LaunchType::Fargate) => Ok(Launch::Fargate),
        Some(other) => Err(Error::unsupported(format!("launchType {other}"))),
    }
}

pub(crate) fn check_platform(launch: Launch, version: Option<&str>) -> Result<()> {
    match (launch, version) {
        (_, None) | (Launch::Fargate, Some("LATEST" | "1.4.0")) => Ok(()),
        (Launch::Ec2, Some(_)) => Err(Error::invalid(
            "The platform version must be null when specifying an EC2 launch type.",
        )),
        (Launch::Fargate, Some(_)) => Err(Error::Other(errors::platform_unknown_exception(
            "The specified platformVersion does not exist; use LATEST or 1.4.0.",
        ))),
    }
}

/// The tasks of an earlier call with the same token, as they are now.
async fn again(ecs: &Ecs, ctx: &Ctx, record: &TokenRecord) -> Result<RunTaskResponse> {
    let cluster: &ClusterName = &record.cluster;
    let mut tasks = Vec::new();
    for id in &record.tasks {
        if let Some(entry) = ecs.tasks().get(&task_key(&ctx.partition(), cluster, id)).await? {
            tasks.push(show(ecs, &entry.value, Include { tags: true }));
        }
    }
    Ok(RunTaskResponse {
        tasks: Some(tasks),
        failures: Some(Vec::new()),
    })
}
