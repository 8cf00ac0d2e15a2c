//! ListTaskDefinitions.

use roadstead_api_ecs::{ListTaskDefinitionsRequest, ListTaskDefinitionsResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn list_task_definitions(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: ListTaskDefinitionsRequest,
) -> Result<ListTaskDefinitionsResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "ListTaskDefinitions",
    )))
}
