//! RegisterContainerInstance.

use roadstead_api_ecs::{RegisterContainerInstanceRequest, RegisterContainerInstanceResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn register_container_instance(
    _ecs: &Ecs,
    _ctx: &Ctx,
    _input: RegisterContainerInstanceRequest,
) -> Result<RegisterContainerInstanceResponse> {
    Err(Error::Other(ApiError::not_implemented(
        "ecs",
        "RegisterContainerInstance",
    )))
}
