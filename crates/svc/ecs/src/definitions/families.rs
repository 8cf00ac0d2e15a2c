//! ListTaskDefinitionFamilies.

use roadstead_api_ecs::{ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn list_task_definition_families(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: ListTaskDefinitionFamiliesRequest,
) -> Result<ListTaskDefinitionFamiliesResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "ListTaskDefinitionFamilies",
    )))
}
