//! ContinueServiceDeployment. Services here have no lifecycle hooks (`deploymentConfiguration.lifecycleHooks` is
//! refused by name), so that no deployment waits at one: what a request names is either no deployment, or has no such
//! hook.

use roadstead_api_ecs::{ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse};
use roadstead_base::Ctx;

use super::describe::find;
use super::name::{DEPLOYMENT, Named};
use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn continue_service_deployment(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ContinueServiceDeploymentRequest,
) -> Result<ContinueServiceDeploymentResponse> {
    let ContinueServiceDeploymentRequest {
        hook_id,
        service_deployment_arn,
        action,
    } = input;
    let named = Named::of(ctx, DEPLOYMENT, &service_deployment_arn)?;
    let (_, record) = find(ecs, ctx, &named)
        .await?
        .ok_or(Error::ServiceDeploymentNotFound)?;
    let wanted = action.map_or("CONTINUE", |action| action.as_str());
    Err(Error::invalid(format!(
        "{wanted} is not possible: the service deployment is {} and has no lifecycle hook {hook_id:?} that awaits an \
         action.",
        record.status.to_api()
    )))
}
