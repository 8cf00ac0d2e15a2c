//! What becomes of a service's deployments when one has arrived or is given up.

use roadstead_base::Timestamp;
use roadstead_deployment::Verdict;

use crate::services::ServiceRecord;
use crate::services::news::News;
use crate::services::record::RolloutState;
use crate::services::scheduler::look::fallback;

const FAILED: &str = "ECS deployment circuit breaker: tasks failed to start.";

pub(super) fn apply(service: &mut ServiceRecord, verdict: &Verdict, now: Timestamp, news: &mut News) {
    let Some(primary) = service.deployments.first_mut() else {
        return;
    };
    primary.updated_at = now;
    match verdict {
        Verdict::Completed => {
            primary.rollout = RolloutState::Completed;
            primary.reason = format!("ECS deployment {} completed.", primary.id);
            news.line(format!("(deployment {}) deployment completed.", primary.id));
            news.deployment("SERVICE_DEPLOYMENT_COMPLETED", &primary.id, &primary.reason);
            service.completed = Some(primary.spec.clone());
        }
        Verdict::Failed | Verdict::RollBack(_) => {
            primary.rollout = RolloutState::Failed;
            primary.reason = FAILED.to_owned();
            news.line(format!(
                "(deployment {}) deployment failed: tasks failed to start.",
                primary.id
            ));
            news.deployment("SERVICE_DEPLOYMENT_FAILED", &primary.id, FAILED);
            if matches!(verdict, Verdict::RollBack(_)) {
                roll_back(service, now, news);
            }
        }
    }
}

/// Makes the deployment that completed last the PRIMARY one again, or a new one of the same.
fn roll_back(service: &mut ServiceRecord, now: Timestamp, news: &mut News) {
    let Some(completed) = service.completed.clone() else {
        return;
    };
    let earlier = fallback(service, &completed);
    let place = service
        .deployments
        .iter()
        .position(|deployment| Some(&deployment.id) == earlier.as_ref());
    match place {
        Some(place) => {
            let deployment = service.deployments.remove(place);
            service.deployments.insert(0, deployment);
        }
        None => service.deploy(completed, now),
    }
    service.unplaced = None;
    if let Some(primary) = service.deployments.first_mut() {
        primary.rollout = RolloutState::InProgress;
        primary.reason = format!(
            "ECS deployment circuit breaker: rolling back to deploymentId {}.",
            primary.id
        );
        primary.updated_at = now;
        news.line(format!("rolling back to deployment {}.", primary.id));
        news.deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", &primary.id, &primary.reason);
    }
}
