//! RegisterTaskDefinition.

use roadstead_api_ecs::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn register_task_definition(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: RegisterTaskDefinitionRequest,
) -> Result<RegisterTaskDefinitionResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "RegisterTaskDefinition",
    )))
}
