//! UpdateContainerInstancesState. An instance that is DRAINING takes no new tasks: those of services are replaced
//! elsewhere by their scheduler, all others run on.

use roadstead_api_ecs::{
    ContainerInstanceStatus, Failure, UpdateContainerInstancesStateRequest,
    UpdateContainerInstancesStateResponse,
};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Ecs;
use crate::error::{Error, Result};
use crate::instances::show::show;
use crate::instances::{ContainerInstanceRecord, InstanceRef, InstanceStatus, named_cluster, write};
use crate::names::ContainerInstanceId;

/// Instances of one call.
const MAX: usize = 10;
const TRIES: usize = 32;

pub(crate) async fn update_container_instances_state(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateContainerInstancesStateRequest,
) -> Result<UpdateContainerInstancesStateResponse> {
    let UpdateContainerInstancesStateRequest {
        container_instances: named,
        status,
        cluster,
    } = input;
    let status = match status {
        ContainerInstanceStatus::Active => InstanceStatus::Active,
        ContainerInstanceStatus::Draining => InstanceStatus::Draining,
        other => {
            return Err(Error::invalid(format!(
                "The status {other} is not valid: use ACTIVE or DRAINING."
            )));
        }
    };
    let cluster = named_cluster(ecs, ctx, cluster.as_deref()).await?;
    if named.is_empty() {
        return Err(Error::invalid("Container instances cannot be empty."));
    }
    if named.len() > MAX {
        return Err(Error::invalid(format!(
            "containerInstances can have at most {MAX} items."
        )));
    }
    let mut names = Vec::new();
    for text in &named {
        names.push(InstanceRef {
            partition: ctx.partition(),
            cluster: cluster.clone(),
            id: ContainerInstanceId::of(ctx, &cluster, text)?,
        });
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match set(ecs, &name, &status).await? {
            Ok(record) => found.push(show(ecs, &record).await?),
            Err(reason) => failures.push(Failure {
                arn: Some(name.arn()),
                reason: Some(reason.to_owned()),
                detail: None,
            }),
        }
    }
    Ok(UpdateContainerInstancesStateResponse {
        container_instances: Some(found),
        failures: Some(failures),
    })
}

/// The record with its new status, or why there is none.
async fn set(
    ecs: &Ecs,
    name: &InstanceRef,
    status: &InstanceStatus,
) -> Result<Result<ContainerInstanceRecord, &'static str>> {
    for _ in 0..TRIES {
        let Some(entry) = ecs.instances().get(&name.key()).await? else {
            return Ok(Err("MISSING"));
        };
        if entry.value.is_inactive() {
            return Ok(Err("INACTIVE"));
        }
        if entry.value.status == *status {
            return Ok(Ok(entry.value));
        }
        let record = ContainerInstanceRecord {
            status: status.clone(),
            version: entry.value.version + 1,
            ..entry.value.clone()
        };
        let transaction = write::replace(ecs, Transaction::new(&ecs.store), &entry, &record).await?;
        if let Outcome::Committed(_) = transaction.commit().await? {
            return Ok(Ok(record));
        }
    }
    Err(Error::Contended)
}
