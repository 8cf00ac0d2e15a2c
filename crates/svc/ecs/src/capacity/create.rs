//! CreateCapacityProvider. A provider is a way to have machines come and go: by an Auto Scaling group, of which there
//! are none, or by the service itself, which has no machines to rent. So each is refused for what it lacks.

use roadstead_api_ecs::{CreateCapacityProviderRequest, CreateCapacityProviderResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::{Error, Result, refuse};
use crate::tags::Tags;

const PREFIXES: [&str; 3] = ["aws", "ecs", "fargate"];

pub(crate) async fn create_capacity_provider(
    _ecs: &Ecs,
    _ctx: &Ctx,
    input: CreateCapacityProviderRequest,
) -> Result<CreateCapacityProviderResponse> {
    let CreateCapacityProviderRequest {
        name,
        auto_scaling_group_provider,
        cluster,
        managed_instances_provider,
        tags,
    } = input;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let lower = name.to_ascii_lowercase();
    if !(1..=255).contains(&name.len()) || !name.chars().all(fits) {
        return Err(Error::invalid(
            "The name of a capacity provider can have 1 to 255 letters, numbers, underscores and hyphens.",
        ));
    }
    if PREFIXES.iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(Error::invalid(
            "The name of a capacity provider must not begin with aws, ecs or fargate.",
        ));
    }
    Tags::of(tags)?;
    refuse("managedInstancesProvider", managed_instances_provider)?;
    refuse("cluster", cluster)?;
    let Some(provider) = auto_scaling_group_provider else {
        return Err(Error::invalid("autoScalingGroupProvider must be given."));
    };
    let group = provider.auto_scaling_group_arn;
    Err(Error::client(format!(
        "autoScalingGroupProvider: there is no Auto Scaling group {group}. Roadstead has no Auto \
         Scaling groups; machines join a cluster by roadstead agent."
    )))
}
