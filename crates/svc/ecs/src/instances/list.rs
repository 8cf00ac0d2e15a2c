//! ListContainerInstances.

use roadstead_api_ecs::{ListContainerInstancesRequest, ListContainerInstancesResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn list_container_instances(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: ListContainerInstancesRequest,
) -> Result<ListContainerInstancesResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "ListContainerInstances",
    )))
}
