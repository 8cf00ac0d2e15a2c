//! Writing what service deployments and revisions are beside the service's record, and forgetting them in time.

use std::collections::BTreeSet;

use roadstead_base::Timestamp;
use roadstead_deployment::breaker_threshold;
use roadstead_store::Transaction;

use super::record::{RevisionRecord, ServiceDeploymentRecord};
use super::show::count;
use crate::Ecs;
use crate::error::Result;
use crate::services::ServiceRecord;
use crate::services::scheduler::live_tasks;
use crate::tables::{revisions_of, service_deployments_of};

/// Milliseconds for which a deployment can be described: 90 days.
const KEEP: i64 = 90 * 24 * 3_600_000;

/// Whether it is still told of: what goes on is, however old.
pub(super) fn is_told(record: &ServiceDeploymentRecord, now: Timestamp) -> bool {
    !record.status.is_over() || now.0 - record.created_at.0 < KEEP
}

/// Writes what is new of the service's deployments and revisions since it was `before`, and what of them ended in
/// between.
pub(crate) fn keep(
    ecs: &Ecs,
    mut transaction: Transaction,
    before: Option<&ServiceRecord>,
    service: &mut ServiceRecord,
    ended: &[ServiceDeploymentRecord],
    now: Timestamp,
) -> Transaction {
    let revisions = revisions_of(&service.partition, &service.cluster, &service.name);
    for deployment in &service.deployments {
        let same = before.and_then(|it| it.deployments.iter().find(|it| it.id == deployment.id));
        if same.is_none_or(|same| same.digests != deployment.digests) {
            let record = RevisionRecord::of(deployment);
            transaction = transaction.put(&ecs.revisions(), &revisions.child(&record.id), &record);
        }
    }
    let below = service_deployments_of(&service.partition, &service.cluster, &service.name);
    for record in ended {
        let mut record = record.clone();
        close(ecs, &mut record, service);
        transaction = transaction.put(&ecs.service_deployments(), &below.child(&record.id), &record);
    }
    let Some(mut current) = service.current.clone() else {
        return transaction;
    };
    let known = before.and_then(|before| before.current.as_ref());
    if known.is_some_and(|known| known.id == current.id && known.status.is_over()) {
        return transaction;
    }
    follow(&mut current, service);
    if current.status.is_over() {
        close(ecs, &mut current, service);
    }
    if known != Some(&current) {
        current.updated_at = now;
        transaction = transaction.put(&ecs.service_deployments(), &below.child(&current.id), &current);
        service.current = Some(current);
    }
    transaction
}

/// What is under way follows the service.
fn follow(current: &mut ServiceDeploymentRecord, service: &ServiceRecord) {
    current.rolling = service.rolling.clone();
    current.threshold = threshold(service);
    let target = service
        .deployments
        .iter()
        .find(|deployment| deployment.revision() == current.target.revision);
    if let Some(target) = target {
        current.failures = current.failures.max(target.failures);
    }
}

fn threshold(service: &ServiceRecord) -> u32 {
    breaker_threshold(usize::try_from(service.desired).unwrap_or_default())
}

/// Keeps how many tasks there were at its end.
fn close(ecs: &Ecs, record: &mut ServiceDeploymentRecord, service: &ServiceRecord) {
    let tasks = live_tasks(ecs, service);
    count(record, service, tasks.iter().map(|task| &task.value));
}

/// Deletes what is older than can be described, but for what the service still stands on.
pub(crate) async fn expire(ecs: &Ecs, service: &ServiceRecord) -> Result<()> {
    let now = ecs.clock.now();
    let below = service_deployments_of(&service.partition, &service.cluster, &service.name);
    let (deployments, _) = ecs.service_deployments().all(&below).await?;
    let current = service.current.as_ref().map(|current| current.id.as_str());
    let (old, kept): (Vec<_>, Vec<_>) = deployments.into_iter().partition(|entry| {
        let record = &entry.value;
        Some(record.id.as_str()) != current && !is_told(record, now)
    });
    if old.is_empty() {
        return Ok(());
    }
    let mut needed: BTreeSet<&str> = service.deployments.iter().map(|it| it.revision()).collect();
    needed.extend(service.settled.iter().map(|it| it.revision()));
    for entry in &kept {
        needed.insert(&entry.value.target.revision);
        needed.extend(entry.value.sources.iter().map(|share| share.revision.as_str()));
        needed.extend(entry.value.rollback.iter().map(|it| it.revision.as_str()));
    }
    let mut transaction = Transaction::new(&ecs.store);
    for entry in &old {
        transaction = transaction.delete(&entry.key);
    }
    let below = revisions_of(&service.partition, &service.cluster, &service.name);
    let (revisions, _) = ecs.revisions().all(&below).await?;
    for entry in revisions {
        if !needed.contains(entry.value.id.as_str()) {
            transaction = transaction.delete(&entry.key);
        }
    }
    // Without conditions: what is that old does not change any more.
    let _ = transaction.commit().await?;
    Ok(())
}
