//! DeregisterContainerInstance. The record stays for a while as INACTIVE; what still ran there is orphaned and
//! ends, as far as the service knows.

use roadstead_api_ecs::{DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use crate::Ecs;
use crate::error::{Error, Result};
use crate::instances::ledger::node_key;
use crate::instances::show::show;
use crate::instances::{ContainerInstanceRecord, InstanceRef, InstanceStatus, named_cluster, write};
use crate::names::ContainerInstanceId;

const TRIES: usize = 32;
const FORCED: &str = "Container instance deregistration forced by user.";

pub(crate) async fn deregister_container_instance(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeregisterContainerInstanceRequest,
) -> Result<DeregisterContainerInstanceResponse> {
    let DeregisterContainerInstanceRequest {
        container_instance,
        cluster,
        force,
    } = input;
    let cluster = named_cluster(ecs, ctx, cluster.as_deref()).await?;
    let id = ContainerInstanceId::of(ctx, &cluster, &container_instance)?;
    let name = InstanceRef {
        partition: ctx.partition(),
        cluster,
        id,
    };
    for _ in 0..TRIES {
        if let Some(record) = retire(ecs, &name, force.unwrap_or(false)).await? {
            ecs.agents
                .close(&name.arn(), "the container instance was deregistered");
            let instance = show(ecs, &record).await?;
            return Ok(DeregisterContainerInstanceResponse {
                container_instance: Some(instance),
            });
        }
    }
    Err(Error::Contended)
}

/// The record, now INACTIVE; none if something changed meanwhile.
async fn retire(ecs: &Ecs, name: &InstanceRef, force: bool) -> Result<Option<ContainerInstanceRecord>> {
    let Some(entry) = ecs.instances().get(&name.key()).await? else {
        return Err(Error::invalid("Referenced container instance not found."));
    };
    if entry.value.is_inactive() {
        return Ok(Some(entry.value));
    }
    let arn = name.arn();
    let key = node_key(&entry.value.node());
    let node = ecs.nodes().get(&key).await?;
    let busy = node
        .as_ref()
        .is_some_and(|node| node.value.sold.values().any(|sold| sold.instance == arn));
    if busy && !force {
        return Err(Error::invalid("Found running tasks on the instance."));
    }
    let record = ContainerInstanceRecord {
        status: InstanceStatus::Inactive {
            since: ecs.clock.now(),
            reason: FORCED.to_owned(),
        },
        version: entry.value.version + 1,
        ..entry.value.clone()
    };
    let transaction = write::replace(ecs, Transaction::new(&ecs.store), &entry, &record).await?;
    // Nothing may be placed there between the question and the answer.
    let transaction = match &node {
        Some(node) => transaction.compare_unmodified(node),
        None => transaction.compare_absent(&key),
    };
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)).then_some(record))
}
