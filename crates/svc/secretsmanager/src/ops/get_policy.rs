//! GetResourcePolicy.

use roadstead_api_secretsmanager::{GetResourcePolicyRequest, GetResourcePolicyResponse};
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::Result;

pub(crate) async fn get_resource_policy(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: GetResourcePolicyRequest,
) -> Result<GetResourcePolicyResponse> {
    let GetResourcePolicyRequest { secret_id } = input;
    let secret = manager.live(ctx, &secret_id).await?.value;
    Ok(GetResourcePolicyResponse {
        arn: Some(secret.arn(&ctx.partition())),
        name: Some(secret.name),
        resource_policy: secret.policy,
    })
}
