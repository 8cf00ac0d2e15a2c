//! What becomes of a service's deployments when one has arrived or is given up.

use std::collections::BTreeSet;

use roadstead_base::Timestamp;
use roadstead_deployment::{Cause, Verdict};

use crate::services::ServiceRecord;
use crate::services::deployments::{RollbackRecord, ServiceDeploymentRecord, Status};
use crate::services::news::News;
use crate::services::record::{DeploymentRecord, RolloutState};

/// A service deployment that nobody has looked at is under way from now on.
pub(super) fn begin(service: &mut ServiceRecord, now: Timestamp) {
    if let Some(current) = service.current.as_mut().filter(|it| it.status == Status::Pending) {
        current.is(Status::InProgress, None, now);
    }
}

pub(super) fn apply(service: &mut ServiceRecord, verdict: &Verdict, now: Timestamp, news: &mut News) {
    match verdict {
        Verdict::Bake => {
            if let Some(watch) = under_way(service).and_then(|current| current.watch.as_mut()) {
                watch.since = Some(now);
            }
        }
        Verdict::Completed => complete(service, now, news),
        Verdict::Failed(cause) => {
            fail(service, *cause, now, news);
            end(service, Status::Stopped, failed(*cause), now);
        }
        Verdict::NoWayBack(cause) => {
            fail(service, *cause, now, news);
            let reason = "No rollback candidate was found to run the rollback.";
            end(service, Status::RollbackFailed, reason, now);
        }
        Verdict::RollBack(cause, _) => {
            fail(service, *cause, now, news);
            roll_back(service, *cause, now, news);
        }
    }
}

fn complete(service: &mut ServiceRecord, now: Timestamp, news: &mut News) {
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    primary.updated_at = now;
    primary.rollout = RolloutState::Completed;
    primary.reason = format!("ECS deployment {} completed.", primary.id);
    news.line(format!("(deployment {}) deployment completed.", primary.id));
    news.deployment("SERVICE_DEPLOYMENT_COMPLETED", &primary.id, &primary.reason);
    service.settled = Some(DeploymentRecord {
        failures: 0,
        setbacks: 0,
        counted: BTreeSet::new(),
        ..primary.clone()
    });
    if let Some(current) = under_way(service) {
        match current.status {
            Status::RollbackInProgress => {
                let reason = current.reason.clone();
                current.is(Status::RollbackSuccessful, reason, now);
            }
            _ => current.is(Status::Successful, None, now),
        }
    }
}

fn under_way(service: &mut ServiceRecord) -> Option<&mut ServiceDeploymentRecord> {
    service.current.as_mut().filter(|it| !it.status.is_over())
}

/// In the words of a service's events.
fn told(cause: Cause) -> &'static str {
    match cause {
        Cause::Failures => "deployment failed: tasks failed to start.",
        Cause::Alarm => "deployment failed: alarm detected.",
        Cause::Asked => "deployment stopped: a rollback was requested.",
    }
}

/// In the words of a deployment's `rolloutStateReason`.
fn rolled(cause: Cause) -> &'static str {
    match cause {
        Cause::Failures => "ECS deployment circuit breaker: tasks failed to start.",
        Cause::Alarm => "ECS deployment alarms: alarm detected.",
        Cause::Asked => "ECS deployment stopped: a rollback was requested.",
    }
}

fn failed(cause: Cause) -> &'static str {
    match cause {
        Cause::Failures => "Service deployment failed because the circuit breaker threshold was exceeded.",
        Cause::Alarm => "Service deployment failed because a CloudWatch alarm went into the ALARM state.",
        Cause::Asked => "Service deployment was stopped by a request.",
    }
}

fn rolled_back(cause: Cause) -> &'static str {
    match cause {
        Cause::Failures => {
            "Service deployment rolled back because the circuit breaker threshold was exceeded."
        }
        Cause::Alarm => {
            "Service deployment rolled back because a CloudWatch alarm went into the ALARM state."
        }
        Cause::Asked => "Service deployment rolled back because a rollback was requested.",
    }
}

/// The PRIMARY deployment is given up.
fn fail(service: &mut ServiceRecord, cause: Cause, now: Timestamp, news: &mut News) {
    if let Some(primary) = service.deployments.first_mut() {
        primary.updated_at = now;
        primary.rollout = RolloutState::Failed;
        primary.reason = rolled(cause).to_owned();
        news.line(format!("(deployment {}) {}", primary.id, told(cause)));
        news.deployment("SERVICE_DEPLOYMENT_FAILED", &primary.id, &primary.reason);
    }
    if let Some(current) = under_way(service) {
        current.broken |= cause == Cause::Failures && current.status.goes_on();
        if let Some(watch) = current.watch.as_mut().filter(|_| cause == Cause::Alarm) {
            watch.rang = true;
        }
    }
}

/// The service deployment ends without success; one that was on its way back did not get there.
fn end(service: &mut ServiceRecord, status: Status, reason: &str, now: Timestamp) {
    if let Some(current) = under_way(service) {
        match current.status {
            Status::RollbackInProgress => {
                let reason = "The rollback failed: tasks failed to start.".to_owned();
                current.is(Status::RollbackFailed, Some(reason), now);
            }
            _ => current.is(status, Some(reason.to_owned()), now),
        }
    }
}

/// Makes the deployment that completed last the PRIMARY one again.
fn roll_back(service: &mut ServiceRecord, cause: Cause, now: Timestamp, news: &mut News) {
    let Some(back) = service.way_back().cloned() else {
        return;
    };
    let place = service.deployments.iter().position(|it| it.id == back.id);
    let mut back = match place {
        Some(place) => service.deployments.remove(place),
        None => back,
    };
    back.rollout = RolloutState::InProgress;
    (back.failures, back.setbacks) = (0, 0);
    back.updated_at = now;
    back.reason = match cause {
        Cause::Failures => format!(
            "ECS deployment circuit breaker: rolling back to deploymentId {}.",
            back.id
        ),
        Cause::Alarm => format!("ECS deployment alarms: rolling back to deploymentId {}.", back.id),
        Cause::Asked => format!(
            "ECS deployment stopped: rolling back to deploymentId {}.",
            back.id
        ),
    };
    news.line(format!("rolling back to deployment {}.", back.id));
    news.deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", &back.id, &back.reason);
    if let Some(current) = under_way(service) {
        current.is(
            Status::RollbackInProgress,
            Some(rolled_back(cause).to_owned()),
            now,
        );
        current.rollback = Some(RollbackRecord {
            reason: rolled_back(cause).to_owned(),
            started_at: now,
            revision: back.revision().to_owned(),
        });
    }
    service.unplaced = None;
    service.deployments.insert(0, back);
}
