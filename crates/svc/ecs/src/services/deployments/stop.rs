//! StopServiceDeployment. It says that the way back is wanted; the scheduler takes it.

use roadstead_api_ecs::{
    StopServiceDeploymentRequest, StopServiceDeploymentResponse, StopServiceDeploymentStopType,
};
use roadstead_base::Ctx;
use roadstead_store::{Outcome, Transaction};

use super::describe::find;
use super::name::{DEPLOYMENT, Named};
use super::record::Status;
use crate::Ecs;
use crate::error::{Error, Result};
use crate::services::news::News;
use crate::services::write;
use crate::tables::service_key;

const TRIES: usize = 32;

pub(crate) async fn stop_service_deployment(
    ecs: &Ecs,
    ctx: &Ctx,
    input: StopServiceDeploymentRequest,
) -> Result<StopServiceDeploymentResponse> {
    let StopServiceDeploymentRequest {
        service_deployment_arn,
        stop_type,
    } = input;
    match stop_type {
        None | Some(StopServiceDeploymentStopType::Rollback) => {}
        // The reference has it among the values, and says that it is none of the valid ones.
        Some(StopServiceDeploymentStopType::Abort) => {
            return Err(Error::invalid("stopType must be ROLLBACK; ABORT is not valid."));
        }
    }
    let named = Named::of(ctx, DEPLOYMENT, &service_deployment_arn)?;
    for _ in 0..TRIES {
        if attempt(ecs, ctx, &named).await? {
            return Ok(StopServiceDeploymentResponse {
                service_deployment_arn: Some(service_deployment_arn),
            });
        }
    }
    Err(Error::Contended)
}

/// Whether it is stopped, or is being; if not, something changed while it was looked at.
async fn attempt(ecs: &Ecs, ctx: &Ctx, named: &Named) -> Result<bool> {
    let key = service_key(&ctx.partition(), &named.cluster, &named.service);
    let (_, record) = find(ecs, ctx, named)
        .await?
        .ok_or(Error::ServiceDeploymentNotFound)?;
    let entry = ecs
        .services()
        .get(&key)
        .await?
        .ok_or(Error::ServiceDeploymentNotFound)?;
    let mut service = entry.value.clone();
    let current = service.current.as_mut().filter(|current| current.id == named.id);
    let Some(current) = current.filter(|current| !current.status.is_over()) else {
        return Err(Error::Conflict(format!(
            "The service deployment cannot be stopped because it is {}.",
            record.status.to_api()
        )));
    };
    if !current.status.goes_on() {
        return Ok(true);
    }
    let reason = "A rollback of the service deployment was requested.".to_owned();
    current.is(Status::RollbackRequested, Some(reason), ecs.clock.now());
    let transaction = Transaction::new(&ecs.store);
    let (transaction, _) = write::replace(ecs, transaction, &entry, service, &News::default());
    Ok(matches!(transaction.commit().await?, Outcome::Committed(_)))
}
