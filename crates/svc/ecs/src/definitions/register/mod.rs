//! RegisterTaskDefinition. The whole request is checked before anything is written: what the service would
//! refuse is refused in its words, and what the nodes cannot do yet is refused by name.

mod around;
mod commit;
mod compatibility;
mod container;
mod dependencies;
mod devices;
mod docker_volume;
mod environment;
pub(crate) mod health;
mod kernel;
mod links;
mod linux;
mod logs;
mod memory;
mod mounts;
mod ports;
mod registry;
mod resources;
mod secrets;
mod security;
mod size;
mod task;
#[cfg(test)]
mod tests;

use roadstead_api_ecs::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse};
use roadstead_base::Ctx;

use crate::Ecs;
use crate::error::Result;

pub(crate) use resources::{Fault as ResourceFault, gpus};
pub(crate) use secrets::is_parameter;
pub(crate) use task::{storage_is_possible, storage_words};

pub(crate) async fn register_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    input: RegisterTaskDefinitionRequest,
) -> Result<RegisterTaskDefinitionResponse> {
    let checked = task::check(input)?;
    let record = commit::commit(ecs, ctx, checked).await?;
    let tags = (!record.tags.is_empty()).then(|| record.tags.to_api());
    Ok(RegisterTaskDefinitionResponse {
        tags,
        task_definition: Some(record.definition.0),
    })
}
