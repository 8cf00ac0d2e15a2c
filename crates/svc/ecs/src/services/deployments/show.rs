//! Service deployments as the API shows them.

use roadstead_api_ecs as api;
use roadstead_api_ecs::ServiceDeploymentRollbackMonitorsStatus as Monitor;

use super::name::{DEPLOYMENT, Named, REVISION};
use super::record::{ServiceDeploymentRecord, Share};
use crate::services::ServiceRecord;
use crate::services::record::{DeploymentRecord, Scheduling};
use crate::services::show::{Counts, configuration_of};
use crate::tasks::TaskRecord;

/// Counts the tasks of its revisions.
pub(super) fn count<'t>(
    record: &mut ServiceDeploymentRecord,
    service: &ServiceRecord,
    tasks: impl Iterator<Item = &'t TaskRecord> + Clone,
) {
    let of = |share: &mut Share, desired: Option<i32>| {
        let deployment = DeploymentRecord::id_of(&share.revision);
        let own = tasks
            .clone()
            .filter(|task| task.started_by.as_deref() == Some(deployment.as_str()));
        let Counts { pending, running } = Counts::of(own);
        (share.pending, share.running) = (pending, running);
        // Of an earlier one, what is left is what is still wanted of it.
        share.requested = desired.unwrap_or(pending + running);
    };
    let primary = service.primary().map(DeploymentRecord::revision);
    let desired = |share: &Share| {
        let wanted = primary == Some(share.revision.as_str()) && service.scheduling == Scheduling::Replica;
        wanted.then_some(service.desired)
    };
    for source in &mut record.sources {
        let wanted = desired(source);
        of(source, wanted);
    }
    let wanted = desired(&record.target);
    of(&mut record.target, wanted);
}

fn arn(service: &ServiceRecord, kind: &str, id: &str) -> String {
    let named = Named {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        id: id.to_owned(),
    };
    named.arn(kind, &service.partition)
}

pub(super) fn deployment_arn(service: &ServiceRecord, record: &ServiceDeploymentRecord) -> String {
    arn(service, DEPLOYMENT, &record.id)
}

pub(super) fn revision_arn(service: &ServiceRecord, revision: &str) -> String {
    arn(service, REVISION, revision)
}

/// The service's latest deployment and the revisions that it has now.
pub(crate) fn current<'t>(
    service: &ServiceRecord,
    tasks: impl Iterator<Item = &'t TaskRecord> + Clone,
) -> (Option<String>, Vec<api::ServiceCurrentRevisionSummary>) {
    let latest = service.current.as_ref();
    let primary = service.primary().map(DeploymentRecord::revision);
    let revisions = service.deployments.iter().map(|deployment| {
        let own = tasks
            .clone()
            .filter(|task| task.started_by.as_deref() == Some(deployment.id.as_str()));
        let Counts { pending, running } = Counts::of(own);
        let wanted = primary == Some(deployment.revision()) && service.scheduling == Scheduling::Replica;
        api::ServiceCurrentRevisionSummary {
            arn: Some(revision_arn(service, deployment.revision())),
            pending_task_count: Some(pending),
            requested_task_count: Some(if wanted {
                service.desired
            } else {
                pending + running
            }),
            running_task_count: Some(running),
        }
    });
    (
        latest.map(|record| deployment_arn(service, record)),
        revisions.collect(),
    )
}

fn share(service: &ServiceRecord, share: &Share) -> api::ServiceRevisionSummary {
    api::ServiceRevisionSummary {
        arn: Some(revision_arn(service, &share.revision)),
        pending_task_count: Some(share.pending),
        requested_task_count: Some(share.requested),
        running_task_count: Some(share.running),
        // Nothing here sends traffic to a revision.
        requested_production_traffic_weight: None,
        requested_test_traffic_weight: None,
    }
}

/// Of what watches over a deployment.
fn monitor(record: &ServiceDeploymentRecord, enabled: bool, triggered: bool) -> Monitor {
    match enabled {
        _ if triggered => Monitor::Triggered,
        false => Monitor::Disabled,
        true if record.status.goes_on() => Monitor::Monitoring,
        true => Monitor::MonitoringComplete,
    }
}

fn alarms(record: &ServiceDeploymentRecord) -> api::ServiceDeploymentAlarms {
    let rule = record.rolling.alarms.as_ref();
    let watch = record.watch.clone().unwrap_or_default();
    let enabled = rule.is_some_and(|rule| rule.enable) && !watch.ignored;
    api::ServiceDeploymentAlarms {
        alarm_names: rule.map(|rule| rule.names.clone()),
        status: Some(monitor(record, enabled, watch.rang)),
        triggered_alarm_names: watch.rang.then_some(watch.ringing),
    }
}

fn breaker(record: &ServiceDeploymentRecord) -> api::ServiceDeploymentCircuitBreaker {
    let enabled = record.rolling.breaker.is_some_and(|rule| rule.enable);
    let status = monitor(record, enabled, record.broken);
    api::ServiceDeploymentCircuitBreaker {
        failure_count: Some(i32::try_from(record.failures).unwrap_or(i32::MAX)),
        status: Some(status),
        threshold: Some(i32::try_from(record.threshold).unwrap_or(i32::MAX)),
    }
}

pub(super) fn brief(
    service: &ServiceRecord,
    record: &ServiceDeploymentRecord,
) -> api::ServiceDeploymentBrief {
    api::ServiceDeploymentBrief {
        cluster_arn: Some(service.cluster.arn(&service.partition)),
        created_at: Some(record.created_at),
        finished_at: record.finished_at,
        service_arn: Some(service.arn()),
        service_deployment_arn: Some(deployment_arn(service, record)),
        started_at: record.started_at,
        status: Some(record.status.to_api()),
        status_reason: record.reason.clone(),
        target_service_revision_arn: Some(revision_arn(service, &record.target.revision)),
    }
}

/// As it is; one that is under way as its tasks are now.
pub(super) fn whole<'t>(
    service: &ServiceRecord,
    record: &ServiceDeploymentRecord,
    tasks: impl Iterator<Item = &'t TaskRecord> + Clone,
) -> api::ServiceDeployment {
    let mut record = record.clone();
    if !record.status.is_over() {
        count(&mut record, service, tasks);
    }
    let sources = record.sources.iter().map(|source| share(service, source));
    api::ServiceDeployment {
        alarms: Some(alarms(&record)),
        cluster_arn: Some(service.cluster.arn(&service.partition)),
        created_at: Some(record.created_at),
        deployment_circuit_breaker: Some(breaker(&record)),
        deployment_configuration: Some(configuration_of(&record.rolling)),
        finished_at: record.finished_at,
        rollback: record.rollback.as_ref().map(|rollback| api::Rollback {
            reason: Some(rollback.reason.clone()),
            service_revision_arn: Some(revision_arn(service, &rollback.revision)),
            started_at: Some(rollback.started_at),
        }),
        service_arn: Some(service.arn()),
        service_deployment_arn: Some(deployment_arn(service, &record)),
        source_service_revisions: Some(sources.collect()),
        started_at: record.started_at,
        status: Some(record.status.to_api()),
        status_reason: record.reason.clone(),
        stopped_at: record.stopped_at,
        target_service_revision: Some(share(service, &record.target)),
        updated_at: Some(record.updated_at),
        ..api::ServiceDeployment::default()
    }
}
