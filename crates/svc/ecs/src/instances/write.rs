//! The one way in which a container instance's record is written: with the event that tells of it. Capacity behind
//! FARGATE is nobody's instance, and no event tells of it.

use roadstead_api_ecs as api;
use roadstead_store::{Entry, Transaction};

use crate::Ecs;
use crate::error::Result;
use crate::instances::ContainerInstanceRecord;
use crate::instances::show::show;
use crate::published::{StateChange, tell};
use crate::stored::Shaped;

const DETAIL_TYPE: &str = "ECS Container Instance State Change";

impl Shaped for api::ContainerInstance {
    const SHAPE: &'static str = "ContainerInstance";
}

/// Writes an instance that is new.
pub(super) async fn insert(
    ecs: &Ecs,
    transaction: Transaction,
    instance: &ContainerInstanceRecord,
) -> Result<Transaction> {
    let transaction = transaction.insert(&ecs.instances(), &instance.name.key(), instance);
    told(ecs, transaction, instance).await
}

/// Writes what became of an instance.
pub(super) async fn replace(
    ecs: &Ecs,
    transaction: Transaction,
    entry: &Entry<ContainerInstanceRecord>,
    instance: &ContainerInstanceRecord,
) -> Result<Transaction> {
    let transaction = transaction.replace(&ecs.instances(), entry, instance);
    told(ecs, transaction, instance).await
}

async fn told(
    ecs: &Ecs,
    transaction: Transaction,
    instance: &ContainerInstanceRecord,
) -> Result<Transaction> {
    if instance.name.is_fargate() {
        return Ok(transaction);
    }
    let change = StateChange {
        partition: &instance.name.partition,
        detail_type: DETAIL_TYPE,
        arn: instance.name.arn(),
        version: instance.version,
        now: show(ecs, instance).await?,
    };
    tell(ecs, transaction, change)
}
