//! Starting tasks, through the same code as RunTask.

use roadstead_api_ecs::Failure;
use roadstead_base::Ctx;
use roadstead_deployment::{Setback, Start};
use roadstead_store::Entry;

use crate::capacity::shares;
use crate::error::{Error, Result};
use crate::instances::InstanceRef;
use crate::services::ask::{Of, ask};
use crate::services::news::News;
use crate::services::record::Unplaced;
use crate::services::scheduler::{BATCH, account, places, tasks_of_service};
use crate::services::{Owner, ServiceRecord};
use crate::tasks::launch::{self, Choice, Launched};
use crate::tasks::request::{self, Wanted};
use crate::tasks::{Desired, Launch};
use crate::{Ecs, PRINCIPAL};

/// Milliseconds between tries to find a place.
const RETRY: i64 = 5_000;
/// The same where it is only about zones: by time alone, as nobody lacks anything.
const RETRY_BALANCING: i64 = 60_000;
/// Milliseconds after which the same complaint is made again.
const COMPLAIN: i64 = 15 * 60_000;
const SEE: &str = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

/// Milliseconds until it is worth another try to find a place for what `maker` lacks; none: it is now.
pub(super) async fn held_back(
    ecs: &Ecs,
    service: &ServiceRecord,
    maker: &str,
    start: &Start,
) -> Result<Option<u64>> {
    let Some(unplaced) = service.unplaced(maker) else {
        return Ok(None);
    };
    let now = ecs.clock.now();
    if unplaced.balancing {
        let left = unplaced.tried.0 + RETRY_BALANCING - now.0;
        let only = matches!(start, Start::In(_)) && left > 0;
        return Ok(only.then_some(left.unsigned_abs()));
    }
    let left = unplaced.tried.0 + RETRY - now.0;
    let same = unplaced.world == places::world(ecs, service, maker).await?;
    Ok((same && left > 0).then_some(left.unsigned_abs()))
}

/// Starts tasks of `maker`, which nothing holds back. `balance` says how many tasks there are in each zone.
pub(super) async fn start(
    ecs: &Ecs,
    entry: &Entry<ServiceRecord>,
    mut next: ServiceRecord,
    mut news: News,
    maker: &str,
    (start, balance): (Start, String),
) -> Result<()> {
    let now = ecs.clock.now();
    let world = places::world(ecs, &next, maker).await?;
    let balancing = matches!(start, Start::In(_));
    let mut told = news.clone();
    if balancing {
        told.line(format!(
            "is not AZ balanced with {balance}. AZ Rebalancing in progress."
        ));
    }
    let owner = Owner::of(entry, &next, maker, &told);
    match launch(ecs, owner, start).await {
        // Started, or the service is another by now.
        Ok(None) => return Ok(()),
        Ok(Some(launched)) if !launched.tasks.is_empty() => return Ok(()),
        Ok(Some(launched)) => {
            let fargate = next
                .maker(maker)
                .is_some_and(|maker| maker.spec.launch == Launch::Fargate);
            let message = complaint(&launched.failures, fargate);
            unplaced(
                (&mut next, maker, balancing),
                (message, world),
                now,
                &mut news,
                "SERVICE_TASK_PLACEMENT_FAILURE",
            );
        }
        Err(Error::InvalidParameter(reason)) if reason.starts_with("No Container Instances") => {
            let message = format!(
                "was unable to place a task because no container instance met all of its requirements. Reason: \
                 {reason} {SEE}"
            );
            unplaced(
                (&mut next, maker, balancing),
                (message, world),
                now,
                &mut news,
                "SERVICE_TASK_PLACEMENT_FAILURE",
            );
        }
        Err(error) if is_passing(&error) => return Err(error),
        Err(error) => {
            if let Some(maker) = next.maker_mut(maker) {
                account::set_back(maker, Setback::Failure, now, &mut news);
            }
            let message = format!("was unable to place a task. Reason: {error} {SEE}");
            unplaced(
                (&mut next, maker, balancing),
                (message, world),
                now,
                &mut news,
                "SERVICE_TASK_CONFIGURATION_FAILURE",
            );
        }
    }
    ecs.write_down(entry, next, &news).await
}

/// It says nothing about the service.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Store(_) | Error::Contended => true,
        Error::Other(error) => error.status >= 500,
        _ => false,
    }
}

fn unplaced(
    (service, maker, balancing): (&mut ServiceRecord, &str, bool),
    (message, world): (String, u64),
    now: roadstead_base::Timestamp,
    news: &mut News,
    event_name: &'static str,
) {
    let before = service.unplaced_mut(maker).take();
    let told = before.filter(|before| before.message == message && now.0 - before.told.0 < COMPLAIN);
    if told.is_none() {
        news.line(message.clone());
        news.action("ERROR", event_name, Some(message.clone()));
    }
    if !balancing {
        // It has what it is to have, if not where.
        service.unsettle(maker);
    }
    *service.unplaced_mut(maker) = Some(Unplaced {
        tried: now,
        told: told.map_or(now, |before| before.told),
        message,
        world,
        balancing,
    });
}

/// What the next task of the owner's maker is, in full.
pub(super) async fn wanted(ecs: &Ecs, owner: Owner) -> Result<Option<(Ctx, Wanted)>> {
    let service = owner.next.clone();
    let Some(maker) = service.maker(&owner.maker) else {
        return Ok(None);
    };
    let partition = &service.partition;
    let ctx = ecs
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone());
    let of = Of {
        task_definition: maker.spec.definition.to_string(),
        launch: maker.spec.launch,
        network: maker.spec.network.as_ref().map(|network| network.0.clone()),
    };
    let asked = ask(&service, of, owner, Some(maker.id.clone()))?;
    let wanted = request::check(ecs, &ctx, asked).await?;
    Ok(Some((ctx, wanted)))
}

async fn launch(ecs: &Ecs, owner: Owner, start: Start) -> Result<Option<Launched>> {
    let Some((ctx, mut wanted)) = wanted(ecs, owner).await? else {
        return Ok(None);
    };
    let choice = match start {
        Start::Anywhere(count) => Choice::Anywhere(count.min(BATCH)),
        Start::In(zone) => {
            wanted.keep_to(&zone);
            Choice::Anywhere(1)
        }
        Start::On(instances) => {
            let named = instances
                .iter()
                .take(BATCH)
                .filter_map(|id| InstanceRef::of_arn(&id.0));
            Choice::On(named.collect())
        }
    };
    wanted.providers = shared(ecs, &wanted, &choice).await?;
    launch::launch(ecs, &ctx, &mut wanted, &choice, None, None).await
}

/// The capacity providers that the next tasks count for, beside the others of their deployment.
async fn shared(ecs: &Ecs, wanted: &Wanted, choice: &Choice) -> Result<Vec<String>> {
    let count = match choice {
        Choice::Anywhere(count) => *count,
        Choice::On(named) => named.len(),
    };
    let Some(owner) = &wanted.owner else {
        return Ok(Vec::new());
    };
    let service = &owner.next;
    let Some(maker) = service
        .maker(&owner.maker)
        .filter(|it| !it.spec.providers.is_empty())
    else {
        return Ok(Vec::new());
    };
    let tasks = tasks_of_service(ecs, service).await?;
    let has = |provider: &str| {
        let own = tasks.iter().map(|entry| &entry.value).filter(|task| {
            task.desired == Desired::Running
                && task.started_by.as_ref() == Some(&maker.id)
                && task.capacity_provider.as_deref() == Some(provider)
        });
        u32::try_from(own.count()).unwrap_or(u32::MAX)
    };
    let strategy = &maker.spec.providers;
    let existing: Vec<u32> = strategy.iter().map(|item| has(&item.provider)).collect();
    Ok(shares(strategy, &existing, count))
}

/// In the words of the service, about the instance that came closest.
fn complaint(failures: &[Failure], fargate: bool) -> String {
    if fargate {
        let detail = failures.iter().find_map(|failure| failure.detail.as_deref());
        return format!(
            "was unable to place a task. Reason: {}.",
            detail.unwrap_or("Capacity is unavailable")
        );
    }
    let rank = |failure: &&Failure| match failure.reason.as_deref().unwrap_or_default() {
        reason if reason.starts_with("RESOURCE") => 0,
        "AGENT" => 2,
        "INACTIVE" => 3,
        _ => 1,
    };
    let begin = "was unable to place a task because no container instance met all of its requirements.";
    let Some(closest) = failures.iter().min_by_key(rank) else {
        return format!("{begin} {SEE}");
    };
    let arn = closest.arn.as_deref().unwrap_or_default();
    let id = arn.rsplit('/').next().unwrap_or_default();
    let why = match closest.reason.as_deref().unwrap_or_default() {
        "RESOURCE:CPU" => "has insufficient CPU units available.".to_owned(),
        "RESOURCE:MEMORY" => "has insufficient memory available.".to_owned(),
        "RESOURCE:PORTS" => "is already using a port required by your task.".to_owned(),
        "RESOURCE:ENI" => "has no network interface left for your task.".to_owned(),
        "ATTRIBUTE" => "is missing an attribute required by your task.".to_owned(),
        other => format!("encountered error \"{other}\"."),
    };
    format!("{begin} The closest matching (container-instance {id}) {why} {SEE}")
}
