//! DeregisterTaskDefinition.

use roadstead_api_ecs::{DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn deregister_task_definition(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DeregisterTaskDefinitionRequest,
) -> Result<DeregisterTaskDefinitionResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "DeregisterTaskDefinition",
    )))
}
