//! The one way in which a service's record is written: with what is to be told of the change.

use roadstead_store::{Entry, Transaction};

use crate::Ecs;
use crate::services::ServiceRecord;
use crate::services::deployments;
use crate::services::news::News;

/// Writes a service that is new, in place of one that is gone.
pub(super) fn insert(
    ecs: &Ecs,
    transaction: Transaction,
    gone: Option<&Entry<ServiceRecord>>,
    mut service: ServiceRecord,
    news: &News,
) -> (Transaction, ServiceRecord) {
    let now = ecs.clock.now();
    let transaction = news.tell(ecs, transaction, &mut service, now);
    let transaction = deployments::keep(ecs, transaction, None, &mut service, news.those_ended(), now);
    let transaction = match gone {
        Some(entry) => transaction.replace(&ecs.services(), entry, &service),
        None => transaction.insert(&ecs.services(), &service.key(), &service),
    };
    (transaction, service)
}

/// Writes what became of a service.
pub(super) fn replace(
    ecs: &Ecs,
    transaction: Transaction,
    entry: &Entry<ServiceRecord>,
    mut service: ServiceRecord,
    news: &News,
) -> (Transaction, ServiceRecord) {
    let now = ecs.clock.now();
    let transaction = news.tell(ecs, transaction, &mut service, now);
    let before = Some(&entry.value);
    let transaction = deployments::keep(ecs, transaction, before, &mut service, news.those_ended(), now);
    (transaction.replace(&ecs.services(), entry, &service), service)
}
