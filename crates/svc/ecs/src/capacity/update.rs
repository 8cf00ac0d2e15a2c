//! UpdateCapacityProvider. The providers that exist have nothing that could be changed.

use roadstead_api_ecs::{UpdateCapacityProviderRequest, UpdateCapacityProviderResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::capacity::fixed;
use crate::error::{Result, refuse};

pub(crate) async fn update_capacity_provider(
    _ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateCapacityProviderRequest,
) -> Result<UpdateCapacityProviderResponse> {
    let UpdateCapacityProviderRequest {
        name,
        auto_scaling_group_provider,
        cluster,
        managed_instances_provider,
    } = input;
    refuse("managedInstancesProvider", managed_instances_provider)?;
    refuse("cluster", cluster)?;
    refuse("autoScalingGroupProvider", auto_scaling_group_provider)?;
    match fixed(ctx, &name, "updated")? {}
}
