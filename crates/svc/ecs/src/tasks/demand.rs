//! What tasks of a definition need, for whoever explains where they fit.

use roadstead_api_ecs::{NetworkMode, TaskDefinition};
use roadstead_placement::Demand;

use crate::error::Result;
use crate::tasks::placement::Placement;
use crate::tasks::{request, sizes};

/// What one task needs that is made from this definition in this group: without overrides, and whichever subnets it
/// will be in.
///
/// # Errors
/// The definition has a size, a port or a constraint that cannot be, which registration refuses.
pub fn demand(definition: &TaskDefinition, group: &str) -> Result<Demand> {
    let cpu = definition.cpu.as_deref().map(sizes::cpu).transpose()?;
    let memory = definition.memory.as_deref().map(sizes::memory).transpose()?;
    let interface = definition.network_mode == Some(NetworkMode::Awsvpc);
    let mut demand = request::demand_of(definition, group, cpu, memory, interface)?;
    let constraints = definition.placement_constraints.as_deref();
    Placement::default()
        .with_definition(constraints)?
        .apply(&mut demand);
    Ok(demand)
}
