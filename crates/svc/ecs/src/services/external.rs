//! What a service whose controller is EXTERNAL leaves to its task sets. Source: the developer guide, "Deploy Amazon ECS
//! services using a third-party controller"; the API reference, UpdateService.

use roadstead_api_ecs as api;

use crate::error::{Error, Result};
use crate::services::ServiceRecord;
use crate::services::ask::placement;
use crate::services::record::Scheduling;
use crate::tasks::Launch;

/// `given` are the members that a task set has in place of its service, and whether they were given.
pub(super) fn check_create(
    scheduling: Scheduling,
    deployment: Option<&api::DeploymentConfiguration>,
    given: &[(&str, bool)],
) -> Result<()> {
    if let Some((member, _)) = given.iter().find(|(_, given)| *given) {
        return Err(Error::invalid(format!("{member} must be blank.")));
    }
    if scheduling == Scheduling::Daemon {
        return Err(Error::invalid(
            "The daemon scheduling strategy does not support services that use the EXTERNAL deployment controller.",
        ));
    }
    let Some(deployment) = deployment else {
        return Ok(());
    };
    let breaker = deployment.deployment_circuit_breaker.as_ref();
    if breaker.is_some_and(|breaker| breaker.enable || breaker.rollback) {
        return Err(only_rolling("deploymentCircuitBreaker"));
    }
    let alarms = deployment.alarms.as_ref();
    if alarms.is_some_and(|alarms| alarms.enable || alarms.rollback || !alarms.alarm_names.is_empty()) {
        return Err(only_rolling("alarms"));
    }
    Ok(())
}

fn only_rolling(member: &str) -> Error {
    Error::invalid(format!(
        "deploymentConfiguration.{member} can only be used for services using the rolling update (ECS) deployment type."
    ))
}

/// `given` are the members that only another task set can change, and whether they were given.
pub(super) fn check_update(given: &[(&str, bool)]) -> Result<()> {
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((member, _)) => Err(Error::invalid(format!(
            "Unable to update {member} on services with an EXTERNAL deployment controller. Use CreateTaskSet to create a \
             new task set."
        ))),
    }
}

/// Constraints and strategies are the service's, for whatever tasks its sets have.
pub(super) fn check_placement(service: &ServiceRecord) -> Result<()> {
    let sets = service.sets.iter().map(|set| set.deployment.spec.launch);
    for launch in sets.chain([Launch::Ec2]) {
        placement(service, launch)?;
    }
    Ok(())
}
