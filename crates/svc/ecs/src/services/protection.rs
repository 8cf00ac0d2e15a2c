//! UpdateTaskProtection and GetTaskProtection: which of its tasks a service may not stop yet. Source: the API reference;
//! the developer guide, "Protect your Amazon ECS tasks from being terminated by scale-in events", "API failure reasons".

use roadstead_api_ecs::{
    Failure, GetTaskProtectionRequest, GetTaskProtectionResponse, ProtectedTask, UpdateTaskProtectionRequest,
    UpdateTaskProtectionResponse,
};
use roadstead_base::{Ctx, Timestamp};

use crate::Ecs;
use crate::clusters::get_cluster;
use crate::error::{Error, Result};
use crate::names::{ClusterName, TaskId};
use crate::services::scheduler::service_of;
use crate::tables::task_key;
use crate::tasks::{Desired, TaskRecord, finish};

/// Tasks of one call.
const MAX_UPDATE: usize = 10;
const MAX_GET: usize = 100;
const TRIES: usize = 64;
const MINUTE: i64 = 60_000;
/// Minutes.
const DEFAULT: i32 = 120;
const LONGEST: i32 = 2880;

pub(crate) async fn update_task_protection(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateTaskProtectionRequest,
) -> Result<UpdateTaskProtectionResponse> {
    let UpdateTaskProtectionRequest {
        cluster,
        tasks,
        protection_enabled,
        expires_in_minutes,
    } = input;
    let minutes = match (protection_enabled, expires_in_minutes) {
        (false, None) => 0,
        (false, Some(_)) => {
            return Err(Error::invalid(
                "expiresInMinutes is valid with protectionEnabled true alone.",
            ));
        }
        (true, minutes) => minutes.unwrap_or(DEFAULT),
    };
    if protection_enabled && !(1..=LONGEST).contains(&minutes) {
        return Err(Error::invalid(format!(
            "expiresInMinutes must be between 1 and {LONGEST}."
        )));
    }
    let cluster = get_cluster(ecs, ctx, Some(&cluster)).await?.value.name;
    let now = ecs.clock.now();
    let until = protection_enabled.then(|| now.plus_millis(i64::from(minutes) * MINUTE));
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for id in named(ctx, &cluster, &tasks, MAX_UPDATE)? {
        match protect(ecs, ctx, &cluster, &id, until).await? {
            Ok(task) => protected.push(show(&task, now)),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(UpdateTaskProtectionResponse {
        protected_tasks: Some(protected),
        failures: Some(failures),
    })
}

pub(crate) async fn get_task_protection(
    ecs: &Ecs,
    ctx: &Ctx,
    input: GetTaskProtectionRequest,
) -> Result<GetTaskProtectionResponse> {
    let GetTaskProtectionRequest { cluster, tasks } = input;
    let cluster = get_cluster(ecs, ctx, Some(&cluster)).await?.value.name;
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for id in named(ctx, &cluster, &tasks.unwrap_or_default(), MAX_GET)? {
        let entry = ecs
            .tasks()
            .get(&task_key(&ctx.partition(), &cluster, &id))
            .await?;
        match entry {
            Some(entry) if is_eligible(&entry.value) => protected.push(show(&entry.value, ecs.clock.now())),
            other => failures.push(failure(ctx, &cluster, &id, other.is_some())),
        }
    }
    Ok(GetTaskProtectionResponse {
        protected_tasks: Some(protected),
        failures: Some(failures),
    })
}

fn named(ctx: &Ctx, cluster: &ClusterName, tasks: &[String], max: usize) -> Result<Vec<TaskId>> {
    if tasks.is_empty() {
        return Err(Error::invalid("Tasks cannot be empty."));
    }
    if tasks.len() > max {
        return Err(Error::invalid(format!("tasks can have at most {max} items.")));
    }
    tasks.iter().map(|text| TaskId::of(ctx, cluster, text)).collect()
}

/// The task, protected until then or no more; or why it cannot be.
async fn protect(
    ecs: &Ecs,
    ctx: &Ctx,
    cluster: &ClusterName,
    id: &TaskId,
    until: Option<Timestamp>,
) -> Result<Result<TaskRecord, Failure>> {
    for _ in 0..TRIES {
        let Some(entry) = ecs.tasks().get(&task_key(&ctx.partition(), cluster, id)).await? else {
            return Ok(Err(failure(ctx, cluster, id, false)));
        };
        if !is_eligible(&entry.value) {
            return Ok(Err(failure(ctx, cluster, id, true)));
        }
        let mut task = entry.value.clone();
        task.protected_until = until;
        task.version += 1;
        if finish(ecs, &entry, &task).await? {
            return Ok(Ok(task));
        }
    }
    Err(Error::Contended)
}

/// A service's, and not on its way out.
fn is_eligible(task: &TaskRecord) -> bool {
    service_of(task).is_some() && task.desired == Desired::Running
}

fn failure(ctx: &Ctx, cluster: &ClusterName, id: &TaskId, there: bool) -> Failure {
    let (reason, detail) = if there {
        (
            "TASK_NOT_VALID",
            Some("The task is not one that a service runs.".to_owned()),
        )
    } else {
        ("MISSING", None)
    };
    Failure {
        arn: Some(id.arn(&ctx.partition(), cluster)),
        reason: Some(reason.to_owned()),
        detail,
    }
}

fn show(task: &TaskRecord, now: Timestamp) -> ProtectedTask {
    let until = task.protected_until.filter(|until| now < *until);
    ProtectedTask {
        expiration_date: until,
        protection_enabled: Some(until.is_some()),
        task_arn: Some(task.arn()),
    }
}
