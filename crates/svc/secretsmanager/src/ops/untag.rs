//! UntagResource.

use roadstead_api_secretsmanager::UntagResourceRequest;
use roadstead_base::Ctx;

use crate::SecretsManager;
use crate::error::Result;
use crate::secrets::Values;

/// Keys that the secret does not have are no error.
pub(crate) async fn untag_resource(
    manager: &SecretsManager,
    ctx: &Ctx,
    input: UntagResourceRequest,
) -> Result<()> {
    let UntagResourceRequest { secret_id, tag_keys } = input;
    let change = manager.change(ctx, &secret_id, |secret, now| {
        secret.tags.retain(|key, _| !tag_keys.contains(key));
        secret.changed = now;
        Ok((Values::default(), ()))
    });
    change.await.map(drop)
}
