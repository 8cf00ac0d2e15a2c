//! DeregisterContainerInstance.

use roadstead_api_ecs::{DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn deregister_container_instance(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: DeregisterContainerInstanceRequest,
) -> Result<DeregisterContainerInstanceResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "DeregisterContainerInstance",
    )))
}
