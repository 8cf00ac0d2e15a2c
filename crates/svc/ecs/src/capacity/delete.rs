//! DeleteCapacityProvider. The providers that exist are reserved.

use roadstead_api_ecs::{DeleteCapacityProviderRequest, DeleteCapacityProviderResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::capacity::fixed;
use crate::error::{Result, refuse};

pub(crate) async fn delete_capacity_provider(
    _ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteCapacityProviderRequest,
) -> Result<DeleteCapacityProviderResponse> {
    let DeleteCapacityProviderRequest {
        capacity_provider,
        cluster,
    } = input;
    refuse("cluster", cluster)?;
    match fixed(ctx, &capacity_provider, "deleted")? {}
}
