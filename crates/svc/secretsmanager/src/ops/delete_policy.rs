//! DeleteResourcePolicy.

use roadstead_api_secretsmanager::{DeleteResourcePolicyRequest, DeleteResourcePolicyResponse};
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::Result;
use crate::secrets::Values;

/// A secret without a policy stays as it is.
pub(crate) async fn delete_resource_policy(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: DeleteResourcePolicyRequest,
) -> Result<DeleteResourcePolicyResponse> {
    let DeleteResourcePolicyRequest { secret_id } = input;
    let (secret, ()) = manager
        .change(ctx, &secret_id, |secret, now| {
            if secret.policy.take().is_some() {
                secret.changed = now;
            }
            Ok((Values::default(), ()))
        })
        .await?;
    Ok(DeleteResourcePolicyResponse {
        arn: Some(secret.arn(&ctx.partition())),
        name: Some(secret.name),
    })
}
