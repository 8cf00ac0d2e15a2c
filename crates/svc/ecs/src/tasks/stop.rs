//! StopTask.

use roadstead_api_ecs::{StopTaskRequest, StopTaskResponse};
use roadstead_base::Ctx;
use roadstead_protocol::ApiError;

use crate::Ecs;
use crate::error::{Error, Result};

pub(crate) async fn stop_task(_ecs: &Ecs, _ctx: &Ctx, _input: StopTaskRequest) -> Result<StopTaskResponse> {
    Err(Error::Other(ApiError::not_implemented("ecs", "StopTask")))
}
