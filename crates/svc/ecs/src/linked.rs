//! The role that the service itself has in an account, `AWSServiceRoleForECS`: made on first use, with the rights of whoever
//! uses the service first. Source: the API reference, CreateCluster and CreateService, `role`; the developer guide, "Using
//! service-linked roles for Amazon ECS".

use roadstead_api_iam::{Client, CreateServiceLinkedRoleRequest};
use roadstead_base::Ctx;
use roadstead_dispatch::{ActAs, RoleError};

use crate::error::{Error, Result};
use crate::{Ecs, PRINCIPAL};

const NAME: &str = "AWSServiceRoleForECS";
/// What a session is called when it is only tried whether it could be made, and its seconds.
const TRIAL: (&str, u32) = ("CreateService", 900);

fn role_arn(ctx: &Ctx) -> String {
    format!(
        "arn:aws:iam::{}:role/aws-service-role/{PRINCIPAL}/{NAME}",
        ctx.account
    )
}

fn is_there(ecs: &Ecs, ctx: &Ctx) -> bool {
    let act = ActAs {
        role_arn: &role_arn(ctx),
        service: PRINCIPAL,
        session_name: TRIAL.0,
        source_arn: None,
        seconds: TRIAL.1,
    };
    match ecs.dispatcher.assume_for_service(ctx, act) {
        // Where nobody keeps roles, none is missing.
        Ok(_) | Err(RoleError::NoAuthority) => true,
        Err(_) => false,
    }
}

/// Makes the role if it is not there. A caller who may not is refused nothing, as documented: whether it is there then.
pub(crate) async fn attempt(ecs: &Ecs, ctx: &Ctx) -> bool {
    if is_there(ecs, ctx) {
        return true;
    }
    let wanted = CreateServiceLinkedRoleRequest {
        aws_service_name: PRINCIPAL.to_owned(),
        ..CreateServiceLinkedRoleRequest::default()
    };
    // A node, which brings the first cluster along, may ask nothing of the identity service.
    let own = ecs
        .dispatcher
        .internal_ctx(PRINCIPAL, ctx.account.clone(), ctx.region.clone());
    let asking = if ctx.caller.is_customer() { ctx } else { &own };
    let client = Client(ecs.dispatcher.clone());
    match client.create_service_linked_role(asking, wanted).await {
        Ok(_) => true,
        Err(error) => {
            tracing::info!(%error, account = %ctx.account, "the service-linked role was not made");
            // Somebody else may have been faster.
            is_there(ecs, ctx)
        }
    }
}

/// The role's ARN, for what does not go without it: interfaces of a VPC, and task sets.
///
/// # Errors
/// It is not there, and the caller may not make it: `InvalidParameterException`.
pub(crate) async fn require(ecs: &Ecs, ctx: &Ctx) -> Result<String> {
    if attempt(ecs, ctx).await {
        return Ok(role_arn(ctx));
    }
    Err(Error::invalid(
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
    ))
}

#[cfg(test)]
mod tests;
